package io.lockstep.vm.engine.x86;

import java.util.Arrays;

/**
 * Encodes the x86-64 instructions that {@link RegionEmitter} needs, for one place in memory (Intel
 * 64 and IA-32 Architectures Software Developer's Manual, volume 2). The instructions are named by
 * their opcodes' constants; the methods are their forms: which operands, in which order.
 *
 * <p>An operand is either a register, 0 to 15, or one of the two kinds of memory that methods say:
 * {@code base + displacement}, or an absolute address that is encoded relative to the instruction.
 */
final class Assembler {
  static final int RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7;
  static final int R8 = 8, R9 = 9, R10 = 10, R11 = 11, R12 = 12, R13 = 13, R14 = 14, R15 = 15;

  // Opcodes of the form "register, register or memory". Those of arithmetic hold their number for
  // the form with an immediate operand in bits 3 to 5.
  static final int ADD = 0x03, OR = 0x0b, AND = 0x23, SUB = 0x2b, XOR = 0x33, CMP = 0x3b;
  static final int MOV = 0x8b, MOVSXD = 0x63, LEA = 0x8d, TEST = 0x85;
  static final int IMUL = 0x0faf, MOVZX8 = 0x0fb6, MOVZX16 = 0x0fb7, MOVSX8 = 0x0fbe;
  static final int MOVSX16 = 0x0fbf, CMOV = 0x0f40, LOWEST_BIT = 0x0fbc, HIGHEST_BIT = 0x0fbd;

  /** Stores: "register or memory, register". */
  static final int STORE = 0x89, STORE8 = 0x88, CMP_MEMORY = 0x39;

  /** Numbers of shifts. */
  static final int ROL = 0, ROR = 1, SHL = 4, SHR = 5, SAR = 7;

  /** Numbers of the operations with one operand, opcode F7. */
  static final int NOT = 2, NEG = 3, MUL = 4, IMUL_WIDE = 5, DIV = 6, IDIV = 7;

  /** Conditions. */
  static final int BELOW = 2, NOT_BELOW = 3, EQUAL = 4, NOT_EQUAL = 5, ABOVE = 7;

  static final int PARITY = 10, NO_PARITY = 11, LESS = 12, NOT_LESS = 13, GREATER = 15;

  // Scalar floating point, with the prefix that says the precision in front.
  static final int DOUBLE = 0xf20f00, SINGLE = 0xf30f00;
  static final int LOAD_F = 0x10, STORE_F = 0x11, ADD_F = 0x58, MUL_F = 0x59, SUB_F = 0x5c;
  static final int DIV_F = 0x5e, SQRT_F = 0x51, CONVERT_F = 0x5a, FROM_INTEGER = 0x2a;
  static final int TO_INTEGER_TRUNCATING = 0x2c, TO_INTEGER = 0x2d;
  static final int COMPARE_QUIET = 0x660f2e, COMPARE = 0x660f2f, COMPARE_QUIET_SINGLE = 0x0f2e;
  static final int COMPARE_SINGLE = 0x0f2f, XORPS = 0x0f57;

  private static final int INITIAL = 1 << 14;

  private final long base;
  private byte[] code = new byte[INITIAL];
  private int at;

  /** A place in the code, known now or later. */
  static final class Label {
    private int position = -1;
    private int[] fixups = new int[2];
    private int count;

    /** Whether the label has its place. */
    boolean isBound() {
      return position >= 0;
    }
  }

  /** Starts at an address. */
  Assembler(long base) {
    this.base = base;
  }

  /** The address of the next instruction. */
  long here() {
    return base + at;
  }

  /** The address of a bound label. */
  long addressOf(Label label) {
    return base + label.position;
  }

  /** What has been emitted. */
  byte[] toBytes() {
    return Arrays.copyOf(code, at);
  }

  private void emit(int b) {
    if (at == code.length) {
      code = Arrays.copyOf(code, 2 * at);
    }
    code[at++] = (byte) b;
  }

  private void emit32(int value) {
    emit(value);
    emit(value >> 8);
    emit(value >> 16);
    emit(value >> 24);
  }

  private static boolean isByte(int value) {
    return value == (byte) value;
  }

  /** Prefix, REX and opcode. {@code rexAlways}: so that byte registers are the low ones. */
  private void opcode(int opcode, boolean wide, int reg, int index, int base2, boolean rexAlways) {
    if (opcode >= 0x10000) {
      emit(opcode >> 16);
    }
    int rex = 0x40 | (wide ? 8 : 0) | reg >> 3 << 2 | index >> 3 << 1 | base2 >> 3;
    if (rex != 0x40 || rexAlways) {
      emit(rex);
    }
    if (opcode >= 0x100) {
      emit(opcode >> 8);
    }
    emit(opcode);
  }

  /** Register and register. */
  void rr(int opcode, boolean wide, int reg, int rm) {
    opcode(opcode, wide, reg, 0, rm, opcode == MOVZX8 || opcode == MOVSX8 || opcode == STORE8);
    emit(0xc0 | (reg & 7) << 3 | rm & 7);
  }

  /** Register and memory at {@code base2 + displacement}. */
  void rm(int opcode, boolean wide, int reg, int base2, int displacement) {
    opcode(opcode, wide, reg, 0, base2, opcode == STORE8);
    memory(reg, base2, displacement);
  }

  private void memory(int reg, int base2, int displacement) {
    int low = base2 & 7;
    int mode = displacement == 0 && low != RBP ? 0 : isByte(displacement) ? 1 : 2;
    emit(mode << 6 | (reg & 7) << 3 | low);
    if (low == RSP) {
      emit(0x24);
    }
    if (mode == 1) {
      emit(displacement);
    } else if (mode == 2) {
      emit32(displacement);
    }
  }

  /** Register and memory at {@code base2 + (index << shift) + displacement}. */
  void rx(int opcode, boolean wide, int reg, int base2, int index, int shift, int displacement) {
    opcode(opcode, wide, reg, index, base2, opcode == STORE8);
    int mode = displacement == 0 && (base2 & 7) != RBP ? 0 : isByte(displacement) ? 1 : 2;
    emit(mode << 6 | (reg & 7) << 3 | 4);
    emit(shift << 6 | (index & 7) << 3 | base2 & 7);
    if (mode == 1) {
      emit(displacement);
    } else if (mode == 2) {
      emit32(displacement);
    }
  }

  /** Register and memory at an address near the code; {@code behind} bytes follow the operand. */
  private void near(int opcode, boolean wide, int reg, long address, int behind) {
    opcode(opcode, wide, reg, 0, 0, false);
    emit((reg & 7) << 3 | 5);
    emit32((int) (address - (here() + 4 + behind)));
  }

  /** Register and memory at an address near the code. */
  void ra(int opcode, boolean wide, int reg, long address) {
    near(opcode, wide, reg, address, 0);
  }

  /** Stores a 32-bit constant at an address near the code. */
  void storeConstant(long address, int value) {
    near(0xc7, false, 0, address, 4);
    emit32(value);
  }

  /** Stores 64 bits, all ones, at an address near the code. */
  void storeMinusOne(long address) {
    near(0xc7, true, 0, address, 4);
    emit32(-1);
  }

  /** Compares 32 bits at an address near the code with a small constant. */
  void compareConstant(long address, int value) {
    near(0x83, false, 7, address, 1);
    emit(value);
  }

  /** Stores a constant, 8, 32 or 64 bits (sign-extended) wide, at {@code base2 + displacement}. */
  void storeConstant(int size, int base2, int displacement, int value) {
    if (size == 2) {
      emit(0x66);
    }
    opcode(size == 1 ? 0xc6 : 0xc7, size == 8, 0, 0, base2, false);
    memory(0, base2, displacement);
    if (size == 1) {
      emit(value);
    } else if (size == 2) {
      emit(value);
      emit(value >> 8);
    } else {
      emit32(value);
    }
  }

  /** Stores the low 16 bits. */
  void store16(int reg, int base2) {
    emit(0x66);
    rm(STORE, false, reg, base2, 0);
  }

  /** Arithmetic on a register with a constant. */
  void ri(int opcode, boolean wide, int reg, int value) {
    int number = opcode >> 3 & 7;
    opcode(isByte(value) ? 0x83 : 0x81, wide, 0, 0, reg, false);
    emit(0xc0 | number << 3 | reg & 7);
    constant(value);
  }

  /** Arithmetic on 64 bits of memory at {@code base2 + displacement} with a constant. */
  void mi(int opcode, int base2, int displacement, int value) {
    opcode(isByte(value) ? 0x83 : 0x81, true, 0, 0, base2, false);
    memory(opcode >> 3 & 7, base2, displacement);
    constant(value);
  }

  /** Compares 32 bits of memory with a small constant. */
  void compareWord(int base2, int displacement, int value) {
    opcode(0x83, false, 0, 0, base2, false);
    memory(7, base2, displacement);
    emit(value);
  }

  private void constant(int value) {
    if (isByte(value)) {
      emit(value);
    } else {
      emit32(value);
    }
  }

  /** A constant, sign-extended, into a register. */
  void constant(int reg, long value) {
    if (value == 0) {
      rr(XOR, false, reg, reg);
    } else if (value == (value & 0xffff_ffffL)) {
      opcode(0xb8 | reg & 7, false, 0, 0, reg, false);
      emit32((int) value);
    } else if (value == (int) value) {
      opcode(0xc7, true, 0, 0, reg, false);
      emit(0xc0 | reg & 7);
      emit32((int) value);
    } else {
      opcode(0xb8 | reg & 7, true, 0, 0, reg, false);
      emit32((int) value);
      emit32((int) (value >> 32));
    }
  }

  /** A shift or rotation by a constant. */
  void shift(int number, boolean wide, int reg, int amount) {
    opcode(0xc1, wide, 0, 0, reg, false);
    emit(0xc0 | number << 3 | reg & 7);
    emit(amount);
  }

  /** A shift or rotation by CL. */
  void shiftByCl(int number, boolean wide, int reg) {
    opcode(0xd3, wide, 0, 0, reg, false);
    emit(0xc0 | number << 3 | reg & 7);
  }

  /** NOT, NEG, and multiplication or division of RDX:RAX. */
  void unary(int number, boolean wide, int reg) {
    opcode(0xf7, wide, 0, 0, reg, false);
    emit(0xc0 | number << 3 | reg & 7);
  }

  /** Sets, resets or complements one bit: number 5, 6, 7. */
  void bit(int number, int reg, int index) {
    opcode(0x0fba, true, 0, 0, reg, false);
    emit(0xc0 | number << 3 | reg & 7);
    emit(index);
  }

  /** Reverses the bytes of a 64-bit register. */
  void byteSwap(int reg) {
    opcode(0x0fc8 | reg & 7, true, 0, 0, reg, false);
  }

  /** Extends the sign of RAX into RDX, or of EAX into EDX. */
  void signIntoRdx(boolean wide) {
    opcode(0x99, wide, 0, 0, 0, false);
  }

  /** 1 into the low byte of a register if the condition holds, else 0. */
  void set(int condition, int reg) {
    opcode(0x0f90 | condition, false, 0, 0, reg, true);
    emit(0xc0 | reg & 7);
  }

  void push(int reg) {
    opcode(0x50 | reg & 7, false, 0, 0, reg, false);
  }

  void pop(int reg) {
    opcode(0x58 | reg & 7, false, 0, 0, reg, false);
  }

  void ret() {
    emit(0xc3);
  }

  void cpuid() {
    emit(0x0f);
    emit(0xa2);
  }

  /** Jumps to the address in a register. */
  void jumpTo(int reg) {
    opcode(0xff, false, 0, 0, reg, false);
    emit(0xe0 | reg & 7);
  }

  /** Jumps to the address that lies at an address near the code. */
  void jumpThrough(long address) {
    near(0xff, false, 4, address, 0);
  }

  /** Rounds a double in memory to an integral one: mode 1 down, 2 up (SSE4.1). */
  void round(int reg, int base2, int displacement, int mode) {
    emit(0x66);
    emit(0x0f);
    emit(0x3a);
    emit(0x0b);
    memory(reg, base2, displacement);
    emit(mode);
  }

  /** LDMXCSR (number 2) or STMXCSR (number 3). */
  void mxcsr(int number, long address) {
    near(0x0fae, false, number, address, 0);
  }

  /**
   * Fused multiplication and addition of doubles or singles, {@code a = a * b + memory} with the
   * signs that the opcode says: form 213.
   */
  void fused(int opcode, boolean dual, int a, int b, int base2, int displacement) {
    emit(0xc4);
    emit(0xe2);
    emit((dual ? 0x80 : 0) | (~b & 15) << 3 | 1);
    emit(opcode);
    memory(a, base2, displacement);
  }

  void jump(Label label) {
    if (label.isBound()) {
      int distance = label.position - (at + 2);
      if (isByte(distance)) {
        emit(0xeb);
        emit(distance);
        return;
      }
    }
    emit(0xe9);
    reference(label);
  }

  void jumpTo(long address) {
    emit(0xe9);
    emit32((int) (address - (here() + 4)));
  }

  void jumpIf(int condition, Label label) {
    if (label.isBound()) {
      int distance = label.position - (at + 2);
      if (isByte(distance)) {
        emit(0x70 | condition);
        emit(distance);
        return;
      }
    }
    emit(0x0f);
    emit(0x80 | condition);
    reference(label);
  }

  /** The address of a label into a register. */
  void address(int reg, Label label) {
    opcode(LEA, true, reg, 0, 0, false);
    emit((reg & 7) << 3 | 5);
    reference(label);
  }

  private void reference(Label label) {
    if (label.isBound()) {
      emit32(label.position - (at + 4));
      return;
    }
    if (label.count == label.fixups.length) {
      label.fixups = Arrays.copyOf(label.fixups, 2 * label.count);
    }
    label.fixups[label.count++] = at;
    emit32(0);
  }

  /** The label is here. */
  void bind(Label label) {
    label.position = at;
    for (int i = 0; i < label.count; i++) {
      int where = label.fixups[i];
      int distance = at - (where + 4);
      code[where] = (byte) distance;
      code[where + 1] = (byte) (distance >> 8);
      code[where + 2] = (byte) (distance >> 16);
      code[where + 3] = (byte) (distance >> 24);
    }
  }
}
