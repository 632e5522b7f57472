package io.lockstep.ft.sim;

import java.util.ArrayDeque;
import java.util.PriorityQueue;
import java.util.Random;

/** Virtual time, chance and the list of what is to happen. One thread. */
final class World {
  static final long US = 1_000;
  static final long MS = 1_000_000;
  private static final int TRACE_LINES = 400;

  private record Scheduled(long at, long order, Runnable what) {}

  final Random random;
  final Flaw flaw;
  private final PriorityQueue<Scheduled> agenda =
      new PriorityQueue<>(
          (a, b) ->
              a.at() != b.at() ? Long.compare(a.at(), b.at()) : Long.compare(a.order(), b.order()));
  private final ArrayDeque<String> trace = new ArrayDeque<>();
  private final boolean tracing;
  private long now;
  private long order;

  World(long seed, Flaw flaw, boolean tracing) {
    this.random = new Random(seed * 0x9E3779B97F4A7C15L + 1);
    this.flaw = flaw;
    this.tracing = tracing;
  }

  long now() {
    return now;
  }

  boolean has(Flaw planted) {
    return flaw == planted;
  }

  void at(long time, Runnable what) {
    agenda.add(new Scheduled(Math.max(now, time), order++, what));
  }

  void after(long delay, Runnable what) {
    at(now + delay, what);
  }

  /** A time from {@code min} to {@code max}, in most cases near {@code min}. */
  long delay(long min, long max) {
    double r = random.nextDouble();
    return min + (long) ((max - min) * r * r * r);
  }

  boolean chance(double p) {
    return random.nextDouble() < p;
  }

  boolean runNext(long until) {
    if (agenda.isEmpty() || agenda.peek().at() > until) {
      now = Math.max(now, until);
      return false;
    }
    Scheduled next = agenda.poll();
    now = next.at();
    next.what().run();
    return true;
  }

  @SuppressWarnings("AnnotateFormatMethod")
  void trace(String format, Object... args) {
    if (tracing) {
      trace.add("%10.3f ms  %s".formatted(now / 1e6, format.formatted(args)));
      if (trace.size() > TRACE_LINES) {
        trace.remove();
      }
    }
  }

  String traced() {
    return String.join("\n", trace);
  }
}
