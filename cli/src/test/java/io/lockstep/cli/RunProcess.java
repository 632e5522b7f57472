package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A {@code lockstep} command as a process of its own, from the classes under test. */
final class RunProcess implements AutoCloseable {
  /** Far longer than anything takes, also on a busy machine. */
  private static final long PATIENCE_SECONDS = 120;

  private final Process process;
  private final Collector out;
  private final Collector err;

  private RunProcess(Process process) {
    this.process = process;
    out = new Collector(process.getInputStream());
    err = new Collector(process.getErrorStream());
  }

  /** Starts {@code lockstep} with these arguments. */
  static RunProcess start(String... arguments) throws IOException {
    List<String> command = command();
    command.addAll(List.of(arguments));
    return start(new ProcessBuilder(command));
  }

  /** Starts any process; one that Ctrl-C ends also where these tests run in the background. */
  static RunProcess start(ProcessBuilder builder) throws IOException {
    if (RESETS_SIGNALS) {
      List<String> command = new ArrayList<>(WITH_SIGINT);
      command.addAll(builder.command());
      builder.command(command);
    }
    return new RunProcess(builder.start());
  }

  /**
   * A shell starts what it runs in the background with SIGINT ignored, everything that is started
   * from there inherits that, and a JVM leaves it so.
   */
  private static final List<String> WITH_SIGINT = List.of("env", "--default-signal=INT");

  /** Whether this host's {@code env} can undo that: GNU's can. */
  private static final boolean RESETS_SIGNALS = resetsSignals();

  private static boolean resetsSignals() {
    try {
      List<String> command = new ArrayList<>(WITH_SIGINT);
      command.add("true");
      return new ProcessBuilder(command).start().waitFor() == 0;
    } catch (IOException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** What starts {@code lockstep}, to which its arguments are added. */
  static List<String> command() {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    // What Chronicle and Netty need of the JVM: the tests' own JVM was started with it.
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(argument -> argument.matches("--(add-|enable-native-|sun-misc-).*"))
        .forEach(command::add);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    return command;
  }

  /** Types text. */
  RunProcess type(String text) throws IOException {
    process.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
    process.getOutputStream().flush();
    return this;
  }

  /** Ends the standard input. */
  RunProcess endInput() throws IOException {
    process.getOutputStream().close();
    return this;
  }

  /** Waits until standard output contains the text this often. */
  RunProcess awaitOut(String text, int times) throws InterruptedException {
    await(out, text, times);
    return this;
  }

  /** Waits until standard output contains the text. */
  RunProcess awaitOut(String text) throws InterruptedException {
    return awaitOut(text, 1);
  }

  /** Waits until standard error contains the text. */
  RunProcess awaitErr(String text) throws InterruptedException {
    await(err, text, 1);
    return this;
  }

  private void await(Collector stream, String text, int times) throws InterruptedException {
    if (!stream.await(text, times)) {
      fail("waited for '%s' in vain; out: %s; err: %s".formatted(text, out.text(), err.text()));
    }
  }

  /** Sends a signal. */
  RunProcess signal(String name) throws IOException, InterruptedException {
    var kill = new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start();
    assertThat(kill.waitFor()).isZero();
    return this;
  }

  /** Waits for the end and gives the exit status. */
  int status() throws InterruptedException {
    if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
      fail("it did not end; out: %s; err: %s".formatted(out.text(), err.text()));
    }
    out.join();
    err.join();
    return process.exitValue();
  }

  ProcessHandle handle() {
    return process.toHandle();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  String out() {
    return out.text();
  }

  String err() {
    return err.text();
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }

  /** Collects a stream on a thread of its own. */
  private static final class Collector {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final Thread thread;
    private boolean ended;

    Collector(InputStream in) {
      thread = Thread.ofVirtual().start(() -> collect(in));
    }

    private void collect(InputStream in) {
      byte[] buffer = new byte[4096];
      try {
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
          synchronized (this) {
            bytes.write(buffer, 0, n);
            notifyAll();
          }
        }
      } catch (IOException _) {
        // The stream was closed because the process was destroyed: nothing more comes.
      } finally {
        synchronized (this) {
          ended = true;
          notifyAll();
        }
      }
    }

    synchronized String text() {
      return bytes.toString(StandardCharsets.ISO_8859_1);
    }

    synchronized boolean await(String wanted, int times) throws InterruptedException {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
      while (count(text(), wanted) < times) {
        long left = end - System.nanoTime();
        if (ended || left <= 0) {
          return false;
        }
        TimeUnit.NANOSECONDS.timedWait(this, left);
      }
      return true;
    }

    private static int count(String text, String wanted) {
      int found = 0;
      for (int at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
        found++;
      }
      return found;
    }

    void join() throws InterruptedException {
      thread.join();
    }
  }
}
