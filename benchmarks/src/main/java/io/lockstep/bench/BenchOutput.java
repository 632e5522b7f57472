package io.lockstep.bench;

import java.io.PrintStream;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.jr.ob.JSON;

/**
 * Writes what a benchmark found: one JSON object a line, as {@code benchmarks/README.md} describes
 * them. Progress goes to standard error.
 */
public final class BenchOutput {
  private final String bench;
  private final PrintStream out;

  /** Whether more or less of a figure is what one wants. */
  public enum Better {
    /** A speed. */
    HIGHER,
    /** A time, or a number of bytes. */
    LOWER
  }

  /** For the benchmark of this name, to standard output. */
  public BenchOutput(String bench) {
    this(bench, System.out);
  }

  BenchOutput(String bench, PrintStream out) {
    this.bench = bench;
    this.out = out;
  }

  /** A line that says what was found, to be completed and then printed. */
  public final class Line {
    private final Map<String, Object> members = new LinkedHashMap<>();

    private Line(String name) {
      members.put("bench", bench);
      members.put("name", name);
    }

    /** Adds an optional member, see {@code benchmarks/README.md}. */
    public Line with(String member, Object value) {
      members.put(member, value);
      return this;
    }

    /** Prints it. */
    public void print() {
      out.println(JSON.std.asString(members));
      out.flush();
    }
  }

  /** Ours divided by the peer's. */
  public Line ratio(String name, double ratio, String peer, Better better) {
    return new Line(name)
        .with("ratio", ratio)
        .with("peer", peer)
        .with("better", better.name().toLowerCase(Locale.ROOT));
  }

  /** A figure without a peer. */
  public Line value(String name, double value, String unit, Better better) {
    return new Line(name)
        .with("value", value)
        .with("unit", unit)
        .with("better", better.name().toLowerCase(Locale.ROOT));
  }

  /** All that was measured of something that varies. */
  public Line distribution(String name, Collection<Double> samples, String unit, Better better) {
    return new Line(name)
        .with("samples", List.copyOf(samples))
        .with("unit", unit)
        .with("better", better.name().toLowerCase(Locale.ROOT));
  }

  /** Says that something was not measured. */
  public void skipped(String name, String sentence) {
    new Line(name).with("skipped", sentence).print();
  }

  /** Says to people how far it is. */
  public void progress(String text) {
    System.err.println(bench + ": " + text);
  }
}
