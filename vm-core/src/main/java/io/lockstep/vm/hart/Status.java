package io.lockstep.vm.hart;

/** Fields of mstatus (RISC-V Priv. §3.1.6) and the privilege levels. */
public final class Status {
  /** User level. */
  public static final int U = 0;

  /** Supervisor level. */
  public static final int S = 1;

  /** Machine level. */
  public static final int M = 3;

  static final long SIE = 1L << 1;
  static final long MIE = 1L << 3;
  static final long SPIE = 1L << 5;
  static final long MPIE = 1L << 7;
  static final long SPP = 1L << 8;
  static final int MPP_SHIFT = 11;
  static final long MPP = 3L << MPP_SHIFT;
  static final long FS = 3L << 13;
  static final long MPRV = 1L << 17;
  static final long SUM = 1L << 18;
  static final long MXR = 1L << 19;
  static final long TVM = 1L << 20;
  static final long TW = 1L << 21;
  static final long TSR = 1L << 22;
  static final long UXL_SXL_64 = 2L << 32 | 2L << 34;
  static final long SD = 1L << 63;

  /** What software can change in mstatus. */
  static final long WRITABLE =
      SIE | MIE | SPIE | MPIE | SPP | MPP | FS | MPRV | SUM | MXR | TVM | TW | TSR;

  /** What sstatus shows and S-mode can change. */
  static final long SUPERVISOR = SIE | SPIE | SPP | FS | SUM | MXR;

  /** What sstatus shows and nobody can change: UXL. */
  static final long SUPERVISOR_FIXED = 2L << 32;

  private Status() {}
}
