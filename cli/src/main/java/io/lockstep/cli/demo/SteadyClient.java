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
 * A client that keeps one TCP connection open for ever: it appends 1, 2, 3, ..., waits for each
 * reply, and remembers what was acknowledged. It never reconnects: a broken connection is the end.
 */
final class SteadyClient implements AutoCloseable {
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

  /** What the client says, and what it must hear: the small guest's ledger, or a redis list. */
  enum Service {
    /** See {@code docs/small-guest.md}. */
    LEDGER {
      @Override
      String append(long value) {
        return "APPEND " + value + " demo";
      }

      @Override
      boolean isAcknowledged(String reply, long value) {
        return reply.matches("OK \\d+ " + value);
      }

      @Override
      String recall() {
        return "LEDGER demo";
      }

      @Override
      boolean isAll(String reply, long n) {
        return reply.endsWith(" %d count=%d sum=%d".formatted(n, n, n * (n + 1) / 2));
      }
    },

    /** Inline commands of redis; a push is answered by the new length of the list. */
    REDIS {
      @Override
      String append(long value) {
        return "RPUSH demo " + value;
      }

      @Override
      boolean isAcknowledged(String reply, long value) {
        return reply.equals(":" + value);
      }

      @Override
      String recall() {
        // One line of an answer: length, newest, and whether every value stands at its place.
        return "EVAL \"local l=redis.call('LRANGE','demo',0,-1) for i,v in ipairs(l) do"
            + " if tonumber(v)~=i then return -i end end return #l\" 0";
      }

      @Override
      boolean isAll(String reply, long n) {
        return reply.equals(":" + n);
      }
    };

    /** Appends a value. */
    abstract String append(long value);

    /** Whether this is the answer to {@link #append}. */
    abstract boolean isAcknowledged(String reply, long value);

    /** Asks what the guest remembers. */
    abstract String recall();

    /** Whether the guest remembers 1 to n, each once and nothing else. */
    abstract boolean isAll(String reply, long n);
  }

  private final Service service;
  private final Socket socket;
  private final OutputStream out;
  private final BufferedReader in;
  private final Thread thread;
  private final List<Ack> acks = new ArrayList<>();
  private volatile boolean stopping;
  private volatile String failure;
  private volatile long lastValue;
  private volatile long lastTookNanos;

  private SteadyClient(Service service, Socket socket) throws IOException {
    this.service = service;
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
  static SteadyClient connect(Service service, InetSocketAddress address) throws IOException {
    Socket socket = new Socket();
    try {
      socket.connect(address, CONNECT_TIMEOUT_MS);
      SteadyClient client = new SteadyClient(service, socket);
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
        String reply = request(service.append(value));
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

  private void checkReply(long value, String reply) throws DemoException {
    if (!service.isAcknowledged(reply, value)) {
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
      String reply = request(service.recall());
      long n = lastValue;
      if (!service.isAll(reply, n)) {
        throw new DemoException(
            "The guest remembers '%s' where 1 to %d were acknowledged.".formatted(reply, n));
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
