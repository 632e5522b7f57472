package io.lockstep.vm.engine;

import io.lockstep.vm.memory.GuestRam;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;

/**
 * A random program for a bare machine, that never ends: blocks of arithmetic, memory, atomic,
 * floating-point and system instructions, joined by random branches, calls and returns; it faults,
 * it rewrites itself, it switches floating point off and on. In one half of the programs the body
 * runs in U-mode behind page tables in which pages are missing or read-only, and in which it maps
 * its second page to its third one's memory and back. A trap handler in M-mode goes on behind the
 * instruction that trapped.
 */
final class RandomProgram {
  static final long BODY = GuestRam.BASE + 0x2000;
  static final int BODY_BYTES = 0x2c00;
  static final long DATA = GuestRam.BASE + 0x10000;
  private static final long TABLES = GuestRam.BASE + 0x20000;

  private static final int DATA_POINTER = 8;
  private static final int BODY_POINTER = 9;
  private static final int WILD = 28;
  private static final int FIRST_INSTRUCTION = 18;

  /** Where the second page of the body is mapped, and two values for there. */
  private static final int ENTRY_POINTER = 22;

  private static final int FIRST_ENTRY = 23;
  private static final int LAST_KEPT = 24;
  private static final int FAR_CALL_BYTES = 8;
  private static final int ROTATION_BYTES = 12;

  private final Random random;
  private final boolean paged;
  private final ByteBuffer code =
      ByteBuffer.allocate(0x2000 + BODY_BYTES).order(ByteOrder.LITTLE_ENDIAN);

  RandomProgram(long seed) {
    random = new Random(seed);
    paged = random.nextBoolean();
    setUp();
    handler();
    body();
  }

  /**
   * Not random: the pages of the body as given, run in U-mode. x22 points to the second page's
   * entry in the page table, x23 and x24 are what leads there to the second and the third page;
   * ECALL makes a change known.
   */
  RandomProgram(int[]... pages) {
    random = new Random(0);
    paged = true;
    setUp();
    handler();
    for (int[] page : pages) {
      int end = code.position() + GuestRam.PAGE;
      for (int word : page) {
        emit(word);
      }
      while (code.position() < end && code.hasRemaining()) {
        emit(0x13);
      }
    }
  }

  /** What goes to the start of RAM. */
  byte[] image() {
    return Arrays.copyOf(code.array(), code.position());
  }

  /** Writes page tables: RAM's first 2 MiB in 4 KiB pages, where the data is with some missing. */
  void writeTables(GuestRam ram) {
    Random r = new Random(42);
    ram.putLong(TABLES + 2 * 8, (TABLES + 0x1000) >> 12 << 10 | 1);
    ram.putLong(TABLES + 0x1000, (TABLES + 0x2000) >> 12 << 10 | 1);
    for (int i = 0; i < 512; i++) {
      long address = GuestRam.BASE + i * 4096L;
      boolean data = address >= DATA && address < DATA + 0x8000;
      int rights = data ? new int[] {0x17, 0x17, 0x17, 0x13, 0x00}[r.nextInt(5)] : 0x1f;
      ram.putLong(TABLES + 0x2000 + i * 8L, address >> 12 << 10 | rights);
    }
  }

  private void emit(int word) {
    code.putInt(word);
  }

  private static int i(int opcode, int rd, int funct3, int rs1, int imm) {
    return opcode | rd << 7 | funct3 << 12 | rs1 << 15 | imm << 20;
  }

  private static int r(int opcode, int rd, int funct3, int rs1, int rs2, int funct7) {
    return opcode | rd << 7 | funct3 << 12 | rs1 << 15 | rs2 << 20 | funct7 << 25;
  }

  private static int store(int opcode, int funct3, int rs1, int rs2, int imm) {
    return opcode | (imm & 31) << 7 | funct3 << 12 | rs1 << 15 | rs2 << 20 | (imm >> 5) << 25;
  }

  private static int branch(int funct3, int rs1, int rs2, int imm) {
    return 0x63
        | (imm >> 11 & 1) << 7
        | (imm >> 1 & 15) << 8
        | funct3 << 12
        | rs1 << 15
        | rs2 << 20
        | (imm >> 5 & 63) << 25
        | (imm >> 12 & 1) << 31;
  }

  private static int jal(int rd, int imm) {
    return 0x6f
        | rd << 7
        | (imm >> 12 & 0xff) << 12
        | (imm >> 11 & 1) << 20
        | (imm >> 1 & 0x3ff) << 21
        | (imm >> 20 & 1) << 31;
  }

  /** Any 32-bit address or constant: lui, addi, zero-extended. */
  private void li(int rd, long value) {
    emit(0x37 | rd << 7 | (int) (value + 0x800 & 0xfffff000L));
    emit(i(0x1b, rd, 0, rd, (int) value & 0xfff));
    emit(i(0x13, rd, 1, rd, 32));
    emit(i(0x13, rd, 5, rd, 32));
  }

  private static int csrWrite(int csr, int rs1) {
    return i(0x73, 0, 1, rs1, csr);
  }

  private void setUp() {
    li(5, GuestRam.BASE + 0x1000);
    emit(csrWrite(0x305, 5)); // mtvec
    emit(i(0x13, 5, 0, 0, -1));
    emit(csrWrite(0x3b0, 5)); // pmpaddr0: everything
    li(5, 0x1f);
    emit(csrWrite(0x3a0, 5)); // pmpcfg0: NAPOT, RWX
    li(5, 0x6000 | (paged ? 0 : 0x1800));
    emit(csrWrite(0x300, 5)); // mstatus: FS dirty, MPP
    emit(i(0x13, 5, 0, 0, 1));
    emit(i(0x13, 5, 1, 5, 61));
    emit(csrWrite(0x30a, 5)); // menvcfg.ADUE
    emit(i(0x13, 5, 0, 0, 7));
    emit(csrWrite(0x306, 5)); // mcounteren
    if (paged) {
      li(5, TABLES >> 12);
      emit(i(0x13, 6, 0, 0, 8));
      emit(i(0x13, 6, 1, 6, 60));
      emit(r(0x33, 5, 6, 5, 6, 0));
      emit(csrWrite(0x180, 5)); // satp: Sv39
    }
    for (int reg = 10; reg < 32; reg++) {
      li(reg, random.nextInt() & 0xffff_ffffL);
    }
    for (int k = 0; k < 4; k++) {
      li(FIRST_INSTRUCTION + k, arithmetic() & 0xffff_ffffL);
    }
    for (int f = 0; f < 32; f++) {
      emit(r(0x53, f, 0, 10 + f % 20, random.nextInt(4), 0x69)); // fcvt.d.{w,wu,l,lu}
    }
    li(ENTRY_POINTER, TABLES + 0x2000 + (BODY + 0x1000 - GuestRam.BASE) / 4096 * 8);
    li(FIRST_ENTRY, BODY + 0x1000 >> 12 << 10 | 0x1f);
    li(LAST_KEPT, BODY + 0x2000 >> 12 << 10 | 0x1f);
    li(DATA_POINTER, DATA + 0x800);
    li(BODY_POINTER, BODY);
    li(5, BODY);
    emit(csrWrite(0x341, 5)); // mepc
    emit(0x30200073); // mret
    while (code.position() < 0x1000) {
      emit(0x13);
    }
  }

  /** Goes on behind the instruction, or at the body's start if it could not be fetched. */
  private void handler() {
    emit(csrWrite(0x340, 5)); // mscratch
    emit(i(0x73, 5, 2, 0, 0x342)); // mcause
    emit(i(0x13, 5, 0, 5, -1));
    emit(branch(0, 5, 0, 28)); // fetch access fault
    emit(i(0x13, 5, 0, 5, -11));
    emit(branch(0, 5, 0, 20)); // fetch page fault
    emit(i(0x73, 5, 2, 0, 0x341)); // mepc
    emit(i(0x13, 5, 0, 5, 4));
    emit(csrWrite(0x341, 5));
    emit(jal(0, 16));
    emit(csrWrite(0x341, BODY_POINTER));
    emit(0x13);
    emit(0x13);
    emit(0x12000073); // sfence.vma
    li(5, 0x6000);
    emit(i(0x73, 0, 2, 5, 0x300)); // floating point on again
    emit(i(0x73, 5, 2, 0, 0x340));
    emit(0x30200073); // mret
    while (code.position() < 0x2000) {
      emit(0x13);
    }
  }

  private void body() {
    while (code.position() < 0x2000 + BODY_BYTES) {
      instruction();
    }
  }

  private void instruction() {
    int kind = random.nextInt(100);
    if (kind < 36) {
      emit(arithmetic());
    } else if (kind < 38) {
      emit(bits());
    } else if (kind < 40 && code.remaining() >= ROTATION_BYTES) {
      rotation();
    } else if (kind < 62) {
      emit(memory());
    } else if (kind < 74) {
      emit(floating());
    } else if (kind < 78) {
      emit(atomic());
    } else if (kind < 80 && code.remaining() >= FAR_CALL_BYTES) {
      farJump();
    } else if (kind < 96) {
      emit(jump());
    } else if (kind < 97) {
      emit(
          store(
              0x23,
              2,
              BODY_POINTER,
              FIRST_INSTRUCTION + random.nextInt(4),
              random.nextInt(256) * 8));
    } else if (kind < 98) {
      emit(store(0x23, 3, ENTRY_POINTER, FIRST_ENTRY + random.nextInt(2), 0));
    } else {
      emit(rare());
    }
  }

  /** A register that programs may overwrite. */
  private int target() {
    int reg = random.nextInt(28);
    return reg == 1
            || reg == DATA_POINTER
            || reg == BODY_POINTER
            || reg >= FIRST_INSTRUCTION && reg <= LAST_KEPT
        ? 10
        : reg;
  }

  private int any() {
    return random.nextInt(32);
  }

  private int arithmetic() {
    return switch (random.nextInt(6)) {
      case 0 ->
          i(
              0x13,
              target(),
              new int[] {0, 2, 3, 4, 6, 7}[random.nextInt(6)],
              any(),
              random.nextInt(4096));
      case 1 -> i(0x13, target(), 1 + random.nextInt(2) * 4, any(), random.nextInt(64));
      case 2 -> i(0x1b, target(), 0, any(), random.nextInt(4096));
      case 3 -> r(0x33, target(), random.nextInt(8), any(), any(), random.nextInt(2));
      case 4 -> r(0x3b, target(), new int[] {0, 4, 5, 6, 7}[random.nextInt(5)], any(), any(), 1);
      default -> {
        int[] functions = {0x20, 0x05, 0x10, 0x30, 0x07};
        int[] operations = {0, 6, 4, 1, 5};
        int k = random.nextInt(5);
        yield r(0x33, target(), operations[k], any(), any(), functions[k]);
      }
    };
  }

  /** Zbb and Zbs. */
  private int bits() {
    int[] unary = {0x600, 0x601, 0x602, 0x604, 0x605, 0x287, 0x6b8};
    int k = random.nextInt(7);
    return switch (random.nextInt(5)) {
      case 0 -> i(0x13, target(), k < 5 ? 1 : 5, any(), unary[k]);
      case 1 -> i(0x1b, target(), 1, any(), unary[random.nextInt(3)]);
      case 2 -> {
        int[] shifts = {0x600, 0x480, 0x680, 0x280, 0x480};
        int[] operations = {5, 1, 1, 1, 5};
        int which = random.nextInt(5);
        yield i(0x13, target(), operations[which], any(), shifts[which] | random.nextInt(64));
      }
      case 3 -> i(0x1b, target(), 5, any(), 0x600 | random.nextInt(32)); // roriw
      default -> {
        int[] functions = {0x30, 0x30, 0x24, 0x24, 0x34, 0x14};
        int[] operations = {1, 5, 1, 5, 1, 1};
        int which = random.nextInt(6);
        int opcode = which < 2 && random.nextBoolean() ? 0x3b : 0x33;
        yield r(opcode, target(), operations[which], any(), any(), functions[which]);
      }
    };
  }

  /** Two shifts and what makes a rotation of them; or not quite. */
  private void rotation() {
    int first = target();
    int second = target();
    int from = random.nextInt(3) == 0 ? first : any();
    int amount = 1 + random.nextInt(31);
    int other = random.nextInt(4) == 0 ? random.nextInt(32) : 32 - amount;
    boolean leftFirst = random.nextBoolean();
    emit(i(0x1b, first, leftFirst ? 1 : 5, from, amount));
    emit(i(0x1b, second, leftFirst ? 5 : 1, random.nextInt(4) == 0 ? first : from, other));
    int operation = new int[] {0, 4, 6}[random.nextInt(3)];
    int opcode = operation == 0 && random.nextBoolean() ? 0x3b : 0x33;
    emit(r(opcode, target(), operation, first, second, 0));
  }

  private int memory() {
    // Mostly near the data, now and then anywhere.
    int base = random.nextInt(50) == 0 ? WILD : DATA_POINTER;
    int offset = random.nextInt(4096) - 2048;
    if (random.nextInt(4) != 0) {
      offset &= -8;
    }
    return switch (random.nextInt(4)) {
      case 0 -> i(0x03, target(), random.nextInt(7), base, offset & 0xfff);
      case 1 -> store(0x23, random.nextInt(4), base, any(), offset);
      case 2 -> i(0x07, any(), 2 + random.nextInt(2), base, offset & 0xfff);
      default -> store(0x27, 2 + random.nextInt(2), base, any(), offset);
    };
  }

  private int floating() {
    int format = random.nextInt(2);
    int rounding = random.nextInt(3) == 0 ? 7 : random.nextInt(5);
    return switch (random.nextInt(6)) {
      case 0 -> r(0x53, any(), rounding, any(), any(), random.nextInt(4) << 2 | format);
      case 1 ->
          r(0x43 | random.nextInt(4) << 2, any(), rounding, any(), any(), any() << 2 | format);
      case 2 -> r(0x53, any(), random.nextInt(3), any(), any(), 0x10 | format);
      case 3 -> r(0x53, target(), random.nextInt(3), any(), any(), 0x50 | format);
      case 4 -> r(0x53, any(), rounding, any(), random.nextInt(4), 0x68 | format);
      default -> r(0x53, target(), rounding, any(), random.nextInt(4), 0x60 | format);
    };
  }

  private int atomic() {
    int[] functions = {0x02, 0x03, 0x01, 0x00, 0x04, 0x0c, 0x08, 0x10, 0x14, 0x18, 0x1c};
    int function = functions[random.nextInt(functions.length)];
    return r(
        0x2f,
        target(),
        2 + random.nextInt(2),
        DATA_POINTER,
        function == 2 ? 0 : any(),
        function << 2);
  }

  private int jump() {
    int here = code.position() - 0x2000;
    // Mostly near, so that loops and common paths arise.
    int to = random.nextInt(5) == 0 ? random.nextInt(BODY_BYTES) : here + random.nextInt(256) - 128;
    int distance = (Math.clamp(to, 0, BODY_BYTES - 4) & -4) - here;
    return switch (random.nextInt(12)) {
      case 0 -> jal(1, distance);
      case 1 -> jal(0, distance);
      case 2, 3 -> i(0x67, 0, 0, 1, 0);
      case 4 -> i(0x67, 1, 0, BODY_POINTER, random.nextInt(512) * 4);
      default ->
          branch(
              new int[] {0, 1, 4, 5, 6, 7}[random.nextInt(6)],
              any(),
              any(),
              Math.clamp(distance, -4096, 4092));
    };
  }

  /** A call or a jump relative to the pc, in two instructions, as compilers make them. */
  private void farJump() {
    int distance = (random.nextInt(BODY_BYTES) & -4) - (code.position() - 0x2000);
    int link = random.nextInt(3) == 0 ? 6 : 1;
    emit(0x17 | link << 7 | distance + 0x800 & 0xfffff000);
    emit(i(0x67, link == 1 ? 1 : 0, 0, link, distance & 0xfff));
  }

  private int rare() {
    return switch (random.nextInt(8)) {
      case 0 -> i(0x73, 0, 5, random.nextInt(5), 0x002); // frm
      case 1 -> i(0x73, target(), 5, 0, 0x001); // fflags
      case 2 -> i(0x73, target(), 2, 0, 0xc02); // instret
      case 3 -> 0x0000100f; // fence.i
      case 4 -> i(0x0f, 0, 2, DATA_POINTER, 4); // cbo.zero
      case 5 -> 0x73; // ecall
      case 6 -> 0; // illegal
      default -> i(0x73, 0, 3, BODY_POINTER, 0x300); // mstatus: clears some of FS, in M-mode
    };
  }
}
