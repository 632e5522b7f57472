package io.lockstep.ft.protocol;

import java.util.List;

/** Who may become the secondary: the comparison of two sides that meet for the first time. */
final class Admission {
  private Admission() {}

  /** Why {@code hello} is refused, a sentence that says what differs; empty if it isn't. */
  static String refusal(PairConfig config, Message.Hello hello) {
    if (hello.version() != MessageCodec.VERSION) {
      return "The secondary speaks version %d of the pair protocol and this primary version %d: run the same release of Lockstep on both hosts."
          .formatted(hello.version(), MessageCodec.VERSION);
    }
    if (!hello.vm().isEmpty() && !hello.vm().equals(config.vm())) {
      return "The secondary was started for the virtual machine '%s' and this primary runs '%s'."
          .formatted(printable(hello.vm()), config.vm());
    }
    if (hello.replica().equals(config.self())) {
      return "The secondary has connected to itself: give --join the address of the primary.";
    }
    if (!hello.definition().isEmpty() && !hello.definition().equals(config.definition())) {
      return "The machines differ: "
          + firstDifference(config.definition(), hello.definition())
          + ".";
    }
    return "";
  }

  /** Names the first line in which two machine definitions differ. */
  static String firstDifference(String primary, String secondary) {
    List<String> ours = primary.lines().toList();
    List<String> theirs = secondary.lines().toList();
    for (int i = 0; i < Math.max(ours.size(), theirs.size()); i++) {
      String a = i < ours.size() ? ours.get(i) : "nothing";
      String b = i < theirs.size() ? theirs.get(i) : "nothing";
      if (!a.equals(b)) {
        return "the primary has '%s' and the secondary '%s'".formatted(printable(a), printable(b));
      }
    }
    return "nothing but line ends";
  }

  private static String printable(String s) {
    String shown = s.length() > 120 ? s.substring(0, 120) + "..." : s;
    return shown.replaceAll("[^ -~]", "?");
  }
}
