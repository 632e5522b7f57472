package io.lockstep.vm.firmware;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.machine.VirtualMachine.Power;
import io.lockstep.vm.memory.GuestRam;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SbiTest {
  private static final long BASE = 0x10;
  private static final long TIME = 0x54494d45;
  private static final long IPI = 0x735049;
  private static final long RFENCE = 0x52464e43;
  private static final long HSM = 0x48534d;
  private static final long SRST = 0x53525354;
  private static final long DBCN = 0x4442434e;

  private final GuestRam ram = new GuestRam(1 << 20);
  private final FakeHart hart = new FakeHart();
  private final Sbi sbi = new Sbi(hart, ram);

  /** Notes down what the SBI makes it do. */
  private static final class FakeHart implements SbiHart {
    final long[] registers = new long[32];
    final List<String> actions = new ArrayList<>();

    @Override
    public long getReg(int index) {
      return registers[index];
    }

    @Override
    public void setReg(int index, long value) {
      assertThat(index).as("only results are written").isBetween(10, 11);
      registers[index] = value;
    }

    @Override
    public void setTimer(long ticks) {
      actions.add("timer " + ticks);
    }

    @Override
    public void setSoftwareInterrupt(boolean pending) {
      actions.add("ssip " + pending);
    }

    @Override
    public void flushTlb() {
      actions.add("flush");
    }

    @Override
    public void fenceI() {
      actions.add("fence.i");
    }

    @Override
    public void power(Power state) {
      actions.add("power " + state);
    }

    @Override
    public void waitForInterrupt() {
      actions.add("wait");
    }

    @Override
    public void consoleWrite(byte[] data) {
      assertThat(data).hasSizeBetween(1, Sbi.CONSOLE_WRITE_MAX);
      actions.add("console " + new String(data, US_ASCII));
    }
  }

  private long call(long extension, long function, long... arguments) {
    hart.registers[17] = extension;
    hart.registers[16] = function;
    hart.registers[10] = 0;
    hart.registers[11] = 0;
    hart.registers[12] = 0;
    System.arraycopy(arguments, 0, hart.registers, 10, arguments.length);
    sbi.call();
    return hart.registers[10];
  }

  private long value() {
    return hart.registers[11];
  }

  @Test
  void theBaseExtensionTellsTheVersion() {
    assertThat(call(BASE, 0)).isZero();
    assertThat(value()).isEqualTo(0x0200_0000);
    assertThat(call(BASE, 4)).isZero();
    assertThat(value()).isZero();
  }

  @ParameterizedTest
  @ValueSource(longs = {BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN, 0, 8})
  void whatExistsIsProbed(long extension) {
    call(BASE, 3, extension);
    assertThat(value()).isEqualTo(1);
  }

  @ParameterizedTest
  @ValueSource(longs = {9, 0x504d55, -1})
  void whatDoesNotExistIsProbedAndNotSupported(long extension) {
    call(BASE, 3, extension);
    assertThat(value()).isZero();
    assertThat(call(extension, 0)).isEqualTo(-2);
  }

  @ParameterizedTest
  @CsvSource({
    "0x10, 7",
    "0x54494d45, 1",
    "0x735049, 1",
    "0x52464e43, 3",
    "0x52464e43, -1",
    "0x48534d, 4",
    "0x53525354, 1",
    "0x4442434e, 3"
  })
  void unknownFunctionsAreNotSupported(String extension, long function) {
    assertThat(call(Long.decode(extension), function)).isEqualTo(-2);
    assertThat(hart.actions).isEmpty();
  }

  @Test
  void theTimerIsArmed() {
    assertThat(call(TIME, 0, 12345)).isZero();
    assertThat(hart.actions).containsExactly("timer 12345");
  }

  @ParameterizedTest
  @CsvSource({
    "1, 0, 0, true",
    "0, 0, 0, false",
    "77, -1, 0, true",
    "3, 0, -3, false",
    "1, 1, -3, false",
    "0, 5, 0, false"
  })
  void aHartMaskNamesThisHartOrIsAnError(long mask, long base, long error, boolean raised) {
    assertThat(call(IPI, 0, mask, base)).isEqualTo(error);
    assertThat(hart.actions.contains("ssip true")).isEqualTo(raised);
  }

  @Test
  void remoteFencesAreLocal() {
    call(RFENCE, 0, 1, 0);
    call(RFENCE, 1, 0, -1, 0x1000);
    call(RFENCE, 2, 1, 0, 0x1000);
    assertThat(hart.actions).containsExactly("fence.i", "flush", "flush");
  }

  @Test
  void theOnlyHartHasStartedAndStopsTheMachine() {
    assertThat(call(HSM, 2, 0)).isZero();
    assertThat(value()).isZero();
    assertThat(call(HSM, 2, 1)).isEqualTo(-3);
    assertThat(call(HSM, 0, 0)).isEqualTo(-6);
    assertThat(call(HSM, 0, 1)).isEqualTo(-3);
    assertThat(call(HSM, 3, 0)).isZero();
    assertThat(call(HSM, 3, 0x8000_0000L)).isEqualTo(-2);
    assertThat(call(HSM, 3, 5)).isEqualTo(-3);
    call(HSM, 1);
    assertThat(hart.actions).containsExactly("wait", "power OFF");
  }

  @ParameterizedTest
  @CsvSource({"0, 0, OFF", "0, 1, FAILED", "1, 0, REBOOT", "2, 1, REBOOT"})
  void systemResetEndsTheMachine(long type, long reason, String power) {
    call(SRST, 0, type, reason);
    assertThat(hart.actions).containsExactly("power " + power);
  }

  @Test
  void anUnknownSystemResetIsAnError() {
    assertThat(call(SRST, 0, 3, 0)).isEqualTo(-3);
    assertThat(call(SRST, 0, 0, 2)).isEqualTo(-3);
    assertThat(hart.actions).isEmpty();
  }

  @Test
  void theDebugConsoleWritesFromMemory() {
    ram.write(GuestRam.BASE + 100, "hello".getBytes(US_ASCII), 0, 5);
    assertThat(call(DBCN, 0, 5, GuestRam.BASE + 100, 0)).isZero();
    assertThat(value()).isEqualTo(5);
    call(DBCN, 2, '!');
    assertThat(hart.actions).containsExactly("console hello", "console !");
  }

  @Test
  void aLongConsoleWriteIsTakenInPart() {
    assertThat(call(DBCN, 0, 100_000, GuestRam.BASE, 0)).isZero();
    assertThat(value()).isEqualTo(Sbi.CONSOLE_WRITE_MAX);
  }

  @ParameterizedTest
  @CsvSource({"1, 0, 0", "-1, 0x80000000, 0", "0x100001, 0x80000000, 0", "1, 0x80000000, 1"})
  void aConsoleRangeOutsideOfMemoryIsAnError(String length, String low, long high) {
    assertThat(call(DBCN, 0, Long.decode(length), Long.decode(low), high)).isEqualTo(-3);
    assertThat(call(DBCN, 1, Long.decode(length), Long.decode(low), high)).isEqualTo(-3);
    assertThat(hart.actions).isEmpty();
  }

  @Test
  void thereIsNothingToReadFromTheConsole() {
    assertThat(call(DBCN, 1, 10, GuestRam.BASE, 0)).isZero();
    assertThat(value()).isZero();
    assertThat(call(2, 0)).isEqualTo(-1);
  }

  @Test
  void legacyCallsReturnInOneRegister() {
    assertThat(call(1, 0, 'x', 7)).isZero();
    assertThat(value()).isEqualTo(7);
    call(0, 0, 99);
    call(4, 0);
    call(3, 0);
    call(5, 0);
    call(6, 0);
    call(8, 0);
    assertThat(hart.actions)
        .containsExactly(
            "console x", "timer 99", "ssip true", "ssip false", "fence.i", "flush", "power OFF");
  }

  @Test
  void randomCallsNeverHurt() {
    long[] extensions = {BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN};
    Random random = new Random(5);
    for (int i = 0; i < 200_000; i++) {
      long extension =
          random.nextBoolean() ? extensions[random.nextInt(extensions.length)] : random.nextInt(12);
      long a1 = random.nextBoolean() ? GuestRam.BASE + random.nextInt(1 << 20) : random.nextLong();
      call(
          extension,
          random.nextInt(6),
          random.nextLong() >> random.nextInt(64),
          a1,
          random.nextInt(2));
      hart.actions.clear();
    }
  }
}
