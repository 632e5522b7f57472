/**
 * Floating-point arithmetic of the RISC-V F and D extensions as pure functions on bit patterns.
 *
 * <p>{@link io.lockstep.vm.isa.fp.Fp32} and {@link io.lockstep.vm.isa.fp.Fp64} take and return raw
 * bits; {@link io.lockstep.vm.isa.fp.FpEnv} collects the exception flags. Results and flags are
 * those of IEEE 754-2019 with the choices of the RISC-V unprivileged specification (chapters "F"
 * and "D"): canonical NaNs, tininess detected after rounding. They are the same on every host.
 *
 * <p>How it works: each operation first tries the host's own arithmetic, which is exactly IEEE 754
 * in Java, but only knows rounding to nearest-even and reports no flags. It is used when the result
 * alone proves that no flag but <em>inexact</em> can be due; whether that one is due is either moot
 * (it is already set) or found from the rounding error, which is itself a floating-point number.
 * Everything else goes to integer arithmetic ({@code SoftFloat}).
 */
package io.lockstep.vm.isa.fp;
