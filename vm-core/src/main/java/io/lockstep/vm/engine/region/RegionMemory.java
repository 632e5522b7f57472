package io.lockstep.vm.engine.region;

import static io.lockstep.vm.memory.GuestRam.HOST;

import io.lockstep.vm.hart.Hart;
import io.lockstep.vm.isa.fp.Fp32;
import io.lockstep.vm.isa.fp.FpEnv;
import io.lockstep.vm.mmu.Mmu;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.nio.ByteOrder;

/**
 * What emitted code calls. Never used as it is: each machine and data context has a copy of its
 * own, made by its {@link RegionLoader}, so that the arrays are constants in compiled code.
 *
 * <p>Accesses are small methods, not code emitted inline, for three reasons: HotSpot inlines them
 * where they are hot and calls them where they are not, which saves compilation; their branch
 * profile is that of all accesses, so the slow path is never taken for dead and recompiled later;
 * and a region that HotSpot has not compiled yet calls compiled methods.
 */
public final class RegionMemory {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final long PAGE_MASK = -4096L;

  private static final RegionContext CONTEXT =
      ((RegionLoader) RegionMemory.class.getClassLoader()).context();
  private static final long[] LOADS = CONTEXT.loadFast;
  private static final long[] STORES = CONTEXT.storeFast;
  private static final int BASE = CONTEXT.base;
  private static final SlowPath SLOW = CONTEXT.slow;

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

  private static int entry(long a) {
    return ((int) (a >>> 11) & Mmu.FAST_INDEX_MASK) + BASE;
  }

  /** {@code lb}. */
  public static long lb(long a, long left, long info) {
    int e = entry(a);
    if (LOADS[e] == (a & PAGE_MASK)) {
      return HOST.get(ValueLayout.JAVA_BYTE, a + LOADS[e + 1]);
    }
    return SLOW.access(a, 0, left, info);
  }

  /** {@code lh}. */
  public static long lh(long a, long left, long info) {
    int e = entry(a);
    if (LOADS[e] == (a & (PAGE_MASK | 1))) {
      return HOST.get(SHORT, a + LOADS[e + 1]);
    }
    return SLOW.access(a, 0, left, info);
  }

  /** {@code lw}. */
  public static long lw(long a, long left, long info) {
    int e = entry(a);
    if (LOADS[e] == (a & (PAGE_MASK | 3))) {
      return HOST.get(INT, a + LOADS[e + 1]);
    }
    return SLOW.access(a, 0, left, info);
  }

  /** {@code ld}. */
  public static long ld(long a, long left, long info) {
    int e = entry(a);
    if (LOADS[e] == (a & (PAGE_MASK | 7))) {
      return HOST.get(LONG, a + LOADS[e + 1]);
    }
    return SLOW.access(a, 0, left, info);
  }

  /** {@code lbu}. */
  public static long lbu(long a, long left, long info) {
    int e = entry(a);
    if (LOADS[e] == (a & PAGE_MASK)) {
      return HOST.get(ValueLayout.JAVA_BYTE, a + LOADS[e + 1]) & 0xff;
    }
    return SLOW.access(a, 0, left, info);
  }

  /** {@code lhu}. */
  public static long lhu(long a, long left, long info) {
    int e = entry(a);
    if (LOADS[e] == (a & (PAGE_MASK | 1))) {
      return HOST.get(SHORT, a + LOADS[e + 1]) & 0xffff;
    }
    return SLOW.access(a, 0, left, info);
  }

  /** {@code lwu}. */
  public static long lwu(long a, long left, long info) {
    int e = entry(a);
    if (LOADS[e] == (a & (PAGE_MASK | 3))) {
      return HOST.get(INT, a + LOADS[e + 1]) & 0xffff_ffffL;
    }
    return SLOW.access(a, 0, left, info);
  }

  /** {@code flw}. */
  public static long flw(long a, long left, long info) {
    int e = entry(a);
    if (LOADS[e] == (a & (PAGE_MASK | 3))) {
      return Fp32.box(HOST.get(INT, a + LOADS[e + 1]));
    }
    return SLOW.access(a, 0, left, info);
  }

  /** {@code sb}. */
  public static void sb(long a, long value, long left, long info) {
    int e = entry(a);
    if (STORES[e] == (a & PAGE_MASK)) {
      HOST.set(ValueLayout.JAVA_BYTE, a + STORES[e + 1], (byte) value);
    } else {
      SLOW.access(a, value, left, info);
    }
  }

  /** {@code sh}. */
  public static void sh(long a, long value, long left, long info) {
    int e = entry(a);
    if (STORES[e] == (a & (PAGE_MASK | 1))) {
      HOST.set(SHORT, a + STORES[e + 1], (short) value);
    } else {
      SLOW.access(a, value, left, info);
    }
  }

  /** {@code sw}. */
  public static void sw(long a, long value, long left, long info) {
    int e = entry(a);
    if (STORES[e] == (a & (PAGE_MASK | 3))) {
      HOST.set(INT, a + STORES[e + 1], (int) value);
    } else {
      SLOW.access(a, value, left, info);
    }
  }

  /** {@code sd}. */
  public static void sd(long a, long value, long left, long info) {
    int e = entry(a);
    if (STORES[e] == (a & (PAGE_MASK | 7))) {
      HOST.set(LONG, a + STORES[e + 1], value);
    } else {
      SLOW.access(a, value, left, info);
    }
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
