package io.lockstep.ft.pair;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.replay.live.InputJournal;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.vm.port.Output;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import org.junit.jupiter.api.Test;

class HoldingGateTest {
  private static final long BYTES_MAX = 1 << 20;

  private final List<Output> world = new ArrayList<>();
  private long lsn = 10;
  private LongConsumer appended = mark -> {};
  private final HoldingGate gate =
      new HoldingGate(
          world::add,
          new InputJournal() {
            @Override
            public long append(LogEntry entry) {
              long mark = lsn++;
              appended.accept(mark);
              return mark;
            }
          },
          BYTES_MAX);

  private static Output packet(int n) {
    return new Output.PacketSent(1, new byte[] {(byte) n});
  }

  @Test
  void outputsLeaveWhenTheirMarkIsAcknowledgedAndNotBefore() {
    gate.hold();
    Output first = packet(1);
    Output second = packet(2);
    gate.emit(first);
    gate.commit(100);
    gate.emit(second);
    gate.commit(200);
    assertThat(world).isEmpty();
    gate.releaseTo(11);
    assertThat(world).containsExactly(first);
    gate.releaseTo(12);
    assertThat(world).containsExactly(first, second);
    assertThat(gate.held()).isZero();
  }

  @Test
  void anAckThatOvertakesTheVcpuThreadReleasesAllTheSame() {
    gate.hold();
    Output output = packet(1);
    gate.emit(output);
    appended = mark -> gate.releaseTo(mark + 1);
    gate.commit(100);
    assertThat(world).containsExactly(output);
  }
}
