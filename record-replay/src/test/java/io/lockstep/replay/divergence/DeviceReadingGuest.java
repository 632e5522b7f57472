package io.lockstep.replay.divergence;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A guest that computes and writes memory for ever, and reads a device just once, when its clock
 * shows a given time.
 */
final class DeviceReadingGuest {
  /** Where the device is to be: beyond the board's own. */
  static final long DEVICE = 0x2000_0000L;

  private static final long BASE = 0x8020_0000L;
  private static final int ELF_HEADER = 64;
  private static final int PROGRAM_HEADER = 56;

  private static final int T0 = 5;
  private static final int T1 = 6;
  private static final int T2 = 7;
  private static final int S0 = 8;
  private static final int T3 = 28;

  /** Gets what the device says. */
  static final int T4 = 29;

  private static final int T5 = 30;
  private static final int T6 = 31;

  /** The instruction that reads the device, as its number from the start. */
  private static final int READ = 11;

  private DeviceReadingGuest() {}

  /** The address of the instruction that reads the device. */
  static long readAt() {
    return BASE + 4 * READ;
  }

  /** The guest as an ELF file; it reads the device after {@code ticks}, a multiple of 4096. */
  static byte[] elf(long ticks) {
    int[] code = {
      (int) (DEVICE & 0xffff_f000L) | T0 << 7 | 0x37, // lui t0, DEVICE
      (int) (ticks & 0xffff_f000L) | T6 << 7 | 0x37, // lui t6, ticks
      0x100 << 12 | S0 << 7 | 0x17, // auipc s0, 1 MiB from here
      1 << 20 | T1 << 15 | T1 << 7 | 0x13, // loop: addi t1, t1, 1
      T1 << 20 | T2 << 15 | 4 << 12 | T2 << 7 | 0x33, // xor t2, t2, t1
      0x7f8 << 20 | T1 << 15 | 7 << 12 | T3 << 7 | 0x13, // andi t3, t1, 0x7f8
      T3 << 20 | S0 << 15 | T3 << 7 | 0x33, // add t3, s0, t3
      T2 << 20 | T3 << 15 | 3 << 12 | 0x23, // sd t2, 0(t3)
      0xc01 << 20 | 2 << 12 | T5 << 7 | 0x73, // rdtime t5
      branchIfLess(T5, T6, -6), // bltu t5, t6, loop
      0x13, // nop
      T0 << 15 | 3 << 12 | T4 << 7 | 0x03, // ld t4, 0(t0): READ
      T4 << 20 | T2 << 15 | T2 << 7 | 0x33, // add t2, t2, t4
      0xfff << 20 | T6 << 7 | 0x13, // li t6, -1
      branchIfLess(T5, T6, -11), // to the loop, for ever
    };
    ByteBuffer b =
        ByteBuffer.allocate(ELF_HEADER + PROGRAM_HEADER + 4 * code.length)
            .order(ByteOrder.LITTLE_ENDIAN);
    b.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1, 0}).putLong(0);
    b.putShort((short) 2).putShort((short) 243).putInt(1);
    b.putLong(BASE).putLong(ELF_HEADER).putLong(0).putInt(0);
    b.putShort((short) ELF_HEADER).putShort((short) PROGRAM_HEADER).putShort((short) 1);
    b.position(ELF_HEADER);
    b.putInt(1).putInt(7).putLong(ELF_HEADER + PROGRAM_HEADER).putLong(BASE).putLong(BASE);
    b.putLong(4L * code.length).putLong(4L * code.length).putLong(4096);
    for (int instruction : code) {
      b.putInt(instruction);
    }
    return b.array();
  }

  private static int branchIfLess(int a, int b, int instructions) {
    int o = 4 * instructions;
    return (o >> 12 & 1) << 31
        | (o >> 5 & 0x3f) << 25
        | b << 20
        | a << 15
        | 6 << 12
        | (o >> 1 & 15) << 8
        | (o >> 11 & 1) << 7
        | 0x63;
  }
}
