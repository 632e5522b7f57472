package io.lockstep.vm.engine;

import static io.lockstep.vm.memory.GuestRam.HOST;

import io.lockstep.vm.engine.region.RegionCode;
import io.lockstep.vm.hart.Hart;
import io.lockstep.vm.isa.FloatOps;
import io.lockstep.vm.isa.IntegerOps;
import io.lockstep.vm.isa.Op;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.mmu.Mmu;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Objects;

/**
 * The base tier: runs decoded blocks.
 *
 * <p>Implementation notes. {@link #run} is one large method because HotSpot keeps the loop's state
 * (registers' array, translation arrays, fuel) in host registers only within one compilation unit;
 * its bytecode must stay under 8,000 bytes, the size from which HotSpot does not compile a method
 * at all (a test checks). So the switch holds what is frequent, and everything else is one call
 * away. A block is charged to the fuel as a whole before it runs; a trap in its middle gives back
 * what did not run. Blocks of one page are linked to each other directly; a jump to another page
 * looks the page up by its fetch slot, which is the guest-visible translation and must be consulted
 * exactly when an instruction of another page is fetched.
 */
final class Interpreter {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final long PAGE_MASK = -4096L;

  /** More than any compiled unit needs to take its first steps. */
  private static final long FUEL_FOR_ANY = 1024;

  private final Hart hart;
  private final Mmu mmu;
  private final CodeCache code;
  private final MemoryOps memory;
  private final SystemOps system;

  private final Regions regions;

  /** How often a block is jumped to before it is handed to the top tier. */
  private final int threshold;

  /**
   * Makes the tier.
   *
   * @param regions the tier above, used from {@code threshold} on
   */
  Interpreter(
      Hart hart,
      Mmu mmu,
      CodeCache code,
      MemoryOps memory,
      SystemOps system,
      Regions regions,
      int threshold) {
    this.regions = regions;
    this.threshold = threshold;
    this.hart = hart;
    this.mmu = mmu;
    this.code = code;
    this.memory = memory;
    this.system = system;
  }

  /**
   * Runs whole blocks from {@code hart.pc} on, for at most {@code budget} steps; returns earlier,
   * with {@code hart.steps} and {@code hart.pc} exact, at a trap, where interrupts must be looked
   * at again, where the next block is longer than what is left, and after a write to decoded code.
   *
   * @param soft the end is not exact: returning a little early is as good
   */
  void run(long budget, boolean soft) {
    long target = hart.steps + budget;
    memory.setTarget(target);
    regions.start(target, soft);
    runBlock(null, target);
  }

  /**
   * Runs at most {@code budget} steps of the code at {@code hart.pc}, {@code budget} being too
   * small for the block there.
   */
  void runPart(int budget) {
    long target = hart.steps + budget;
    memory.setTarget(target);
    Block whole = find(hart.pc);
    if (whole == null) {
      return;
    }
    int count = Math.min(budget, whole.count);
    runBlock(
        whole.crossedInto != null ? whole : code.decode(whole.page, whole.start(), count),
        hart.steps + count);
  }

  /**
   * The main loop; see the class comment. {@code first} may be null. Stops at step {@code target}
   * at the latest.
   */
  // 32-bit operations wrap and are then sign-extended: that is the instruction set's definition.
  @SuppressWarnings({"IntLongMath", "NarrowCalculation"})
  private void runBlock(Block first, long target) {
    // Said once, so that HotSpot need not look again at each access.
    final long[] x = Objects.requireNonNull(hart.x);
    final long[] lt = Objects.requireNonNull(mmu.loadFast);
    final long[] st = Objects.requireNonNull(mmu.storeFast);
    final long[] fetchTags = mmu.fetchTags();
    final CodePage[] bySlot = code.bySlot();
    int context = hart.dataContext * Mmu.FAST_CONTEXT_STRIDE;
    boolean fpReady = !hart.fpOff && hart.fpIsDirty();
    long left = target - hart.steps;
    long pc = hart.pc;
    Block block = first;
    int hot = threshold;
    dispatch:
    while (true) {
      if (first == null) {
        boolean fetched = false;
        int slot = Mmu.fetchSlot(pc, hart.fetchContext);
        CodePage cp = bySlot[slot];
        if (cp == null
            || fetchTags[slot] != (pc & PAGE_MASK | 1)
            || (block = cp.blocks[(int) (pc & 4095) >> 1]) == null
            || block.crossedInto != null) {
          hart.pc = pc;
          hart.steps = target - left;
          if (left <= 0) {
            return;
          }
          block = find(pc);
          if (block == null) {
            return;
          }
          // What has been fetched is executed at once: the walk may have left its mark (§2.3 of
          // the design), and an input must not come in between.
          if (block.count > left) {
            block = code.decode(block.page, block.start(), (int) left);
          }
          fetched = true;
        }
        if (++block.heat > hot && (!fetched || left >= FUEL_FOR_ANY)) {
          long after = regions.run(block, pc, left);
          if (after == RegionCode.LEAVE) {
            return;
          }
          if (after != left) {
            left = after;
            pc = hart.pc;
            // Units access CSRs, which may have changed these.
            context = hart.dataContext * Mmu.FAST_CONTEXT_STRIDE;
            fpReady = !hart.fpOff && hart.fpIsDirty();
            continue;
          }
        }
      } else {
        first = null;
        hot = Integer.MAX_VALUE;
      }
      long page = pc & PAGE_MASK;
      int i = 0;
      run:
      {
        while (true) {
          if (block.count > left) {
            hart.pc = page + block.start();
            hart.steps = target - left;
            return;
          }
          left -= block.count;
          long[] ops = Objects.requireNonNull(block.ops);
          i = 0;
          taken:
          {
            straight:
            for (; i < ops.length; i++) {
              long op = ops[i];
              int fields = (int) op;
              int kind = fields & 0xff;
              int rd = fields >>> 8 & 0xff;
              int rs1 = fields >>> 16 & 0xff;
              int rs2 = fields >>> 24;
              long imm = op >> 32;
              slow:
              {
                switch (kind) {
                  case Op.NOP -> {}
                  case Op.LI -> x[rd] = imm;
                  case Op.AUIPC -> x[rd] = page + imm;
                  case Op.MV -> x[rd] = x[rs1];
                  case Op.ADDI -> x[rd] = x[rs1] + imm;
                  case Op.SLTI -> x[rd] = x[rs1] < imm ? 1 : 0;
                  case Op.SLTIU -> x[rd] = x[rs1] + Long.MIN_VALUE < imm + Long.MIN_VALUE ? 1 : 0;
                  case Op.XORI -> x[rd] = x[rs1] ^ imm;
                  case Op.ORI -> x[rd] = x[rs1] | imm;
                  case Op.ANDI -> x[rd] = x[rs1] & imm;
                  case Op.SLLI -> x[rd] = x[rs1] << (int) imm;
                  case Op.SRLI -> x[rd] = x[rs1] >>> (int) imm;
                  case Op.SRAI -> x[rd] = x[rs1] >> (int) imm;
                  case Op.ADDIW -> x[rd] = (int) x[rs1] + (int) imm;
                  case Op.SLLIW -> x[rd] = (int) x[rs1] << (int) imm;
                  case Op.SRLIW -> x[rd] = (int) x[rs1] >>> (int) imm;
                  case Op.SRAIW -> x[rd] = (int) x[rs1] >> (int) imm;
                  case Op.ADD -> x[rd] = x[rs1] + x[rs2];
                  case Op.SUB -> x[rd] = x[rs1] - x[rs2];
                  case Op.SLL -> x[rd] = x[rs1] << x[rs2];
                  case Op.SLT -> x[rd] = x[rs1] < x[rs2] ? 1 : 0;
                  case Op.SLTU -> x[rd] = x[rs1] + Long.MIN_VALUE < x[rs2] + Long.MIN_VALUE ? 1 : 0;
                  case Op.XOR -> x[rd] = x[rs1] ^ x[rs2];
                  case Op.SRL -> x[rd] = x[rs1] >>> x[rs2];
                  case Op.SRA -> x[rd] = x[rs1] >> x[rs2];
                  case Op.OR -> x[rd] = x[rs1] | x[rs2];
                  case Op.AND -> x[rd] = x[rs1] & x[rs2];
                  case Op.ADDW -> x[rd] = (int) x[rs1] + (int) x[rs2];
                  case Op.SUBW -> x[rd] = (int) x[rs1] - (int) x[rs2];
                  case Op.SLLW -> x[rd] = (int) x[rs1] << (int) x[rs2];
                  case Op.SRLW -> x[rd] = (int) x[rs1] >>> (int) x[rs2];
                  case Op.SRAW -> x[rd] = (int) x[rs1] >> (int) x[rs2];
                  case Op.MUL -> x[rd] = x[rs1] * x[rs2];
                  case Op.MULW -> x[rd] = (int) x[rs1] * (int) x[rs2];
                  case Op.MULHU -> x[rd] = Math.unsignedMultiplyHigh(x[rs1], x[rs2]);
                  case Op.SH1ADD -> x[rd] = (x[rs1] << 1) + x[rs2];
                  case Op.SH2ADD -> x[rd] = (x[rs1] << 2) + x[rs2];
                  case Op.SH3ADD -> x[rd] = (x[rs1] << 3) + x[rs2];
                  case Op.ADD_UW -> x[rd] = (x[rs1] & 0xffff_ffffL) + x[rs2];
                  case Op.ZEXT_H -> x[rd] = x[rs1] & 0xffff;
                  case Op.SEXT_B -> x[rd] = (byte) x[rs1];
                  case Op.SEXT_H -> x[rd] = (short) x[rs1];
                  case Op.LB -> {
                    long a = x[rs1] + imm;
                    int e = ((int) (a >>> 11) & Mmu.FAST_INDEX_MASK) + context;
                    if (lt[e] == (a & (PAGE_MASK))) {
                      x[rd] = HOST.get(ValueLayout.JAVA_BYTE, a + lt[e + 1]);
                    } else {
                      break slow;
                    }
                  }
                  case Op.LH -> {
                    long a = x[rs1] + imm;
                    int e = ((int) (a >>> 11) & Mmu.FAST_INDEX_MASK) + context;
                    if (lt[e] == (a & (PAGE_MASK | 1))) {
                      x[rd] = HOST.get(SHORT, a + lt[e + 1]);
                    } else {
                      break slow;
                    }
                  }
                  case Op.LW -> {
                    long a = x[rs1] + imm;
                    int e = ((int) (a >>> 11) & Mmu.FAST_INDEX_MASK) + context;
                    if (lt[e] == (a & (PAGE_MASK | 3))) {
                      x[rd] = HOST.get(INT, a + lt[e + 1]);
                    } else {
                      break slow;
                    }
                  }
                  case Op.LD -> {
                    long a = x[rs1] + imm;
                    int e = ((int) (a >>> 11) & Mmu.FAST_INDEX_MASK) + context;
                    if (lt[e] == (a & (PAGE_MASK | 7))) {
                      x[rd] = HOST.get(LONG, a + lt[e + 1]);
                    } else {
                      break slow;
                    }
                  }
                  case Op.LBU -> {
                    long a = x[rs1] + imm;
                    int e = ((int) (a >>> 11) & Mmu.FAST_INDEX_MASK) + context;
                    if (lt[e] == (a & (PAGE_MASK))) {
                      x[rd] = HOST.get(ValueLayout.JAVA_BYTE, a + lt[e + 1]) & 0xff;
                    } else {
                      break slow;
                    }
                  }
                  case Op.LHU -> {
                    long a = x[rs1] + imm;
                    int e = ((int) (a >>> 11) & Mmu.FAST_INDEX_MASK) + context;
                    if (lt[e] == (a & (PAGE_MASK | 1))) {
                      x[rd] = HOST.get(SHORT, a + lt[e + 1]) & 0xffff;
                    } else {
                      break slow;
                    }
                  }
                  case Op.LWU -> {
                    long a = x[rs1] + imm;
                    int e = ((int) (a >>> 11) & Mmu.FAST_INDEX_MASK) + context;
                    if (lt[e] == (a & (PAGE_MASK | 3))) {
                      x[rd] = HOST.get(INT, a + lt[e + 1]) & 0xffff_ffffL;
                    } else {
                      break slow;
                    }
                  }
                  case Op.FLD -> {
                    long a = x[rs1] + imm;
                    int e = ((int) (a >>> 11) & Mmu.FAST_INDEX_MASK) + context;
                    if (fpReady && lt[e] == (a & (PAGE_MASK | 7))) {
                      x[rd] = HOST.get(LONG, a + lt[e + 1]);
                    } else {
                      break slow;
                    }
                  }
                  case Op.SB -> {
                    long a = x[rs1] + imm;
                    int e = ((int) (a >>> 11) & Mmu.FAST_INDEX_MASK) + context;
                    if (st[e] == (a & (PAGE_MASK))) {
                      HOST.set(ValueLayout.JAVA_BYTE, a + st[e + 1], (byte) x[rs2]);
                    } else {
                      break slow;
                    }
                  }
                  case Op.SH -> {
                    long a = x[rs1] + imm;
                    int e = ((int) (a >>> 11) & Mmu.FAST_INDEX_MASK) + context;
                    if (st[e] == (a & (PAGE_MASK | 1))) {
                      HOST.set(SHORT, a + st[e + 1], (short) x[rs2]);
                    } else {
                      break slow;
                    }
                  }
                  case Op.SW -> {
                    long a = x[rs1] + imm;
                    int e = ((int) (a >>> 11) & Mmu.FAST_INDEX_MASK) + context;
                    if (st[e] == (a & (PAGE_MASK | 3))) {
                      HOST.set(INT, a + st[e + 1], (int) x[rs2]);
                    } else {
                      break slow;
                    }
                  }
                  case Op.SD -> {
                    long a = x[rs1] + imm;
                    int e = ((int) (a >>> 11) & Mmu.FAST_INDEX_MASK) + context;
                    if (st[e] == (a & (PAGE_MASK | 7))) {
                      HOST.set(LONG, a + st[e + 1], x[rs2]);
                    } else {
                      break slow;
                    }
                  }
                  case Op.FSD -> {
                    long a = x[rs1] + imm;
                    int e = ((int) (a >>> 11) & Mmu.FAST_INDEX_MASK) + context;
                    if (fpReady && st[e] == (a & (PAGE_MASK | 7))) {
                      HOST.set(LONG, a + st[e + 1], x[rs2]);
                    } else {
                      break slow;
                    }
                  }
                  case Op.BEQ -> {
                    if (x[rs1] == x[rs2]) {
                      break taken;
                    }
                    break straight;
                  }
                  case Op.BNE -> {
                    if (x[rs1] != x[rs2]) {
                      break taken;
                    }
                    break straight;
                  }
                  case Op.BLT -> {
                    if (x[rs1] < x[rs2]) {
                      break taken;
                    }
                    break straight;
                  }
                  case Op.BGE -> {
                    if (x[rs1] >= x[rs2]) {
                      break taken;
                    }
                    break straight;
                  }
                  case Op.BLTU -> {
                    if (x[rs1] + Long.MIN_VALUE < x[rs2] + Long.MIN_VALUE) {
                      break taken;
                    }
                    break straight;
                  }
                  case Op.BGEU -> {
                    if (x[rs1] + Long.MIN_VALUE >= x[rs2] + Long.MIN_VALUE) {
                      break taken;
                    }
                    break straight;
                  }
                  case Op.J -> {
                    break taken;
                  }
                  case Op.JAL -> {
                    x[rd] = page + block.end();
                    break taken;
                  }
                  case Op.JR -> {
                    pc = (x[rs1] + imm) & -2;
                    continue dispatch;
                  }
                  case Op.JALR -> {
                    pc = (x[rs1] + imm) & -2;
                    x[rd] = page + block.end();
                    continue dispatch;
                  }
                  case Op.FALL -> {
                    break straight;
                  }
                  default -> {
                    break slow;
                  }
                }
                continue straight;
              }
              // One way for all that is not frequent, behind the switch and not in its cases: what
              // a call in a case needs would be loaded for each operation, before the switch.
              if (kind < Op.CSR) {
                if (rare(i, block, left)) {
                  break run;
                }
              } else {
                pc = executeSystem(i, block, page, target - left - 1);
                if (system.mustReturn()) {
                  return;
                }
                context = hart.dataContext * Mmu.FAST_CONTEXT_STRIDE;
                fpReady = !hart.fpOff && hart.fpIsDirty();
                left = target - hart.steps;
                continue dispatch;
              }
            }
            Block follower = block.next;
            if (follower == null) {
              int end = block.end();
              // What starts in the last two bytes may go on in the next page, which must be looked
              // up.
              if (end < GuestRam.PAGE - 2) {
                follower = block.page.blocks[end >> 1];
                block.next = follower;
              }
              if (follower == null) {
                pc = page + end;
                continue dispatch;
              }
            }
            block = follower;
            continue;
          }
          Block follower = block.taken;
          if (follower == null) {
            int to = block.target;
            if (to >= 0 && to < GuestRam.PAGE - 2) {
              follower = block.page.blocks[to >> 1];
              block.taken = follower;
            }
            if (follower == null) {
              pc = page + to;
              continue dispatch;
            }
          }
          if (block.heats && ++follower.heat > hot) {
            pc = page + follower.start();
            continue dispatch;
          }
          block = follower;
        }
      }
      leave(block, i, page, target - left);
      return;
    }
  }

  /**
   * Leaves a block in its middle, after operation {@code i} did something that the rest of the
   * block must not follow without a look around: it trapped, or it wrote to decoded code, or a
   * device wants attention.
   */
  private void leave(Block block, int i, long page, long stepsAtEnd) {
    hart.steps = stepsAtEnd - (block.count - i);
    hart.pc = page + block.offsets[i];
    if (memory.takeFault()) {
      hart.takeException(memory.faultCause(), memory.faultValue(), hart.pc);
    } else {
      hart.steps++;
      hart.pc = page + block.offsets[i + 1];
    }
  }

  /** A system instruction, which ends its block. Returns the next pc. */
  private long executeSystem(int i, Block block, long page, long steps) {
    hart.pc = page + block.start();
    hart.steps = steps;
    return system.execute(block.ops[i], page + block.offsets[i], page + block.end());
  }

  /**
   * Everything that is not in the main switch and does not end a block. Returns whether the block
   * must be left.
   */
  private boolean rare(int i, Block block, long left) {
    long op = block.ops[i];
    int c = Op.code(op);
    if (Op.touchesMemory(c)) {
      return memory.slow(op, hart.x[Op.rs1(op)] + (c <= Op.FSD ? op >> 32 : 0), i, block, left);
    }
    if (Op.isFloatingPoint(c)) {
      if (!hart.fpOff && FloatOps.execute(op, hart)) {
        return false;
      }
      memory.illegal(block, i);
      return true;
    }
    IntegerOps.execute(op, hart.x);
    return false;
  }

  /**
   * The block at {@code pc}, through the guest-visible translations. On a fetch fault takes the
   * trap and returns null.
   */
  private Block find(long pc) {
    long physical = fetch(pc, pc);
    if (physical == -1) {
      return null;
    }
    if (!mmu.fetchesAlike(physical)) {
      return findProtected(pc, physical);
    }
    CodePage page = code.pageFor(physical, Mmu.fetchSlot(pc, hart.fetchContext));
    int offset = (int) pc & 4095;
    if (code.crosses(page, offset)) {
      long next = fetch(pc + 2, pc);
      if (next == -1) {
        return null;
      }
      return code.decodeCrossing(
          page, code.pageFor(next, Mmu.fetchSlot(pc + 2, hart.fetchContext)));
    }
    Block block = page.blocks[offset >> 1];
    return block != null ? block : code.decode(page, offset);
  }

  /**
   * One instruction of a page that PMP protects in parts: each fetch is checked, so nothing is
   * kept.
   */
  private Block findProtected(long pc, long physical) {
    int offset = (int) pc & 4095;
    CodePage page = code.pageOnce(physical);
    if (code.isCompressed(page, offset)) {
      return code.decode(page, offset, 1);
    }
    long next = fetch(pc + 2, pc);
    if (next == -1) {
      return null;
    }
    return code.crosses(page, offset)
        ? code.decodeCrossing(page, code.pageOnce(next))
        : code.decode(page, offset, 1);
  }

  private long fetch(long virtual, long instruction) {
    long physical = mmu.translate(virtual, Mmu.FETCH);
    if (physical == -1) {
      hart.takeException(mmu.faultCause(), virtual, instruction);
      return -1;
    }
    if (!memory.isRam(physical) || !mmu.pmpAllows(physical, 2, Mmu.FETCH)) {
      hart.takeException(io.lockstep.vm.hart.Cause.FETCH_ACCESS, virtual, instruction);
      return -1;
    }
    return physical;
  }
}
