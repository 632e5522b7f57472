package io.lockstep.vm.differential;

/**
 * Where things are in the image of a differential run: guest physical addresses, and offsets of
 * 64-bit words in its records.
 *
 * <pre>
 * 8000_0000 harness   8000_8000 stub of the S-mode trap handler   8001_0000 page tables
 * 8020_0000 blocks of random code   8040_0000 data   8060_0000 records, then their results
 * </pre>
 *
 * A record holds the state in which a block starts; its result the state in which it ended, and a
 * log of its traps.
 */
final class Layout {
  static final long BASE = 0x8000_0000L;
  static final int MEMORY = 48 << 20;
  static final long STUB = BASE + 0x8000;
  static final long TABLES = BASE + 0x1_0000;
  static final int TABLES_LENGTH = 0x1_0000;
  static final long CODE = BASE + 0x20_0000;
  static final int CODE_LENGTH = 0x20_0000;
  static final long DATA = BASE + 0x40_0000;

  /** Pages of data that accesses go to; the last one only by way of x9. */
  static final int DATA_PAGES = 16;

  static final int DATA_LENGTH = DATA_PAGES * 4096;
  static final long RECORDS = BASE + 0x60_0000;

  /** Words of a record. */
  static final int ENTRY = 0,
      VIRTUAL_OFFSET = 1,
      RESULT = 2,
      CSRS = 3,
      X = 24,
      F = 56,
      SCRATCH = 88,
      RECORD_WORDS = 96;

  /** The CSRs that a record sets, in this order, at {@link #CSRS}. */
  static final int[] CSRS_SET = {
    0x180, 0x302, 0x303, 0x304, 0x344, 0x105, 0x140, 0x141, 0x3b0, 0x3b1, 0x3b2, 0x3a0, 0x003,
    0x142, 0x143, 0x343, 0x342, 0x106, 0x300
  };

  /** Words of a result. */
  static final int RESULT_X = 0,
      RESULT_F = 32,
      RESULT_CSRS = 64,
      LOG_COUNT = 96,
      LOG = 104,
      LOG_ENTRY_WORDS = 8,
      TRAPS_MAX = 16,
      RESULT_WORDS = LOG + LOG_ENTRY_WORDS * (TRAPS_MAX + 1);

  /** The CSRs of a result, in this order, at {@link #RESULT_CSRS}. */
  static final int[] CSRS_SHOWN = {
    0x003, 0x300, 0x100, 0x180, 0x302, 0x303, 0x304, 0x344, 0x104, 0x144, 0x105, 0x106, 0x140,
    0x141, 0x142, 0x143, 0x341, 0x342, 0x343, 0x3a0, 0x3b0, 0x3b1, 0x3b2, 0x301
  };

  /** Words of a log entry. */
  static final int MCAUSE = 0,
      MEPC = 1,
      MTVAL = 2,
      MSTATUS = 3,
      SCAUSE = 4,
      SEPC = 5,
      STVAL = 6,
      WAS_DELEGATED = 7;

  /** The virtual address at which U-mode sees RAM is this much higher. */
  static final long USER_OFFSET = 0x10_0000_0000L;

  /** 512 pages with random entries, and a half of superpages. */
  static final long WINDOWS = 0x20_0000_0000L;

  /** Gigapages. */
  static final long GIGAPAGES = WINDOWS + (1L << 30);

  /** The windows again, at the upper end of the address space. */
  static final long UPPER_WINDOWS = -64L << 30;

  /** With Sv48: a page of 512 GiB whose offset is the physical address. */
  static final long TERAPAGE = 100L << 39;

  private Layout() {}

  static long result(int record, int records) {
    return RECORDS + records * (RECORD_WORDS * 8L) + record * (RESULT_WORDS * 8L);
  }

  static long record(int index) {
    return RECORDS + index * (RECORD_WORDS * 8L);
  }
}
