package io.lockstep.cli.console;

import io.lockstep.host.backend.StreamConsole;
import io.lockstep.host.backend.TypedInput;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.IntUnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A guest's console on this process's standard input and output. On a terminal: raw mode, with
 * {@link EscapeKeys}. Otherwise: what comes in is typed, as it is, and its end means nothing.
 */
public final class ConsoleSession implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ConsoleSession.class);

  private final Optional<Terminal> terminal = Terminal.ofStandardInput();
  private final StreamConsole console;
  private final OutputStream log;
  private boolean closed;

  /**
   * Prepares a session; the terminal is left alone until {@link #start}.
   *
   * @param log gets a copy of what the guest writes, and is closed with the session; null for none
   */
  public ConsoleSession(OutputStream log) {
    this.log = log;
    OutputStream out = new FileOutputStream(FileDescriptor.out);
    console =
        new StreamConsole(
            log == null ? out : new CopyingStream(out, log), StreamConsole.WhenFull.WAIT);
  }

  /** The console for the machine's backends. */
  public StreamConsole console() {
    return console;
  }

  /** Whether a user sits at a terminal. */
  public boolean isInteractive() {
    return terminal.isPresent();
  }

  /**
   * Begins to read what is typed. Called once.
   *
   * @param backlog how many typed bytes the device with an id keeps for the guest
   * @param commands gets the user's commands, on a thread of the session
   */
  public void start(IntUnaryOperator backlog, Consumer<EscapeKeys.Command> commands) {
    synchronized (this) {
      if (closed) {
        return;
      }
      terminal.ifPresent(Terminal::enterRawMode);
    }
    TypedInput typed = new TypedInput(console, backlog);
    Runnable reader = isInteractive() ? () -> readKeys(typed, commands) : () -> readStream(typed);
    Thread.ofPlatform().daemon().name("console-input").start(reader);
  }

  private static void readKeys(TypedInput typed, Consumer<EscapeKeys.Command> commands) {
    EscapeKeys escapes = new EscapeKeys();
    readAll(
        (buffer, length) -> {
          byte[] forGuest = escapes.filter(buffer, length, commands);
          if (forGuest.length > 0 && !typed.offer(forGuest)) {
            LOG.debug("the guest does not read: {} typed bytes are lost", forGuest.length);
          }
        });
  }

  private static void readStream(TypedInput typed) {
    readAll((buffer, length) -> typed.put(Arrays.copyOf(buffer, length)));
  }

  /** Takes what was read. */
  private interface Taker {
    void take(byte[] buffer, int length) throws InterruptedException;
  }

  private static void readAll(Taker taker) {
    InputStream in = System.in;
    byte[] buffer = new byte[4096];
    try {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        taker.take(buffer, n);
      }
    } catch (IOException e) {
      LOG.debug("standard input ends", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Shows what the guest has written, and gives the terminal back. May be called twice. */
  @Override
  public void close() {
    console.close();
    synchronized (this) {
      if (!closed) {
        closed = true;
        terminal.ifPresent(Terminal::restore);
        closeLog();
      }
    }
  }

  private void closeLog() {
    if (log != null) {
      try {
        log.close();
      } catch (IOException e) {
        LOG.warn("the console log is incomplete: {}", e.getMessage());
      }
    }
  }

  /** Copies to a second stream, until that fails. */
  private static final class CopyingStream extends OutputStream {
    private final OutputStream first;
    private final OutputStream second;
    private boolean secondFailed;

    CopyingStream(OutputStream first, OutputStream second) {
      this.first = first;
      this.second = second;
    }

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] b, int offset, int length) throws IOException {
      if (!secondFailed) {
        try {
          second.write(b, offset, length);
        } catch (IOException e) {
          secondFailed = true;
          LOG.warn("the console log ends here: {}", e.getMessage());
        }
      }
      first.write(b, offset, length);
    }

    @Override
    public void flush() throws IOException {
      first.flush();
    }
  }
}
