package io.lockstep.vm.hart;

import io.lockstep.vm.mmu.Pmp;

/**
 * The control and status registers by number (RISC-V Priv. §2.2): who may reach which, what a write
 * keeps. WARL fields read back what they were legalised to.
 */
public final class Csrs {
  /** Exceptions that medeleg can delegate: all but the call from M-mode. */
  static final long DELEGABLE_EXCEPTIONS = 0xb3ff;

  /** The supervisor's interrupts in mip, mie and mideleg. */
  static final long SUPERVISOR_INTERRUPTS = 1L << Cause.SSI | 1L << Cause.STI | 1L << Cause.SEI;

  /** menvcfg.ADUE: page walks set A and D. */
  static final long ADUE = 1L << 61;

  /** menvcfg: FIOM, CBZE, ADUE, STCE. */
  static final long MENVCFG_WRITABLE = 1L | 1L << 7 | ADUE | 1L << 63;

  private static final long MIE_WRITABLE =
      SUPERVISOR_INTERRUPTS | 1L << Cause.MSI | 1L << Cause.MTI | 1L << Cause.MEI;
  private static final long SENVCFG_WRITABLE = 1L | 1L << 7;
  private static final long MISA = 2L << 62 | ext("ACDFIMSU");
  private static final long COUNTEREN_WRITABLE = 7;

  private final Hart hart;
  private final Pmp pmp;
  private final Effects effects;
  private boolean legal;

  /** What a CSR write does beyond the hart. */
  public interface Effects {
    /** satp, MXR or a PMP register changed: no translation holds any more. */
    void translationsChanged();

    /** An interrupt may have become pending or enabled, or a timer was set. */
    void interruptsChanged();

    /** Interrupts have been opened: one that is pending may have to be taken now. */
    void interruptsOpened();
  }

  /** Makes the register file of {@code hart}. */
  public Csrs(Hart hart, Pmp pmp, Effects effects) {
    this.hart = hart;
    this.pmp = pmp;
    this.effects = effects;
  }

  private static long ext(String letters) {
    long bits = 0;
    for (int i = 0; i < letters.length(); i++) {
      bits |= 1L << (letters.charAt(i) - 'A');
    }
    return bits;
  }

  /**
   * Runs a CSR instruction. {@code hart.steps} must be exact.
   *
   * @param bits the instruction
   * @param rd register index for the old value
   * @return whether it was legal; if not, nothing changed
   */
  public boolean execute(int bits, int rd) {
    int csr = bits >>> 20;
    int funct3 = bits >>> 12 & 7;
    int source = bits >>> 15 & 31;
    long operand = (funct3 & 4) != 0 ? source : hart.x[source];
    int kind = funct3 & 3;
    boolean writes = kind == 1 || source != 0;
    if (!accessible(csr, writes)) {
      return false;
    }
    legal = true;
    long old = read(csr);
    if (!legal) {
      return false;
    }
    if (writes) {
      long base = csr == 0x344 || csr == 0x144 ? softwareView(csr, old) : old;
      long value = kind == 1 ? operand : kind == 2 ? base | operand : base & ~operand;
      write(csr, value);
      if (!legal) {
        return false;
      }
    }
    hart.x[rd] = old;
    return true;
  }

  /**
   * A read-modify-write of mip sees SEIP as software set it, not the wire (RISC-V Priv. §3.1.9).
   */
  private long softwareView(int csr, long old) {
    return csr == 0x344 ? hart.mipSoftware : old & ~(1L << Cause.SEI);
  }

  private boolean accessible(int csr, boolean writes) {
    if (hart.privilege < (csr >>> 8 & 3) || writes && csr >>> 10 == 3) {
      return false;
    }
    if (csr <= 3) {
      return !hart.fpOff;
    }
    if (csr >= 0xc00 && csr <= 0xc1f) {
      return counterAllowed(csr & 31);
    }
    if (csr == 0x180) {
      return hart.translationControlAllowed();
    }
    if (csr == 0x14d && hart.privilege == Status.S) {
      return hart.sstc() && (hart.mcounteren & 2) != 0;
    }
    return true;
  }

  private boolean counterAllowed(int index) {
    if (hart.privilege < Status.M && (hart.mcounteren >>> index & 1) == 0) {
      return false;
    }
    return hart.privilege > Status.U || (hart.scounteren >>> index & 1) != 0;
  }

  private long read(int csr) {
    return switch (csr >>> 8) {
      case 0x0 -> readFloat(csr);
      case 0x1 -> readSupervisor(csr);
      case 0x3 -> readMachine(csr);
      case 0x7 -> debugOrNothing(csr);
      case 0xb, 0xc -> readCounter(csr);
      case 0xf -> csr >= 0xf11 && csr <= 0xf15 ? 0 : illegal();
      default -> illegal();
    };
  }

  private long illegal() {
    legal = false;
    return 0;
  }

  private long readFloat(int csr) {
    return switch (csr) {
      case 0x001 -> hart.fp.flags;
      case 0x002 -> hart.frm;
      case 0x003 -> hart.frm << 5 | hart.fp.flags;
      default -> illegal();
    };
  }

  private long readSupervisor(int csr) {
    return switch (csr) {
      case 0x100 -> withSd(hart.mstatus & Status.SUPERVISOR | Status.SUPERVISOR_FIXED);
      case 0x104 -> hart.mie & hart.mideleg;
      case 0x105 -> hart.stvec;
      case 0x106 -> hart.scounteren;
      case 0x10a -> hart.senvcfg;
      case 0x140 -> hart.sscratch;
      case 0x141 -> hart.sepc;
      case 0x142 -> hart.scause;
      case 0x143 -> hart.stval;
      case 0x144 -> hart.mip() & hart.mideleg;
      case 0x14d -> hart.stimecmp;
      case 0x180 -> hart.satp;
      default -> illegal();
    };
  }

  private long readMachine(int csr) {
    if (csr >= 0x3a0 && csr <= 0x3ef) {
      return readPmp(csr);
    }
    if (csr >= 0x323 && csr <= 0x33f) {
      return 0;
    }
    return switch (csr) {
      case 0x300 -> withSd(hart.mstatus);
      case 0x301 -> MISA;
      case 0x302 -> hart.medeleg;
      case 0x303 -> hart.mideleg;
      case 0x304 -> hart.mie;
      case 0x305 -> hart.mtvec;
      case 0x306 -> hart.mcounteren;
      case 0x30a -> hart.menvcfg;
      case 0x320 -> 0;
      case 0x340 -> hart.mscratch;
      case 0x341 -> hart.mepc;
      case 0x342 -> hart.mcause;
      case 0x343 -> hart.mtval;
      case 0x344 -> hart.mip();
      default -> illegal();
    };
  }

  private long readPmp(int csr) {
    if (csr <= 0x3af) {
      return (csr & 1) != 0 ? illegal() : pmp.config((csr - 0x3a0) / 2);
    }
    return pmp.address(csr - 0x3b0);
  }

  private long debugOrNothing(int csr) {
    // Triggers: none is implemented, so tselect reads 0 and tdata1 shows type 0 (Debug §5.7).
    return csr >= 0x7a0 && csr <= 0x7a3 ? 0 : illegal();
  }

  private long readCounter(int csr) {
    return switch (csr) {
      case 0xb00, 0xc00 -> hart.steps + hart.cycleOffset;
      case 0xc01 -> hart.ticks();
      case 0xb02, 0xc02 -> hart.steps - hart.nonRetired + hart.instretOffset;
      default -> (csr & 0xff) <= 0x1f && (csr & 0xff) >= 3 ? 0 : illegal();
    };
  }

  private static long withSd(long status) {
    return (status & Status.FS) == Status.FS ? status | Status.SD : status;
  }

  private void write(int csr, long value) {
    switch (csr >>> 8) {
      case 0x0 -> writeFloat(csr, value);
      case 0x1 -> writeSupervisor(csr, value);
      case 0x3 -> writeMachine(csr, value);
      case 0x7 -> {}
      case 0xb -> writeCounter(csr, value);
      default -> illegal();
    }
  }

  private void writeFloat(int csr, long value) {
    switch (csr) {
      case 0x001 -> hart.fp.flags = (int) value & 31;
      case 0x002 -> hart.frm = (int) value & 7;
      default -> {
        hart.fp.flags = (int) value & 31;
        hart.frm = (int) value >>> 5 & 7;
      }
    }
    hart.fpDirty();
  }

  private void writeSupervisor(int csr, long value) {
    switch (csr) {
      case 0x100 -> writeStatus(hart.mstatus & ~Status.SUPERVISOR | value & Status.SUPERVISOR);
      case 0x104 -> {
        hart.mie = hart.mie & ~hart.mideleg | value & hart.mideleg;
        effects.interruptsChanged();
      }
      case 0x105 -> hart.stvec = legalVector(value, hart.stvec);
      case 0x106 -> hart.scounteren = value & COUNTEREN_WRITABLE;
      case 0x10a -> hart.senvcfg = value & SENVCFG_WRITABLE;
      case 0x140 -> hart.sscratch = value;
      case 0x141 -> hart.sepc = value & ~1L;
      case 0x142 -> hart.scause = value;
      case 0x143 -> hart.stval = value;
      case 0x144 -> {
        long writable = hart.mideleg & 1L << Cause.SSI;
        hart.mipSoftware = hart.mipSoftware & ~writable | value & writable;
        effects.interruptsChanged();
      }
      case 0x14d -> {
        hart.stimecmp = value;
        effects.interruptsChanged();
      }
      default -> writeSatp(value);
    }
  }

  private void writeMachine(int csr, long value) {
    if (csr >= 0x3a0 && csr <= 0x3ef) {
      writePmp(csr, value);
      return;
    }
    switch (csr) {
      case 0x300 -> writeStatus(value);
      case 0x302 -> hart.medeleg = value & DELEGABLE_EXCEPTIONS;
      case 0x303 -> {
        hart.mideleg = value & SUPERVISOR_INTERRUPTS;
        effects.interruptsChanged();
      }
      case 0x304 -> {
        hart.mie = value & MIE_WRITABLE;
        effects.interruptsChanged();
      }
      case 0x305 -> hart.mtvec = legalVector(value, hart.mtvec);
      case 0x306 -> hart.mcounteren = value & COUNTEREN_WRITABLE;
      case 0x30a -> {
        hart.menvcfg = value & MENVCFG_WRITABLE;
        effects.interruptsChanged();
      }
      case 0x340 -> hart.mscratch = value;
      case 0x341 -> hart.mepc = value & ~1L;
      case 0x342 -> hart.mcause = value;
      case 0x343 -> hart.mtval = value;
      case 0x344 -> {
        hart.mipSoftware = value & SUPERVISOR_INTERRUPTS;
        effects.interruptsChanged();
      }
      default -> {
        // misa, mcountinhibit, event selectors: fixed, writes are ignored.
      }
    }
  }

  private void writeStatus(long value) {
    long old = hart.mstatus;
    long next = old & ~Status.WRITABLE | value & Status.WRITABLE;
    if ((next & Status.MPP) == 2L << Status.MPP_SHIFT) {
      next = next & ~Status.MPP | old & Status.MPP;
    }
    hart.mstatus = next;
    hart.updateContext();
    long changed = old ^ next;
    if ((changed & Status.MXR) != 0) {
      effects.translationsChanged();
    }
    // Closing interrupts cannot make one pending.
    if ((changed & next & (Status.SIE | Status.MIE)) != 0) {
      effects.interruptsOpened();
    }
  }

  private void writeSatp(long value) {
    int mode = (int) (value >>> 60);
    if (mode != 0 && mode != 8 && mode != 9) {
      return;
    }
    // No ASIDs are implemented: the field is fixed to 0, and every change drops all translations.
    hart.satp = value & (0xfL << 60 | (1L << 44) - 1);
    effects.translationsChanged();
  }

  private void writePmp(int csr, long value) {
    if (csr <= 0x3af) {
      pmp.setConfig((csr - 0x3a0) / 2, value);
    } else {
      pmp.setAddress(csr - 0x3b0, value);
    }
    effects.translationsChanged();
  }

  private void writeCounter(int csr, long value) {
    // The write replaces the instruction's own increment: the next instruction reads the written
    // value.
    switch (csr) {
      case 0xb00 -> hart.cycleOffset = value - hart.steps - 1;
      case 0xb02 -> hart.instretOffset = value - (hart.steps - hart.nonRetired) - 1;
      default -> {
        // Event counters are fixed to 0.
      }
    }
  }

  private static long legalVector(long value, long old) {
    return (value & 2) != 0 ? old : value;
  }
}
