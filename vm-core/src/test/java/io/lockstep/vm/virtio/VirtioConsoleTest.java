package io.lockstep.vm.virtio;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.virtio.MockDriver.Buffer;
import io.lockstep.vm.virtio.MockDriver.Ring;
import io.lockstep.vm.virtio.MockDriver.Used;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class VirtioConsoleTest {
  private final MockDriver driver = new MockDriver(new VirtioSlot.Console());

  private void type(String text) {
    driver.transport.device().apply(new Input.ConsoleInput(1, text.getBytes(US_ASCII)));
  }

  @Test
  void whatIsTypedWaitsForABuffer() {
    type("early");
    Ring receive = driver.start(-1, 2, 8)[0];
    type(" bird");
    Buffer one = driver.in(7);
    Buffer two = driver.in(7);
    receive.add(one);
    receive.add(two);
    assertThat(receive.kick()).isTrue();
    assertThat(receive.poll()).isEqualTo(new Used(0, 7));
    assertThat(receive.poll()).isEqualTo(new Used(1, 3));
    assertThat(new String(driver.bytes(one), US_ASCII)).isEqualTo("early b");
    assertThat(new String(Arrays.copyOf(driver.bytes(two), 3), US_ASCII)).isEqualTo("ird");
    assertThat(driver.irq).isTrue();
  }

  @Test
  void aBufferWaitsForWhatIsTyped() {
    Ring receive = driver.start(-1, 2, 8)[0];
    Buffer into = driver.in(16);
    receive.add(into);
    receive.kick();
    assertThat(receive.poll()).isNull();
    type("x");
    assertThat(receive.poll()).isEqualTo(new Used(0, 1));
    assertThat(driver.bytes(into)[0]).isEqualTo((byte) 'x');
  }

  @Test
  void whatIsTypedBeyondTheBacklogIsLost() {
    for (int i = 0; i < 3; i++) {
      type("x".repeat(VirtioConsole.BACKLOG_MAX / 2));
    }
    Ring receive = driver.start(-1, 2, 8)[0];
    receive.add(driver.in(2 * VirtioConsole.BACKLOG_MAX));
    receive.kick();
    assertThat(receive.poll()).isEqualTo(new Used(0, VirtioConsole.BACKLOG_MAX));
  }

  @Test
  void outputIsCopiedOut() {
    Ring transmit = driver.start(-1, 2, 8)[1];
    transmit.add(driver.out("hello ".getBytes(US_ASCII)), driver.out("world".getBytes(US_ASCII)));
    transmit.kick();
    assertThat(new String(driver.outputs(Output.ConsoleBytes.class).getFirst().data(), US_ASCII))
        .isEqualTo("hello world");
  }

  @Test
  void theBacklogIsSavedAndRestored() {
    type("kept");
    MockDriver other = new MockDriver(new VirtioSlot.Console());
    other.restore(driver.save());
    assertThat(other.save()).isEqualTo(driver.save());
    Ring receive = other.start(-1, 2, 8)[0];
    receive.add(other.in(10));
    receive.kick();
    assertThat(receive.poll()).isEqualTo(new Used(0, 4));
  }
}
