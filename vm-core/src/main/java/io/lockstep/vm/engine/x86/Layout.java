package io.lockstep.vm.engine.x86;

import io.lockstep.vm.mmu.Mmu;

/**
 * Where things are in the memory that holds the machine code of one machine. Everything is in reach
 * of a 32-bit displacement of everything else:
 *
 * <pre>
 *  0                state shared with the run loop, one page; see the constants
 *  SLOTS            for each fetch slot of the MMU: tag 8, address of the page's table or 0, 8
 *  TABLES           tables of code pages, as they are needed: for each 2 bytes of the page the
 *                   offset from CODE of the unit that starts there; 0: none
 *  CODE             the stubs; at 0 the one for "there is no unit"
 *  CODE + stubs     units, as they are made
 * </pre>
 *
 * <p>Memory of which nothing was written costs nothing.
 */
public final class Layout {
  static final int LEFT = 0;

  /** Offset in its page of the instruction that comes next. */
  static final int OFFSET = 8;

  /** Virtual address of the page that is executed. */
  static final int PAGE = 16;

  /** The address of an access that missed the fast path. */
  static final int ADDRESS = 24;

  /** Which {@linkplain Sites site} wants something done. */
  static final int SITE = 32;

  /** Where to go on after that. */
  static final int CONTINUE = 40;

  /** Not 0 if units with floating point may be entered. */
  static final int FLOAT_READY = 48;

  static final int MXCSR_AT_START = 52;
  static final int MXCSR_AT_END = 56;

  /** Address of the slots of the present fetch context. */
  static final int SLOT_BASE = 64;

  /** The physical address that LR reserved, or -1. */
  static final int RESERVATION = 72;

  /** Not 0 if blocks may be zeroed (the envcfg registers). */
  static final int ZERO_ALLOWED = 80;

  /** What makes a physical address of a host address in guest RAM, by addition. */
  static final int TO_PHYSICAL = 88;

  static final int SLOTS = 4096;
  static final int SLOT_BYTES = 16;
  static final int SLOTS_PER_CONTEXT = Mmu.FAST_CONTEXT_STRIDE / 2;
  static final int TABLES = SLOTS + 4 * SLOTS_PER_CONTEXT * SLOT_BYTES;
  static final int TABLE_BYTES = 4096 / 2 * 4;
  static final int TABLES_MAX = 12_288;
  static final int CODE = TABLES + TABLES_MAX * TABLE_BYTES;
  static final int CODE_BYTES = 96 << 20;

  /** The flags of MXCSR that say nothing has happened; all exceptions masked, to nearest. */
  static final int MXCSR = 0x1f80;

  // What the code returns.

  /** There is no unit where it goes on. */
  public static final int MISS = 0;

  /** The unit there needs more fuel. */
  public static final int FUEL = 1;

  /** The unit there needs floating point to be ready. */
  public static final int FLOAT = 2;

  /** A site wants something done. */
  public static final int ASK = 3;

  private Layout() {}
}
