package io.lockstep.host.net.tcp;

/**
 * What has been sent and not acknowledged: a list of transmissions in sequence order, each with the
 * time it left.
 *
 * <p>Losses are found by time, not by counting (RACK, RFC 8985 §6): a transmission is lost when one
 * that left later has arrived and the first is overdue. That copes with reordering, with lost
 * retransmissions and with segments of very different sizes, where counting duplicates fails.
 * Without SACK the classic count of three is used (RFC 6582).
 *
 * <p>Positions are stream positions: 0 is the SYN, 1 the first byte, the FIN comes after the last
 * byte.
 */
final class SendQueue {
  /** One transmission, possibly several times repeated. */
  static final class Transmission {
    long from;
    long to;
    long sentAt;
    int times;
    boolean sacked;
    boolean lost;
    Transmission next;

    long length() {
      return to - from;
    }
  }

  private static final int DUPLICATES = 3;

  private Transmission first;
  private Transmission last;
  private int lostCount;
  private int sackedCount;
  private long inFlight;
  private long unacknowledged;
  private long sent;
  private long highestSacked;

  private long rackSentAt = Long.MIN_VALUE;
  private long rackTo;
  private long rackRtt;
  private boolean reorderingSeen;

  /** Oldest unacknowledged position. */
  long unacknowledged() {
    return unacknowledged;
  }

  /** Position after all that has been sent. */
  long sent() {
    return sent;
  }

  /** Sequence space that is believed to be on its way. */
  long inFlight() {
    return inFlight;
  }

  boolean isEmpty() {
    return first == null;
  }

  Transmission first() {
    return first;
  }

  int sackedCount() {
    return sackedCount;
  }

  Transmission send(long to, long now) {
    Transmission t = new Transmission();
    t.from = sent;
    t.to = to;
    t.sentAt = now;
    t.times = 1;
    append(t);
    sent = to;
    inFlight += t.length();
    return t;
  }

  private void append(Transmission t) {
    if (last == null) {
      first = t;
    } else {
      last.next = t;
    }
    last = t;
  }

  void resend(Transmission t, long now) {
    if (t.lost) {
      t.lost = false;
      lostCount--;
      inFlight += t.length();
    }
    t.sentAt = now;
    t.times++;
  }

  /** The oldest transmission to repeat, or null. */
  Transmission nextLost() {
    if (lostCount == 0) {
      return null;
    }
    Transmission t = first;
    while (!t.lost) {
      t = t.next;
    }
    return t;
  }

  /** Takes everything below {@code position} off; samples the round trip. */
  void acknowledge(long position, long now, RttEstimator rtt) {
    while (first != null && first.from < position) {
      Transmission t = first;
      if (t.to > position) {
        split(t, position);
      }
      if (!t.sacked) {
        if (t.times == 1 && t.to < highestSacked) {
          reorderingSeen = true;
        }
        delivered(t, now, rtt);
      }
      forget(t);
    }
    unacknowledged = Math.max(unacknowledged, position);
  }

  private void forget(Transmission t) {
    if (t.sacked) {
      sackedCount--;
    } else if (t.lost) {
      lostCount--;
    } else {
      inFlight -= t.length();
    }
    first = t.next;
    if (first == null) {
      last = null;
    }
  }

  /** Marks what lies in a range as arrived. Ranges outside what is unacknowledged are ignored. */
  void selectivelyAcknowledge(long from, long to, long now, RttEstimator rtt) {
    if (from >= to || from < unacknowledged || to > sent) {
      return;
    }
    for (Transmission t = first; t != null && t.from < to; t = t.next) {
      if (t.sacked || t.to <= from) {
        continue;
      }
      if (t.from < from) {
        split(t, from);
        continue;
      }
      if (t.to > to) {
        split(t, to);
      }
      arrived(t, now, rtt);
    }
    highestSacked = Math.max(highestSacked, to);
  }

  private void arrived(Transmission t, long now, RttEstimator rtt) {
    if (t.times == 1 && t.to < highestSacked) {
      reorderingSeen = true;
    }
    delivered(t, now, rtt);
    if (t.lost) {
      t.lost = false;
      lostCount--;
    } else {
      inFlight -= t.length();
    }
    t.sacked = true;
    sackedCount++;
  }

  /** Cuts a transmission in two at a position inside it. */
  void split(Transmission t, long at) {
    Transmission rest = new Transmission();
    rest.from = at;
    rest.to = t.to;
    rest.sentAt = t.sentAt;
    rest.times = t.times;
    rest.sacked = t.sacked;
    rest.lost = t.lost;
    rest.next = t.next;
    t.to = at;
    t.next = rest;
    if (last == t) {
      last = rest;
    }
    if (t.sacked) {
      sackedCount++;
    } else if (t.lost) {
      lostCount++;
    }
  }

  private void delivered(Transmission t, long now, RttEstimator rtt) {
    long elapsed = now - t.sentAt;
    if (t.times == 1) {
      rtt.sample(elapsed);
    } else if (elapsed < rtt.least()) {
      return; // It is the earlier copy that arrived.
    }
    if (t.sentAt > rackSentAt || t.sentAt == rackSentAt && t.to > rackTo) {
      rackSentAt = t.sentAt;
      rackTo = t.to;
      rackRtt = elapsed;
    }
  }

  /**
   * Marks what is overdue as lost.
   *
   * @return when to look again, or {@link Long#MAX_VALUE}
   */
  long findLosses(long now, RttEstimator rtt) {
    if (rackSentAt == Long.MIN_VALUE) {
      return Long.MAX_VALUE;
    }
    long patience = sackedCount >= DUPLICATES && !reorderingSeen ? 0 : Math.max(rtt.least() / 4, 1);
    long again = Long.MAX_VALUE;
    for (Transmission t = first; t != null; t = t.next) {
      if (t.sacked || t.lost || !leftBeforeNewestArrival(t)) {
        continue;
      }
      long due = t.sentAt + rackRtt + patience;
      if (due <= now) {
        lose(t);
      } else {
        again = Math.min(again, due);
      }
    }
    return again;
  }

  private boolean leftBeforeNewestArrival(Transmission t) {
    return t.sentAt < rackSentAt || t.sentAt == rackSentAt && t.to < rackTo;
  }

  /** Marks the oldest transmission as lost, if it isn't already. */
  void loseFirst() {
    if (first != null && !first.sacked && !first.lost) {
      lose(first);
    }
  }

  void loseAll() {
    for (Transmission t = first; t != null; t = t.next) {
      if (!t.sacked && !t.lost) {
        lose(t);
      }
    }
  }

  /**
   * Forgets what the peer said it has beyond gaps, which it may take back (RFC 2018 §8), and loses
   * everything.
   */
  void loseAllAndDistrustSack() {
    for (Transmission t = first; t != null; t = t.next) {
      if (t.sacked) {
        t.sacked = false;
        sackedCount--;
        t.lost = true;
        lostCount++;
      }
    }
    loseAll();
  }

  private void lose(Transmission t) {
    t.lost = true;
    lostCount++;
    inFlight -= t.length();
  }

  void clear() {
    first = null;
    last = null;
    lostCount = 0;
    sackedCount = 0;
    inFlight = 0;
  }

  int lostCount() {
    return lostCount;
  }
}
