package io.lockstep.vm.engine.region;

/**
 * What a slow path must know of the instruction that it does, as one constant:
 *
 * <pre>
 *  63      48 47    41 40         28 27      16 15     8 7      0
 * +----------+--------+-------------+----------+--------+--------+
 * |    0     | behind | next offset |  offset  |   rd   |  code  |
 * +----------+--------+-------------+----------+--------+--------+
 * </pre>
 *
 * {@code behind}: instructions that have been charged to the fuel and are still to run, this one
 * included. The offsets are of this and the next instruction in their page.
 */
public final class AccessInfo {
  private AccessInfo() {}

  /** Packs; the ranges are those of the fields above. */
  public static long of(int code, int rd, int offset, int nextOffset, int behind) {
    return code | rd << 8 | (long) offset << 16 | (long) nextOffset << 28 | (long) behind << 41;
  }

  /** The operation, {@link io.lockstep.vm.isa.Op}. */
  public static int code(long info) {
    return (int) info & 0xff;
  }

  /** The destination's register index. */
  public static int rd(long info) {
    return (int) (info >>> 8) & 0xff;
  }

  /** The instruction's offset in its page. */
  public static int offset(long info) {
    return (int) (info >>> 16) & 0xfff;
  }

  /** The offset behind the instruction. */
  public static int nextOffset(long info) {
    return (int) (info >>> 28) & 0x1fff;
  }

  /** Charged instructions still to run, with this one. */
  public static int behind(long info) {
    return (int) (info >>> 41) & 0x7f;
  }
}
