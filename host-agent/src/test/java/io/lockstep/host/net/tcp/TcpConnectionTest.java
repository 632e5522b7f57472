package io.lockstep.host.net.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.host.net.tcp.TcpSimulation.Link;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The engine against itself over links that lose, double and reorder. {@code lockstep.long} makes
 * it 100 MB a run.
 */
class TcpConnectionTest {
  private static final long MS = TcpSimulation.MS;
  private static final long BYTES = Boolean.getBoolean("lockstep.long") ? 100_000_000L : 2_000_000L;
  private static final Link GOOD = new Link(0, 0, 0, MS / 10);
  private static final Link BAD = new Link(5, 5, 5, MS / 10);

  @Test
  void twentySeedsOfLossDuplicationAndReorderingDeliverBothStreamsIntact() {
    for (long seed = 1; seed <= 20; seed++) {
      TcpSimulation s = new TcpSimulation(seed, BAD);
      transfer(s, BYTES, BYTES, "seed " + seed);
    }
  }

  @Test
  void aPeerWithoutSackOrScalingIsServedToo() {
    for (long seed = 1; seed <= 5; seed++) {
      TcpSimulation s = new TcpSimulation(seed, BAD);
      s.withoutOptions = true;
      transfer(s, BYTES / 10, BYTES / 10, "seed " + seed);
    }
  }

  @Test
  void aPeerThatSilentlyDropsLargeSegmentsGetsSingleOnes() {
    TcpSimulation s = new TcpSimulation(1, GOOD);
    s.withoutLarge = true;
    long start = s.now;
    transfer(s, 10_000_000, 10_000_000, "no large segments");
    assertThat((s.timeOfEnd - start) / MS).isLessThan(5_000);
  }

  @Test
  void aTerribleLinkOnlySlowsThingsDown() {
    for (long seed = 1; seed <= 5; seed++) {
      transfer(new TcpSimulation(seed, new Link(30, 20, 50, MS)), 200_000, 200_000, "seed " + seed);
    }
  }

  @Test
  void aGoodLinkNeedsNoRetransmission() {
    TcpSimulation s = new TcpSimulation(1, GOOD);
    transfer(s, 10_000_000, 10_000_000, "good link");
    assertThat(s.ends[0].connection.retransmissions()).isZero();
    assertThat(s.ends[1].connection.retransmissions()).isZero();
  }

  @Test
  void aLossyTransferIsNotDominatedByTimeouts() {
    TcpSimulation s = new TcpSimulation(7, BAD);
    long start = s.now;
    transfer(s, 5_000_000, 0, "seed 7");
    // 3,400 segments, 170 lost: were each lost one to cost a timeout, it would be 17 s.
    assertThat((s.timeOfEnd - start) / MS).isLessThan(5_000);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 1459, 1460, 1461, 65_536, 262_144, 262_145})
  void everySizeArrives(long size) {
    transfer(new TcpSimulation(size, GOOD), size, size, size + " bytes");
  }

  @Test
  void aReaderThatStopsBoundsMemoryAndGoesOnWhereItStopped() {
    TcpSimulation s = new TcpSimulation(3, new Link(1, 1, 1, MS / 10));
    s.ends[1].takeLimit = 100_000;
    s.ends[0].toSend = 3_000_000;
    s.open();
    s.run(s.now + 60_000 * MS);
    assertThat(s.ends[1].received).isEqualTo(100_000);
    assertThat(s.ends[1].connection.receiveWaiting())
        .isBetween(250_000, TcpConfig.DEFAULT.receiveBuffer());
    assertThat(s.ends[0].connection.sendWaiting()).isEqualTo(TcpConfig.DEFAULT.sendBuffer());
    assertThat(s.pool.allocatedBytes()).isLessThan(1 << 20);
    // The window opens; the update may be lost, the probe gets it.
    s.ends[1].takeLimit = Long.MAX_VALUE;
    s.ends[1].connection.drain();
    s.ends[1].connection.flush(s.now);
    s.run(s.now + 60_000 * MS);
    assertThat(s.ends[1].received).isEqualTo(3_000_000);
    assertThat(s.ends[1].wrong).isNull();
  }

  @Test
  void aLostWindowUpdateIsFoundByProbing() {
    TcpSimulation s = new TcpSimulation(3, GOOD);
    s.ends[1].takeLimit = 0;
    s.ends[0].toSend = 1_000_000;
    s.open();
    s.run(s.now + 5_000 * MS);
    s.cut[0] = true;
    s.ends[1].takeLimit = Long.MAX_VALUE;
    s.ends[1].connection.drain();
    s.ends[1].connection.flush(s.now);
    s.run(s.now + 100 * MS);
    s.cut[0] = false;
    s.run(s.now + 5_000 * MS);
    assertThat(s.ends[1].received).isEqualTo(1_000_000);
  }

  @Test
  void halfCloseLeavesTheOtherDirectionOpen() {
    TcpSimulation s = new TcpSimulation(1, GOOD);
    s.ends[0].toSend = 10;
    s.ends[1].closeWhenSent = false;
    s.open();
    s.run(s.now + 1_000 * MS);
    assertThat(s.ends[1].endOfStream).isTrue();
    assertThat(s.ends[0].connection.state()).isEqualTo(TcpConnection.State.FIN_WAIT_2);
    assertThat(s.ends[1].connection.state()).isEqualTo(TcpConnection.State.CLOSE_WAIT);
    s.ends[1].toSend = 500_000;
    s.ends[1].closeWhenSent = true;
    s.ends[1].feed();
    s.ends[1].connection.flush(s.now);
    s.run(s.now + 60_000 * MS);
    assertThat(s.ends[0].received).isEqualTo(500_000);
    assertThat(s.ends[0].end).isEqualTo(TcpConnection.End.FINISHED);
    assertThat(s.ends[1].end).isEqualTo(TcpConnection.End.FINISHED);
  }

  @Test
  void anAbortResetsThePeer() {
    TcpSimulation s = new TcpSimulation(1, GOOD);
    s.ends[0].toSend = 100;
    s.ends[0].closeWhenSent = false;
    s.ends[1].closeWhenSent = false;
    s.open();
    s.run(s.now + 100 * MS);
    s.ends[0].connection.abort();
    s.run(s.now + 100 * MS);
    assertThat(s.ends[1].end).isEqualTo(TcpConnection.End.RESET);
    assertThat(s.pool.allocatedBytes()).isZero();
  }

  @Test
  void aResetOutsideTheExpectedPositionIsChallengedNotObeyed() {
    TcpSimulation s = established();
    TcpSegment rst = new TcpSegment();
    rst.flags = TcpSegment.RST;
    rst.sequence = 12345;
    s.ends[0].connection.onSegment(rst, s.now);
    assertThat(s.ends[0].end).isNull();
  }

  @Test
  void anIdleConnectionIsProbedAndKeptWhileThePeerAnswers() {
    TcpSimulation s = established();
    s.run(s.now + 5 * 7_200_000L * MS);
    assertThat(s.ends[0].end).isNull();
    s.cut[0] = true;
    s.run(s.now + 3 * 7_200_000L * MS);
    assertThat(s.ends[0].end).isEqualTo(TcpConnection.End.TIMED_OUT);
  }

  @Test
  void silenceBacksOffButNeverWaitsLongerThanTheCap() {
    TcpSimulation s = established();
    s.cut[1] = true;
    s.ends[0].toSend = 100;
    s.ends[0].feed();
    s.ends[0].connection.flush(s.now);
    long before = s.segments;
    s.run(s.now + 10_000 * MS);
    long perSecond = (s.segments - before) / 10;
    assertThat(perSecond).isBetween(4L, 6L);
    s.cut[1] = false;
    s.run(s.now + 201 * MS);
    assertThat(s.ends[1].received).isEqualTo(100);
  }

  @Test
  void aKickSendsEverythingUnacknowledgedAgainAtOnce() {
    TcpSimulation s = established();
    s.cut[1] = true;
    s.ends[0].toSend = 100_000;
    s.ends[0].feed();
    s.ends[0].connection.flush(s.now);
    s.run(s.now + 3_000 * MS);
    s.cut[1] = false;
    s.ends[0].connection.kick(s.now);
    s.run(s.now + 2 * MS);
    assertThat(s.ends[1].received).isEqualTo(100_000);
  }

  @Test
  void aPeerThatNeverAnswersIsGivenUp() {
    TcpSimulation s = new TcpSimulation(1, GOOD);
    s.cut[1] = true;
    s.open();
    assertThat(s.run(s.now + 120_000 * MS)).isTrue();
    assertThat(s.ends[0].end).isEqualTo(TcpConnection.End.TIMED_OUT);
  }

  private static TcpSimulation established() {
    TcpSimulation s = new TcpSimulation(1, GOOD);
    s.ends[0].closeWhenSent = false;
    s.ends[1].closeWhenSent = false;
    s.open();
    s.run(s.now + 1_000 * MS);
    assertThat(s.ends[0].established).isTrue();
    assertThat(s.ends[1].established).isTrue();
    return s;
  }

  private static void transfer(TcpSimulation s, long there, long back, String what) {
    s.ends[0].toSend = there;
    s.ends[1].toSend = back;
    s.open();
    boolean finished = s.run(s.now + 100_000_000 * MS);
    assertThat(s.ends[1].wrong).as(what).isNull();
    assertThat(s.ends[0].wrong).as(what).isNull();
    assertThat(s.ends[1].received).as(what + ", received").isEqualTo(there);
    assertThat(s.ends[0].received).as(what + ", received back").isEqualTo(back);
    assertThat(s.ends[0].endOfStream && s.ends[1].endOfStream).as(what + ", ends").isTrue();
    assertThat(finished).as(what + ", comes to rest").isTrue();
    assertThat(s.pool.allocatedBytes()).as(what + ", buffers").isZero();
  }
}
