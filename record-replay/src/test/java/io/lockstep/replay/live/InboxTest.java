package io.lockstep.replay.live;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.replay.live.Inbox.Added;
import io.lockstep.vm.port.Input;
import org.junit.jupiter.api.Test;

class InboxTest {
  private final Inbox inbox = new Inbox();

  private Added packet(int bytes) {
    return inbox.add(new Inbox.Node(new Input.PacketArrival(1, new byte[bytes]), null));
  }

  private Added command() {
    return inbox.add(new Inbox.Node(null, () -> {}));
  }

  @Test
  void framesThatNobodyTakesAreBoundedInNumber() {
    assertThat(packet(60)).isEqualTo(Added.FIRST);
    for (int i = 1; i < Inbox.PACKETS_MAX; i++) {
      assertThat(packet(60)).isEqualTo(Added.BEHIND);
    }
    assertThat(packet(60)).isEqualTo(Added.DROPPED);
    assertThat(command()).isEqualTo(Added.BEHIND);
    inbox.takeAll();
    assertThat(packet(60)).isEqualTo(Added.FIRST);
  }

  @Test
  void framesThatNobodyTakesAreBoundedInBytes() {
    int taken = 0;
    while (packet(65_000) != Added.DROPPED) {
      taken++;
    }
    assertThat(taken).isEqualTo(Inbox.PACKET_BYTES_MAX / 65_000);
    assertThat(packet(60)).isEqualTo(Added.BEHIND);
    assertThat(command()).isEqualTo(Added.BEHIND);
    int all = 0;
    for (Inbox.Node node = inbox.takeAll(); node != null; node = node.next) {
      all++;
    }
    assertThat(all).isEqualTo(taken + 2);
    assertThat(packet(65_000)).isEqualTo(Added.FIRST);
  }

  @Test
  void nothingIsTakenAfterTheEnd() {
    packet(60);
    assertThat(inbox.close()).isNotNull();
    assertThat(packet(60)).isEqualTo(Added.CLOSED);
    assertThat(inbox.close()).isNull();
  }
}
