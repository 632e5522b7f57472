package io.lockstep.bench;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The link between two hosts: takes connections on loopback and makes them on to an address, counts
 * what passes, and can be cut, so that nothing passes any more and nobody is told.
 */
final class LinkRelay implements AutoCloseable {
  private final ServerSocket listener = new ServerSocket(0, 8, InetAddress.getLoopbackAddress());
  private final InetSocketAddress to;
  private final List<Socket> sockets = new CopyOnWriteArrayList<>();
  private final AtomicLong there = new AtomicLong();
  private final AtomicLong back = new AtomicLong();
  private volatile boolean cut;

  /** A link to {@code to}, written {@code HOST:PORT}. */
  LinkRelay(String to) throws IOException {
    int colon = to.lastIndexOf(':');
    this.to =
        new InetSocketAddress(
            InetAddress.getByName(to.substring(0, colon)),
            Integer.parseInt(to.substring(colon + 1)));
    Thread.ofVirtual().start(this::accept);
  }

  /** Where this end of it is. */
  String address() {
    return listener.getInetAddress().getHostAddress() + ":" + listener.getLocalPort();
  }

  /** Bytes from those who connected. */
  long bytesThere() {
    return there.get();
  }

  /** Bytes to those who connected. */
  long bytesBack() {
    return back.get();
  }

  /** From now on nothing passes. */
  void cut() {
    cut = true;
  }

  private void accept() {
    try {
      while (true) {
        Socket from = listener.accept();
        sockets.add(from);
        Socket onward = new Socket();
        sockets.add(onward);
        Thread.ofVirtual().start(() -> connect(from, onward));
      }
    } catch (IOException e) {
      // Closed.
    }
  }

  private void connect(Socket from, Socket onward) {
    try {
      if (cut) {
        return;
      }
      onward.connect(to);
      from.setTcpNoDelay(true);
      onward.setTcpNoDelay(true);
      Thread.ofVirtual().start(() -> pass(from, onward, there));
      pass(onward, from, back);
    } catch (IOException e) {
      closeQuietly(from);
    }
  }

  private void pass(Socket from, Socket onward, AtomicLong count) {
    byte[] buffer = new byte[64 << 10];
    try {
      InputStream in = from.getInputStream();
      OutputStream out = onward.getOutputStream();
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        if (cut) {
          // A cut wire closes no connection: both ends stay open until the relay goes.
          return;
        }
        count.addAndGet(n);
        out.write(buffer, 0, n);
      }
    } catch (IOException e) {
      // One end is gone: so is the other.
    }
    closeQuietly(from);
    closeQuietly(onward);
  }

  private static void closeQuietly(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      // Gone is gone.
    }
  }

  @Override
  public void close() throws IOException {
    listener.close();
    sockets.forEach(LinkRelay::closeQuietly);
  }
}
