#include "console.h"

#include "sbi.h"

#define UART 0x10000000ul
#define UART_THR 0
#define UART_LSR 5
#define UART_LSR_THRE 0x20

static bool has_debug_console;

void console_init(void) { has_debug_console = sbi_has(SBI_DBCN); }

static void write_uart(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    while (!(*(volatile uint8_t *)(UART + UART_LSR) & UART_LSR_THRE)) {
    }
    *(volatile uint8_t *)(UART + UART_THR) = (uint8_t)text[i];
  }
}

static void write_text(const char *text, size_t length) {
  if (!has_debug_console) {
    write_uart(text, length);
    return;
  }
  /* The console may take less than it is given (SBI 2.0 §12.1). */
  while (length) {
    struct sbi_result r = sbi_call(SBI_DBCN, 0, length, (uint64_t)text, 0);
    if (r.error || r.value < 0 || (uint64_t)r.value > length) return;
    text += r.value;
    length -= (size_t)r.value;
  }
}

static void say_list(const char *prefix, const char *pattern, __builtin_va_list list) {
  static char line[256];
  size_t n = format(line, sizeof line - 1, "[small] %s", prefix);
  n += format_list(line + n, sizeof line - 1 - n, pattern, list);
  line[n++] = '\n';
  write_text(line, n);
}

void say(const char *pattern, ...) {
  __builtin_va_list list;
  __builtin_va_start(list, pattern);
  say_list("", pattern, list);
  __builtin_va_end(list);
}

_Noreturn void panic(const char *pattern, ...) {
  __builtin_va_list list;
  csr_clear(sstatus, SSTATUS_SIE);
  __builtin_va_start(list, pattern);
  say_list("panic: ", pattern, list);
  __builtin_va_end(list);
  sbi_shutdown(SBI_SYSTEM_FAILURE);
}
