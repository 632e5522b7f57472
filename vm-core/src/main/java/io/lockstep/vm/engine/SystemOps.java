package io.lockstep.vm.engine;

import io.lockstep.vm.hart.Cause;
import io.lockstep.vm.hart.Csrs;
import io.lockstep.vm.hart.Hart;
import io.lockstep.vm.hart.Status;
import io.lockstep.vm.isa.Op;
import io.lockstep.vm.mmu.Mmu;

/**
 * The instructions that end a block because they change what the following ones mean: CSR accesses,
 * calls, returns from traps, WFI, fences.
 */
final class SystemOps {
  private final Hart hart;
  private final Csrs csrs;
  private final Mmu mmu;
  private final SupervisorCall firmware;
  private boolean mustReturn;

  /** The VMM's own firmware. */
  @FunctionalInterface
  interface SupervisorCall {
    /**
     * Answers an ECALL from S-mode; returns false if there is no built-in firmware, and the call is
     * a trap.
     */
    boolean call();
  }

  SystemOps(Hart hart, Csrs csrs, Mmu mmu, SupervisorCall firmware) {
    this.hart = hart;
    this.csrs = csrs;
    this.mmu = mmu;
    this.firmware = firmware;
  }

  /** Makes the present instruction's run end, so that interrupts and timers are looked at. */
  void requestReturn() {
    mustReturn = true;
  }

  void clearReturn() {
    mustReturn = false;
  }

  /** Whether the run must end after the last instruction. */
  boolean returnRequested() {
    return mustReturn;
  }

  /** Whether the run must end after the last instruction; asking forgets it. */
  boolean mustReturn() {
    boolean m = mustReturn;
    mustReturn = false;
    return m;
  }

  /**
   * Runs one instruction, counting its step. {@code hart.steps} is exact before and after; {@code
   * hart.pc} is after.
   *
   * @param op the operation
   * @param pc its address
   * @param next the address behind it
   * @return the address of the next instruction
   */
  long execute(long op, long pc, long next) {
    hart.pc = next;
    switch (Op.code(op)) {
      case Op.CSR -> {
        if (csrs.execute((int) Op.imm(op), Op.rd(op))) {
          hart.steps++;
        } else {
          trap(Cause.ILLEGAL_INSTRUCTION, Op.imm(op) & 0xffff_ffffL, pc);
        }
      }
      case Op.ECALL -> call(pc);
      case Op.EBREAK -> trap(Cause.BREAKPOINT, pc, pc);
      case Op.SRET -> {
        if (check(hart.sretAllowed(), op, pc)) {
          hart.steps++;
          hart.returnFromSupervisor();
          mustReturn = true;
        }
      }
      case Op.MRET -> {
        if (check(hart.privilege == Status.M, op, pc)) {
          hart.steps++;
          hart.returnFromMachine();
          mustReturn = true;
        }
      }
      case Op.WFI -> {
        if (check(hart.wfiAllowed(), op, pc)) {
          hart.steps++;
          hart.waiting = !hart.wakeUpPending();
          mustReturn = true;
        }
      }
      case Op.SFENCE_VMA -> fence(op, pc);
      case Op.FENCE_I -> hart.steps++;
      default -> trap(Cause.ILLEGAL_INSTRUCTION, Op.imm(op) & 0xffff_ffffL, pc);
    }
    return hart.pc;
  }

  private boolean check(boolean allowed, long op, long pc) {
    if (!allowed) {
      trap(Cause.ILLEGAL_INSTRUCTION, Op.imm(op) & 0xffff_ffffL, pc);
    }
    return allowed;
  }

  private void fence(long op, long pc) {
    if (!check(hart.translationControlAllowed(), op, pc)) {
      return;
    }
    hart.steps++;
    if (Op.rs1(op) == 0) {
      mmu.flush();
    } else {
      mmu.flush(hart.x[Op.rs1(op)]);
    }
  }

  private void call(long pc) {
    if (hart.privilege == Status.S && firmware.call()) {
      hart.steps++;
      mustReturn = true;
      return;
    }
    int cause =
        switch (hart.privilege) {
          case Status.U -> Cause.ECALL_U;
          case Status.S -> Cause.ECALL_S;
          default -> Cause.ECALL_M;
        };
    trap(cause, 0, pc);
  }

  private void trap(int cause, long value, long pc) {
    hart.takeException(cause, value, pc);
    mustReturn = true;
  }
}
