package io.lockstep.vm.machine;

import io.lockstep.vm.engine.EngineOptions;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import java.util.Optional;

/**
 * Runs a machine twice, in the interpreter alone and with compiled regions, and finds the first
 * step after which the two differ. They never should: this is for the day they do.
 *
 * <p>Both are compared at intervals by digest; when they differ, both go back to the last point
 * where they agreed, and the interval is halved until it is one step. For machines without inputs:
 * the clock must be {@link MachineConfig.ClockMode#INSTRUCTIONS}.
 */
public final class TierComparison {
  private final VirtualMachine interpreted;
  private final VirtualMachine compiled;
  private final byte[] ram;
  private byte[] state;

  /**
   * The first difference.
   *
   * @param step the last execution point at which both agreed; run a machine up to there to see the
   *     instruction after which they did not
   */
  public record Difference(long step) {}

  /**
   * Makes a comparison of two machines that have been booted alike and not run.
   *
   * @param interpreted made with {@link EngineOptions#INTERPRETER}
   * @param compiled made with other options
   * @throws IllegalArgumentException if they do not start alike, or have 2 GiB of memory or more
   */
  public TierComparison(VirtualMachine interpreted, VirtualMachine compiled) {
    if (interpreted.ram().size() > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "tiers can be compared with less than 2 GiB of memory only");
    }
    this.interpreted = interpreted;
    this.compiled = compiled;
    this.ram = new byte[(int) interpreted.ram().size()];
    if (interpreted.digest() != compiled.digest()) {
      throw new IllegalArgumentException("the two machines differ before the first step");
    }
    remember();
  }

  /**
   * Runs both machines.
   *
   * @param limit execution point to stop at
   * @param interval steps between two comparisons, at least 1
   * @return the first difference, if there is one up to the limit or where both machines stop
   */
  public Optional<Difference> run(long limit, long interval) {
    while (interpreted.steps() < limit) {
      long from = interpreted.steps();
      long to = Math.min(limit, from + interval);
      if (!agreeAfter(to)) {
        return Optional.of(search(from, to));
      }
      if (interpreted.steps() < to) {
        break;
      }
      remember();
    }
    return Optional.empty();
  }

  private boolean agreeAfter(long step) {
    return interpreted.run(step) == compiled.run(step)
        && interpreted.steps() == compiled.steps()
        && interpreted.digest() == compiled.digest();
  }

  /** Both agreed at {@code from}, which is remembered, and not at {@code to}. */
  private Difference search(long from, long to) {
    long good = from;
    long bad = to;
    goBack(interpreted);
    goBack(compiled);
    while (bad - good > 1) {
      long middle = good + (bad - good) / 2;
      if (agreeAfter(middle)) {
        good = middle;
        remember();
      } else {
        bad = middle;
        goBack(interpreted);
        goBack(compiled);
      }
    }
    return new Difference(good);
  }

  private void remember() {
    StateWriter out = new StateWriter();
    interpreted.saveState(out);
    state = java.util.Arrays.copyOf(out.array(), out.size());
    interpreted.ram().read(GuestRam.BASE, ram, 0, ram.length);
  }

  private void goBack(VirtualMachine machine) {
    machine.restoreState(new StateReader(state));
    machine.ram().write(GuestRam.BASE, ram, 0, ram.length);
  }
}
