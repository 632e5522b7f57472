/*
 * Sv39 address space:
 *
 *   0x00_0000_0000   identity, gigapages: devices, and all of RAM (accessed and dirty preset)
 *   0x20_0000_0000   tables, 4 KiB pages: the store's data; accessed and dirty start clear
 *   0x20_0020_0000   window, 4 KiB pages: free RAM that the dirty_kb= option writes to
 *
 * A hart with Svade traps where an accessed or dirty bit is clear, one with Svadu sets it: both work. Once a heartbeat
 * the bits of the tables are cleared again, as a kernel does when it looks for pages that are not in use.
 */
#pragma once

#include "lib.h"

#define PAGE 4096ul
#define TABLES_BASE 0x2000000000ul
#define TABLES_PAGES_MAX 16
#define WINDOW_BASE 0x2000200000ul
#define WINDOW_PAGES_MAX (64ul << 20 >> 12)

/* tables: physical memory, page-aligned, to be seen at TABLES_BASE. */
void paging_on(uint64_t ram_end, void *tables, size_t pages);

/* Maps that many pages from physical address `from` at WINDOW_BASE. */
void paging_map_window(uint64_t from, size_t pages);

/* Sets what a page-table walk found missing. False if the access is not allowed at all. */
bool paging_fault(uint64_t address, bool store);

/* Clears accessed and dirty of the tables; returns how many pages had been accessed. */
unsigned paging_age(void);

uint64_t paging_faults(void);
