package io.lockstep.host.control;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.UnaryOperator;

/**
 * Answers questions about this process on a Unix socket: a connection carries one request line and
 * one reply line. The socket is the user's own, so nobody else can ask.
 */
public final class ControlServer implements AutoCloseable {
  private static final int REQUEST_MAX = 16_384;

  private final ServerSocketChannel server;
  private final Path path;
  private final UnaryOperator<String> answers;

  private ControlServer(ServerSocketChannel server, Path path, UnaryOperator<String> answers) {
    this.server = server;
    this.path = path;
    this.answers = answers;
  }

  /**
   * Starts to answer, at {@code PID.sock} in the runtime directory.
   *
   * @param answers from a request line to a reply line; called on threads of the server, also at
   *     once
   * @throws IOException with a sentence for the user
   */
  public static ControlServer start(UnaryOperator<String> answers) throws IOException {
    Path path = RuntimeDirectory.socket(RuntimeDirectory.open(), ProcessHandle.current().pid());
    // A process that was killed leaves its socket behind, and its number can come back.
    Files.deleteIfExists(path);
    ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    boolean done = false;
    try {
      server.bind(UnixDomainSocketAddress.of(path));
      done = true;
    } finally {
      if (!done) {
        server.close();
      }
    }
    ControlServer control = new ControlServer(server, path, answers);
    Thread.ofPlatform().daemon().name("control").start(control::serve);
    return control;
  }

  private void serve() {
    while (server.isOpen()) {
      try {
        SocketChannel client = server.accept();
        Thread.ofVirtual().start(() -> answer(client));
      } catch (IOException e) {
        return;
      }
    }
  }

  private void answer(SocketChannel client) {
    try (client) {
      BufferedReader in =
          new BufferedReader(Channels.newReader(client, StandardCharsets.UTF_8), REQUEST_MAX);
      char[] line = new char[REQUEST_MAX];
      int length = 0;
      for (int c = in.read(); c >= 0 && c != '\n' && length < REQUEST_MAX; c = in.read()) {
        line[length++] = (char) c;
      }
      String reply = answers.apply(new String(line, 0, length)) + "\n";
      Channels.newOutputStream(client).write(reply.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      // The one who asked has gone.
    }
  }

  @Override
  public void close() {
    try {
      server.close();
      Files.deleteIfExists(path);
    } catch (IOException e) {
      // A socket file that stays is found stale by the next one who asks.
    }
  }
}
