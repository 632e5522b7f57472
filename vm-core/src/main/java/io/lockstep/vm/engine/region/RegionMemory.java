package io.lockstep.vm.engine.region;

import static io.lockstep.vm.memory.GuestRam.HOST;

import io.lockstep.vm.hart.Hart;
import io.lockstep.vm.isa.fp.FpEnv;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.nio.ByteOrder;

/**
 * What emitted code calls, besides {@linkplain AccessCompiler loads and stores}. Never used as it
 * is: each machine and data context has a copy of its own, made by its {@link RegionLoader}, so
 * that the arrays are constants in compiled code.
 */
public final class RegionMemory {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final RegionContext CONTEXT =
      ((RegionLoader) RegionMemory.class.getClassLoader()).context();
  private static final SlowPath SLOW = CONTEXT.slow;

  /** Fast entries of loads. */
  public static final long[] LOADS = CONTEXT.loadFast;

  /** Fast entries of stores. */
  public static final long[] STORES = CONTEXT.storeFast;

  /** The hart. */
  public static final Hart HART = CONTEXT.hart;

  /** Its registers. */
  public static final long[] REGISTERS = CONTEXT.hart.x;

  /** Its floating-point flags. */
  public static final FpEnv FP = CONTEXT.hart.fp;

  static {
    CONTEXT.open(MethodHandles.lookup());
  }

  private RegionMemory() {}

  /** Hands a region's only instance over to whoever has defined it. */
  public static void deliver(RegionCode code) {
    CONTEXT.deliver(code);
  }

  /** Completes an instruction that has thrown {@link RegionLeave}. */
  public static long leave(long page) {
    SLOW.leave(page);
    return RegionCode.LEAVE;
  }

  /** A load that misses the fast path. */
  public static long slowLoad(long a, long left, long info) {
    return SLOW.access(a, 0, left, info);
  }

  /** A store that misses the fast path. */
  public static void slowStore(long a, long value, long left, long info) {
    SLOW.access(a, value, left, info);
  }

  /** The host's memory, where {@link AccessCompiler} cannot reach it more directly. */
  public static byte getByte(long host) {
    return HOST.get(ValueLayout.JAVA_BYTE, host);
  }

  /** See {@link #getByte}. */
  public static short getShort(long host) {
    return HOST.get(SHORT, host);
  }

  /** See {@link #getByte}. */
  public static int getInt(long host) {
    return HOST.get(INT, host);
  }

  /** See {@link #getByte}. */
  public static long getLong(long host) {
    return HOST.get(LONG, host);
  }

  /** See {@link #getByte}. */
  public static void putByte(long host, byte value) {
    HOST.set(ValueLayout.JAVA_BYTE, host, value);
  }

  /** See {@link #getByte}. */
  public static void putShort(long host, short value) {
    HOST.set(SHORT, host, value);
  }

  /** See {@link #getByte}. */
  public static void putInt(long host, int value) {
    HOST.set(INT, host, value);
  }

  /** See {@link #getByte}. */
  public static void putLong(long host, long value) {
    HOST.set(LONG, host, value);
  }

  /** LR, SC and AMO. */
  public static long atomic(long a, long operand, long left, long info) {
    return SLOW.access(a, operand, left, info);
  }

  /** {@code cbo.zero}. */
  public static void zero(long a, long instruction, long left, long info) {
    SLOW.access(a, instruction, left, info);
  }
}
