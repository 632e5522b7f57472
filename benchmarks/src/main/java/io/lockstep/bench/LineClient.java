package io.lockstep.bench;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** A client of a service that answers each line with a line: the small guest's ledger, or redis. */
final class LineClient implements AutoCloseable {
  private static final int TIMEOUT_MS = 30_000;
  private static final long START_NANOS = 240_000_000_000L;
  private static final int RETRY_MS = 100;

  private final Socket socket;
  private final InputStream in;
  private final OutputStream out;

  private LineClient(Socket socket) throws IOException {
    this.socket = socket;
    socket.setTcpNoDelay(true);
    socket.setSoTimeout(TIMEOUT_MS);
    in = new BufferedInputStream(socket.getInputStream(), 1 << 16);
    out = socket.getOutputStream();
  }

  /** Connects as soon as the service answers this request. */
  static LineClient connect(InetSocketAddress address, String hello)
      throws IOException, InterruptedException {
    long end = System.nanoTime() + START_NANOS;
    while (true) {
      Socket socket = new Socket();
      try {
        socket.connect(address, TIMEOUT_MS);
        LineClient client = new LineClient(socket);
        client.ask(hello);
        return client;
      } catch (IOException e) {
        socket.close();
        if (System.nanoTime() > end) {
          throw new IOException("The guest's service at %s does not answer.".formatted(address), e);
        }
        Thread.sleep(RETRY_MS);
      }
    }
  }

  void send(String request) throws IOException {
    out.write((request + "\n").getBytes(StandardCharsets.US_ASCII));
  }

  String receive() throws IOException {
    StringBuilder line = new StringBuilder();
    for (int c = in.read(); c != '\n'; c = in.read()) {
      if (c < 0) {
        throw new IOException("The guest has closed the connection.");
      }
      line.append((char) c);
    }
    return line.toString().strip();
  }

  String ask(String request) throws IOException {
    send(request);
    return receive();
  }

  /**
   * Sends requests, so many at once, and waits for their replies, again and again.
   *
   * @return replies a second
   * @throws IOException also if a reply does not begin as expected
   */
  double rate(String request, int atOnce, double seconds, String expected) throws IOException {
    byte[] batch = (request + "\n").repeat(atOnce).getBytes(StandardCharsets.US_ASCII);
    long begin = System.nanoTime();
    long replies = 0;
    while (System.nanoTime() - begin < seconds * 1e9) {
      out.write(batch);
      for (int i = 0; i < atOnce; i++) {
        String reply = receive();
        if (!reply.startsWith(expected)) {
          throw new IOException("The guest refused work: " + reply);
        }
        replies++;
      }
    }
    return replies / ((System.nanoTime() - begin) / 1e9);
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
