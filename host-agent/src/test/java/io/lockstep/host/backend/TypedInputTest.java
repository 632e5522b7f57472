package io.lockstep.host.backend;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.port.Input;
import java.io.OutputStream;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class TypedInputTest {
  @Test
  void whatIsTypedBeforeTheMachineStartsWaitsForIt() throws Exception {
    var console = new StreamConsole(OutputStream.nullOutputStream(), StreamConsole.WhenFull.WAIT);
    var typed = new TypedInput(console, device -> 0);
    int accepted = 0;
    while (typed.offer(new byte[] {(byte) accepted})) {
      accepted++; // ends only if what is typed is kept: a queue has a bound, a sink has none
    }
    var arrived = new LinkedBlockingQueue<Input>();
    console.start(3, arrived::add);
    for (int i = 0; i < accepted; i++) {
      var input = (Input.ConsoleInput) arrived.poll(30, TimeUnit.SECONDS);
      assertThat(input.device()).isEqualTo(3);
      assertThat(input.data()).containsExactly((byte) i);
    }
    console.close();
  }
}
