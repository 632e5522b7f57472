/* The few facts taken from the device tree (Devicetree Specification 0.4 §5). */
#pragma once

#include "lib.h"

struct fdt_facts {
  uint64_t ram_base, ram_end;
  uint64_t timebase_hz;
  uint64_t seed;
  bool sstc;
  char bootargs[512];
};

/* Whatever is missing or malformed keeps the default of QEMU's virt board with 128 MiB. */
void fdt_read(const uint8_t *tree, struct fdt_facts *facts);
