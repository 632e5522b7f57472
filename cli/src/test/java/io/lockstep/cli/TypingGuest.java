package io.lockstep.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A guest of some thirty instructions: prints a banner on the UART, then shows each byte that is
 * typed, until one of {@code q} (power off), {@code f} (power off and report a failure) and {@code
 * r} (reboot).
 */
final class TypingGuest {
  /** What it prints first. */
  static final String BANNER = "typing guest\r\n";

  private static final long BASE = 0x8020_0000L;
  private static final int ELF_HEADER = 64;
  private static final int PROGRAM_HEADER = 56;

  private static final int ZERO = 0;
  private static final int T0 = 5;
  private static final int T1 = 6;
  private static final int T2 = 7;
  private static final int T3 = 28;
  private static final int T4 = 29;

  private final List<Integer> code = new ArrayList<>();

  private TypingGuest() {}

  /** Writes it as an ELF file. */
  static Path write(Path file) throws IOException {
    return Files.write(file, new TypingGuest().elf());
  }

  private byte[] elf() {
    byte[] program = program();
    ByteBuffer b =
        ByteBuffer.allocate(ELF_HEADER + PROGRAM_HEADER + program.length)
            .order(ByteOrder.LITTLE_ENDIAN);
    b.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1, 0}).putLong(0);
    b.putShort((short) 2).putShort((short) 243).putInt(1);
    b.putLong(BASE).putLong(ELF_HEADER).putLong(0).putInt(0);
    b.putShort((short) ELF_HEADER).putShort((short) PROGRAM_HEADER).putShort((short) 1);
    b.position(ELF_HEADER);
    b.putInt(1).putInt(7).putLong(ELF_HEADER + PROGRAM_HEADER).putLong(BASE).putLong(BASE);
    b.putLong(program.length).putLong(program.length).putLong(4096);
    return b.put(program).array();
  }

  private byte[] program() {
    lui(T0, 0x10000); // the UART
    int banner = code.size();
    code.add(0); // auipc t1, 0
    code.add(0); // addi t1, t1, distance to the banner
    int print = code.size();
    lbu(T2, T1, 0);
    branch(0, T2, ZERO, 4);
    sb(T2, T0);
    addi(T1, T1, 1);
    jump(print);
    int wait = code.size();
    lbu(T2, T0, 5); // line status
    code.add(1 << 20 | T2 << 15 | 7 << 12 | T2 << 7 | 0x13); // andi t2, t2, 1: data ready
    branch(0, T2, ZERO, wait - code.size());
    lbu(T2, T0, 0);
    lui(T3, 0x100); // the power device
    command('q', 0x5, 0x555);
    command('f', 0x13, 0x333);
    command('r', 0x7, 0x777);
    sb(T2, T0);
    jump(wait);
    int distance = 4 * (code.size() - banner);
    code.set(banner, T1 << 7 | 0x17);
    code.set(banner + 1, distance << 20 | T1 << 15 | T1 << 7 | 0x13);
    var bytes = new ByteArrayOutputStream();
    for (int instruction : code) {
      for (int i = 0; i < 4; i++) {
        bytes.write(instruction >>> 8 * i);
      }
    }
    bytes.writeBytes(BANNER.getBytes(StandardCharsets.US_ASCII));
    bytes.write(0);
    return bytes.toByteArray();
  }

  /** If t2 is {@code key}, writes {@code high << 12 | low} to the power device. */
  private void command(char key, int high, int low) {
    addi(T4, ZERO, key);
    branch(1, T2, T4, 4);
    lui(T4, high);
    addi(T4, T4, low);
    code.add(T4 << 20 | T3 << 15 | 2 << 12 | 0x23); // sw t4, 0(t3)
  }

  private void lui(int rd, int high) {
    code.add(high << 12 | rd << 7 | 0x37);
  }

  private void addi(int rd, int rs, int immediate) {
    code.add(immediate << 20 | rs << 15 | rd << 7 | 0x13);
  }

  private void lbu(int rd, int rs, int offset) {
    code.add(offset << 20 | rs << 15 | 4 << 12 | rd << 7 | 0x03);
  }

  private void sb(int value, int address) {
    code.add(value << 20 | address << 15 | 0x23);
  }

  /** beq (0) or bne (1) by a number of instructions. */
  private void branch(int kind, int a, int b, int instructions) {
    int o = 4 * instructions;
    code.add(
        (o >> 12 & 1) << 31
            | (o >> 5 & 0x3f) << 25
            | b << 20
            | a << 15
            | kind << 12
            | (o >> 1 & 15) << 8
            | (o >> 11 & 1) << 7
            | 0x63);
  }

  private void jump(int target) {
    int o = 4 * (target - code.size());
    code.add(
        (o >> 20 & 1) << 31
            | (o >> 1 & 0x3ff) << 21
            | (o >> 11 & 1) << 20
            | (o >> 12 & 0xff) << 12
            | 0x6f);
  }
}
