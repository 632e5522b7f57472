package io.lockstep.vm.differential;

import io.lockstep.vm.asm.Assembler;
import io.lockstep.vm.isa.Decoder;
import io.lockstep.vm.isa.Op;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * A block of random code that ends with ECALL. It terminates: jumps go forward, loops count x4
 * down, and what returns from traps goes back no more often than the harness allows traps. It
 * writes nothing but data: stores go through pointers (x2, x8, x15; x9 for SC), which nothing
 * overwrites.
 */
final class RandomBlock {
  /** How a block is run. */
  enum Kind {
    /** In M-mode, on physical addresses. */
    MACHINE,
    /** In M-mode, accesses often with another mode's privilege (MPRV). */
    MACHINE_AS_OTHER,
    /** In S- or U-mode, translation on or off. */
    LOWER
  }

  static final int SP = 2, COUNTER = 4, POINTER_A = 8, POINTER_ATOMIC = 9, POINTER_B = 15;

  private static final int[] POINTERS = {SP, POINTER_A, POINTER_B};
  private static final long SSTATUS_BITS = 0xc_6122;
  private static final long MSTATUS_BITS = 0x7e_79aa;
  private static final long FS = 0x6000;
  private static final int[] SUPERVISOR_CSRS = {0x140, 0x141, 0x142, 0x143, 0x100, 0x104, 0x144};
  private static final int[] MACHINE_CSRS = {
    0x341, 0x342, 0x343, 0x300, 0x302, 0x303, 0x304, 0x344
  };

  /** Read only here: writing them would take the harness's ground away. */
  private static final int[] READ_CSRS = {
    0x105, 0x180, 0x106, 0x301, 0xf11, 0xf12, 0xf13, 0xf14, 0x3a0
  };

  /** Accesses that are illegal in some mode or in all. */
  private static final int[] DENIED_CSRS = {
    0x300, 0x305, 0x340, 0x341, 0x3a0, 0x3b5, 0xf14, 0xc00, 0xc01, 0xc02, 0xc03, 0xc1f, 0x14d,
    0x800, 0x5a8, 0x200, 0x9ff, 0x30a, 0xb00
  };

  private final Random random;
  private final Templates templates;
  private final Assembler a;
  private final Kind kind;
  final boolean aligned;
  final boolean hasWfi;
  private final boolean returns;
  private final List<Pending> pending = new ArrayList<>();
  private final String name;
  private int labels;
  private int loopLeft = -1;
  private String loopLabel;

  RandomBlock(Random random, Templates templates, Assembler a, Kind kind, String name) {
    this.random = random;
    this.templates = templates;
    this.a = a;
    this.kind = kind;
    this.name = name;
    this.aligned = random.nextInt(3) == 0;
    this.hasWfi = kind == Kind.LOWER && random.nextInt(8) == 0;
    // SRET and MRET do not clear MPRV in QEMU 7.2, as they must (RISC-V Priv. §3.1.6.3).
    this.returns = kind != Kind.MACHINE_AS_OTHER && random.nextInt(6) == 0;
  }

  Kind kind() {
    return kind;
  }

  void emit(int items) {
    for (int i = 0; i < items; i++) {
      placeLabels();
      item();
      loop();
    }
    while (!pending.isEmpty()) {
      placeLabels();
    }
    loopLeft = Math.min(loopLeft, 0);
    loop();
    if (random.nextInt(16) == 0) {
      // WINDOWS: unmapped as a physical address, not executable as a virtual one.
      a.li(5, Layout.WINDOWS + (long) random.nextInt(128) * 4096 + random.nextInt(2048) * 2L);
      a.jalr(1, 5, random.nextInt(2));
    }
    a.ecall();
  }

  private String newLabel() {
    return name + labels++;
  }

  /** A label that is to be placed a number of items ahead. */
  private static final class Pending {
    private final String label;
    private int items;

    Pending(String label, int items) {
      this.label = label;
      this.items = items;
    }
  }

  private void placeLabels() {
    for (Pending p : pending) {
      p.items--;
      if (p.items == 0) {
        a.label(p.label);
      }
    }
    pending.removeIf(p -> p.items == 0);
  }

  private String forward(int itemsMax) {
    Pending p = new Pending(newLabel(), 1 + random.nextInt(itemsMax));
    pending.add(p);
    return p.label;
  }

  private void loop() {
    if (loopLeft > 0) {
      loopLeft--;
    } else if (loopLeft == 0) {
      a.addi(COUNTER, COUNTER, -1).branch(4, 0, COUNTER, loopLabel);
      loopLeft = -1;
    } else if (random.nextInt(24) == 0) {
      a.li(COUNTER, 2 + random.nextInt(6));
      loopLabel = newLabel();
      a.label(loopLabel);
      loopLeft = 2 + random.nextInt(10);
    }
  }

  private int register() {
    return random.nextInt(3) == 0 ? random.nextInt(32) : 10 + random.nextInt(5);
  }

  /** A register that may be written. */
  private int target() {
    int r = register();
    return isReserved(r) ? 5 : r;
  }

  private static boolean isReserved(int register) {
    return register == SP
        || register == COUNTER
        || register == POINTER_A
        || register == POINTER_ATOMIC
        || register == POINTER_B;
  }

  private void item() {
    int dice = random.nextInt(1000);
    if (dice < 470) {
      integer();
    } else if (dice < 720) {
      operation(random.nextInt(Op.FADD_S, Op.FCVT_D_S + 1));
    } else if (dice < 850) {
      memory(random.nextInt(Op.LB, Op.FSD + 1));
    } else if (dice < 875) {
      atomic();
    } else if (dice < 890) {
      reserveAndStore();
    } else if (dice < 950) {
      jump();
    } else if (dice < 958) {
      illegal();
    } else if (dice < 985) {
      csr();
    } else {
      privileged();
    }
  }

  private void integer() {
    int code = random.nextInt(Op.SRAW + 1 + Op.CLMULR - Op.MUL + 1);
    code = code <= Op.SRAW ? code : code - Op.SRAW - 1 + Op.MUL;
    // QEMU 7.2 counts the upper half, too, where the lower half is 0.
    operation(code == Op.CTZW ? Op.CTZ : code);
  }

  /** An operation on registers only. */
  private void operation(int code) {
    if (random.nextInt(3) == 0) {
      int half = templates.compressed(code, random);
      if (half >= 0 && !writesReserved(half)) {
        a.half(half);
        return;
      }
    }
    for (int attempt = 0; attempt < 20; attempt++) {
      int word = templates.wide(code, random) | register() << 15 | register() << 7;
      if (!writesReserved(word) && Op.code(Decoder.decode(word, 0)) != Op.ILLEGAL) {
        a.word(word);
        return;
      }
    }
  }

  private static boolean writesReserved(int bits) {
    int rd = Op.rd(Decoder.decode(bits, 0));
    return rd < 32 && isReserved(rd);
  }

  private int pointer() {
    if (kind == Kind.LOWER && random.nextInt(24) == 0) {
      return 10 + random.nextInt(5);
    }
    return POINTERS[random.nextInt(POINTERS.length)];
  }

  private void memory(int code) {
    int half = random.nextInt(3) == 0 ? templates.compressed(code, random) : -1;
    if (half >= 0) {
      long op = Decoder.decode(half, 0);
      boolean loads = code <= Op.LWU;
      boolean good = Op.rs1(op) == SP || Op.rs1(op) == POINTER_A || Op.rs1(op) == POINTER_B;
      if (good && !(loads && isReserved(Op.rd(op)))) {
        a.half(half);
        return;
      }
    }
    int word = templates.wide(code, random) | pointer() << 15;
    boolean store = (word & 0x20) != 0;
    word |= (store ? random.nextInt(32) : code <= Op.LWU ? target() : random.nextInt(32)) << 7;
    if (aligned) {
      word &= store ? ~(7 << 7) : ~(7 << 20);
    }
    a.word(word);
  }

  private void atomic() {
    int code = random.nextInt(Op.AMOSWAP_W, Op.AMOMAXU_D + 1);
    int pointer = random.nextBoolean() ? POINTER_ATOMIC : pointer();
    if (random.nextInt(12) == 0) {
      code = random.nextBoolean() ? Op.LR_W : Op.LR_D;
      pointer = POINTERS[random.nextInt(3)];
    }
    a.word(templates.wide(code, random) | pointer << 15 | target() << 7);
  }

  /** LR, computation, SC to the same address; or an SC that must fail. */
  private void reserveAndStore() {
    // SC without a reservation does not touch memory in QEMU, so it cannot fault there.
    if (kind == Kind.MACHINE_AS_OTHER || returns) {
      return;
    }
    boolean wide = random.nextBoolean();
    if (random.nextInt(4) != 0) {
      a.word(
          templates.wide(wide ? Op.LR_D : Op.LR_W, random) | POINTER_ATOMIC << 15 | target() << 7);
      for (int i = random.nextInt(3); i > 0; i--) {
        integer();
      }
    }
    a.word(templates.wide(wide ? Op.SC_D : Op.SC_W, random) | POINTER_ATOMIC << 15 | target() << 7);
  }

  private void jump() {
    switch (random.nextInt(6)) {
      case 0 -> a.jal(random.nextBoolean() ? 0 : target(), forward(3));
      case 1 -> {
        int half = random.nextBoolean() ? 0xc001 : 0xe001;
        a.shortJump(half | random.nextInt(8) << 7, forward(2));
      }
      case 2 -> a.shortJump(0xa001, forward(4));
      case 3 -> {
        int rd = random.nextInt(3) == 0 ? 5 : target();
        a.word(5 << 7 | 0x17).jalr(rd, 5, 12 + random.nextInt(2));
        a.word(0x13);
      }
      case 4 ->
          a.word(5 << 7 | 0x17).addi(5, 5, 12).half(random.nextBoolean() ? 0x8282 : 0x9282).half(1);
      default -> {
        int funct3 = new int[] {0, 1, 4, 5, 6, 7}[random.nextInt(6)];
        a.branch(funct3, register(), register(), forward(4));
      }
    }
  }

  private void illegal() {
    if (random.nextInt(3) == 0) {
      a.half(templates.compressed(Op.ILLEGAL, random));
      return;
    }
    int word = templates.wide(Op.ILLEGAL, random);
    boolean cacheBlock = (word & 0x707f) == 0x200f;
    // A load or store that another decoder knew would go anywhere.
    if (!cacheBlock) {
      a.word(word | target() << 7 | POINTERS[random.nextInt(3)] << 15);
    }
  }

  private void csr() {
    boolean machine = kind != Kind.LOWER;
    int dice = random.nextInt(10);
    if (dice < 4) {
      floatCsr();
    } else if (dice < 5) {
      a.csrr(target(), READ_CSRS[random.nextInt(READ_CSRS.length)]);
    } else if (dice < 6) {
      if (!machine) {
        int csr = DENIED_CSRS[random.nextInt(DENIED_CSRS.length)];
        a.i(0x73, 1 + random.nextInt(3), target(), random.nextInt(32), csr);
      } else {
        a.i(0x73, 1, target(), 5, 0x800 + random.nextInt(256)); // read-only ones, too
      }
    } else {
      int[] all = machine && random.nextBoolean() ? MACHINE_CSRS : SUPERVISOR_CSRS;
      status(all[random.nextInt(all.length)]);
    }
  }

  /** Reserved rounding modes make all that follows illegal, so they are rarely set. */
  private void floatCsr() {
    int csr = 1 + random.nextInt(3);
    boolean any = csr == 1 || random.nextInt(16) == 0;
    int funct3 = any ? 1 + random.nextInt(3) : random.nextBoolean() ? 5 : 2;
    int rs1 =
        any ? register() : funct3 == 2 ? 0 : csr == 2 ? random.nextInt(5) : random.nextInt(32);
    a.i(0x73, funct3, target(), rs1, csr);
  }

  /**
   * Writes a CSR with values that every implementation takes as they are. No two interrupts are
   * enabled at once, because QEMU 7.2 takes the one with the lowest number first.
   */
  private void status(int csr) {
    long allowed =
        switch (csr) {
          case 0x100 -> SSTATUS_BITS;
          case 0x300 -> kind == Kind.MACHINE ? MSTATUS_BITS & ~0x2_0000L : MSTATUS_BITS;
          // Access faults of loads and of stores stay delegated alike: see Comparison.
          case 0x302 -> 0xb05f;
          case 0x303, 0x144, 0x344 -> 0x222;
          case 0x104, 0x304 -> 1L << new int[] {1, 5, 9}[random.nextInt(3)];
          case 0x141, 0x341 -> -2L;
          default -> -1L;
        };
    boolean returnState = csr == 0x100 || csr == 0x300 || csr == 0x141 || csr == 0x341;
    if (returns && returnState) {
      return;
    }
    long value = new RareValues(random).integer() & allowed;
    int funct3 = csr == 0x104 ? 3 : csr == 0x304 ? 1 : 1 + random.nextInt(3);
    if (csr == 0x100 || csr == 0x300) {
      boolean on = funct3 != 3 && random.nextInt(6) != 0;
      value = on || funct3 == 3 && random.nextInt(6) == 0 ? value | FS : value & ~FS;
      // MPP: 2 is no mode.
      value = (value & 0x1800) == 0x1000 || funct3 != 1 ? value & ~0x1800L : value;
    }
    a.li(5, value).i(0x73, funct3, target(), 5, csr);
  }

  private void privileged() {
    switch (random.nextInt(7)) {
      case 0 -> a.sfence(random.nextInt(3) == 0 ? 0 : POINTER_A, random.nextInt(2) * 5);
      case 1 -> a.fenceI();
      case 2 -> a.word(0x100073); // ebreak
      case 3 -> a.half(0x9002); // c.ebreak
      case 4 -> {
        if (hasWfi) {
          a.wfi();
        }
      }
      default -> {
        if (returns) {
          a.word(random.nextBoolean() ? 0x10200073 : 0x30200073);
        }
      }
    }
  }
}
