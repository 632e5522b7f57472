package io.lockstep.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.bench.BenchOutput.Better;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.jr.ob.JSON;

class ReportTest {
  @TempDir Path dir;

  private static final Suite.Entry ENTRY =
      new Suite.Entry("b", "A title", "What it measures.", "None", 1, 1, "nothing");

  private static List<Map<String, Object>> lines() throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    BenchOutput out = new BenchOutput("b", new PrintStream(bytes, true, StandardCharsets.UTF_8));
    out.ratio("sieve <&>", 0.912, "QEMU", Better.HIGHER)
        .with("value", 2.2)
        .with("peer_value", 2.0)
        .with("unit", "s CPU")
        .with("published", 0.95)
        .with("published_source", "somebody")
        .print();
    out.ratio("hash", 0.5, "QEMU", Better.HIGHER).with("target", 0.7).print();
    out.value("attach pause", 12.5, "ms", Better.LOWER).with("target", 50).print();
    out.value("lag", 50.5, "ms", Better.LOWER).with("target", 50).print();
    List<Double> samples = new ArrayList<>();
    for (int i = 1; i <= 200; i++) {
      samples.add((double) i);
    }
    out.distribution("pause", samples, "ms", Better.LOWER)
        .with("target_median", 100)
        .with("target_p99", 190)
        .print();
    out.skipped("redis", "There is no image.");
    List<Map<String, Object>> lines = new ArrayList<>();
    for (String line : bytes.toString(StandardCharsets.UTF_8).lines().toList()) {
      lines.add(JSON.std.mapFrom(line));
    }
    return lines;
  }

  @Test
  void everyResultIsInTheReportAndWhatWasNotMeasuredToo() throws Exception {
    Report report = new Report(true, Map.of("Processor", "a fast one"));
    report.add(ENTRY, lines());
    report.write(dir);

    assertThat(dir.resolve("report.md"))
        .content()
        .contains("## A title", "What it measures.", "a fast one", "A quick run")
        .contains("| sieve <&> | **0.912** | QEMU | higher | 2.20 s CPU | 2 s CPU |")
        .contains("0.950 (somebody)")
        .contains("| attach pause | **12.5 ms** | lower |  | 50 |")
        .contains("| hash | **0.500** | QEMU | higher |  |  |  | 0.700, **missed** |")
        .contains("| lag | **50.5 ms** | lower |  | 50, **missed** |")
        .contains("(200, in ms): median **100** (target 100), 95th percentile 190, 99th 198")
        .contains("198 (target 190, **missed**)")
        .contains("- redis: **not measured**. There is no image.");
    Map<String, Object> json = JSON.std.mapFrom(Files.readString(dir.resolve("report.json")));
    assertThat(json).containsEntry("quick", true);
    assertThat((List<?>) json.get("results")).hasSize(6);
  }

  @Test
  void plotsAreWellFormedAndLinked() throws Exception {
    Report report = new Report(false, Map.of());
    report.add(ENTRY, lines());
    report.write(dir);

    for (String plot : List.of("plots/b.svg", "plots/b-1.svg")) {
      assertThat(dir.resolve("report.md")).content().contains("](" + plot + ")");
      var svg =
          DocumentBuilderFactory.newInstance()
              .newDocumentBuilder()
              .parse(dir.resolve(plot).toFile());
      assertThat(svg.getDocumentElement().getTagName()).isEqualTo("svg");
      assertThat(svg.getElementsByTagName("rect").getLength()).isGreaterThan(1);
    }
  }

  @Test
  void aPercentileIsTheSmallestSampleThatCoversTheShare() {
    double[] samples = {1, 2, 3, 4};
    assertThat(Report.percentile(samples, 50)).isEqualTo(2);
    assertThat(Report.percentile(samples, 51)).isEqualTo(3);
    assertThat(Report.percentile(samples, 100)).isEqualTo(4);
    assertThat(Report.percentile(new double[] {7}, 1)).isEqualTo(7);
    assertThat(Report.percentile(new double[0], 50)).isNaN();
  }

  /** Stands for a benchmark. */
  static final class Fake {
    private Fake() {}

    public static void main(String[] args) throws InterruptedException {
      System.out.println("{\"bench\":\"b\",\"name\":\"n\",\"value\":1,\"unit\":\"s\"}");
      System.out.println("a table for people");
      if (args.length > 0 && args[0].equals("fail")) {
        System.err.println("There is no luck today.");
        System.exit(1);
      }
      if (args.length > 0 && args[0].equals("hang")) {
        Thread.sleep(600_000);
      }
    }
  }

  private static List<Map<String, Object>> run(String mainClass, int seconds, String... args)
      throws Exception {
    return BenchProcess.run(
        new Suite.Entry("b", "A title", "", mainClass, 0, 0, ""), List.of(args), seconds);
  }

  @Test
  void aBenchmarkSpeaksInLinesOfJson() throws Exception {
    assertThat(run("ReportTest$Fake", 60)).singleElement().asString().contains("name=n");
  }

  @Test
  void aBenchmarkThatFailsOrHangsOrIsMissingIsNotMeasuredAndSaysWhy() throws Exception {
    assertThat(run("ReportTest$Fake", 60, "fail"))
        .last()
        .asString()
        .contains("skipped=It failed: There is no luck today.");
    assertThat(run("ReportTest$Fake", 3, "hang"))
        .last()
        .asString()
        .contains("skipped=It took more than 3 s and was ended.");
    assertThat(run("NoSuchBench", 60))
        .singleElement()
        .asString()
        .contains("skipped=This benchmark is not part of this tree yet.");
  }
}
