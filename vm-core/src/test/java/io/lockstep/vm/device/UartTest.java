package io.lockstep.vm.device;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.port.Output;
import java.io.ByteArrayOutputStream;
import java.util.Random;
import org.junit.jupiter.api.Test;

class UartTest {
  private boolean readable;
  private boolean emptied;
  private final ByteArrayOutputStream sent = new ByteArrayOutputStream();
  private final Uart uart =
      new Uart(
          level -> readable = level,
          level -> emptied = level,
          output -> sent.writeBytes(((Output.ConsoleBytes) output).data()));

  private int read(int register) {
    return (int) uart.read(register, 1);
  }

  private void write(int register, int value) {
    uart.write(register, 1, value);
  }

  private void type(String text) {
    uart.input(text.getBytes(US_ASCII));
  }

  private String readAll() {
    StringBuilder all = new StringBuilder();
    while ((read(5) & 1) != 0) {
      all.append((char) read(0));
    }
    return all.toString();
  }

  @Test
  void whatIsWrittenIsSentAtOnce() {
    write(0, 'h');
    write(0, 'i');
    assertThat(sent.toString(US_ASCII)).isEqualTo("hi");
    assertThat(read(5)).isEqualTo(0x60);
  }

  @Test
  void theDivisorHidesBehindItsLatchBit() {
    write(3, 0x83);
    write(0, 0x34);
    write(1, 0x12);
    assertThat(read(0)).isEqualTo(0x34);
    assertThat(read(1)).isEqualTo(0x12);
    write(3, 0x03);
    assertThat(sent.size()).isZero();
    assertThat(read(1)).isZero();
  }

  @Test
  void nothingThatIsTypedGetsLost() {
    write(2, 1);
    String text = "x".repeat(1000) + "end";
    type(text);
    assertThat(readAll()).isEqualTo(text);
    assertThat(read(5) & 2).isZero();
  }

  @Test
  void whatIsTypedBeyondTheBacklogIsLost() {
    write(2, 1);
    for (int i = 0; i < 40; i++) {
      type("y".repeat(4096));
    }
    int fifo = 16;
    assertThat(readAll()).hasSize(Uart.BACKLOG_MAX + fifo);
  }

  @Test
  void receivedBytesInterruptUntilTheyAreRead() {
    write(2, 0xc1);
    write(1, 1);
    assertThat(readable).isFalse();
    type("ab");
    assertThat(readable).isTrue();
    assertThat(read(2)).as("below the trigger level: timeout").isEqualTo(0xcc);
    type("x".repeat(12));
    assertThat(read(2)).as("trigger level").isEqualTo(0xc4);
    readAll();
    assertThat(readable).isFalse();
    assertThat(read(2)).isEqualTo(0xc1);
  }

  @Test
  void anEmptyTransmitterInterruptsEachTimeItIsEnabledOrSends() {
    write(1, 2);
    assertThat(emptied).isTrue();
    assertThat(read(2)).isEqualTo(2);
    assertThat(emptied).isFalse();
    assertThat(read(2)).isEqualTo(1);
    write(0, 'x');
    assertThat(emptied).isTrue();
    write(1, 0);
    assertThat(emptied).isFalse();
    write(1, 2);
    assertThat(read(2)).isEqualTo(2);
  }

  /** As Linux and U-Boot probe for the port. */
  @Test
  void itLooksLikeA16550A() {
    write(1, 0x0f);
    assertThat(read(1)).isEqualTo(0x0f);
    write(1, 0xff);
    assertThat(read(1)).as("no further interrupt enable bits").isEqualTo(0x0f);
    write(1, 0);
    write(4, 0x1a);
    assertThat(read(6) & 0xf0).as("loopback of RTS and OUT2").isEqualTo(0x90);
    write(4, 0);
    write(2, 1);
    assertThat(read(2) >>> 6).as("FIFOs work").isEqualTo(3);
    write(2, 0x21);
    assertThat(read(2) >>> 5).as("no 64-byte FIFO").isEqualTo(6);
    write(2, 0);
    assertThat(read(2) >>> 6).isZero();
    write(7, 0xa5);
    assertThat(read(7)).isEqualTo(0xa5);
  }

  @Test
  void inLoopbackBytesComeBackAndTheLineIsCutOff() {
    write(2, 1);
    write(4, 0x10);
    write(0, 'L');
    type("typed");
    assertThat(sent.size()).isZero();
    assertThat(readAll()).isEqualTo("L");
    write(4, 0);
    assertThat(readAll()).isEqualTo("typed");
  }

  @Test
  void aLoopbackOverrunIsReportedOnce() {
    write(1, 4);
    write(4, 0x10);
    write(0, '1');
    write(0, '2');
    assertThat(readable || emptied).isTrue();
    assertThat(read(2)).isEqualTo(6);
    assertThat(read(5)).isEqualTo(0x63);
    assertThat(readable || emptied).isFalse();
    assertThat(read(5)).isEqualTo(0x61);
  }

  @Test
  void savedStateBehavesTheSame() {
    write(2, 0x81);
    write(1, 3);
    write(3, 0x80);
    write(0, 1);
    write(3, 0x1b);
    write(7, 9);
    type("0123456789012345678901234567890");
    boolean[] line = new boolean[1];
    Uart other = new Uart(level -> line[0] = level, level -> {}, output -> {});
    StateCopy.copy(uart, other);
    assertThat(line[0]).isTrue();
    for (int i = 0; i < 100; i++) {
      int register = i % 8;
      assertThat(other.read(register, 1)).as("read %d", i).isEqualTo(uart.read(register, 1));
    }
  }

  @Test
  void randomAccessesNeverHurt() {
    Random random = new Random(3);
    for (int i = 0; i < 200_000; i++) {
      int size = 1 << random.nextInt(4);
      long offset = (long) random.nextInt(16) & -size;
      uart.write(offset, size, random.nextLong());
      uart.read(offset, size);
      if (random.nextInt(100) == 0) {
        uart.input(new byte[random.nextInt(50)]);
      }
    }
    StateCopy.copy(uart, new Uart(level -> {}, level -> {}, output -> {}));
  }
}
