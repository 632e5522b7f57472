/* Lines for the person who watches: through the firmware's debug console, or else the UART. */
#pragma once

#include "lib.h"

void console_init(void);

/* Prints "[small] ", the text and a line end. */
void say(const char *pattern, ...) __attribute__((format(printf, 1, 2)));

/* Says why, and switches the machine off with the reason "system failure". */
_Noreturn void panic(const char *pattern, ...) __attribute__((format(printf, 1, 2)));
