package io.lockstep.vm.engine;

import static io.lockstep.vm.memory.GuestRam.HOST;

import io.lockstep.vm.bus.Bus;
import io.lockstep.vm.engine.region.AccessInfo;
import io.lockstep.vm.engine.region.RegionLeave;
import io.lockstep.vm.engine.region.SlowPath;
import io.lockstep.vm.hart.Cause;
import io.lockstep.vm.hart.Hart;
import io.lockstep.vm.isa.Op;
import io.lockstep.vm.isa.fp.Fp32;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.mmu.Mmu;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Every access to memory that misses the fast path: translation misses, devices, misaligned
 * accesses, pages under watch, atomics. Shared by all tiers.
 */
final class MemoryOps implements SlowPath {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Hart hart;
  private final Mmu mmu;
  private final GuestRam ram;
  private final Bus bus;
  private final CodeCache code;

  private long target;
  private boolean attention;
  private boolean faulted;
  private int faultCause;
  private long faultValue;
  private long leftAt;
  private long leftWith;

  MemoryOps(Hart hart, Mmu mmu, GuestRam ram, Bus bus, CodeCache code) {
    this.hart = hart;
    this.mmu = mmu;
    this.ram = ram;
    this.bus = bus;
    this.code = code;
  }

  /**
   * The step at which the fuel of the present run is used up: what makes {@code hart.steps}
   * computable in mid-block.
   */
  void setTarget(long step) {
    target = step;
  }

  /** A device or firmware wants the run to end after the present instruction. */
  void requestAttention() {
    attention = true;
  }

  void clearAttention() {
    attention = false;
  }

  /** Whether the last operation faulted; asking forgets it. */
  boolean takeFault() {
    boolean f = faulted;
    faulted = false;
    return f;
  }

  int faultCause() {
    return faultCause;
  }

  long faultValue() {
    return faultValue;
  }

  boolean isRam(long physical) {
    return ram.contains(physical, 1);
  }

  /** The instruction is illegal: fault with its bits. */
  void illegal(Block block, int i) {
    long base = GuestRam.BASE + (long) block.page.index * GuestRam.PAGE;
    int at = block.offsets[i] & 0xffff;
    int low = ram.getShort(base + at);
    boolean wide = !io.lockstep.vm.isa.Decoder.isCompressed(low);
    long high = 0;
    if (wide) {
      long next =
          block.crossedInto == null
              ? base + at + 2
              : GuestRam.BASE + (long) block.crossedInto.index * GuestRam.PAGE;
      high = (long) ram.getShort(next) << 16;
    }
    fault(Cause.ILLEGAL_INSTRUCTION, low | high);
  }

  private void fault(int cause, long value) {
    faulted = true;
    faultCause = cause;
    faultValue = value;
  }

  /**
   * Runs a memory operation the slow way.
   *
   * @param op the operation
   * @param address its effective address
   * @param i its index in {@code block}
   * @param left fuel left with all of {@code block} charged
   * @return whether the block must be left after this operation; {@link #takeFault} tells whether
   *     because it trapped
   */
  boolean slow(long op, long address, int i, Block block, long left) {
    hart.steps = target - left - (block.count - i);
    int c = Op.code(op);
    if (Op.isFloatingPoint(c)) {
      if (hart.fpOff) {
        illegal(block, i);
        return true;
      }
      if (c <= Op.FLD) {
        hart.fpDirty();
      }
    }
    perform(op, c, address);
    return mustStop();
  }

  /**
   * The same for machine code.
   *
   * @param left fuel left, with all that {@code info} says charged
   * @param info the instruction, {@link AccessInfo}
   * @param page virtual address of its page
   * @return whether the run must end; then the hart's pc and steps are exact
   */
  boolean slow(long op, long address, long left, long info, long page) {
    hart.steps = target - left - AccessInfo.behind(info);
    perform(op, Op.code(op), address);
    if (!mustStop()) {
      return false;
    }
    hart.pc = page + AccessInfo.offset(info);
    if (takeFault()) {
      hart.takeException(faultCause, faultValue, hart.pc);
    } else {
      hart.steps++;
      hart.pc = page + AccessInfo.nextOffset(info);
    }
    return true;
  }

  private void perform(long op, int c, long address) {
    if (isLoad(c)) {
      setUnlessFaulted(op, load(c, address));
    } else if (c <= Op.FSD) {
      store(address, size(c), hart.x[Op.rs2(op)]);
    } else if (c == Op.CBO_ZERO) {
      zeroBlock(address, Op.imm(op));
    } else {
      setUnlessFaulted(op, atomic(c, address, hart.x[Op.rs2(op)]));
    }
  }

  private boolean mustStop() {
    boolean stop = faulted | attention | code.takeWritten();
    attention = false;
    return stop;
  }

  private void setUnlessFaulted(long op, long value) {
    if (!faulted) {
      hart.x[Op.rd(op)] = value;
    }
  }

  @Override
  public long access(long address, long operand, long left, long info) {
    hart.steps = target - left - AccessInfo.behind(info);
    int c = AccessInfo.code(info);
    long value = 0;
    if (isLoad(c)) {
      value = load(c, address);
    } else if (c <= Op.FSD) {
      store(address, size(c), operand);
    } else if (c == Op.CBO_ZERO) {
      zeroBlock(address, operand);
    } else {
      value = atomic(c, address, operand);
    }
    if (mustStop()) {
      leftAt = info;
      leftWith = value;
      throw RegionLeave.INSTANCE;
    }
    return value;
  }

  @Override
  public void leave(long page) {
    hart.pc = page + AccessInfo.offset(leftAt);
    if (takeFault()) {
      hart.takeException(faultCause, faultValue, hart.pc);
    } else {
      if (!isStore(AccessInfo.code(leftAt))) {
        hart.x[AccessInfo.rd(leftAt)] = leftWith;
      }
      hart.steps++;
      hart.pc = page + AccessInfo.nextOffset(leftAt);
    }
  }

  private static boolean isLoad(int c) {
    return c <= Op.LWU || c == Op.FLW || c == Op.FLD;
  }

  private static boolean isStore(int c) {
    return c <= Op.FSD && !isLoad(c) || c == Op.CBO_ZERO;
  }

  private static int size(int c) {
    return switch (c) {
      case Op.LB, Op.LBU, Op.SB -> 1;
      case Op.LH, Op.LHU, Op.SH -> 2;
      case Op.LW, Op.LWU, Op.SW, Op.FLW, Op.FSW -> 4;
      default -> 8;
    };
  }

  /** What a load writes to its destination. On a fault the result is meaningless. */
  private long load(int c, long address) {
    long value = load(address, size(c));
    return switch (c) {
      case Op.LB -> (byte) value;
      case Op.LH -> (short) value;
      case Op.LW -> (int) value;
      case Op.FLW -> Fp32.box((int) value);
      default -> value;
    };
  }

  /** Loads {@code size} bytes, zero-extended. On a fault the result is meaningless. */
  private long load(long address, int size) {
    if ((address & 4095) + size > 4096) {
      return loadAcross(address, size);
    }
    long physical = mmu.translate(address, Mmu.LOAD);
    if (physical == -1 || !mmu.pmpAllows(physical, size, Mmu.LOAD)) {
      fault(mmu.faultCause(), address);
      return 0;
    }
    if (ram.contains(physical, size)) {
      mmu.makeFast(address, physical, Mmu.LOAD);
      return read(physical, size);
    }
    if (!bus.isMapped(physical, size)) {
      fault(Cause.LOAD_ACCESS, address);
      return 0;
    }
    long value = bus.read(physical, size);
    return size == 8 ? value : value & (1L << 8 * size) - 1;
  }

  private long read(long physical, int size) {
    long host = ram.hostBase() + (physical - GuestRam.BASE);
    return switch (size) {
      case 1 -> HOST.get(ValueLayout.JAVA_BYTE, host) & 0xff;
      case 2 -> HOST.get(SHORT, host) & 0xffff;
      case 4 -> HOST.get(INT, host) & 0xffff_ffffL;
      default -> HOST.get(LONG, host);
    };
  }

  private long loadAcross(long address, int size) {
    int low = 4096 - (int) (address & 4095);
    long first = mmu.translate(address, Mmu.LOAD);
    if (first == -1 || !mmu.pmpAllows(first, low, Mmu.LOAD)) {
      fault(mmu.faultCause(), address);
      return 0;
    }
    long second = mmu.translate(address + low, Mmu.LOAD);
    if (second == -1 || !mmu.pmpAllows(second, size - low, Mmu.LOAD)) {
      fault(mmu.faultCause(), address + low);
      return 0;
    }
    if (!ram.contains(first, low) || !ram.contains(second, size - low)) {
      fault(Cause.LOAD_ACCESS, address);
      return 0;
    }
    long value = 0;
    for (int k = 0; k < size; k++) {
      long at = k < low ? first + k : second + (k - low);
      value |= read(at, 1) << 8 * k;
    }
    return value;
  }

  private void store(long address, int size, long value) {
    if ((address & 4095) + size > 4096) {
      storeAcross(address, size, value);
      return;
    }
    long physical = mmu.translate(address, Mmu.STORE);
    if (physical == -1 || !mmu.pmpAllows(physical, size, Mmu.STORE)) {
      fault(mmu.faultCause(), address);
      return;
    }
    if (ram.contains(physical, size)) {
      write(physical, size, value);
      mmu.makeFast(address, physical, Mmu.STORE);
      return;
    }
    if (!bus.isMapped(physical, size)) {
      fault(Cause.STORE_ACCESS, address);
      return;
    }
    bus.write(physical, size, value);
  }

  private void write(long physical, int size, long value) {
    int page = (int) (physical - GuestRam.BASE >>> 12);
    byte[] flags = ram.flags();
    if ((flags[page] & GuestRam.CODE) != 0) {
      code.beforeStore(physical, size);
    }
    flags[page] |= GuestRam.DIRTY_ALL;
    long host = ram.hostBase() + (physical - GuestRam.BASE);
    switch (size) {
      case 1 -> HOST.set(ValueLayout.JAVA_BYTE, host, (byte) value);
      case 2 -> HOST.set(SHORT, host, (short) value);
      case 4 -> HOST.set(INT, host, (int) value);
      default -> HOST.set(LONG, host, value);
    }
  }

  private void storeAcross(long address, int size, long value) {
    int low = 4096 - (int) (address & 4095);
    long first = mmu.translate(address, Mmu.STORE);
    if (first == -1 || !mmu.pmpAllows(first, low, Mmu.STORE)) {
      fault(mmu.faultCause(), address);
      return;
    }
    long second = mmu.translate(address + low, Mmu.STORE);
    if (second == -1 || !mmu.pmpAllows(second, size - low, Mmu.STORE)) {
      fault(mmu.faultCause(), address + low);
      return;
    }
    if (!ram.contains(first, low) || !ram.contains(second, size - low)) {
      fault(Cause.STORE_ACCESS, address);
      return;
    }
    for (int k = 0; k < size; k++) {
      write(k < low ? first + k : second + (k - low), 1, value >>> 8 * k);
    }
  }

  /** CBO.ZERO: the 64-byte block around the address (Zicboz). */
  private void zeroBlock(long address, long instruction) {
    if (!hart.cacheBlockZeroAllowed()) {
      fault(Cause.ILLEGAL_INSTRUCTION, instruction & 0xffff_ffffL);
      return;
    }
    long start = address & -64L;
    long physical = mmu.translate(start, Mmu.STORE);
    if (physical == -1 || !mmu.pmpAllows(physical, 64, Mmu.STORE)) {
      fault(mmu.faultCause(), address);
      return;
    }
    if (!ram.contains(physical, 64)) {
      fault(Cause.STORE_ACCESS, address);
      return;
    }
    for (int k = 0; k < 64; k += 8) {
      write(physical + k, 8, 0);
    }
    mmu.makeFast(start, physical, Mmu.STORE);
  }

  /**
   * LR, SC and AMO: naturally aligned, in RAM (RISC-V Unpriv. §14). Returns what is written to the
   * destination; on a fault that is meaningless.
   */
  private long atomic(int c, long address, long operand) {
    int size = isDouble(c) ? 8 : 4;
    boolean loadOnly = c == Op.LR_W || c == Op.LR_D;
    if ((address & (size - 1)) != 0) {
      fault(loadOnly ? Cause.LOAD_MISALIGNED : Cause.STORE_MISALIGNED, address);
      return 0;
    }
    int kind = loadOnly ? Mmu.LOAD : Mmu.STORE;
    long physical = mmu.translate(address, kind);
    if (physical == -1 || !mmu.pmpAllows(physical, size, kind)) {
      fault(mmu.faultCause(), address);
      return 0;
    }
    if (!ram.contains(physical, size)) {
      fault(loadOnly ? Cause.LOAD_ACCESS : Cause.STORE_ACCESS, address);
      return 0;
    }
    long raw = read(physical, size);
    long value = size == 4 ? (int) raw : raw;
    if (loadOnly) {
      hart.reservation = physical;
      mmu.makeFast(address, physical, Mmu.LOAD);
    } else if (c == Op.SC_W || c == Op.SC_D) {
      return storeConditional(address, operand, physical, size);
    } else {
      write(physical, size, combine(c, value, size == 4 ? (int) operand : operand));
      mmu.makeFast(address, physical, Mmu.STORE);
    }
    return value;
  }

  private static boolean isDouble(int c) {
    return c >= Op.AMOSWAP_D || c == Op.LR_D || c == Op.SC_D;
  }

  private long storeConditional(long address, long value, long physical, int size) {
    boolean holds = hart.reservation == physical;
    hart.reservation = -1;
    if (holds) {
      write(physical, size, value);
      mmu.makeFast(address, physical, Mmu.STORE);
    }
    return holds ? 0 : 1;
  }

  private static long combine(int c, long old, long operand) {
    return switch (c >= Op.AMOSWAP_D ? c - Op.AMOSWAP_D + Op.AMOSWAP_W : c) {
      case Op.AMOSWAP_W -> operand;
      case Op.AMOADD_W -> old + operand;
      case Op.AMOXOR_W -> old ^ operand;
      case Op.AMOAND_W -> old & operand;
      case Op.AMOOR_W -> old | operand;
      case Op.AMOMIN_W -> Math.min(old, operand);
      case Op.AMOMAX_W -> Math.max(old, operand);
      // Sign-extended words compare unsigned as their 64-bit extensions do.
      case Op.AMOMINU_W -> Long.compareUnsigned(old, operand) < 0 ? old : operand;
      default -> Long.compareUnsigned(old, operand) > 0 ? old : operand;
    };
  }
}
