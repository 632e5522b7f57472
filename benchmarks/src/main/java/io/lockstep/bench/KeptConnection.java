package io.lockstep.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A client with one TCP connection, never another: it appends 1, 2, 3, ... and checks each reply.
 */
final class KeptConnection implements AutoCloseable {
  private static final int REPLY_TIMEOUT_MS = 60_000;
  private static final int CONNECT_TIMEOUT_MS = 1_000;
  private static final int ATTEMPTS_MAX = 300;
  private static final long ATTEMPT_PAUSE_NANOS = 200_000_000;

  private final Service service;
  private final Socket socket;
  private final OutputStream out;
  private final BufferedReader in;
  private final Thread thread = Thread.ofPlatform().name("client").unstarted(this::loop);
  private final List<Reply> replies = new ArrayList<>();
  private volatile long thinkMs = 2;
  private volatile boolean stopping;
  private volatile boolean resting;
  private volatile IOException failure;

  /** When a request was made and when its reply came. */
  private record Reply(long begin, long end) {}

  /** What the guest offers. */
  enum Service {
    /** The small guest's ledger. */
    LEDGER,
    /** A list in redis. */
    REDIS
  }

  /** Connects; keeps trying until the guest's service is up. */
  KeptConnection(Service service, InetSocketAddress address) throws IOException {
    this.service = service;
    Socket connected = null;
    BufferedReader reader = null;
    for (int attempt = 0; reader == null; attempt++) {
      connected = new Socket();
      try {
        connected.connect(address, CONNECT_TIMEOUT_MS);
        connected.setTcpNoDelay(true);
        connected.setSoTimeout(REPLY_TIMEOUT_MS);
        reader =
            new BufferedReader(
                new InputStreamReader(connected.getInputStream(), StandardCharsets.US_ASCII));
        connected.getOutputStream().write("PING\r\n".getBytes(StandardCharsets.US_ASCII));
        if (reader.readLine() == null) {
          throw new IOException("The guest's service does not answer.");
        }
      } catch (IOException e) {
        connected.close();
        reader = null;
        if (attempt == ATTEMPTS_MAX) {
          throw e;
        }
        // A guest that boots refuses at once.
        LockSupport.parkNanos(ATTEMPT_PAUSE_NANOS);
      }
    }
    socket = connected;
    in = reader;
    out = socket.getOutputStream();
    thread.start();
  }

  private void loop() {
    try {
      for (long n = 1; !stopping; ) {
        if (resting) {
          Thread.sleep(1);
          continue;
        }
        long begin = System.nanoTime();
        String reply = append(n);
        long end = System.nanoTime();
        String wanted = service == Service.REDIS ? ":" + n : "OK %d %d".formatted(n, n);
        if (!reply.equals(wanted)) {
          throw new IOException("The reply to value %d was '%s'.".formatted(n, reply));
        }
        synchronized (replies) {
          replies.add(new Reply(begin, end));
        }
        n++;
        Thread.sleep(thinkMs);
      }
    } catch (IOException e) {
      failure = e;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private String append(long n) throws IOException {
    return request(
        switch (service) {
          case LEDGER -> "APPEND " + n + " bench\n";
          case REDIS -> "RPUSH bench " + n + "\r\n";
        });
  }

  private String request(String line) throws IOException {
    out.write(line.getBytes(StandardCharsets.US_ASCII));
    String reply = in.readLine();
    if (reply == null) {
      throw new IOException("The connection was closed.");
    }
    return reply;
  }

  /** Makes no requests until {@link #wake}. */
  void rest() {
    resting = true;
  }

  /** Ends a rest. */
  void wake() {
    resting = false;
  }

  /** How many values were acknowledged. */
  long acknowledged() throws IOException {
    if (failure != null) {
      throw failure;
    }
    synchronized (replies) {
      return replies.size();
    }
  }

  /** Waits for so many more acknowledged values. */
  void awaitMore(int values) throws IOException, InterruptedException {
    long wanted = acknowledged() + values;
    while (acknowledged() < wanted) {
      Thread.sleep(1);
    }
  }

  /**
   * The longest time without an answer after {@code kill}, of requests made until 1.5 s later, in
   * ms.
   */
  double pauseAfter(long kill) {
    long pause = 0;
    synchronized (replies) {
      for (int i = replies.size() - 1; i >= 0 && replies.get(i).end() > kill; i--) {
        Reply r = replies.get(i);
        if (r.begin() < kill + TimeUnit.MILLISECONDS.toNanos(1500)) {
          pause = Math.max(pause, r.end() - Math.max(kill, r.begin()));
        }
      }
    }
    return pause / 1e6;
  }

  /** The longest wait for a reply that came after {@code begin}, in ms. */
  double longestSince(long begin) {
    long longest = 0;
    synchronized (replies) {
      for (int i = replies.size() - 1; i >= 0 && replies.get(i).end() > begin; i--) {
        longest = Math.max(longest, replies.get(i).end() - replies.get(i).begin());
      }
    }
    return longest / 1e6;
  }

  /**
   * Stops, and asks the guest for all that it remembers.
   *
   * @return how many values were acknowledged
   * @throws IOException if the guest does not remember exactly these
   */
  long stopAndVerify() throws IOException, InterruptedException {
    stopping = true;
    thread.join();
    long n = acknowledged();
    if (service == Service.LEDGER) {
      String reply = request("LEDGER bench\n");
      if (!reply.endsWith(" count=%d sum=%d".formatted(n, n * (n + 1) / 2))) {
        throw new IOException("%d values were acknowledged, but: %s".formatted(n, reply));
      }
      return n;
    }
    String count = request("LRANGE bench 0 -1\r\n");
    if (!count.equals("*" + n)) {
      throw new IOException(
          "%d values were acknowledged, and the list has %s.".formatted(n, count));
    }
    for (long i = 1; i <= n; i++) {
      in.readLine();
      String value = in.readLine();
      if (!Long.toString(i).equals(value)) {
        throw new IOException("Value %d of the list is '%s'.".formatted(i, value));
      }
    }
    return n;
  }

  @Override
  public void close() throws IOException {
    stopping = true;
    socket.close();
  }
}
