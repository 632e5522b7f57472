package io.lockstep.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * Start of stock Debian, from the start of the process to the initramfs's shell, in both execution
 * tiers and in QEMU, with the same kernel, initramfs and memory: wall time.
 *
 * <p>Arguments and output are those of {@code benchmarks/README.md}; the image is {@code mini}.
 * Needs Debian's qemu-system-misc.
 */
public final class BootBench {
  private static final int MEMORY_MIB = 256;
  private static final int ROUNDS = 5;
  private static final String SHELL = "@@shell";
  private static final String LINE =
      "console=ttyS0 earlycon=sbi quiet lockstep.run=\"echo " + SHELL + "\" lockstep.poweroff";

  private BootBench() {}

  /** See the class comment. */
  public static void main(String[] args) throws IOException {
    BenchArguments arguments = BenchArguments.parse(args);
    BenchOutput out = new BenchOutput("boot");
    if (arguments.image("mini").isEmpty()) {
      out.skipped("boot to the shell", arguments.missingImage("mini", ""));
      return;
    }
    Ratios ratios = new Ratios();
    List<Contender> contenders = contenders(arguments, arguments.image("mini").orElseThrow());
    for (int round = 0; round < (arguments.quick() ? 1 : ROUNDS); round++) {
      for (Contender contender : contenders) {
        boolean[] reached = {false};
        Ratios.Time time =
            contender.run(
                (text, now) -> {
                  // The kernel's command line has it too.
                  reached[0] = text.strip().equals(SHELL);
                  return !reached[0];
                });
        if (!reached[0]) {
          throw new IOException(contender.name() + " ended before the shell came");
        }
        ratios.add("boot to the shell", contender.name(), time);
        out.progress("%s %s".formatted(contender.name(), time));
      }
    }
    ratios.print(out, "lockstep-regions", "qemu", Ratios.Time::wall, "s", 1 / 1.3, 1 / 1.3);
    ratios.print(out, "lockstep-interpreter", "qemu", Ratios.Time::wall, "s", 1 / 3.0, 1 / 3.0);
    ratios.print(out, "lockstep-regions", "lockstep-interpreter", Ratios.Time::wall, "s", 1, 1);
  }

  private static List<Contender> contenders(BenchArguments arguments, Path image) {
    LinuxGuest guest = LinuxGuest.of(image, MEMORY_MIB, LINE);
    return List.of(
        guest.inQemu("qemu"),
        guest.inLockstep(arguments.lockstep(), "regions"),
        guest.inLockstep(arguments.lockstep(), "interpreter"));
  }
}
