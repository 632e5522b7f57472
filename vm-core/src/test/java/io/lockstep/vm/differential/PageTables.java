package io.lockstep.vm.differential;

import static io.lockstep.vm.differential.Layout.*;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/**
 * The page tables of an image: identity for code in S-mode, the same with the U bit elsewhere, and
 * windows of pages whose entries are right, wrong and reserved in every way.
 */
final class PageTables {
  private static final int V = 1, R = 2, W = 4, X = 8, U = 16, A = 64, D = 128;
  static final long ROOT_39 = TABLES;
  static final long ROOT_48 = TABLES + 0x1000;
  private static final long IDENTITY = TABLES + 0x2000;
  private static final long USER = TABLES + 0x3000;
  private static final long STUB_PAGES = TABLES + 0x4000;
  private static final long WINDOW_MIDDLE = TABLES + 0x5000;
  private static final long WINDOW_PAGES = TABLES + 0x6000;

  private final ByteBuffer bytes =
      ByteBuffer.allocate(TABLES_LENGTH).order(ByteOrder.LITTLE_ENDIAN);
  private final Random random;

  private PageTables(Random random) {
    this.random = random;
  }

  static byte[] make(Random random) {
    PageTables t = new PageTables(random);
    t.fill();
    return t.bytes.array();
  }

  private void set(long table, int index, long entry) {
    bytes.putLong((int) (table - TABLES) + index * 8, entry);
  }

  private static long leaf(long physical, int flags) {
    return physical >>> 12 << 10 | flags | V;
  }

  private static long branch(long table) {
    return table >>> 12 << 10 | V;
  }

  private void fill() {
    int windows = (int) (WINDOWS >>> 30);
    set(ROOT_39, 2, branch(IDENTITY));
    set(ROOT_39, (int) (BASE + USER_OFFSET >>> 30), branch(USER));
    set(ROOT_39, windows, branch(WINDOW_MIDDLE));
    set(ROOT_39, windows + 1, leaf(BASE, R | W | A | D));
    set(ROOT_39, windows + 2, leaf(BASE, R | W | U | A | D));
    set(ROOT_39, windows + 3, leaf(BASE + (2 << 20), R | W | A | D)); // misaligned
    set(ROOT_39, (int) (UPPER_WINDOWS >>> 30 & 511), branch(WINDOW_MIDDLE));
    set(ROOT_48, 0, branch(ROOT_39));
    set(ROOT_48, 511, branch(ROOT_39));
    set(ROOT_48, (int) (TERAPAGE >>> 39), leaf(0, R | W | A | D));
    set(IDENTITY, 0, branch(STUB_PAGES));
    set(STUB_PAGES, (int) (STUB - BASE >>> 12), leaf(STUB, R | X | A | D));
    set(IDENTITY, 1, leaf(CODE, R | X | A));
    set(USER, 1, leaf(CODE, R | X | U | A));
    set(WINDOW_MIDDLE, 0, branch(WINDOW_PAGES));
    for (int i = 0; i < 512; i++) {
      set(WINDOW_PAGES, i, page(i));
      if (i > 0) {
        set(WINDOW_MIDDLE, i, superpage(i));
      }
    }
  }

  /** Pages 0 to 63 are good ones for S, 64 to 127 for U; the rest is anything. */
  private long page(int index) {
    long physical = DATA + (index == 0 || index == 64 ? DATA_PAGES - 1 : dataPage()) * 4096L;
    if (index < 128) {
      return leaf(physical, R | W | A | D | (index >= 64 ? U : 0));
    }
    if (random.nextInt(16) == 0) {
      physical = 0x50_0000_0000L; // nothing is there
    }
    int flags = random.nextInt(256) | (random.nextInt(8) == 0 ? 0 : V);
    long reserved = random.nextInt(16) == 0 ? 1L << random.nextInt(54, 64) : 0;
    return physical >>> 12 << 10 | flags | random.nextInt(4) << 8 | reserved;
  }

  private long superpage(int index) {
    int flags = index < 16 ? R | W | A | D | V : index < 32 ? R | W | U | A | D | V : any();
    long physical = DATA + (random.nextInt(16) == 0 ? 4096L << random.nextInt(9) : 0);
    return physical >>> 12 << 10 | flags;
  }

  private int any() {
    int flags = random.nextInt(256) | V;
    // A branch would lead to data.
    return (flags & (R | W | X)) == 0 ? flags | A : flags;
  }

  private long dataPage() {
    return random.nextInt(DATA_PAGES - 1);
  }
}
