package io.lockstep.vm.fuzz;

import io.lockstep.vm.asm.Assembler;
import io.lockstep.vm.guest.SmallGuest;
import io.lockstep.vm.memory.GuestRam;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/**
 * Software that nobody would write: noise, damaged real code, and code that does everything that a
 * guest can do to its machine, with the wrong values. All of it is put behind a trap handler that
 * goes on behind what trapped, so that it gets far.
 */
final class HostileKernel {
  /** RAM that it is made for. */
  static final long MEMORY = 8L << 20;

  private static final int BODY_OFFSET = 0x200;
  private static final int CODE_BYTES = 1 << 17;

  /** Where rings, tables and buffers are: few places, so that they overlap. */
  private static final long ARENA = GuestRam.BASE + (5L << 20);

  private static final int ARENA_BYTES = 1 << 16;
  private static final int SUPERVISOR = 0x100;
  private static final int MACHINE = 0x300;
  private static final long[] WINDOWS = {
    0x1000_0000L,
    0x10_1000L,
    0x200_0000L,
    0x200_4000L,
    0x200_b000L,
    0x0c00_0000L,
    0x0c00_2000L,
    0x0c20_0000L,
    0x0c20_1000L
  };
  private static final long VIRTIO = 0x1000_1000L;
  private static final int VIRTIO_SLOTS = 4;

  private final Random random;
  private final boolean machineMode;
  private final long entry;
  private final long body;
  private final Assembler a;

  private HostileKernel(Random random, boolean machineMode) {
    this.random = random;
    this.machineMode = machineMode;
    entry = GuestRam.BASE + (machineMode ? 0 : 2 << 20);
    body = entry + BODY_OFFSET;
    a = new Assembler(entry, CODE_BYTES);
  }

  /** Plain bytes for M-mode, or an ELF file for S-mode. */
  static byte[] make(Random random, boolean machineMode) {
    HostileKernel k = new HostileKernel(random, machineMode);
    return switch (random.nextInt(9)) {
      case 0 -> machineMode ? k.noise() : damagedSmallGuest(random);
      case 1 -> k.noise();
      default -> k.deeds();
    };
  }

  private static byte[] damagedSmallGuest(Random random) {
    byte[] elf = SmallGuest.elf();
    for (int i = random.nextInt(200); i >= 0; i--) {
      elf[0x1000 + random.nextInt(elf.length - 0x1000)] = (byte) random.nextInt();
    }
    return elf;
  }

  /**
   * Trap handler: skip what trapped and go on. After a jump to nowhere go back to behind the jump,
   * or to the start.
   *
   * @param skip bytes of what is skipped
   */
  private void prologue(int skip) {
    int csr = machineMode ? MACHINE : SUPERVISOR;
    a.jal(0, "setup").label("handler");
    a.csrr(30, csr + 0x42).csrr(31, csr + 0x41).addi(31, 31, skip);
    a.addi(29, 0, 1).beq(30, 29, "lost").addi(29, 0, 12).beq(30, 29, "lost");
    a.branch(4, 30, 0, "interrupt").jal(0, "resume");
    a.label("interrupt").addi(31, 31, -skip).csrw(csr + 4, 0).jal(0, "resume");
    a.label("lost").addi(31, 1, 0).li(1, body);
    // Back to the mode of the handler, or what trapped in another page table would trap for ever.
    a.li(29, machineMode ? 0x1800 : 0x100).csrs(csr, 29).csrw(0x180, 0);
    a.label("resume").csrw(csr + 0x41, 31);
    if (machineMode) {
      a.mret();
    } else {
      a.sret();
    }
    a.label("setup").li(1, body).li(31, a.address("handler")).csrw(csr + 5, 31);
    a.li(31, 3 << 13).csrs(csr, 31);
    a.padTo(body);
  }

  private byte[] finish() {
    return machineMode ? a.bytes() : elf(a.bytes(), entry);
  }

  /** The smallest ELF file with one segment. */
  private static byte[] elf(byte[] code, long address) {
    ByteBuffer b = ByteBuffer.allocate(120 + code.length).order(ByteOrder.LITTLE_ENDIAN);
    b.putInt(0x464c_457f).putInt(0x10102).putLong(0);
    b.putShort((short) 2).putShort((short) 243).putInt(1).putLong(address).putLong(64).putLong(0);
    b.putInt(0).putShort((short) 64).putShort((short) 56).putShort((short) 1).putShort((short) 0);
    b.putInt(0);
    b.putInt(1).putInt(7).putLong(120).putLong(address).putLong(address);
    b.putLong(code.length).putLong(code.length).putLong(4096);
    return b.put(code).array();
  }

  private byte[] noise() {
    prologue(2);
    while (a.here() < entry + 0x8000) {
      a.half(random.nextInt());
    }
    return finish();
  }

  private byte[] deeds() {
    prologue(4);
    fillArena();
    for (int i = 0; i < 120; i++) {
      deed();
    }
    a.jal(0, "again");
    return finish();
  }

  private void fillArena() {
    a.label("again");
    for (int i = 0; i < 40; i++) {
      store(ARENA + (random.nextInt(ARENA_BYTES) & -8), value(), 3);
    }
  }

  /** A value that looks like an address, a descriptor, a page table entry, or like nothing. */
  private long value() {
    long page = ARENA + random.nextInt(16) * 4096L;
    return switch (random.nextInt(7)) {
      case 0 -> page >>> 12 << 10 | random.nextInt(1024);
      case 1 -> page + random.nextInt(4096);
      case 2 -> (long) random.nextInt(4) << 32 | random.nextInt(1 << 13);
      case 3 -> random.nextLong();
      case 4 -> MEMORY + GuestRam.BASE - random.nextInt(64);
      case 5 -> random.nextInt(16);
      default -> -1L >>> random.nextInt(64);
    };
  }

  private void store(long address, long value, int sizeLog) {
    a.li(5, address).li(6, value);
    a.word(6 << 20 | 5 << 15 | sizeLog << 12 | 0x23);
  }

  private void load(long address, int funct3) {
    a.li(5, address).i(0x03, funct3, 7, 5, 0);
  }

  private void deed() {
    switch (random.nextInt(16)) {
      case 0 -> deviceAccess();
      case 13 -> rareAccess();
      case 1, 2 -> virtioAccess();
      case 3, 4, 12 -> ring();
      case 5 -> csr();
      case 6 -> translations();
      case 7 -> store(ARENA + random.nextInt(ARENA_BYTES), value(), random.nextInt(4));
      case 8 -> load(value(), random.nextInt(8));
      case 9 -> supervisorCall();
      case 10 -> a.word(random.nextInt());
      default -> privileged();
    }
  }

  private void deviceAccess() {
    long address =
        WINDOWS[random.nextInt(WINDOWS.length)] + random.nextInt(random.nextBoolean() ? 4 : 0x40);
    if (random.nextBoolean()) {
      load(address, random.nextInt(8));
    } else if (address >>> 12 != 0x100) {
      store(address, value(), random.nextInt(4));
    }
  }

  /** An access of a kind that no driver makes, to a device or anywhere. */
  private void rareAccess() {
    long device = WINDOWS[random.nextInt(WINDOWS.length)] + random.nextInt(1 << 22);
    long slot = VIRTIO + random.nextInt(10) * 0x1000L + random.nextInt(0x200);
    long[] addresses = {device, slot, ARENA + random.nextInt(ARENA_BYTES), value()};
    a.li(5, addresses[random.nextInt(addresses.length)]).li(6, value());
    int width = random.nextInt(8);
    switch (random.nextInt(6)) {
      case 0 -> a.r(0x2f, 2 + random.nextInt(2), random.nextInt(32) << 2, 7, 5, 6); // AMO, LR, SC
      case 1 -> a.i(0x07, width, 7, 5, 0); // floating-point and other loads
      case 2 -> a.r(0x27, width, 0, 0, 5, 6);
      case 3 -> a.r(0x23, width, 0, 0, 5, 6);
      case 4 -> a.i(0x0f, 2, 0, 5, random.nextInt(8)); // cache blocks
      default -> a.jalr(1, 5, 0);
    }
  }

  private void virtioAccess() {
    long base = VIRTIO + random.nextInt(VIRTIO_SLOTS) * 0x1000L;
    long register = random.nextInt(0x140) & -4;
    if (random.nextInt(8) == 0) {
      load(base + random.nextInt(0x200), random.nextInt(8));
    } else {
      store(base + register, random.nextInt(4) == 0 ? value() : random.nextInt(16), 2);
    }
  }

  /** Sets up a queue nearly as a driver does, and rings the bell. */
  private void ring() {
    long base = VIRTIO + random.nextInt(VIRTIO_SLOTS) * 0x1000L;
    int queue = random.nextInt(3);
    int size = 1 << random.nextInt(5);
    long rings = ARENA + random.nextInt(16) * 4096L;
    store(base + 0x70, 0, 2);
    store(base + 0x70, 3, 2);
    store(base + 0x24, 1, 2);
    store(base + 0x20, 1, 2); // VIRTIO_F_VERSION_1
    store(base + 0x24, 0, 2);
    store(base + 0x20, random.nextBoolean() ? 0 : random.nextInt(), 2);
    store(base + 0x70, 11, 2);
    store(base + 0x30, queue, 2);
    store(base + 0x38, random.nextInt(16) == 0 ? random.nextInt(2000) : size, 2);
    int part = 0;
    for (int register : new int[] {0x80, 0x90, 0xa0}) {
      long at = random.nextInt(16) == 0 ? value() : rings + part;
      store(base + register, at & 0xffff_ffffL, 2);
      store(base + register + 4, at >>> 32, 2);
      part += 0x400;
    }
    store(base + 0x44, 1, 2);
    store(base + 0x70, 15, 2);
    for (int i = 0; i < size && i < 8; i++) {
      descriptor(rings + i * 16L, size);
      store(rings + 0x400 + 4 + i * 2L, random.nextInt(size + 1), 1);
    }
    for (int i = random.nextInt(4); i >= 0; i--) {
      store(rings + 0x402, random.nextInt(random.nextInt(8) == 0 ? 0x10000 : size + 2), 1);
      store(base + 0x50, queue, 2);
    }
  }

  private void descriptor(long at, int size) {
    long buffer = ARENA + (random.nextInt(ARENA_BYTES) & -16);
    store(at, random.nextInt(16) == 0 ? value() : buffer, 3);
    int[] lengths = {1, 16, 16, 512, 4096, random.nextInt(), 1 << 20};
    long length = lengths[random.nextInt(lengths.length)] & 0xffff_ffffL;
    int flags = random.nextInt(16) == 0 ? random.nextInt(8) : random.nextInt(4);
    store(at + 8, length | (long) flags << 32 | (long) random.nextInt(size + 1) << 48, 3);
    // As a disk request: type and sector.
    store(buffer, random.nextInt(16) == 0 ? value() : random.nextInt(16), 3);
    store(buffer + 8, random.nextInt(4) == 0 ? value() : random.nextInt(1000), 3);
  }

  private void csr() {
    int csr = random.nextInt(4) == 0 ? random.nextInt(4096) : likelyCsr();
    // The handler must stay reachable, or nothing else happens any more.
    if (csr != 0x305 && csr != 0x105) {
      a.li(6, value()).i(0x73, 1 + random.nextInt(3), random.nextInt(28), 6, csr);
    }
  }

  private int likelyCsr() {
    int[] all = {
      0x100, 0x104, 0x106, 0x10a, 0x144, 0x14d, 0x300, 0x302, 0x303, 0x304, 0x306, 0x30a, 0x344,
      0x3a0, 0x3a2, 0x3b0, 0x3b1, 0x3bf, 0xb00, 0xb02, 1, 2, 3
    };
    return all[random.nextInt(all.length)];
  }

  /** A page table anywhere in the arena, used for a few accesses (fetches, too). */
  private void translations() {
    long root = ARENA + random.nextInt(16) * 4096L;
    for (int i = 0; i < 6; i++) {
      store(root + random.nextInt(512) * 8L, value(), 3);
    }
    // Mostly keep the code mapped, so that there is a life with translation: an identical gigapage
    // for Sv39, and 512 GiB for Sv48.
    if (random.nextInt(16) != 0) {
      store(root, 0xcf, 3);
      store(root + 2 * 8, GuestRam.BASE >>> 12 << 10 | 0xcf, 3);
    }
    a.li(6, (8L + random.nextInt(2)) << 60 | root >>> 12).csrw(0x180, 6);
    for (int i = 0; i < 5; i++) {
      load(random.nextBoolean() ? value() : (long) random.nextInt(512) << 30, 3);
      store(value(), value(), random.nextInt(4));
      if (random.nextInt(3) == 0) {
        a.sfence(random.nextInt(2) * 5, 0);
      }
    }
    if (random.nextBoolean()) {
      a.csrw(0x180, 0);
    }
  }

  private void supervisorCall() {
    int[] extensions = {
      0, 1, 2, 0x10, 0x54494d45, 0x735049, 0x52464e43, 0x48534d, 0x4442434e, 0x504d55
    };
    for (int r = 10; r < 16; r++) {
      a.li(r, random.nextBoolean() ? random.nextInt(4) : value());
    }
    a.li(16, random.nextInt(10)).li(17, extensions[random.nextInt(extensions.length)]).ecall();
  }

  private void privileged() {
    switch (random.nextInt(8)) {
      case 0 -> {
        if (random.nextInt(3) == 0) {
          // With a timer that is due soon; without one it would be the end.
          store(0x200_4000L, random.nextInt(2000), 3);
          a.li(6, -1).csrw(machineMode ? 0x304 : 0x104, 6).wfi();
        }
      }
      case 1 -> a.fenceI();
      case 2 -> a.sfence(0, 0);
      case 3 -> a.word(value() < 0 ? 0x100073 : 0x200f | 5 << 15 | 4 << 20);
      case 4 -> a.li(6, a.here() + random.nextInt(128)).jalr(1, 6, 0);
      case 5 -> a.li(6, value() | (random.nextInt(4) == 0 ? 0 : 1L << 62)).jalr(1, 6, 0);
      case 6 -> store(body + random.nextInt(0x4000), random.nextInt(), random.nextInt(4));
      default -> a.word(machineMode ? 0x30200073 : 0x10200073);
    }
  }
}
