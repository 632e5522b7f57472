#include "kernel.h"

/* An interpreter of a small stack language, as scripting languages have inside: dense switch, operand
   stack in memory, indirect jumps. */
enum { PUSH, LOAD, STORE, ADD, SUB, MUL, XOR, LESS, JUMP_IF, JUMP, HALT };

static const int32_t program[] = {
    /* i = 0; x = 1; while (i < n) { x = x * 31 + i ^ (x - i); i = i + 1; } */
    PUSH, 0,  STORE, 0,  PUSH, 1,   STORE, 1,                                /* 0 */
    LOAD, 0,  LOAD,  2,  LESS, JUMP_IF, 17, JUMP, 42,                        /* 8 */
    LOAD, 1,  PUSH,  31, MUL,  LOAD, 0, ADD, LOAD, 1, LOAD, 0, SUB, XOR,     /* 17 */
    STORE, 1, LOAD,  0,  PUSH, 1,   ADD,  STORE, 0, JUMP, 8,                 /* 31 */
    HALT,                                                                    /* 42 */
};

static int64_t run(int64_t n) {
  int64_t stack[32], variables[4] = {0, 0, n, 0};
  int top = 0;
  const int32_t *pc = program;
  for (;;) {
    switch (*pc++) {
      case PUSH: stack[top++] = *pc++; break;
      case LOAD: stack[top++] = variables[*pc++]; break;
      case STORE: variables[*pc++] = stack[--top]; break;
      case ADD: top--; stack[top - 1] += stack[top]; break;
      case SUB: top--; stack[top - 1] -= stack[top]; break;
      case MUL: top--; stack[top - 1] *= stack[top]; break;
      case XOR: top--; stack[top - 1] ^= stack[top]; break;
      case LESS: top--; stack[top - 1] = stack[top - 1] < stack[top]; break;
      case JUMP_IF: pc = stack[--top] ? program + *pc : pc + 1; break;
      case JUMP: pc = program + *pc; break;
      case HALT: return variables[1];
    }
  }
}

uint64_t kernel(void) {
  uint64_t sum = 0;
  for (int i = 0; i < 8; i++) sum += (uint64_t)run(500000 + i);
  return sum;
}
