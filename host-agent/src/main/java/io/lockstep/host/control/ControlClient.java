package io.lockstep.host.control;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Serial;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Asks other processes of the user on this host. */
public final class ControlClient {
  private static final String SUFFIX = ".sock";
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private ControlClient() {}

  /** The processes that can be asked, by number. Sockets that dead processes left are removed. */
  public static List<Long> processes() throws IOException {
    return processes(RuntimeDirectory.path());
  }

  /** The same for another runtime directory. */
  public static List<Long> processes(Path directory) throws IOException {
    List<Long> found = new ArrayList<>();
    if (!Files.isDirectory(directory)) {
      return found;
    }
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.sorted().toList()) {
        String name = file.getFileName().toString();
        if (name.matches("\\d{1,10}\\.sock")) {
          long pid = Long.parseLong(name.substring(0, name.length() - SUFFIX.length()));
          if (ProcessHandle.of(pid).isPresent()) {
            found.add(pid);
          } else {
            Files.deleteIfExists(file);
          }
        }
      }
    }
    return found;
  }

  /**
   * Sends a request to a process.
   *
   * @return the reply; empty if the process has ended
   * @throws IOException with a sentence for the user; also if the process does not answer within
   *     five seconds, because it is stopped, say
   */
  public static Optional<String> ask(long pid, String request) throws IOException {
    return ask(pid, request, PATIENCE);
  }

  /** The same for a request that takes longer to answer. */
  public static Optional<String> ask(long pid, String request, Duration patience)
      throws IOException {
    return ask(RuntimeDirectory.path(), pid, request, patience);
  }

  /** The same for another runtime directory. */
  public static Optional<String> ask(Path directory, long pid, String request) throws IOException {
    return ask(directory, pid, request, PATIENCE);
  }

  private static Optional<String> ask(Path directory, long pid, String request, Duration patience)
      throws IOException {
    Path socket = RuntimeDirectory.socket(directory, pid);
    if (!Files.exists(socket)) {
      return Optional.empty();
    }
    try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
      return ask(channel, pid, request, patience);
    } catch (Unanswered e) {
      throw e;
    } catch (IOException e) {
      // Refused, reset or broken: nobody is there any more.
      return Optional.empty();
    }
  }

  /** Somebody is there, but does not answer. */
  private static final class Unanswered extends IOException {
    @Serial private static final long serialVersionUID = 1;

    Unanswered(long pid, Throwable cause) {
      super("Process %d does not answer; is it stopped?".formatted(pid), cause);
    }
  }

  private static Optional<String> ask(
      SocketChannel channel, long pid, String request, Duration patience) throws IOException {
    Thread closer = Thread.ofVirtual().start(() -> closeLater(channel, patience));
    try {
      Channels.newOutputStream(channel).write((request + "\n").getBytes(StandardCharsets.UTF_8));
      BufferedReader in = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
      return Optional.ofNullable(in.readLine());
    } catch (ClosedChannelException e) {
      throw new Unanswered(pid, e);
    } finally {
      closer.interrupt();
    }
  }

  private static void closeLater(SocketChannel channel, Duration patience) {
    try {
      Thread.sleep(patience);
      channel.close();
    } catch (InterruptedException e) {
      // It was answered.
    } catch (IOException e) {
      // Then the reader has noticed already.
    }
  }
}
