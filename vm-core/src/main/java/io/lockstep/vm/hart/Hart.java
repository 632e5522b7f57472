package io.lockstep.vm.hart;

import io.lockstep.vm.isa.Op;
import io.lockstep.vm.isa.fp.FpEnv;
import io.lockstep.vm.machine.GuestClock;
import io.lockstep.vm.machine.TimeSource;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import io.lockstep.vm.snapshot.Stateful;

/**
 * The architectural state of the hart, apart from translations, and what changes it outside the
 * flow of instructions: traps, returns from traps, interrupts.
 *
 * <p>Fields are public to the engine, which works on them directly; everybody else goes through
 * methods.
 */
public final class Hart implements Stateful, TimeSource {
  /** Integer and floating-point registers, indexed as {@link Op} says. Entry 0 is always 0. */
  public final long[] x = new long[Op.REGISTERS];

  /** Accumulated floating-point flags. */
  public final FpEnv fp = new FpEnv();

  /** Address of the next instruction. */
  public long pc;

  /** The execution point. While the engine runs it is exact only where the engine says so. */
  public long steps;

  /** Steps that retired no instruction: traps and interrupts. */
  public long nonRetired;

  /** {@link Status#U}, {@link Status#S} or {@link Status#M}. */
  public int privilege = Status.M;

  /** The rounding mode field of fcsr, 0 to 7. */
  public int frm;

  /** WFI has retired and no interrupt has been pending since. */
  public boolean waiting;

  /** Physical address that LR reserved, or -1. */
  public long reservation = -1;

  /** Which translations instruction fetches use: {@link io.lockstep.vm.mmu.Mmu}'s contexts. */
  public int fetchContext;

  /** Which translations loads and stores use. */
  public int dataContext;

  /** Whether floating-point instructions are illegal now. */
  public boolean fpOff = true;

  long mstatus = Status.UXL_SXL_64;
  long mie;
  long mipSoftware;
  private long mipLines;
  long medeleg;
  long mideleg;
  long mtvec;
  long stvec;
  long mepc;
  long sepc;
  long mcause;
  long scause;
  long mtval;
  long stval;
  long mscratch;
  long sscratch;
  long mcounteren;
  long scounteren;

  /**
   * Software that knows nothing of Svadu sets up page tables with A and D clear and expects the
   * hart to set them, so that is on from reset, as on QEMU's board.
   */
  long menvcfg = Csrs.ADUE;

  long senvcfg;
  long satp;
  long stimecmp = GuestClock.NEVER;
  long mtimecmp = -1;
  long cycleOffset;
  long instretOffset;

  private final GuestClock clock;

  /** Makes a hart in M-mode with everything off. */
  public Hart(GuestClock clock) {
    this.clock = clock;
    updateContext();
  }

  @Override
  public long ticks() {
    return clock.ticksAt(steps);
  }

  /**
   * Drives one of mip's bits from outside: {@link Cause#MSI}, {@link Cause#SEI}, {@link Cause#MEI}.
   */
  public void setInterruptLine(int code, boolean level) {
    mipLines = level ? mipLines | 1L << code : mipLines & ~(1L << code);
  }

  /** Sets or clears a software-writable pending bit, {@link Cause#SSI} or {@link Cause#STI}. */
  public void setPending(int code, boolean level) {
    mipSoftware = level ? mipSoftware | 1L << code : mipSoftware & ~(1L << code);
  }

  /** The machine timer's compare value. */
  public void setMachineTimer(long ticks) {
    mtimecmp = ticks;
  }

  /** The supervisor timer's compare value (Sstc). */
  public void setSupervisorTimer(long ticks) {
    stimecmp = ticks;
  }

  /** Whether stimecmp is in force (menvcfg.STCE). */
  boolean sstc() {
    return menvcfg < 0;
  }

  /** The mip CSR now. */
  long mip() {
    long mip = mipSoftware | mipLines;
    long now = ticks();
    if (Long.compareUnsigned(now, mtimecmp) >= 0) {
      mip |= 1L << Cause.MTI;
    }
    if (sstc()) {
      mip &= ~(1L << Cause.STI);
      if (Long.compareUnsigned(now, stimecmp) >= 0) {
        mip |= 1L << Cause.STI;
      }
    }
    return mip;
  }

  /**
   * The tick at which the next timer fires that has not fired yet, {@link GuestClock#NEVER} if
   * there is none.
   */
  public long nextTimerTicks() {
    long now = ticks();
    long next = GuestClock.NEVER;
    if (mtimecmp > now && (mie >>> Cause.MTI & 1) != 0) {
      next = mtimecmp;
    }
    if (sstc() && stimecmp > now && stimecmp < next && (mie >>> Cause.STI & 1) != 0) {
      next = stimecmp;
    }
    return next;
  }

  /** Whether WFI falls through: an enabled interrupt is pending, taken or not. */
  public boolean wakeUpPending() {
    return (mip() & mie) != 0;
  }

  /**
   * The code of the interrupt that is to be taken before the next instruction, or -1 (RISC-V Priv.
   * §3.1.9).
   */
  public int interruptToTake() {
    long pending = mip() & mie;
    if (pending == 0) {
      return -1;
    }
    long forMachine = pending & ~mideleg;
    if (forMachine != 0 && (privilege < Status.M || (mstatus & Status.MIE) != 0)) {
      return highest(forMachine);
    }
    long forSupervisor = pending & mideleg;
    boolean open = privilege < Status.S || privilege == Status.S && (mstatus & Status.SIE) != 0;
    return forSupervisor != 0 && open ? highest(forSupervisor) : -1;
  }

  private static int highest(long pending) {
    for (int code : new int[] {Cause.MEI, Cause.MSI, Cause.MTI, Cause.SEI, Cause.SSI, Cause.STI}) {
      if ((pending >>> code & 1) != 0) {
        return code;
      }
    }
    return -1;
  }

  /** Takes an interrupt: one step. */
  public void takeInterrupt(int code) {
    waiting = false;
    enterTrap(code, true, 0, pc);
  }

  /**
   * Takes an exception: one step, of an instruction that does not retire.
   *
   * @param cause an exception code of {@link Cause}
   * @param tval what mtval or stval shows
   * @param epc the instruction's address
   */
  public void takeException(int cause, long tval, long epc) {
    enterTrap(cause, false, tval, epc);
  }

  private void enterTrap(int code, boolean interrupt, long tval, long epc) {
    steps++;
    nonRetired++;
    reservation = -1;
    long cause = interrupt ? Long.MIN_VALUE | code : code;
    long delegation = interrupt ? mideleg : medeleg;
    boolean toSupervisor = privilege <= Status.S && (delegation >>> code & 1) != 0;
    if (toSupervisor) {
      scause = cause;
      sepc = epc;
      stval = tval;
      long previous = privilege == Status.S ? Status.SPP : 0;
      long enabled = (mstatus & Status.SIE) != 0 ? Status.SPIE : 0;
      mstatus = mstatus & ~(Status.SPP | Status.SPIE | Status.SIE) | previous | enabled;
      privilege = Status.S;
      pc = vector(stvec, code, interrupt);
    } else {
      mcause = cause;
      mepc = epc;
      mtval = tval;
      long previous = (long) privilege << Status.MPP_SHIFT;
      long enabled = (mstatus & Status.MIE) != 0 ? Status.MPIE : 0;
      mstatus = mstatus & ~(Status.MPP | Status.MPIE | Status.MIE) | previous | enabled;
      privilege = Status.M;
      pc = vector(mtvec, code, interrupt);
    }
    updateContext();
  }

  private static long vector(long tvec, int code, boolean interrupt) {
    long base = tvec & ~3L;
    return interrupt && (tvec & 1) != 0 ? base + 4L * code : base;
  }

  /** SRET, without its privilege check (RISC-V Priv. §3.3.2). */
  public void returnFromSupervisor() {
    privilege = (mstatus & Status.SPP) != 0 ? Status.S : Status.U;
    long enabled = (mstatus & Status.SPIE) != 0 ? Status.SIE : 0;
    mstatus = mstatus & ~(Status.SPP | Status.SIE | Status.MPRV) | enabled | Status.SPIE;
    pc = sepc;
    updateContext();
  }

  /** MRET, without its privilege check. */
  public void returnFromMachine() {
    privilege = (int) ((mstatus & Status.MPP) >>> Status.MPP_SHIFT);
    long enabled = (mstatus & Status.MPIE) != 0 ? Status.MIE : 0;
    mstatus = mstatus & ~(Status.MPP | Status.MIE) | enabled | Status.MPIE;
    if (privilege != Status.M) {
      mstatus &= ~Status.MPRV;
    }
    pc = mepc;
    updateContext();
  }

  /** Whether SRET may run at the present privilege. */
  public boolean sretAllowed() {
    return privilege == Status.M || privilege == Status.S && (mstatus & Status.TSR) == 0;
  }

  /**
   * Whether WFI may run at the present privilege; in U-mode its bounded time is over at once
   * (RISC-V Priv. §3.1.6.5).
   */
  public boolean wfiAllowed() {
    return privilege == Status.M || privilege == Status.S && (mstatus & Status.TW) == 0;
  }

  /** Whether SFENCE.VMA and satp may be used at the present privilege. */
  public boolean translationControlAllowed() {
    return privilege == Status.M || privilege == Status.S && (mstatus & Status.TVM) == 0;
  }

  /** Whether CBO.ZERO may run at the present privilege (Zicboz: menvcfg.CBZE, senvcfg.CBZE). */
  public boolean cacheBlockZeroAllowed() {
    long enable = 1L << 7;
    return privilege == Status.M
        || (menvcfg & enable) != 0 && (privilege == Status.S || (senvcfg & enable) != 0);
  }

  /** Whether the page walk sets A and D itself (menvcfg.ADUE) or raises a page fault (Svade). */
  public boolean hardwareAccessedDirty() {
    return (menvcfg & Csrs.ADUE) != 0;
  }

  /** The satp CSR. */
  public long satp() {
    return satp;
  }

  /** Whether loads may read pages that are only executable (mstatus.MXR). */
  public boolean makeExecutableReadable() {
    return (mstatus & Status.MXR) != 0;
  }

  /** Whether the floating-point state is marked as changed, so that it need not be marked again. */
  public boolean fpIsDirty() {
    return (mstatus & Status.FS) == Status.FS;
  }

  /** Marks the floating-point state as changed. */
  public void fpDirty() {
    mstatus |= Status.FS;
  }

  /** Recomputes what is derived from privilege and mstatus. */
  void updateContext() {
    fetchContext = contextOf(privilege, false);
    int data = privilege;
    if ((mstatus & Status.MPRV) != 0 && privilege == Status.M) {
      data = (int) ((mstatus & Status.MPP) >>> Status.MPP_SHIFT);
    }
    dataContext = contextOf(data, (mstatus & Status.SUM) != 0);
    fpOff = (mstatus & Status.FS) == 0;
  }

  private static int contextOf(int privilege, boolean sum) {
    return privilege == Status.S && sum ? 2 : privilege;
  }

  /**
   * What firmware leaves behind when it starts a kernel in S-mode: everything delegated, counters
   * and Sstc open. Counters are open to user programs, too, as OpenSBI leaves them: Linux relies on
   * that for the clock in its vDSO unless it finds the SBI's PMU extension.
   */
  public void enterSupervisor(long entry, long hartId, long deviceTree) {
    medeleg = Csrs.DELEGABLE_EXCEPTIONS;
    mideleg = Csrs.SUPERVISOR_INTERRUPTS;
    mcounteren = 7;
    scounteren = 7;
    menvcfg = Csrs.MENVCFG_WRITABLE;
    privilege = Status.S;
    pc = entry;
    x[10] = hartId;
    x[11] = deviceTree;
    updateContext();
  }

  @Override
  public void save(StateWriter out) {
    out.section("hart");
    for (int i = 0; i < 32; i++) {
      out.putLong(x[i]).putLong(x[Op.F0 + i]);
    }
    out.putLong(pc)
        .putLong(steps)
        .putLong(nonRetired)
        .putByte(privilege)
        .putByte(frm)
        .putByte(fp.flags);
    out.putBoolean(waiting).putLong(reservation);
    out.putLongs(csrs());
  }

  @Override
  public void restore(StateReader in) {
    in.section("hart");
    for (int i = 0; i < 32; i++) {
      x[i] = in.getLong();
      x[Op.F0 + i] = in.getLong();
    }
    x[0] = 0;
    pc = in.getLong();
    steps = in.getLong();
    nonRetired = in.getLong();
    privilege = in.getByte() & 3;
    frm = in.getByte() & 7;
    fp.flags = in.getByte() & 31;
    waiting = in.getBoolean();
    reservation = in.getLong();
    long[] csrs = csrs();
    in.getLongs(csrs);
    setCsrs(csrs);
    updateContext();
  }

  private long[] csrs() {
    return new long[] {
      mstatus,
      mie,
      mipSoftware,
      mipLines,
      medeleg,
      mideleg,
      mtvec,
      stvec,
      mepc,
      sepc,
      mcause,
      scause,
      mtval,
      stval,
      mscratch,
      sscratch,
      mcounteren,
      scounteren,
      menvcfg,
      senvcfg,
      satp,
      stimecmp,
      mtimecmp,
      cycleOffset,
      instretOffset
    };
  }

  private void setCsrs(long[] v) {
    int i = 0;
    mstatus = v[i++] & ~Status.SD;
    mie = v[i++];
    mipSoftware = v[i++];
    mipLines = v[i++];
    medeleg = v[i++];
    mideleg = v[i++];
    mtvec = v[i++];
    stvec = v[i++];
    mepc = v[i++];
    sepc = v[i++];
    mcause = v[i++];
    scause = v[i++];
    mtval = v[i++];
    stval = v[i++];
    mscratch = v[i++];
    sscratch = v[i++];
    mcounteren = v[i++];
    scounteren = v[i++];
    menvcfg = v[i++];
    senvcfg = v[i++];
    satp = v[i++];
    stimecmp = v[i++];
    mtimecmp = v[i++];
    cycleOffset = v[i++];
    instretOffset = v[i];
  }
}
