package io.lockstep.cli.image;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/** One program of the host, run to its end with its output captured. */
final class HostCommand {
  /** The Debian package that a program the builder needs comes with. */
  private static final Map<String, String> PACKAGE_OF =
      Map.ofEntries(
          Map.entry("apt-get", "apt"),
          Map.entry("apt-cache", "apt"),
          Map.entry("apt-config", "apt"),
          Map.entry("dpkg-deb", "dpkg"),
          Map.entry("xz", "xz-utils"),
          Map.entry("zstd", "zstd"),
          Map.entry("mke2fs", "e2fsprogs"),
          Map.entry("debugfs", "e2fsprogs"),
          Map.entry("qemu-system-riscv64", "qemu-system-misc"));

  /** Where administration tools live; often missing from an ordinary user's PATH. */
  private static final List<String> ALWAYS_SEARCHED = List.of("/usr/sbin", "/sbin");

  /** What is kept of a program's standard error, in bytes. */
  private static final int STDERR_LIMIT = 1 << 20;

  /** Programs that run now, so that an interrupted build takes them with it. */
  private static final Set<Process> RUNNING = ConcurrentHashMap.newKeySet();

  /** How a program ended and what it said. */
  record Result(int status, String output, String errors) {
    boolean succeeded() {
      return status == 0;
    }
  }

  /** Takes a program's standard output. */
  interface OutputReader {
    void read(InputStream output) throws IOException, ImageException;
  }

  private final List<String> arguments;
  private final Map<String, String> environment = new HashMap<>();
  private Path directory;
  private byte[] input = new byte[0];

  HostCommand(String program, List<String> arguments) {
    this.arguments = new ArrayList<>();
    this.arguments.add(program);
    this.arguments.addAll(arguments);
  }

  HostCommand(String program, String... arguments) {
    this(program, List.of(arguments));
  }

  HostCommand in(Path workingDirectory) {
    directory = workingDirectory;
    return this;
  }

  HostCommand with(String variable, String value) {
    environment.put(variable, value);
    return this;
  }

  HostCommand reading(byte[] standardInput) {
    input = standardInput;
    return this;
  }

  /** Runs the program and returns all it printed, whatever its exit status. */
  Result run() throws ImageException, IOException {
    var captured = new String[1];
    Result result =
        run(output -> captured[0] = new String(output.readAllBytes(), StandardCharsets.UTF_8));
    return new Result(result.status(), captured[0], result.errors());
  }

  /** Runs the program and gives each line of its output to {@code line} as it appears. */
  Result lines(Consumer<String> line) throws ImageException, IOException {
    return run(
        output -> {
          var reader = new BufferedReader(new InputStreamReader(output, StandardCharsets.UTF_8));
          for (String text = reader.readLine(); text != null; text = reader.readLine()) {
            line.accept(text);
          }
        });
  }

  /** Runs the program while {@code reader} takes its standard output. */
  Result run(OutputReader reader) throws ImageException, IOException {
    Process process = start();
    RUNNING.add(process);
    try {
      var errors = new StringBuilder();
      Thread errorPump = Thread.ofVirtual().start(() -> collect(process.getErrorStream(), errors));
      Thread inputPump = Thread.ofVirtual().start(() -> feed(process.getOutputStream()));
      try (InputStream output = process.getInputStream()) {
        reader.read(output);
        output.transferTo(OutputStream.nullOutputStream());
      }
      int status = process.waitFor();
      errorPump.join();
      inputPump.join();
      return new Result(status, "", errors.toString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new ImageException("The build was interrupted.", e);
    } finally {
      process.destroyForcibly();
      RUNNING.remove(process);
    }
  }

  private Process start() throws ImageException, IOException {
    String program = arguments.getFirst();
    Path executable = find(program).orElseThrow(() -> new ImageException(missing(program)));
    var command = new ArrayList<>(arguments);
    command.set(0, executable.toString());
    var builder = new ProcessBuilder(command);
    if (directory != null) {
      builder.directory(directory.toFile());
    }
    // Messages are matched by their English text, and a user's APT_CONFIG is for the user's apt.
    builder.environment().put("LC_ALL", "C.UTF-8");
    builder.environment().remove("APT_CONFIG");
    builder.environment().putAll(environment);
    return builder.start();
  }

  private static String missing(String program) {
    String owner = PACKAGE_OF.getOrDefault(program, program);
    return "The program " + program + " was not found; install the Debian package " + owner + ".";
  }

  /**
   * The executable file of a program, searched for in PATH and the system's administration
   * directories.
   */
  static Optional<Path> find(String program) {
    if (program.startsWith("/")) {
      return Optional.of(Path.of(program)).filter(Files::isExecutable);
    }
    var directories = new ArrayList<String>();
    String path = System.getenv("PATH");
    if (path != null) {
      directories.addAll(List.of(path.split(File.pathSeparator)));
    }
    directories.addAll(ALWAYS_SEARCHED);
    return directories.stream()
        .filter(name -> !name.isEmpty())
        .map(name -> Path.of(name, program))
        .filter(Files::isExecutable)
        .findFirst();
  }

  /** Ends every program that runs now. For an interrupted build. */
  static void endAll() {
    RUNNING.forEach(Process::destroyForcibly);
  }

  private void feed(OutputStream sink) {
    try (sink) {
      sink.write(input);
    } catch (IOException e) {
      // The program ended without reading all; its exit status tells what there is to tell.
    }
  }

  private static void collect(InputStream source, StringBuilder sink) {
    var buffer = new byte[8192];
    try (source) {
      for (int n = source.read(buffer); n >= 0; n = source.read(buffer)) {
        if (sink.length() < STDERR_LIMIT) {
          sink.append(new String(buffer, 0, n, StandardCharsets.UTF_8));
        }
      }
    } catch (IOException e) {
      // The program is gone; what was read until now is what there is.
    }
  }
}
