package io.lockstep.vm.engine;

import io.lockstep.vm.bus.Bus;
import io.lockstep.vm.hart.Csrs;
import io.lockstep.vm.hart.Hart;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.mmu.Mmu;
import io.lockstep.vm.mmu.Pmp;
import java.util.function.BooleanSupplier;

/**
 * Executes the hart's instructions. What it keeps besides the hart, the MMU and RAM is cache:
 * {@link #dropCaches} at any point changes nothing that a guest, a digest or an execution point
 * shows.
 */
public final class Engine {
  private final Hart hart;
  private final Mmu mmu;
  private final CodeCache code;
  private final MemoryOps memory;
  private final SystemOps system;
  private final Regions regions;
  private final Interpreter interpreter;

  /**
   * Makes the engine and the MMU it works with.
   *
   * @param supervisorCall answers ECALL from S-mode; returns false if that is a trap
   */
  public Engine(
      Hart hart,
      GuestRam ram,
      Bus bus,
      Pmp pmp,
      BooleanSupplier supervisorCall,
      EngineOptions options) {
    this.hart = hart;
    code = new CodeCache(ram);
    mmu = new Mmu(hart, ram, pmp, code::onFetchSlotChanged);
    code.attach(mmu);
    memory = new MemoryOps(hart, mmu, ram, bus, code);
    Csrs csrs = new Csrs(hart, pmp, new CsrEffects());
    system = new SystemOps(hart, csrs, mmu, supervisorCall::getAsBoolean);
    regions = new Regions(hart, mmu, code, memory, system, options, ram);
    interpreter = new Interpreter(hart, mmu, code, memory, system, regions, options.threshold());
  }

  private final class CsrEffects implements Csrs.Effects {
    @Override
    public void translationsChanged() {
      mmu.flush();
    }

    @Override
    public void interruptsChanged() {
      system.requestReturn();
    }

    @Override
    public void interruptsOpened() {
      // A timer that becomes due with this step ends the run by itself.
      if (hart.interruptToTake() >= 0) {
        system.requestReturn();
      }
    }
  }

  /** The MMU. */
  public Mmu mmu() {
    return mmu;
  }

  /**
   * Runs whole blocks for at most {@code budget} steps; may run less, also none.
   *
   * @param soft whether ending early is as good: then at least one step is taken if the budget is
   *     some hundreds
   */
  public void run(long budget, boolean soft) {
    interpreter.run(budget, soft);
  }

  /**
   * Runs at least one and at most {@code budget} steps, where the next block is longer than that.
   */
  public void runPart(int budget) {
    interpreter.runPart(budget);
  }

  /**
   * Makes the run end after the present instruction, because interrupts, timers or power may have
   * changed.
   */
  public void requestAttention() {
    memory.requestAttention();
    system.requestReturn();
  }

  /** To be called before a run: what was asked for between runs needs no attention any more. */
  public void clearAttention() {
    memory.clearAttention();
    system.clearReturn();
    code.clearWritten();
  }

  /** What the top tier has done so far. */
  public EngineStats stats() {
    return regions.stats();
  }

  /** Drops decoded code and fast paths. Invisible to the guest. */
  public void dropCaches() {
    regions.dropAll();
    code.dropAll();
    mmu.dropFastPaths();
  }
}
