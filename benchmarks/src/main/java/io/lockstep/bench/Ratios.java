package io.lockstep.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.ToDoubleFunction;

/** Measured times by workload and contender, and their ratios. */
final class Ratios {
  /** A target for what is only shown. */
  static final double NO_TARGET = Double.NaN;

  /** One measurement, in seconds. */
  record Time(double cpu, double wall) {
    Time since(Time earlier) {
      return new Time(cpu - earlier.cpu, wall - earlier.wall);
    }
  }

  private final Map<String, Map<String, List<Time>>> times = new LinkedHashMap<>();

  void add(String workload, String contender, Time time) {
    times
        .computeIfAbsent(workload, w -> new LinkedHashMap<>())
        .computeIfAbsent(contender, c -> new ArrayList<>())
        .add(time);
  }

  Set<String> workloads() {
    return times.keySet();
  }

  int rounds(String workload, String contender) {
    return times.get(workload).getOrDefault(contender, List.of()).size();
  }

  /** The median of a workload's times; NaN if it was not measured. */
  double median(String workload, String contender, ToDoubleFunction<Time> which) {
    double[] sorted =
        times.get(workload).getOrDefault(contender, List.of()).stream()
            .mapToDouble(which)
            .sorted()
            .toArray();
    return sorted.length == 0 ? Double.NaN : sorted[sorted.length / 2];
  }

  /** How many times as fast as the peer ours is. */
  double speed(String workload, String ours, String peer, ToDoubleFunction<Time> which) {
    return median(workload, peer, which) / median(workload, ours, which);
  }

  /** The geometric mean of {@link #speed} over all workloads that both have run. */
  double meanSpeed(String ours, String peer, ToDoubleFunction<Time> which) {
    return Math.exp(
        times.keySet().stream()
            .mapToDouble(w -> speed(w, ours, peer, which))
            .filter(Double::isFinite)
            .map(Math::log)
            .average()
            .orElse(Double.NaN));
  }

  /** Writes a line for each workload, and one with the mean. */
  void print(
      BenchOutput out,
      String ours,
      String peer,
      ToDoubleFunction<Time> which,
      String unit,
      double targetMean,
      double targetEach) {
    for (String workload : times.keySet()) {
      double ratio = speed(workload, ours, peer, which);
      if (Double.isFinite(ratio)) {
        BenchOutput.Line line =
            out.ratio(workload + " (" + ours + ")", ratio, peer, BenchOutput.Better.HIGHER)
                .with("value", median(workload, ours, which))
                .with("peer_value", median(workload, peer, which))
                .with("unit", unit)
                .with("rounds", rounds(workload, ours));
        print(line, targetEach);
      }
    }
    double mean = meanSpeed(ours, peer, which);
    if (Double.isFinite(mean)) {
      String name = "geometric mean (" + ours + ", " + unit + ")";
      print(out.ratio(name, mean, peer, BenchOutput.Better.HIGHER), targetMean);
    }
  }

  private static void print(BenchOutput.Line line, double target) {
    if (!Double.isNaN(target)) {
      line.with("target", target);
    }
    line.print();
  }
}
