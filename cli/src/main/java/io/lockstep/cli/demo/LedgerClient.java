package io.lockstep.cli.demo;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * A client of the small guest's ledger that keeps one TCP connection open for ever: it appends 1,
 * 2, 3, ..., waits for each reply, and remembers what was acknowledged. It never reconnects: a
 * broken connection is the end.
 */
final class LedgerClient implements AutoCloseable {
  private static final int CONNECT_TIMEOUT_MS = 5_000;
  private static final int REPLY_TIMEOUT_MS = 30_000;
  private static final long THINK_MS = 2;

  /**
   * An acknowledged value.
   *
   * @param value what was appended
   * @param atNanos when the reply came
   * @param tookNanos how long it took
   */
  record Ack(long value, long atNanos, long tookNanos) {}

  private final Socket socket;
  private final OutputStream out;
  private final BufferedReader in;
  private final Thread thread;
  private final List<Ack> acks = new ArrayList<>();
  private volatile boolean stopping;
  private volatile String failure;
  private volatile long lastValue;
  private volatile long lastTookNanos;

  private LedgerClient(Socket socket) throws IOException {
    this.socket = socket;
    socket.setTcpNoDelay(true);
    socket.setSoTimeout(REPLY_TIMEOUT_MS);
    out = socket.getOutputStream();
    in =
        new BufferedReader(
            new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
    thread = Thread.ofPlatform().name("demo-client").unstarted(this::loop);
  }

  /** Connects; the guest must be up. */
  static LedgerClient connect(InetSocketAddress address) throws IOException {
    Socket socket = new Socket();
    try {
      socket.connect(address, CONNECT_TIMEOUT_MS);
      LedgerClient client = new LedgerClient(socket);
      client.request("PING");
      client.thread.start();
      return client;
    } catch (IOException e) {
      socket.close();
      throw e;
    }
  }

  private void loop() {
    try {
      for (long value = 1; !stopping; value++) {
        long before = System.nanoTime();
        String reply = request("APPEND " + value + " demo");
        long after = System.nanoTime();
        checkReply(value, reply);
        synchronized (acks) {
          acks.add(new Ack(value, after, after - before));
        }
        lastValue = value;
        lastTookNanos = after - before;
        Thread.sleep(THINK_MS);
      }
    } catch (IOException e) {
      failure =
          "The client's connection broke after value %d: %s.".formatted(lastValue, e.getMessage());
    } catch (DemoException e) {
      failure = e.getMessage();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void checkReply(long value, String reply) throws DemoException {
    String[] words = reply.split(" ");
    if (words.length != 3 || !words[0].equals("OK") || !words[2].equals(Long.toString(value))) {
      throw new DemoException("The guest answered '%s' to value %d.".formatted(reply, value));
    }
  }

  private synchronized String request(String line) throws IOException {
    out.write((line + "\n").getBytes(StandardCharsets.US_ASCII));
    out.flush();
    String reply = in.readLine();
    if (reply == null) {
      throw new IOException("the guest closed it");
    }
    return reply;
  }

  /** The newest acknowledged value. */
  long lastValue() {
    return lastValue;
  }

  /** How long the newest reply took, in ns. */
  long lastTookNanos() {
    return lastTookNanos;
  }

  /** What went wrong, or null. */
  String failure() {
    return failure;
  }

  /** The longest that any reply which came between the two times took, in ns. */
  long longestWait(long fromNanos, long toNanos) {
    long longest = 0;
    synchronized (acks) {
      for (int i = acks.size() - 1; i >= 0 && acks.get(i).atNanos() >= fromNanos; i--) {
        if (acks.get(i).atNanos() - acks.get(i).tookNanos() <= toNanos) {
          longest = Math.max(longest, acks.get(i).tookNanos());
        }
      }
    }
    return longest;
  }

  /** The median time that replies took which came between the two times, in ns. */
  long medianWait(long fromNanos, long toNanos) {
    synchronized (acks) {
      long[] took =
          acks.stream()
              .filter(a -> a.atNanos() >= fromNanos && a.atNanos() <= toNanos)
              .mapToLong(Ack::tookNanos)
              .sorted()
              .toArray();
      return took.length == 0 ? 0 : took[took.length / 2];
    }
  }

  /**
   * Stops appending and asks the guest what it remembers.
   *
   * @throws DemoException if that is not exactly what was acknowledged
   */
  long verify() throws DemoException {
    stopping = true;
    try {
      thread.join(REPLY_TIMEOUT_MS);
      if (failure != null) {
        throw new DemoException(failure);
      }
      String reply = request("LEDGER demo");
      long n = lastValue;
      String expected = "%d count=%d sum=%d".formatted(n, n, n * (n + 1) / 2);
      if (!reply.endsWith(expected)) {
        throw new DemoException(
            "The guest's ledger is '%s' where '%s' was acknowledged.".formatted(reply, expected));
      }
      return n;
    } catch (IOException e) {
      throw new DemoException(
          "The client's connection broke at the end: %s.".formatted(e.getMessage()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DemoException("The demo was interrupted.");
    }
  }

  @Override
  public void close() {
    stopping = true;
    try {
      socket.close();
      thread.join(1_000);
    } catch (IOException e) {
      // It was only read from and written to in this process; nothing can be lost.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
