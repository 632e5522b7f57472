package io.lockstep.bench;

import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A table of measured times by workload and contender, and of their ratios. */
final class Ratios {
  /** One measurement, in seconds. */
  record Time(double cpu, double wall) {}

  private final String reference;
  private final Map<String, Map<String, java.util.ArrayList<Time>>> times = new LinkedHashMap<>();

  /** The contender that the others' times are divided by. */
  Ratios(String reference) {
    this.reference = reference;
  }

  void add(String workload, String contender, Time time) {
    times
        .computeIfAbsent(workload, w -> new TreeMap<>())
        .computeIfAbsent(contender, c -> new java.util.ArrayList<>())
        .add(time);
  }

  /** The median of CPU times: other work on the host disturbs it less than the wall clock. */
  private static double median(List<Time> all) {
    double[] sorted = all.stream().mapToDouble(Time::cpu).sorted().toArray();
    return sorted[sorted.length / 2];
  }

  /** Prints times, ratios to the reference (above 1: slower than it), and geometric means. */
  void print(PrintStream out) {
    Map<String, double[]> means = new TreeMap<>();
    out.printf("%-12s %-14s %10s %8s %8s%n", "workload", "contender", "CPU s", "runs", "ratio");
    times.forEach(
        (workload, byContender) -> {
          List<Time> base = byContender.get(reference);
          byContender.forEach(
              (contender, all) -> {
                double ratio = base == null ? Double.NaN : median(all) / median(base);
                out.printf(
                    "%-12s %-14s %10.2f %8d %8.2f%n",
                    workload, contender, median(all), all.size(), ratio);
                double[] sum = means.computeIfAbsent(contender, c -> new double[2]);
                sum[0] += Math.log(ratio);
                sum[1]++;
              });
        });
    means.forEach(
        (contender, sum) ->
            out.printf(
                "%-12s %-14s %10s %8.0f %8.2f%n",
                "geomean", contender, "", sum[1], Math.exp(sum[0] / sum[1])));
  }
}
