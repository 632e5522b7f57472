/* The kernel command line: words of the form name=value. */
#pragma once

#include "lib.h"

struct options {
  uint64_t beat_ms;
  uint32_t ip, netmask, gateway;
  bool load_cpu;
  uint64_t dirty_kb, dirty_span_kb;
  bool fsync;
  uint64_t rto_min_ms;
};

/* Says so, and keeps the default, where it does not understand a word. */
void options_parse(const char *text, struct options *options);

struct ip_text {
  char text[16];
};
struct ip_text ip_text(uint32_t ip);
