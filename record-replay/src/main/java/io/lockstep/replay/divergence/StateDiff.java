package io.lockstep.replay.divergence;

import io.lockstep.replay.recording.HartFields;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.snapshot.StateWriter;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Names what differs between two machines. */
public final class StateDiff {
  private static final int DIFFERENCES_MAX = 20;

  private StateDiff() {}

  /**
   * One difference.
   *
   * @param place "section hart x5", "section uart byte 12", "page 0x80203000 byte 0x120"
   * @param first what the first machine has
   * @param second what the second machine has
   */
  public record Difference(String place, String first, String second) {
    @Override
    public String toString() {
      return "%s: %s and %s".formatted(place, first, second);
    }
  }

  /** Up to 20 differences, state first, then RAM. Empty if the machines are equal. */
  public static List<Difference> of(VirtualMachine a, VirtualMachine b) {
    List<Difference> out = new ArrayList<>();
    states(a, b, out);
    memory(a, b, out);
    return out;
  }

  /** The program counter, if the machine has a section {@code hart}; -1 otherwise. */
  public static long pc(VirtualMachine machine) {
    StateWriter state = state(machine);
    for (int n = 0; n < state.sections(); n++) {
      if (state.sectionName(n).equals(HartFields.SECTION)
          && sectionLength(state, n) >= HartFields.STEPS) {
        return word(state.array(), state.sectionStart(n) + HartFields.PC, 8);
      }
    }
    return -1;
  }

  private static void states(VirtualMachine a, VirtualMachine b, List<Difference> out) {
    StateWriter first = state(a);
    StateWriter second = state(b);
    int sections = Math.min(first.sections(), second.sections());
    for (int n = 0; n < sections; n++) {
      String name = first.sectionName(n);
      int length = sectionLength(first, n);
      if (length != sectionLength(second, n)) {
        add(out, "section " + name, length + " bytes", sectionLength(second, n) + " bytes");
        continue;
      }
      for (int at = 0; at < length; at += 8) {
        int width = Math.min(8, length - at);
        long v = word(first.array(), first.sectionStart(n) + at, width);
        long w = word(second.array(), second.sectionStart(n) + at, width);
        if (v != w) {
          add(
              out,
              "section " + name + " " + field(name, at),
              "0x" + Long.toHexString(v),
              "0x" + Long.toHexString(w));
        }
      }
    }
  }

  private static void memory(VirtualMachine a, VirtualMachine b, List<Difference> out) {
    int pages = Math.min(a.ram().pages(), b.ram().pages());
    for (int page = 0; page < pages && out.size() < DIFFERENCES_MAX; page++) {
      MemorySegment first = a.ram().page(page);
      MemorySegment second = b.ram().page(page);
      long at = first.mismatch(second);
      if (at >= 0) {
        add(
            out,
            "page 0x%x byte 0x%x".formatted(GuestRam.BASE + (long) page * GuestRam.PAGE, at),
            "0x%02x".formatted(first.get(java.lang.foreign.ValueLayout.JAVA_BYTE, at)),
            "0x%02x".formatted(second.get(java.lang.foreign.ValueLayout.JAVA_BYTE, at)));
      }
    }
  }

  private static void add(List<Difference> out, String place, String first, String second) {
    if (out.size() < DIFFERENCES_MAX) {
      out.add(new Difference(place, first, second));
    }
  }

  /** Other sections than the hart's have no names for their fields here. */
  private static String field(String section, int at) {
    return section.equals(HartFields.SECTION) ? HartFields.name(at) : "byte " + at;
  }

  private static StateWriter state(VirtualMachine machine) {
    StateWriter out = new StateWriter();
    machine.saveState(out);
    return out;
  }

  private static int sectionLength(StateWriter state, int n) {
    int end =
        n + 1 < state.sections()
            ? state.sectionStart(n + 1) - 1 - state.sectionName(n + 1).length()
            : state.size();
    return end - state.sectionStart(n);
  }

  private static long word(byte[] bytes, int at, int width) {
    long v = 0;
    for (int i = 0; i < width; i++) {
      v |= (bytes[at + i] & 0xffL) << 8 * i;
    }
    return v;
  }
}
