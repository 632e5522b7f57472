package io.lockstep.vm.device;

import io.lockstep.vm.bus.IrqLine;
import io.lockstep.vm.bus.MmioDevice;
import io.lockstep.vm.snapshot.StateFormatException;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import io.lockstep.vm.snapshot.Stateful;

/**
 * The platform-level interrupt controller of the virt board (RISC-V PLIC specification 1.0.0):
 * sources 1 to 95, 8 priorities, context 0 for machine mode and context 1 for supervisor mode of
 * hart 0.
 *
 * <p>Gateways are level-triggered and transparent: a source is pending while its wire is high and
 * it is not in service. A wire that falls before the claim takes its request with it, so a driver
 * that quiets its device early sees no spurious interrupt. {@link #pulse} is for sources without a
 * wire to acknowledge.
 *
 * <pre>
 * 0x000000 + 4*source          priority
 * 0x001000 + 4*(source/32)     pending bits
 * 0x002000 + 0x80*context      enable bits
 * 0x200000 + 0x1000*context    threshold, then claim/complete
 * </pre>
 */
public final class Plic implements MmioDevice, Stateful {
  /** Guest physical address of the window. */
  public static final long BASE = 0x0c00_0000L;

  /** Bytes of the window. */
  public static final long LENGTH = 0x60_0000L;

  /** The highest source number. */
  public static final int SOURCES = 95;

  private static final int CONTEXTS = 2;
  private static final int WORDS = 3;
  private static final int PRIORITY_MASK = 7;

  private static final int PENDING = 0x1000;
  private static final int ENABLE = 0x2000;
  private static final int ENABLE_STRIDE = 0x80;
  private static final int CONTEXT = 0x20_0000;
  private static final int CONTEXT_STRIDE = 0x1000;
  private static final int CONTEXT_THRESHOLD = 0;
  private static final int CONTEXT_CLAIM = 4;

  private final IrqLine[] outputs;
  private final int[] priority = new int[SOURCES + 1];
  private final int[] level = new int[WORDS];
  private final int[] pulsed = new int[WORDS];
  private final int[] inService = new int[WORDS];
  private final int[][] enable = new int[CONTEXTS][WORDS];
  private final int[] threshold = new int[CONTEXTS];

  /**
   * Makes a controller with everything disabled.
   *
   * @param machineExternal the hart's MEIP
   * @param supervisorExternal the hart's SEIP
   */
  public Plic(IrqLine machineExternal, IrqLine supervisorExternal) {
    outputs = new IrqLine[] {machineExternal, supervisorExternal};
  }

  /** The wire of source {@code n}, 1 to {@link #SOURCES}. */
  public IrqLine source(int n) {
    check(n);
    return high -> {
      if (high != bit(level, n)) {
        set(level, n, high);
        update();
      }
    };
  }

  /**
   * A second wire of source {@code n}, whose rising edge is one request: claimed once, not repeated
   * while the wire stays high, withdrawn if it falls before the claim.
   */
  public IrqLine requests(int n) {
    check(n);
    return high -> {
      if (high != bit(pulsed, n)) {
        set(pulsed, n, high);
        update();
      }
    };
  }

  /** Requests source {@code n} once: it stays pending until it is claimed. */
  public void pulse(int n) {
    check(n);
    set(pulsed, n, true);
    update();
  }

  @Override
  public long read(long offset, int size) {
    if (size != 4) {
      return 0;
    }
    int at = (int) offset;
    if (at < PENDING) {
      int source = at >>> 2;
      return source <= SOURCES ? priority[source] : 0;
    }
    if (at < ENABLE) {
      int word = (at - PENDING) >>> 2;
      return word < WORDS ? pending(word) : 0;
    }
    if (at < CONTEXT) {
      int context = (at - ENABLE) / ENABLE_STRIDE;
      int word = (at - ENABLE) % ENABLE_STRIDE >>> 2;
      return context < CONTEXTS && word < WORDS ? enable[context][word] : 0;
    }
    int context = (at - CONTEXT) / CONTEXT_STRIDE;
    if (context >= CONTEXTS) {
      return 0;
    }
    return switch ((at - CONTEXT) % CONTEXT_STRIDE) {
      case CONTEXT_THRESHOLD -> threshold[context];
      case CONTEXT_CLAIM -> claim(context);
      default -> 0;
    };
  }

  @Override
  public void write(long offset, int size, long value) {
    if (size != 4) {
      return;
    }
    int at = (int) offset;
    int v = (int) value;
    if (at < PENDING) {
      int source = at >>> 2;
      if (source >= 1 && source <= SOURCES) {
        priority[source] = v & PRIORITY_MASK;
        update();
      }
    } else if (at >= CONTEXT) {
      writeContext((at - CONTEXT) / CONTEXT_STRIDE, (at - CONTEXT) % CONTEXT_STRIDE, v);
    } else if (at >= ENABLE) {
      int context = (at - ENABLE) / ENABLE_STRIDE;
      int word = (at - ENABLE) % ENABLE_STRIDE >>> 2;
      if (context < CONTEXTS && word < WORDS) {
        enable[context][word] = word == 0 ? v & ~1 : v;
        update();
      }
    }
  }

  private void writeContext(int context, int register, int value) {
    if (context >= CONTEXTS) {
      return;
    }
    switch (register) {
      case CONTEXT_THRESHOLD -> {
        threshold[context] = value & PRIORITY_MASK;
        update();
      }
      case CONTEXT_CLAIM -> complete(context, value);
      default -> {
        // Reserved.
      }
    }
  }

  /** PLIC §9: the threshold masks notifications, not claims. */
  private int claim(int context) {
    int best = best(context);
    if (best != 0) {
      set(inService, best, true);
      set(pulsed, best, false);
      update();
    }
    return best;
  }

  /** PLIC §10: a completion for a source that the context has not enabled is ignored. */
  private void complete(int context, int source) {
    if (source >= 1 && source <= SOURCES && bit(enable[context], source)) {
      set(inService, source, false);
      update();
    }
  }

  /**
   * The pending enabled source of the highest priority, the lowest number among equals; 0 if there
   * is none.
   */
  private int best(int context) {
    int best = 0;
    for (int word = 0; word < WORDS; word++) {
      int candidates = pending(word) & enable[context][word];
      while (candidates != 0) {
        int source = word * 32 + Integer.numberOfTrailingZeros(candidates);
        candidates &= candidates - 1;
        if (source <= SOURCES && priority[source] > (best == 0 ? 0 : priority[best])) {
          best = source;
        }
      }
    }
    return best;
  }

  private int pending(int word) {
    return (level[word] | pulsed[word]) & ~inService[word];
  }

  private void update() {
    for (int context = 0; context < CONTEXTS; context++) {
      int best = best(context);
      outputs[context].set(best != 0 && priority[best] > threshold[context]);
    }
  }

  private static void check(int n) {
    if (n < 1 || n > SOURCES) {
      throw new IllegalArgumentException(
          "interrupt source " + n + " is not within 1 to " + SOURCES);
    }
  }

  private static boolean bit(int[] words, int n) {
    return (words[n >>> 5] >>> n & 1) != 0;
  }

  private static void set(int[] words, int n, boolean value) {
    if (value) {
      words[n >>> 5] |= 1 << n;
    } else {
      words[n >>> 5] &= ~(1 << n);
    }
  }

  @Override
  public void save(StateWriter out) {
    out.section("plic");
    for (int p : priority) {
      out.putByte(p);
    }
    putWords(out, level);
    putWords(out, pulsed);
    putWords(out, inService);
    for (int context = 0; context < CONTEXTS; context++) {
      putWords(out, enable[context]);
      out.putByte(threshold[context]);
    }
  }

  @Override
  public void restore(StateReader in) {
    in.section("plic");
    for (int i = 0; i < priority.length; i++) {
      priority[i] = priority(in);
    }
    getWords(in, level);
    getWords(in, pulsed);
    getWords(in, inService);
    for (int context = 0; context < CONTEXTS; context++) {
      getWords(in, enable[context]);
      threshold[context] = priority(in);
    }
    update();
  }

  private static int priority(StateReader in) {
    int p = in.getByte();
    if (p > PRIORITY_MASK) {
      throw new StateFormatException(
          "saved state has interrupt priority " + p + ", the highest is 7");
    }
    return p;
  }

  private static void putWords(StateWriter out, int[] words) {
    for (int w : words) {
      out.putInt(w);
    }
  }

  private static void getWords(StateReader in, int[] words) {
    for (int i = 0; i < words.length; i++) {
      words[i] = in.getInt();
    }
  }
}
