/**
 * The RISC-V machine. Deterministic: given the same inputs at the same execution points it does the
 * same steps.
 *
 * <p>Nothing here reads a clock, draws a random number, starts a thread or does I/O; all that is
 * not deterministic enters through the input port.
 */
package io.lockstep.vm;
