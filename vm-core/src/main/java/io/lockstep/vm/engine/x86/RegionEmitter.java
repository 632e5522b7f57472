package io.lockstep.vm.engine.x86;

import static io.lockstep.vm.engine.x86.Assembler.*;

import io.lockstep.vm.engine.region.AccessInfo;
import io.lockstep.vm.engine.region.Region;
import io.lockstep.vm.engine.region.RegionBlock;
import io.lockstep.vm.engine.region.RegionCompiler;
import io.lockstep.vm.engine.x86.Assembler.Label;
import io.lockstep.vm.isa.Op;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Emits a region as machine code. What host registers hold:
 *
 * <pre>
 *   RBP        address of the hart's registers, see {@link GuestRegisters}
 *   R12        virtual address of the page
 *   R13        fuel left
 *   R14, R15   fast entries of loads and stores, in the present data context
 *   RAX, RCX, RDX                    whatever an instruction needs
 *   RBX, RSI, RDI, R8 to R11         guest registers, see {@link RegisterChoice}
 *   RSP        as the trampoline left it
 * </pre>
 *
 * <p>Between units all guest registers are in the hart. A unit begins with a look at the fuel; it
 * is entered with R12 and R13 set. Where it goes on in its page it jumps through the page's table,
 * where it leaves the page it goes by the lookup stub, which consults the guest-visible translation
 * of the fetch. The rules for fuel are those of {@link RegionCompiler}.
 */
final class RegionEmitter {
  private final Places places;
  private final Region region;
  private final Sites sites;
  private final Assembler a;
  private final GuestRegisters guest;
  private final IntegerEmitter integers;
  private final FloatEmitter floats;
  private final MemoryEmitter memory;
  private final Label[] labels;
  private final boolean[] emitted;
  private final List<Exit> exits = new ArrayList<>();
  private final List<Ask> asks = new ArrayList<>();
  private final Label asked = new Label();

  /** The way out to an offset that is not in the region. */
  private record Exit(int offset, boolean outOfFuel, Label label) {}

  /** The way to the run loop for one instruction, and back. */
  private record Ask(int site, boolean hasAddress, Label from, Label back) {}

  /** Addresses that code refers to. */
  record Places(long base, long table, boolean fused) {
    long state(int field) {
      return base + field;
    }

    long code() {
      return base + Layout.CODE;
    }
  }

  RegionEmitter(Region region, Places places, Stubs stubs, Sites sites, long address) {
    this.region = region;
    this.places = places;
    this.stubs = stubs;
    this.sites = sites;
    a = new Assembler(address);
    RegisterChoice choice = new RegisterChoice(region);
    guest = new GuestRegisters(a, choice);
    integers = new IntegerEmitter(a, guest);
    floats = new FloatEmitter(a, guest, places.fused);
    memory = new MemoryEmitter(a, guest, places);
    labels = new Label[region.blocks.length];
    emitted = new boolean[region.blocks.length];
    for (int i = 0; i < labels.length; i++) {
      labels[i] = new Label();
    }
  }

  private final Stubs stubs;

  /** The code. */
  byte[] emit() {
    int start = region.blocks[0].start();
    if (region.usesFloat()) {
      Label ready = new Label();
      a.compareConstant(places.state(Layout.FLOAT_READY), 0);
      a.jumpIf(NOT_EQUAL, ready);
      a.constant(RAX, start);
      a.jumpTo(stubs.notReady);
      a.bind(ready);
    }
    Label enough = new Label();
    a.ri(CMP, true, R13, region.entryFuel());
    a.jumpIf(NOT_LESS, enough);
    a.constant(RAX, start);
    a.jumpTo(stubs.outOfFuel);
    a.bind(enough);
    guest.takeAll();
    blocks();
    exits();
    asks();
    return a.toBytes();
  }

  /** Each block is followed by the one that it usually goes on to, as far as that is free. */
  private void blocks() {
    Deque<Integer> waiting = new ArrayDeque<>();
    waiting.push(0);
    while (!waiting.isEmpty()) {
      int index = waiting.pop();
      while (index != RegionBlock.NONE && !emitted[index]) {
        RegionBlock block = region.blocks[index];
        emitted[index] = true;
        for (int r : block.returns) {
          waiting.push(r);
        }
        int follower = follower(block);
        boolean adjacent = follower != RegionBlock.NONE && !emitted[follower];
        block(index, block, adjacent);
        if (block.taken != RegionBlock.NONE && block.taken != follower) {
          waiting.push(block.taken);
        }
        index = follower;
      }
    }
  }

  private static int follower(RegionBlock block) {
    int last = Op.code(block.ops[block.count - 1]);
    return last == Op.J || last == Op.JAL ? block.taken : block.next;
  }

  private void block(int index, RegionBlock block, boolean adjacent) {
    a.bind(labels[index]);
    if (block.header) {
      a.ri(CMP, true, R13, block.worst);
      a.jumpIf(LESS, exit(block.start(), true));
    }
    a.ri(SUB, true, R13, block.count);
    for (int i = 0; i < block.count; i++) {
      instruction(block, i, adjacent);
    }
    int last = Op.code(block.ops[block.count - 1]);
    if ((last < Op.J || last > Op.JALR) && !adjacent) {
      a.jump(labelOf(block.next, block.end()));
    }
  }

  private Label labelOf(int block, int offset) {
    return block == RegionBlock.NONE ? exit(offset, false) : labels[block];
  }

  private Label exit(int offset, boolean outOfFuel) {
    for (Exit e : exits) {
      if (e.offset == offset && e.outOfFuel == outOfFuel) {
        return e.label;
      }
    }
    Exit e = new Exit(offset, outOfFuel, new Label());
    exits.add(e);
    return e.label;
  }

  private void instruction(RegionBlock block, int i, boolean adjacent) {
    long op = block.ops[i];
    int code = Op.code(op);
    if (Op.touchesMemory(code)) {
      access(block, i, op, code);
    } else if (Op.isFloatingPoint(code)) {
      Ask ask = ask(block, i, false);
      if (floats.canEmit(op)) {
        floats.emit(op, ask.from);
      } else {
        a.jump(ask.from);
      }
      a.bind(ask.back);
    } else if (code >= Op.BEQ && code <= Op.BGEU) {
      int condition = integers.compare(op);
      a.jumpIf(condition, labelOf(block.taken, (int) Op.imm(op)));
    } else if (code >= Op.J && code <= Op.JALR) {
      jump(block, op, code, adjacent);
    } else if (code == Op.CSR || code != Op.FALL && !integers.emit(op)) {
      Ask ask = ask(block, i, false);
      a.jump(ask.from);
      a.bind(ask.back);
    }
  }

  private void jump(RegionBlock block, long op, int code, boolean adjacent) {
    if (code == Op.J || code == Op.JAL) {
      if (code == Op.JAL) {
        guest.storePageAnd(Op.rd(op), block.end());
      }
      if (!adjacent) {
        a.jump(labelOf(block.taken, (int) Op.imm(op)));
      }
      return;
    }
    guest.loadSum(RAX, Op.rs1(op), (int) Op.imm(op));
    a.ri(AND, true, RAX, -2);
    if (code == Op.JALR) {
      a.rm(LEA, true, RCX, R12, block.end());
      guest.store(Op.rd(op), RCX);
    }
    for (int r : block.returns) {
      a.rm(LEA, true, RCX, R12, region.blocks[r].start());
      a.rr(CMP, true, RAX, RCX);
      a.jumpIf(EQUAL, labels[r]);
    }
    guest.putBack();
    stubs.lookUp(a);
  }

  private void exits() {
    for (Exit e : exits) {
      a.bind(e.label);
      guest.putBack();
      if (e.outOfFuel) {
        a.constant(RAX, e.offset);
        a.jumpTo(stubs.outOfFuel);
      } else if (e.offset >= 0 && e.offset < 4096) {
        a.constant(RAX, e.offset);
        a.ra(MOV, false, RCX, places.table + 2L * e.offset);
        a.ra(LEA, true, RDX, places.code());
        a.rr(ADD, true, RCX, RDX);
        a.jumpTo(RCX);
      } else {
        a.rm(LEA, true, RAX, R12, e.offset);
        a.jumpTo(stubs.lookUp);
      }
    }
  }

  private Ask ask(RegionBlock block, int i, boolean hasAddress) {
    long op = block.ops[i];
    int code = Op.code(op);
    long info =
        AccessInfo.of(
            code,
            RegionCompiler.writes(code) ? Op.rd(op) : Op.SINK,
            block.offsets[i],
            block.offsets[i + 1],
            block.count - i);
    Ask ask = new Ask(sites.add(op, info), hasAddress, new Label(), new Label());
    asks.add(ask);
    return ask;
  }

  /** The guest's registers are put back for the run loop, and taken again behind it. */
  private void asks() {
    if (asks.isEmpty()) {
      return;
    }
    for (Ask ask : asks) {
      a.bind(ask.from);
      if (ask.hasAddress) {
        a.ra(STORE, true, RAX, places.state(Layout.ADDRESS));
      }
      a.storeConstant(places.state(Layout.SITE), ask.site);
      a.jump(asked);
    }
    a.bind(asked);
    guest.putBack();
    a.jumpTo(stubs.ask);
    long resume = a.here();
    guest.takeAll();
    a.jumpThrough(places.state(Layout.CONTINUE));
    for (Ask ask : asks) {
      sites.place(ask.site, resume, a.addressOf(ask.back));
    }
  }

  private void access(RegionBlock block, int i, long op, int code) {
    Ask ask = ask(block, i, true);
    guest.loadSum(RAX, Op.rs1(op), code <= Op.FSD ? (int) Op.imm(op) : 0);
    memory.emit(op, ask.from);
    a.bind(ask.back);
  }
}
