package io.lockstep.bench;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One process that runs a guest, {@code lockstep}'s or a peer's, from its start to its end, and
 * when its guest printed markers: lines with a word that begins with {@code @@}.
 */
final class GuestRun {
  private final Map<String, Double> markers = new LinkedHashMap<>();
  private double seconds;

  private GuestRun() {}

  /**
   * Runs the launcher with these arguments.
   *
   * @throws IOException if it fails, with the last line that it said
   */
  static GuestRun of(BenchArguments bench, List<String> arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(bench.lockstep().toString()));
    command.addAll(arguments);
    return of(command);
  }

  /**
   * Runs a program with its arguments.
   *
   * @throws IOException if it fails, with the last line that it said
   */
  static GuestRun of(List<String> command) throws IOException, InterruptedException {
    File errors = File.createTempFile("lockstep", ".err");
    GuestRun run = new GuestRun();
    long begin = System.nanoTime();
    Process process =
        new ProcessBuilder(command)
            .redirectInput(new File("/dev/null"))
            .redirectError(errors)
            .start();
    try (BufferedReader console =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = console.readLine(); line != null; line = console.readLine()) {
        int at = line.indexOf("@@");
        // The kernel prints its command line, where they stand, too.
        if (at >= 0 && !line.contains("lockstep.run")) {
          run.markers.putIfAbsent(
              line.substring(at).split("\\s", 2)[0], (System.nanoTime() - begin) / 1e9);
        }
      }
      int status = process.waitFor();
      run.seconds = (System.nanoTime() - begin) / 1e9;
      if (status != 0) {
        List<String> said = java.nio.file.Files.readAllLines(errors.toPath());
        throw new IOException(
            "%s %s failed: %s"
                .formatted(
                    Path.of(command.getFirst()).getFileName(),
                    command.get(1),
                    said.isEmpty() ? status : said.getLast()));
      }
    } finally {
      process.destroyForcibly();
      errors.delete();
    }
    return run;
  }

  /** From the start of the process to its end. */
  double seconds() {
    return seconds;
  }

  /**
   * From the start of the process to the first time that the guest printed this.
   *
   * @throws IOException if it did not
   */
  double secondsTo(String marker) throws IOException {
    Double at = markers.get(marker);
    if (at == null) {
      throw new IOException("the guest did not print " + marker);
    }
    return at;
  }
}
