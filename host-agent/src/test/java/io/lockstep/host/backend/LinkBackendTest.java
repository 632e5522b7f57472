package io.lockstep.host.backend;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.port.Input;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LinkBackendTest {
  private static final int DEVICE = 3;

  private final List<Input> offered = new ArrayList<>();
  private final LinkBackend backend = new LinkBackend();

  private static byte[] packet(int number, int length) {
    byte[] packet = new byte[length];
    packet[0] = (byte) number;
    return packet;
  }

  private List<Integer> numbers() {
    return offered.stream().map(i -> (int) ((Input.PacketArrival) i).frame()[0]).toList();
  }

  @Test
  void whatComesBeforeTheMachineStartsWaitsForItAndKeepsItsOrder() {
    backend.packet(packet(1, 60), 0, 60);
    backend.packet(packet(2, 60), 0, 60);
    assertThat(offered).isEmpty();
    backend.start(DEVICE, offered::add);
    backend.packet(packet(3, 60), 0, 60);
    assertThat(numbers()).containsExactly(1, 2, 3);
    assertThat(((Input.PacketArrival) offered.getFirst()).device()).isEqualTo(DEVICE);
  }

  @Test
  void aFloodBeforeTheStartIsCutOffAtItsBound() {
    for (int i = 0; i < 100; i++) {
      backend.packet(packet(i, 60_000), 0, 60_000);
    }
    backend.start(DEVICE, offered::add);
    assertThat(offered).hasSize((1 << 20) / 60_000);
    assertThat(numbers().getFirst()).isZero();
  }

  @Test
  void nothingArrivesAfterTheEnd() {
    backend.packet(packet(1, 60), 0, 60);
    backend.close();
    backend.packet(packet(2, 60), 0, 60);
    backend.start(DEVICE, offered::add);
    assertThat(offered).isEmpty();
  }
}
