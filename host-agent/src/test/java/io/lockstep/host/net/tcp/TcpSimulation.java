package io.lockstep.host.net.tcp;

import java.util.Arrays;
import java.util.PriorityQueue;
import java.util.Random;

/** Two connections and a bad link between them, in virtual time: one seed makes one run. */
final class TcpSimulation {
  static final long MS = 1_000_000L;

  /** What the link does to segments, in percent, and how long they take. */
  record Link(int loss, int duplication, int reordering, long delay) {}

  private record Arrival(long at, long order, int to, byte[] header, byte[] payload) {}

  private final Random random;
  private final Link link;
  private final PriorityQueue<Arrival> wire =
      new PriorityQueue<>(
          (a, b) -> a.at != b.at ? Long.compare(a.at, b.at) : Long.compare(a.order, b.order));
  final BufferPool pool = new BufferPool();
  final End[] ends = {new End(0), new End(1)};
  long now = 1_000 * MS;
  long segments;
  long timeOfEnd;
  boolean withoutOptions;
  boolean withoutLarge;
  boolean[] cut = {false, false};
  private long order;

  TcpSimulation(long seed, Link link) {
    this.random = new Random(seed);
    this.link = link;
  }

  /** One side: a connection and an application that checks a stream and sends one. */
  final class End implements TcpConnection.Application, TcpConnection.Output {
    final int index;
    TcpConnection connection;
    TcpConfig config = TcpConfig.DEFAULT;
    long toSend;
    long sent;
    long received;
    long takeLimit = Long.MAX_VALUE;
    boolean closeWhenSent = true;
    boolean established;
    boolean endOfStream;
    TcpConnection.End end;
    String wrong;
    private final byte[] scratch = new byte[70_000];

    End(int index) {
      this.index = index;
    }

    @Override
    public void established() {
      established = true;
    }

    @Override
    public int deliver(byte[] data, int offset, int length) {
      int count = (int) Math.min(length, takeLimit - received);
      for (int i = 0; i < count; i++) {
        if (data[offset + i] != pattern(1 - index, received + i) && wrong == null) {
          wrong = "byte " + (received + i) + " is wrong";
        }
      }
      received += count;
      return count;
    }

    @Override
    public void endOfStream() {
      endOfStream = true;
    }

    @Override
    public void sendSpace() {}

    @Override
    public void ended(TcpConnection.End how) {
      end = how;
    }

    void feed() {
      byte[] chunk = new byte[8192];
      while (sent < toSend && connection.sendSpace() > 0) {
        int count = (int) Math.min(Math.min(chunk.length, toSend - sent), connection.sendSpace());
        for (int i = 0; i < count; i++) {
          chunk[i] = pattern(index, sent + i);
        }
        sent += connection.write(chunk, 0, count);
      }
      if (sent == toSend && closeWhenSent) {
        connection.closeOutput();
      }
    }

    @Override
    public byte[] payloadArray() {
      return scratch;
    }

    @Override
    public int payloadOffset() {
      return 128;
    }

    @Override
    public boolean congested(TcpConnection c) {
      return false;
    }

    @Override
    public void transmit(TcpConnection c, TcpSegment s) {
      put(1 - index, s);
    }
  }

  static byte pattern(int direction, long position) {
    long x = (position + 1) * 0x9E3779B97F4A7C15L + direction;
    return (byte) (x >>> 40 ^ x >>> 17);
  }

  private void put(int to, TcpSegment s) {
    if (withoutLarge && s.length > 1460) {
      return;
    }
    byte[] header = new byte[s.headerLength()];
    s.writeHeader(header, 0);
    // The link cuts bursts to the segment size, as the switch does for a port without segmentation
    // offload.
    int mss = 1460;
    int done = 0;
    do {
      int size = Math.min(mss, s.length - done);
      byte[] piece = header.clone();
      boolean last = done + size == s.length;
      io.lockstep.host.net.wire.Bytes.put32(piece, 4, s.sequence + done);
      if (!last) {
        piece[13] &= ~(TcpSegment.FIN | TcpSegment.PSH);
      }
      byte[] payload =
          size == 0
              ? new byte[0]
              : Arrays.copyOfRange(s.data, s.offset + done, s.offset + done + size);
      carry(to, piece, payload);
      done += size;
    } while (done < s.length);
  }

  private void carry(int to, byte[] header, byte[] payload) {
    segments++;
    if (cut[to] || random.nextInt(100) < link.loss) {
      return;
    }
    int copies = random.nextInt(100) < link.duplication ? 2 : 1;
    for (int i = 0; i < copies; i++) {
      long delay = link.delay;
      if (random.nextInt(100) < link.reordering) {
        delay += random.nextLong(link.delay * 8);
      }
      wire.add(new Arrival(now + delay, order++, to, header, payload));
    }
  }

  void open() {
    ends[0].connection =
        TcpConnection.connect(ends[0].config, pool, ends[0], ends[0], random.nextInt(), now);
    ends[0].feed();
    ends[0].connection.flush(now);
  }

  /** Runs until nothing can happen any more or the time is over; false if the time was over. */
  boolean run(long until) {
    while (now <= until) {
      Arrival arrival = wire.peek();
      long next = arrival == null ? Long.MAX_VALUE : arrival.at;
      for (End end : ends) {
        if (end.connection != null) {
          next = Math.min(next, end.connection.deadline());
        }
      }
      if (next == Long.MAX_VALUE || next > until) {
        now = Math.min(next, until);
        return next == Long.MAX_VALUE;
      }
      now = Math.max(now, next);
      step();
    }
    return false;
  }

  private void step() {
    while (!wire.isEmpty() && wire.peek().at <= now) {
      arrive(wire.poll());
    }
    for (End end : ends) {
      if (end.connection != null) {
        if (end.connection.deadline() <= now) {
          end.connection.onTimer(now);
        }
        end.feed();
        end.connection.flush(now);
      }
    }
    if (ends[0].endOfStream && ends[1].endOfStream && timeOfEnd == 0) {
      timeOfEnd = now;
    }
  }

  private void arrive(Arrival a) {
    byte[] bytes = Arrays.copyOf(a.header, a.header.length + a.payload.length);
    System.arraycopy(a.payload, 0, bytes, a.header.length, a.payload.length);
    TcpSegment segment = new TcpSegment();
    if (!segment.parse(bytes, 0, bytes.length)) {
      throw new AssertionError("the engine sent a malformed segment");
    }
    if (withoutOptions) {
      segment.sackPermitted = false;
      segment.windowScale = -1;
      segment.sackBlocks = 0;
    }
    End end = ends[a.to];
    if (end.connection == null) {
      if (!segment.has(TcpSegment.SYN) || segment.has(TcpSegment.ACK)) {
        return;
      }
      end.connection =
          TcpConnection.fromSyn(end.config, pool, end, end, segment, random.nextInt(), now);
      end.connection.accept();
      return;
    }
    end.connection.onSegment(segment, now);
  }
}
