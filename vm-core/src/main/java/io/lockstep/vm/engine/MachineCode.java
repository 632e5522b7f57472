package io.lockstep.vm.engine;

import io.lockstep.vm.engine.region.AccessInfo;
import io.lockstep.vm.engine.region.Region;
import io.lockstep.vm.engine.region.RegionCode;
import io.lockstep.vm.engine.x86.CodeSpace;
import io.lockstep.vm.engine.x86.Layout;
import io.lockstep.vm.engine.x86.Sites;
import io.lockstep.vm.hart.Hart;
import io.lockstep.vm.isa.FloatOps;
import io.lockstep.vm.isa.IntegerOps;
import io.lockstep.vm.isa.Op;
import io.lockstep.vm.mmu.Mmu;

/**
 * Regions as code of the host's processor. Making it takes microseconds, so it is for all code that
 * is run more than a few times, which HotSpot could not keep up with. What a unit does is what the
 * interpreter does with the same blocks; all here is cache.
 */
final class MachineCode implements CompiledTier, CodeCache.Follower {
  private final Hart hart;
  private final MemoryOps memory;
  private final SystemOps system;
  private final CodeSpace space;
  private final int unitsMax;

  // Statistics
  private long compiled;
  private long compiledInstructions;
  private long forgotten;

  MachineCode(Hart hart, MemoryOps memory, SystemOps system, CodeSpace space, int unitsMax) {
    this.system = system;
    this.hart = hart;
    this.memory = memory;
    this.space = space;
    this.unitsMax = unitsMax;
  }

  @Override
  public long run(Block block, long pc, long left, long target, boolean soft) {
    if (!fetchesAndDataBelongTogether()) {
      return left;
    }
    int page = block.page.index;
    long unit = space.unitAt(page, block.start());
    if (unit == 0) {
      if (!compile(block)) {
        return left;
      }
      unit = space.unitAt(page, block.start());
    }
    space.useSlot(Mmu.fetchSlot(pc, hart.fetchContext), pc & -4096L, page);
    space.prepare(hart.fetchContext, isFloatReady(), hart.cacheBlockZeroAllowed());
    space.setReservation(hart.reservation);
    int context = hart.dataContext;
    int why = space.run(unit, pc & -4096L, left, context);
    while (true) {
      left = space.left();
      hart.reservation = space.reservation();
      hart.fp.flags |= space.floatFlags();
      if (why != Layout.ASK) {
        break;
      }
      int site = space.site();
      if (Op.code(space.sites().op(site)) == Op.CSR) {
        if (mustLeaveAfterCsr(site, target - left)) {
          return system.mustReturn() ? RegionCode.LEAVE : left;
        }
      } else if (mustStopAfter(site, left)) {
        return RegionCode.LEAVE;
      }
      space.setReservation(hart.reservation);
      why = space.resume(site, left, context);
    }
    hart.pc = space.pc();
    if (why == Layout.FUEL && soft) {
      hart.steps = target - left;
      return RegionCode.LEAVE;
    }
    return left;
  }

  /** Data in another mode than code (mstatus.MPRV) is for firmware, and rare. */
  private boolean fetchesAndDataBelongTogether() {
    return hart.dataContext == hart.fetchContext || hart.fetchContext == 1 && hart.dataContext == 2;
  }

  /**
   * Accesses a CSR, the last instruction of its block. Afterwards the code may go on only if it
   * still means the same: in the same contexts, from the same page.
   *
   * @param after the step behind the instruction
   */
  private boolean mustLeaveAfterCsr(int site, long after) {
    long info = space.sites().info(site);
    long next = space.page() + AccessInfo.nextOffset(info);
    int fetchContext = hart.fetchContext;
    int dataContext = hart.dataContext;
    boolean floatReady = isFloatReady();
    boolean zeroAllowed = hart.cacheBlockZeroAllowed();
    hart.steps = after - 1;
    long pc = system.execute(space.sites().op(site), space.page() + AccessInfo.offset(info), next);
    return pc != next
        || system.returnRequested()
        || fetchContext != hart.fetchContext
        || dataContext != hart.dataContext
        || floatReady != isFloatReady()
        || zeroAllowed != hart.cacheBlockZeroAllowed()
        || !space.hasSlot(Mmu.fetchSlot(next, fetchContext), next);
  }

  private boolean isFloatReady() {
    return !hart.fpOff && hart.fpIsDirty() && hart.frm == 0;
  }

  /** Does what a site asks for; returns whether the run must end after it. */
  private boolean mustStopAfter(int site, long left) {
    Sites sites = space.sites();
    long op = sites.op(site);
    int code = Op.code(op);
    if (Op.touchesMemory(code)) {
      return memory.slow(op, space.address(), left, sites.info(site), space.page());
    }
    if (Op.isFloatingPoint(code)) {
      boolean legal = FloatOps.execute(op, hart);
      assert legal;
    } else {
      IntegerOps.execute(op, hart.x);
    }
    return false;
  }

  private boolean compile(Block block) {
    if (block.heat < 0) {
      return false;
    }
    Region region = RegionPlanner.plan(block, true);
    if (region == null) {
      block.heat = Regions.NEVER;
      return false;
    }
    if (!space.hasRoom() || space.units() >= unitsMax) {
      forgetAll();
    }
    space.compile(region, block.page.index);
    compiled++;
    compiledInstructions += region.instructions();
    return true;
  }

  @Override
  public void forgetAll() {
    forgotten += space.units();
    space.forgetAll();
  }

  @Override
  public void pageDropped(int page) {
    space.forget(page);
  }

  @Override
  public void slotChanged(int slot) {
    space.dropSlot(slot);
  }

  @Override
  public EngineStats stats(long stepsInRegions) {
    return new EngineStats(
        true, compiled, compiledInstructions, space.units(), forgotten, stepsInRegions);
  }
}
