package io.lockstep.vm.memory;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The guest's RAM and what is known of each of its pages.
 *
 * <p>The bytes live outside the heap. The engine reaches them by absolute host address through
 * {@link #HOST}, a segment over the whole address space, because then a translation is one add and
 * no segment's liveness or bounds are checked again; that is sound because an address is only ever
 * formed from a page inside this RAM (the translation caches hold nothing else). Everybody else
 * uses the checked methods below.
 *
 * <p>Each page has flags: one dirty bit per consumer and {@link #CODE}. They are clear at first: a
 * page that was never written is known to be zero, and nobody needs to look at it, which would cost
 * time. The engine may write a page without telling anybody only while all dirty bits are set and
 * {@code CODE} is clear; whoever clears a dirty bit or sets {@code CODE} must make the engine drop
 * its fast write paths.
 */
public final class GuestRam {
  /** Where RAM starts in the guest's physical address space (QEMU's virt board). */
  public static final long BASE = 0x8000_0000L;

  /** Bytes in a page. */
  public static final int PAGE = 4096;

  /** Page flag: written since the digest last looked. */
  public static final byte DIRTY_DIGEST = 1;

  /** Page flag: written since the page was last sent to a secondary. */
  public static final byte DIRTY_ATTACH = 2;

  /** Page flag: written since the last snapshot. */
  public static final byte DIRTY_SNAPSHOT = 4;

  /** Page flag: written since this RAM was made; nobody clears it. Other pages are zero. */
  public static final byte WRITTEN = 32;

  /** What a write sets. */
  public static final byte DIRTY_ALL = DIRTY_DIGEST | DIRTY_ATTACH | DIRTY_SNAPSHOT | WRITTEN;

  /** Page flag: the engine holds decoded or compiled code from this page. */
  public static final byte CODE = 8;

  /** Page flag: the engine may hold fast write paths to this page. */
  public static final byte FAST_STORE = 16;

  /** All of the host's address space. Only for addresses made from {@link #hostBase()}. */
  public static final MemorySegment HOST = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MemorySegment segment;
  private final long size;
  private final long hostBase;
  private final byte[] flags;
  private CodeObserver codeObserver = page -> {};

  /** Told before the contents of a page with {@link #CODE} change. */
  @FunctionalInterface
  public interface CodeObserver {
    /** Code from this page (index from the start of RAM) is about to become stale. */
    void onCodePageWritten(int page);
  }

  /**
   * Makes zeroed RAM.
   *
   * @param size bytes, a positive multiple of {@link #PAGE}, at most 2^31 pages
   * @throws IllegalArgumentException if the size is not that
   * @throws OutOfMemoryError if the host has not that much
   */
  public GuestRam(long size) {
    if (size <= 0 || size % PAGE != 0 || size / PAGE > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          "guest memory of " + size + " bytes is not a positive multiple of 4096");
    }
    this.size = size;
    this.segment = HostMemory.allocate(size);
    this.hostBase = segment.address();
    this.flags = new byte[(int) (size / PAGE)];
  }

  /** Bytes of RAM. */
  public long size() {
    return size;
  }

  /** The number of pages. */
  public int pages() {
    return flags.length;
  }

  /** The host address of the first byte of RAM. Valid as long as this object is reachable. */
  public long hostBase() {
    return hostBase;
  }

  /**
   * The flags of all pages, by index from the start of RAM. Shared with the engine; see the class
   * comment before writing.
   */
  public byte[] flags() {
    return flags;
  }

  /** Sets who is told of writes to code pages. */
  public void setCodeObserver(CodeObserver observer) {
    codeObserver = observer;
  }

  /**
   * Whether all {@code length} bytes from the guest physical address on are RAM. Negative lengths
   * and addresses that wrap are not.
   */
  public boolean contains(long physical, long length) {
    long offset = physical - BASE;
    return length >= 0 && offset >= 0 && offset <= size && length <= size - offset;
  }

  /** Reads 4 bytes. The range must be {@linkplain #contains contained}. */
  public int getInt(long physical) {
    return segment.get(INT, physical - BASE);
  }

  /** Reads 2 bytes, zero-extended. */
  public int getShort(long physical) {
    return (segment.get(ValueLayout.JAVA_BYTE, physical - BASE) & 0xff)
        | (segment.get(ValueLayout.JAVA_BYTE, physical - BASE + 1) & 0xff) << 8;
  }

  /** Reads 8 bytes. */
  public long getLong(long physical) {
    return segment.get(LONG, physical - BASE);
  }

  /** Writes the low 2 bytes. */
  public void putShort(long physical, int value) {
    touch(physical, 2);
    segment.set(ValueLayout.JAVA_BYTE, physical - BASE, (byte) value);
    segment.set(ValueLayout.JAVA_BYTE, physical - BASE + 1, (byte) (value >> 8));
  }

  /** Writes 4 bytes. */
  public void putInt(long physical, int value) {
    touch(physical, 4);
    segment.set(INT, physical - BASE, value);
  }

  /** Writes 8 bytes. */
  public void putLong(long physical, long value) {
    touch(physical, 8);
    segment.set(LONG, physical - BASE, value);
  }

  /** Copies out of guest memory. The range must be {@linkplain #contains contained}. */
  public void read(long physical, byte[] into, int offset, int length) {
    MemorySegment.copy(segment, ValueLayout.JAVA_BYTE, physical - BASE, into, offset, length);
  }

  /**
   * Copies into guest memory; pages become dirty and code in them stale. The range must be
   * {@linkplain #contains contained}.
   */
  public void write(long physical, byte[] from, int offset, int length) {
    if (length == 0) {
      return;
    }
    touch(physical, length);
    MemorySegment.copy(from, offset, segment, ValueLayout.JAVA_BYTE, physical - BASE, length);
  }

  /** Zeroes guest memory. The range must be {@linkplain #contains contained}. */
  public void zero(long physical, long length) {
    if (length == 0) {
      return;
    }
    touch(physical, length);
    segment.asSlice(physical - BASE, length).fill((byte) 0);
  }

  /**
   * Marks the pages of a range as about to be written: dirty for every consumer, and decoded code
   * from them is dropped.
   */
  public void touch(long physical, long length) {
    int first = (int) ((physical - BASE) / PAGE);
    int last = (int) ((physical - BASE + length - 1) / PAGE);
    for (int page = first; page <= last; page++) {
      touchPage(page);
    }
  }

  /** {@link #touch} for one page, by index from the start of RAM. */
  public void touchPage(int page) {
    byte f = flags[page];
    if ((f & CODE) != 0) {
      codeObserver.onCodePageWritten(page);
      f = flags[page];
    }
    flags[page] = (byte) (f | DIRTY_ALL);
  }

  /** The bytes of a page as a read-only slice, by index from the start of RAM. */
  public MemorySegment page(int index) {
    return segment.asSlice((long) index * PAGE, PAGE).asReadOnly();
  }
}
