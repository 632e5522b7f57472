package io.lockstep.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import tools.jackson.jr.ob.JSON;

/** The report of a run: Markdown with plots for people, and JSON. */
final class Report {
  private final boolean quick;
  private final Map<String, String> environment;
  private final Map<Suite.Entry, List<Map<String, Object>>> results = new LinkedHashMap<>();

  Report(boolean quick) {
    this(quick, environment());
  }

  Report(boolean quick, Map<String, String> environment) {
    this.quick = quick;
    this.environment = environment;
  }

  void add(Suite.Entry entry, List<Map<String, Object>> lines) {
    results.put(entry, List.copyOf(lines));
  }

  /** Writes {@code report.md}, {@code report.json} and {@code plots/*.svg}. */
  void write(Path directory) throws IOException {
    Path plots = Files.createDirectories(directory.resolve("plots"));
    StringBuilder text = new StringBuilder();
    heading(text);
    for (Map.Entry<Suite.Entry, List<Map<String, Object>>> result : results.entrySet()) {
      section(text, result.getKey(), result.getValue(), plots);
    }
    Files.writeString(directory.resolve("report.md"), text);
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("quick", quick);
    all.put("environment", environment);
    all.put("results", results.values().stream().flatMap(List::stream).toList());
    Files.writeString(
        directory.resolve("report.json"),
        JSON.std.with(JSON.Feature.PRETTY_PRINT_OUTPUT).asString(all) + "\n");
  }

  private void heading(StringBuilder text) {
    text.append("# Benchmarks\n\n");
    text.append(
        quick
            ? "A quick run: rough figures, to see whether something is very wrong.\n\n"
            : "Each figure is a median of several rounds in which both sides took turns.\n\n");
    text.append("| | |\n|---|---|\n");
    environment.forEach((name, value) -> text.append("| %s | %s |\n".formatted(name, value)));
  }

  private static void section(
      StringBuilder text, Suite.Entry entry, List<Map<String, Object>> lines, Path plots)
      throws IOException {
    text.append("\n## %s\n\n%s\n".formatted(entry.title(), entry.about()));
    ratios(text, entry, lines.stream().filter(l -> l.containsKey("ratio")).toList(), plots);
    values(
        text,
        lines.stream().filter(l -> l.containsKey("value") && !l.containsKey("ratio")).toList());
    List<Map<String, Object>> varying =
        lines.stream().filter(l -> l.get("samples") instanceof List<?> s && !s.isEmpty()).toList();
    for (int i = 0; i < varying.size(); i++) {
      distribution(text, varying.get(i), plots.resolve(entry.name() + "-" + (i + 1) + ".svg"));
    }
    lines.stream()
        .filter(l -> l.containsKey("skipped"))
        .forEach(
            l ->
                text.append(
                    "\n- %s: **not measured**. %s\n".formatted(l.get("name"), l.get("skipped"))));
  }

  private static void ratios(
      StringBuilder text, Suite.Entry entry, List<Map<String, Object>> lines, Path plots)
      throws IOException {
    if (lines.isEmpty()) {
      return;
    }
    text.append(
        "\n| | ratio | relative to | better | ours | theirs | rounds | target | published |\n");
    text.append("|---|---:|---|---|---:|---:|---:|---:|---|\n");
    List<Plots.Bar> bars = new ArrayList<>();
    for (Map<String, Object> l : lines) {
      text.append(
          "| %s | **%s** | %s | %s | %s | %s | %s | %s | %s |\n"
              .formatted(
                  l.get("name"),
                  number(l.get("ratio")),
                  l.get("peer"),
                  l.get("better"),
                  quantity(l, "value"),
                  quantity(l, "peer_value"),
                  number(l.get("rounds")),
                  target(l, "ratio"),
                  published(l)));
      if (l.get("ratio") instanceof Number ratio) {
        bars.add(
            new Plots.Bar(
                l.get("name") + " / " + l.get("peer"),
                ratio.doubleValue(),
                "higher".equals(l.get("better"))));
      }
    }
    Path plot = plots.resolve(entry.name() + ".svg");
    Files.writeString(plot, Plots.bars(entry.title() + ": ratio to the peer", bars));
    text.append("\n![%s](plots/%s)\n".formatted(entry.title(), plot.getFileName()));
  }

  private static void values(StringBuilder text, List<Map<String, Object>> lines) {
    if (lines.isEmpty()) {
      return;
    }
    text.append("\n| | value | better | rounds | target |\n|---|---:|---|---:|---:|\n");
    for (Map<String, Object> l : lines) {
      text.append(
          "| %s | **%s** | %s | %s | %s |\n"
              .formatted(
                  l.get("name"),
                  quantity(l, "value"),
                  l.get("better"),
                  number(l.get("rounds")),
                  target(l, "value")));
    }
  }

  private static void distribution(StringBuilder text, Map<String, Object> line, Path plot)
      throws IOException {
    double[] samples =
        ((List<?>) line.get("samples"))
            .stream()
                .filter(Number.class::isInstance)
                .mapToDouble(s -> ((Number) s).doubleValue())
                .sorted()
                .toArray();
    String unit = String.valueOf(line.get("unit"));
    text.append(
        "\n**%s** (%d, in %s): median **%s**%s, 95th percentile %s, 99th %s%s, largest %s.\n"
            .formatted(
                line.get("name"),
                samples.length,
                unit,
                number(percentile(samples, 50)),
                target(line, "target_median", percentile(samples, 50)),
                number(percentile(samples, 95)),
                number(percentile(samples, 99)),
                target(line, "target_p99", percentile(samples, 99)),
                number(percentile(samples, 100))));
    Files.writeString(plot, Plots.histogram(line.get("name") + ", " + unit, samples));
    text.append("\n![%s](plots/%s)\n".formatted(line.get("name"), plot.getFileName()));
  }

  /** The smallest sample that this share of all does not exceed. */
  static double percentile(double[] sorted, double percent) {
    if (sorted.length == 0) {
      return Double.NaN;
    }
    int rank = (int) Math.ceil(percent / 100 * sorted.length);
    return sorted[Math.clamp(rank - 1, 0, sorted.length - 1)];
  }

  private static String target(Map<String, Object> line, String member, double value) {
    return line.get(member) instanceof Number n
        ? " (target %s%s)".formatted(number(n), value > n.doubleValue() ? ", **missed**" : "")
        : "";
  }

  /** The target of a figure, and whether it was missed. */
  private static String target(Map<String, Object> line, String member) {
    if (!(line.get("target") instanceof Number target)
        || !(line.get(member) instanceof Number value)) {
      return number(line.get("target"));
    }
    int compared = Double.compare(value.doubleValue(), target.doubleValue());
    boolean missed = "higher".equals(line.get("better")) ? compared < 0 : compared > 0;
    return number(target) + (missed ? ", **missed**" : "");
  }

  private static String quantity(Map<String, Object> line, String member) {
    Object value = line.get(member);
    return value == null
        ? ""
        : number(value) + (line.get("unit") == null ? "" : " " + line.get("unit"));
  }

  private static String published(Map<String, Object> line) {
    Object source = line.get("published_source");
    return line.get("published") == null
        ? ""
        : number(line.get("published")) + (source == null ? "" : " (" + source + ")");
  }

  /** Three significant digits, or all of a larger number. */
  static String number(Object value) {
    if (!(value instanceof Number n)) {
      return value == null ? "" : value.toString();
    }
    double d = n.doubleValue();
    if (d == Math.rint(d) && Math.abs(d) < 1e9 || Math.abs(d) >= 100) {
      return String.format(Locale.ROOT, "%,d", Math.round(d));
    }
    return String.format(
        Locale.ROOT, Math.abs(d) >= 10 ? "%.1f" : Math.abs(d) >= 1 ? "%.2f" : "%.3f", d);
  }

  private static Map<String, String> environment() {
    Map<String, String> e = new LinkedHashMap<>();
    e.put("Date", LocalDate.now(ZoneOffset.UTC).toString());
    e.put("Processor", processor() + ", " + Runtime.getRuntime().availableProcessors() + " cores");
    e.put("System", System.getProperty("os.name") + " " + System.getProperty("os.version"));
    e.put("Java", System.getProperty("java.vm.name") + " " + Runtime.version());
    e.put("QEMU", firstLine("qemu-system-riscv64", "--version"));
    e.put("Lockstep", firstLine("git", "rev-parse", "--short", "HEAD"));
    return e;
  }

  private static String processor() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      return lines
          .filter(l -> l.startsWith("model name"))
          .findFirst()
          .map(l -> l.substring(l.indexOf(':') + 1).strip())
          .orElse(System.getProperty("os.arch"));
    } catch (IOException e) {
      return System.getProperty("os.arch");
    }
  }

  private static String firstLine(String... command) {
    try {
      Process process =
          new ProcessBuilder(Arrays.asList(command))
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      try (BufferedReader in =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
        String line = in.readLine();
        return line == null ? "unknown" : line;
      }
    } catch (IOException e) {
      return "not installed";
    }
  }
}
