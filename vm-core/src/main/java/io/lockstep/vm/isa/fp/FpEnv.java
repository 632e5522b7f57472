package io.lockstep.vm.isa.fp;

/**
 * The accrued exception flags of one hart ({@code fflags}), and the encodings of flags and rounding
 * modes (RISC-V unprivileged ISA, "Floating-Point Control and Status Register").
 *
 * <p>Operations only ever set bits of {@link #flags}; the owner clears them when the guest writes
 * {@code fflags} or {@code fcsr}.
 */
public final class FpEnv {
  /** Flag: the result is not exact. */
  public static final int NX = 1;

  /** Flag: the result is tiny after rounding, and not exact. */
  public static final int UF = 2;

  /** Flag: the rounded result is too large for the format. */
  public static final int OF = 4;

  /** Flag: a finite number was divided by zero. */
  public static final int DZ = 8;

  /** Flag: the operation is not defined for these operands. */
  public static final int NV = 16;

  /** Rounding mode: to nearest, ties to even. */
  public static final int RNE = 0;

  /** Rounding mode: toward zero. */
  public static final int RTZ = 1;

  /** Rounding mode: down, toward negative infinity. */
  public static final int RDN = 2;

  /** Rounding mode: up, toward positive infinity. */
  public static final int RUP = 3;

  /** Rounding mode: to nearest, ties away from zero. */
  public static final int RMM = 4;

  /**
   * Accrued exceptions, an or of {@link #NX}, {@link #UF}, {@link #OF}, {@link #DZ}, {@link #NV}.
   */
  public int flags;
}
