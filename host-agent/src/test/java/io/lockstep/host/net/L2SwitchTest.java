package io.lockstep.host.net;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.host.net.wire.Bytes;
import io.lockstep.host.net.wire.EtherType;
import io.lockstep.host.net.wire.Frame;
import io.lockstep.host.net.wire.Mac;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class L2SwitchTest {
  private static final long SECOND = 1_000_000_000L;
  private static final long A = 0x5254_0000_000aL;
  private static final long B = 0x5254_0000_000bL;
  private static final long C = 0x5254_0000_000cL;
  private static final UUID VM = new UUID(1, 2);

  private long now;
  private final L2Switch l2 =
      new L2Switch(new L2Switch.Limits(300 * SECOND, 100, 50, 8), () -> now);

  /** A port that remembers what it got. */
  private static final class Port implements SwitchPort {
    private final String name;
    private final PortCounters counters = new PortCounters();
    final List<String> got = new ArrayList<>();
    String cutOff;
    L2Switch.Attachment attachment;

    Port(String name) {
      this.name = name;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public void send(Frame frame) {
      String text =
          new String(
              frame.data,
              frame.offset + 14,
              frame.length - 14,
              java.nio.charset.StandardCharsets.US_ASCII);
      got.add(frame.etherType() == EtherType.RARP ? "announcement" : text);
    }

    @Override
    public boolean isCongested() {
      return false;
    }

    @Override
    public void cutOff(String reason) {
      cutOff = reason;
    }

    @Override
    public PortCounters counters() {
      return counters;
    }

    void emit(long to, long from, String text) {
      byte[] b = new byte[14 + text.length()];
      EtherType.writeHeader(b, 0, to, from, 0x1234);
      System.arraycopy(
          text.getBytes(java.nio.charset.StandardCharsets.US_ASCII), 0, b, 14, text.length());
      attachment.receive(new Frame().set(b, 0, b.length));
    }
  }

  private Port port(String name) {
    Port port = new Port(name);
    port.attachment = l2.attach(port);
    return port;
  }

  @Test
  void framesGoToWhereTheirDestinationWasHeard() {
    Port a = port("a");
    Port b = port("b");
    Port c = port("c");
    a.emit(B, A, "unknown");
    assertThat(b.got).containsExactly("unknown");
    assertThat(c.got).containsExactly("unknown");
    b.emit(A, B, "answer");
    assertThat(a.got).containsExactly("answer");
    assertThat(c.got).hasSize(1);
    a.emit(B, A, "known");
    assertThat(c.got).hasSize(1);
    a.emit(A, A, "to itself");
    assertThat(a.got).hasSize(1);
  }

  @Test
  void aSilentAddressIsForgottenAndFlooded() {
    Port a = port("a");
    Port b = port("b");
    Port c = port("c");
    b.emit(Mac.BROADCAST, B, "here");
    now += 301 * SECOND;
    a.emit(B, A, "where");
    assertThat(c.got).containsExactly("here", "where");
  }

  @Test
  void anAddressThatMovesIsFollowedAndSaid() {
    List<Long> moved = new ArrayList<>();
    l2.onMove(moved::add);
    Port a = port("a");
    Port b = port("b");
    Port c = port("c");
    now += 10 * SECOND;
    b.emit(Mac.BROADCAST, B, "here");
    c.emit(Mac.BROADCAST, B, "now here");
    assertThat(moved).containsExactly(B);
    b.got.clear();
    a.emit(B, A, "x");
    assertThat(c.got).contains("x");
    assertThat(b.got).isEmpty();
  }

  @Test
  void floodingIsLimitedAndUnicastIsNot() {
    Port a = port("a");
    Port b = port("b");
    b.emit(A, B, "here");
    for (int i = 0; i < 1000; i++) {
      a.emit(Mac.BROADCAST, A, "b");
      a.emit(B, A, "u");
    }
    assertThat(b.got.stream().filter("b"::equals)).hasSize(50);
    assertThat(b.got.stream().filter("u"::equals)).hasSize(1000);
    assertThat(a.counters().droppedFloodLimit()).isEqualTo(950);
    now += SECOND;
    a.emit(Mac.BROADCAST, A, "again");
    assertThat(b.got).contains("again");
  }

  @Test
  void theNewestEpochCutsOffOlderOnesInTheSameStep() {
    Port client = port("client");
    Port old = port("old");
    Port young = port("young");
    client.emit(Mac.BROADCAST, C, "hi");
    assertThat(old.attachment.claim(VM, 1, 11, A)).isEqualTo(ClaimAnswer.OWNER);
    client.emit(A, C, "to the old one");
    assertThat(old.got).contains("to the old one");
    young.attachment.becomeWaiting(A);
    client.emit(Mac.BROADCAST, C, "not for those who wait");
    assertThat(young.got).doesNotContain("not for those who wait");

    client.got.clear();
    assertThat(young.attachment.claim(VM, 2, 22, A)).isEqualTo(ClaimAnswer.OWNER);
    assertThat(old.cutOff).isNotNull();
    assertThat(client.got).containsExactly("announcement");
    old.emit(C, A, "stale");
    assertThat(client.got).doesNotContain("stale");
    client.emit(A, C, "to the young one");
    assertThat(young.got).contains("to the young one");
    assertThat(old.got).doesNotContain("to the young one");
  }

  @Test
  void anOlderEpochIsRefusedForeverAlsoWhenTheNewerOneIsGone() {
    Port young = port("young");
    young.attachment.claim(VM, 7, 1, A);
    young.attachment.detach();
    Port old = port("old");
    assertThat(old.attachment.claim(VM, 6, 2, A)).isEqualTo(ClaimAnswer.STALE_EPOCH);
    assertThat(port("again").attachment.claim(VM, 7, 1, A)).isEqualTo(ClaimAnswer.OWNER);
  }

  @Test
  void anEqualEpochIsRefusedWhileItsOwnerLivesUnlessItIsTheSameProcess() {
    Port first = port("first");
    first.attachment.claim(VM, 3, 1, A);
    assertThat(port("second").attachment.claim(VM, 3, 2, A)).isEqualTo(ClaimAnswer.EPOCH_IN_USE);
    assertThat(first.cutOff).isNull();
    assertThat(port("reconnected").attachment.claim(VM, 3, 1, A)).isEqualTo(ClaimAnswer.OWNER);
    assertThat(first.cutOff).isNotNull();
  }

  @Test
  void twoCardsOfOneVmLiveSideBySide() {
    Port first = port("first");
    Port second = port("second");
    assertThat(first.attachment.claim(VM, 1, 1, A)).isEqualTo(ClaimAnswer.OWNER);
    assertThat(second.attachment.claim(VM, 1, 1, B)).isEqualTo(ClaimAnswer.OWNER);
    assertThat(first.cutOff).isNull();
    Port survivor = port("survivor");
    survivor.attachment.claim(VM, 2, 2, A);
    assertThat(first.cutOff).isNotNull();
    assertThat(second.cutOff).isNotNull();
  }

  @Test
  void anOwnedAddressCannotBeTakenByOthers() {
    Port owner = port("owner");
    Port thief = port("thief");
    Port client = port("client");
    owner.attachment.claim(VM, 1, 1, A);
    client.got.clear();
    thief.emit(C, A, "I am A");
    assertThat(client.got).isEmpty();
    assertThat(thief.counters().droppedForeignMac()).isEqualTo(1);
    assertThat(port("other").attachment.claim(new UUID(9, 9), 5, 1, A))
        .isEqualTo(ClaimAnswer.MAC_IN_USE);
    client.emit(A, C, "to A");
    assertThat(owner.got).contains("to A");
  }

  @Test
  void aPortThatInventsAddressesFillsItsShareOnly() {
    Port a = port("a");
    Port b = port("b");
    b.emit(Mac.BROADCAST, B, "here");
    for (int i = 0; i < 5000; i++) {
      a.emit(B, 0x0200_0000_0000L + i, "x");
    }
    assertThat(b.got).hasSize(5000);
    assertThat(l2.portsJson().length()).isLessThan(40_000);
  }

  @Test
  void noiseHarmsNothing() {
    for (long seed = 1; seed <= 20; seed++) {
      Random random = new Random(seed);
      List<Port> ports = List.of(port("p" + seed), port("q" + seed), port("r" + seed));
      for (int i = 0; i < 5000; i++) {
        byte[] b = new byte[random.nextInt(80)];
        random.nextBytes(b);
        if (b.length >= 14 && random.nextBoolean()) {
          Bytes.put48(b, 0, A + random.nextInt(4));
          Bytes.put48(b, 6, A + random.nextInt(4));
        }
        L2Switch.Attachment at = ports.get(random.nextInt(3)).attachment;
        at.receive(new Frame().set(b, 0, b.length));
        if (random.nextInt(200) == 0) {
          at.claim(
              new UUID(0, random.nextInt(3)),
              random.nextInt(5),
              random.nextInt(3),
              A + random.nextInt(4));
        }
        now += random.nextInt(1_000_000_000);
      }
      ports.forEach(port -> port.attachment.detach());
      assertThat(l2.portCount()).as("seed " + seed).isZero();
    }
  }

  @Test
  void aWaitingPortKeepsItsAddressReachable() {
    Port owner = port("owner");
    owner.attachment.claim(VM, 1, 1, A);
    Port young = port("young");
    young.attachment.becomeWaiting(A);
    owner.attachment.detach();
    assertThat(l2.isReachable(A)).isTrue();
    young.attachment.detach();
    assertThat(l2.isReachable(A)).isFalse();
  }

  @Test
  void epochsOfAnEarlierSwitchStayRefusedAndNewerOnesAreNoted() {
    List<String> noted = new ArrayList<>();
    l2.rememberEpochs(Map.of(VM, 5L), (vm, epoch) -> noted.add(vm + " " + epoch));
    assertThat(port("stale").attachment.claim(VM, 4, 1, A)).isEqualTo(ClaimAnswer.STALE_EPOCH);
    assertThat(port("same").attachment.claim(VM, 5, 2, A)).isEqualTo(ClaimAnswer.OWNER);
    assertThat(noted).isEmpty();
    assertThat(port("next").attachment.claim(VM, 6, 3, A)).isEqualTo(ClaimAnswer.OWNER);
    assertThat(noted).containsExactly(VM + " 6");
  }

  @Test
  void unprotectedMachinesThatCameAndWentLeaveNothingBehind() {
    List<String> noted = new ArrayList<>();
    l2.rememberEpochs(Map.of(), (vm, epoch) -> noted.add(vm + " " + epoch));
    for (int i = 0; i < 70_000; i++) {
      Port port = port("p");
      assertThat(port.attachment.claim(new UUID(3, i), 1, i, A)).isEqualTo(ClaimAnswer.OWNER);
      port.attachment.detach();
    }
    assertThat(noted).isEmpty();
  }

  @Test
  void whatComesBetweenDeathAndTakeoverIsHeldForTheOneThatWaits() {
    Port client = port("client");
    Port other = port("other");
    Port old = port("old");
    Port young = port("young");
    client.emit(Mac.BROADCAST, C, "hi");
    old.attachment.claim(VM, 1, 1, A);
    young.attachment.becomeWaiting(A);
    young.got.clear();
    other.got.clear();
    old.attachment.detach();
    client.emit(A, C, "one");
    client.emit(A, C, "two");
    assertThat(young.got).isEmpty();
    assertThat(other.got).isEmpty();
    young.attachment.claim(VM, 2, 2, A);
    client.emit(A, C, "three");
    assertThat(young.got).containsExactly("one", "two", "three");
    assertThat(other.got).containsExactly("announcement");
  }

  @Test
  void heldFramesAreBoundedAndGetOldAndEndWithThePortThatWaits() {
    Port client = port("client");
    Port old = port("old");
    Port young = port("young");
    old.attachment.claim(VM, 1, 1, A);
    young.attachment.becomeWaiting(A);
    young.got.clear();
    old.attachment.detach();
    client.emit(A, C, "too old");
    now += 6 * SECOND;
    for (int i = 0; i < 100; i++) {
      client.emit(A, C, "x".repeat(10_000));
    }
    young.attachment.claim(VM, 2, 2, A);
    assertThat(young.got).hasSize((256 << 10) / 10_026).doesNotContain("too old");

    Port next = port("next");
    next.attachment.becomeWaiting(A);
    young.attachment.detach();
    client.emit(A, C, "for nobody");
    next.attachment.detach();
    Port last = port("last");
    last.attachment.becomeWaiting(A);
    last.attachment.claim(VM, 3, 3, A);
    assertThat(last.got).isEmpty();
  }
}
