#include "paging.h"

#define PTE_V 1ul
#define PTE_R 2ul
#define PTE_W 4ul
#define PTE_X 8ul
#define PTE_G 32ul
#define PTE_A 64ul
#define PTE_D 128ul
#define PTES 512
#define GIGA (1ul << 30)
#define SATP_SV39 (8ul << 60)
#define IDENTITY_END (TABLES_BASE)

typedef uint64_t page_table[PTES] __attribute__((aligned(4096)));

static page_table root NOINIT, middle NOINIT, tables_leaf NOINIT;
static page_table window_leaf[WINDOW_PAGES_MAX / PTES] NOINIT;
static size_t tables_pages, window_pages;
static uint64_t fault_count;

static uint64_t pte(uint64_t physical, uint64_t flags) { return physical >> 12 << 10 | flags; }

static void flush_all(void) { __asm__ volatile("sfence.vma" ::: "memory"); }
static void flush_page(uint64_t address) { __asm__ volatile("sfence.vma %0" ::"r"(address) : "memory"); }

void paging_on(uint64_t ram_end, void *tables, size_t pages) {
  memset(root, 0, sizeof root);
  memset(middle, 0, sizeof middle);
  memset(tables_leaf, 0, sizeof tables_leaf);
  uint64_t preset = PTE_V | PTE_R | PTE_W | PTE_G | PTE_A | PTE_D;
  root[0] = pte(0, preset);
  for (uint64_t at = 2 * GIGA; at < ram_end && at < IDENTITY_END; at += GIGA)
    root[at / GIGA] = pte(at, preset | PTE_X);

  tables_pages = pages;
  for (size_t i = 0; i < pages; i++)
    tables_leaf[i] = pte((uint64_t)tables + i * PAGE, PTE_V | PTE_R | PTE_W);
  middle[0] = pte((uint64_t)tables_leaf, PTE_V);
  root[TABLES_BASE / GIGA] = pte((uint64_t)middle, PTE_V);

  flush_all();
  csr_write(satp, SATP_SV39 | (uint64_t)root >> 12);
  flush_all();
}

void paging_map_window(uint64_t from, size_t pages) {
  window_pages = pages;
  size_t leaves = (pages + PTES - 1) / PTES;
  memset(window_leaf, 0, leaves * sizeof window_leaf[0]);
  for (size_t i = 0; i < pages; i++)
    window_leaf[i / PTES][i % PTES] = pte(from + i * PAGE, PTE_V | PTE_R | PTE_W);
  for (size_t i = 0; i < leaves; i++) middle[1 + i] = pte((uint64_t)window_leaf[i], PTE_V);
  flush_all();
}

bool paging_fault(uint64_t address, bool store) {
  uint64_t *entry = 0;
  if (address >= TABLES_BASE && address - TABLES_BASE < tables_pages * PAGE) {
    entry = &tables_leaf[(address - TABLES_BASE) / PAGE];
  } else if (address >= WINDOW_BASE && address - WINDOW_BASE < window_pages * PAGE) {
    size_t page = (address - WINDOW_BASE) / PAGE;
    entry = &window_leaf[page / PTES][page % PTES];
  }
  uint64_t needed = store ? PTE_A | PTE_D : PTE_A;
  /* With the bits already set it is not this that the hart complains about. */
  if (!entry || (*entry & needed) == needed) return false;
  *entry |= needed;
  fault_count++;
  flush_page(address);
  return true;
}

unsigned paging_age(void) {
  unsigned accessed = 0;
  for (size_t i = 0; i < tables_pages; i++) {
    if (tables_leaf[i] & PTE_A) accessed++;
    tables_leaf[i] &= ~(PTE_A | PTE_D);
  }
  flush_all();
  return accessed;
}

uint64_t paging_faults(void) { return fault_count; }
