package io.lockstep.replay.divergence;

import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import java.util.Random;

/**
 * A machine that forgets at random steps all that its engine has derived from its state. If that
 * can be seen in a digest, the engine's caches are part of what the machine does, which they must
 * not be.
 */
public final class CacheDroppingMachine implements VirtualMachine {
  /** Steps between two drops are spread evenly over the orders of magnitude from 2^8 ... */
  private static final int LOG_STEPS_MIN = 8;

  /** ... to 2^28, so that there is everything from cold code to long compiled stretches. */
  private static final int LOG_STEPS_MAX = 28;

  private final VirtualMachine machine;
  private final Random random;
  private long nextDrop;
  private long drops;

  /** Around {@code machine}; the same seed drops at the same steps. */
  public CacheDroppingMachine(VirtualMachine machine, long seed) {
    this.machine = machine;
    this.random = new Random(seed);
  }

  /** How often it has forgotten. */
  public long drops() {
    return drops;
  }

  @Override
  public Stop run(long limit) {
    while (true) {
      if (machine.steps() >= nextDrop) {
        machine.dropCaches();
        drops++;
        double exponent = LOG_STEPS_MIN + random.nextDouble() * (LOG_STEPS_MAX - LOG_STEPS_MIN);
        nextDrop = machine.steps() + (long) Math.pow(2, exponent);
      }
      long end = Math.min(limit, nextDrop);
      Stop stop = machine.run(end);
      if (stop != Stop.LIMIT || end == limit) {
        return stop;
      }
    }
  }

  @Override
  public long steps() {
    return machine.steps();
  }

  @Override
  public void requestStop() {
    machine.requestStop();
  }

  @Override
  public void apply(Input input) {
    machine.apply(input);
  }

  @Override
  public boolean isIdle() {
    return machine.isIdle();
  }

  @Override
  public int consoleBacklog(int device) {
    return machine.consoleBacklog(device);
  }

  @Override
  public long ticks() {
    return machine.ticks();
  }

  @Override
  public long wakeTicks() {
    return machine.wakeTicks();
  }

  @Override
  public Power power() {
    return machine.power();
  }

  @Override
  public void reissueOutstanding() {
    machine.reissueOutstanding();
  }

  @Override
  public long digest() {
    return machine.digest();
  }

  @Override
  public int digestPart(int pagesMax) {
    return machine.digestPart(pagesMax);
  }

  @Override
  public boolean prepareDigest(int pagesMax) {
    return machine.prepareDigest(pagesMax);
  }

  @Override
  public void dropCaches() {
    machine.dropCaches();
  }

  @Override
  public void saveState(StateWriter out) {
    machine.saveState(out);
  }

  @Override
  public void restoreState(StateReader in) {
    machine.restoreState(in);
  }

  @Override
  public GuestRam ram() {
    return machine.ram();
  }

  @Override
  public void clearDirty(byte dirtyBit) {
    machine.clearDirty(dirtyBit);
  }

  @Override
  public String definition() {
    return machine.definition();
  }
}
