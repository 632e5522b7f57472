package io.lockstep.bench;

import io.lockstep.vm.engine.EngineOptions;
import io.lockstep.vm.engine.EngineStats;
import io.lockstep.vm.firmware.BootException;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import io.lockstep.vm.machine.VirtualMachine.Stop;
import io.lockstep.vm.port.OutputSink;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;

/**
 * Boots Debian, with load, in both execution tiers at once, and compares their digests at random
 * execution points; before some of them the compiled machine's caches are dropped. Ends with status
 * 1 at the first difference.
 *
 * <p>Arguments: a folder with {@code kernel} and {@code initrd}, made by {@code lockstep image
 * build}; the number of points (1000); the mean number of steps between two (5,000,000); a seed. If
 * the guest ends earlier, the check goes on with another boot, at other points.
 */
public final class TierDigestCheck {
  private static final long MEMORY_BYTES = 512L << 20;
  private static final int DROP_ONE_IN = 5;
  private static final String COMMAND_LINE =
      "console=ttyS0 quiet lockstep.services=none lockstep.ip=off lockstep.run=\""
          + "seq 1 60000 | sort -r | gzip | sha256sum;"
          + " awk 'BEGIN{for(i=0;i<90000;i++)s+=sin(i)*i%7;print s}';"
          + " for i in 1 2 3 4 5 6 7 8 9; do ls -lR /usr /etc | md5sum; done;"
          + " find / -xdev -type f | head -n 400 | xargs cat | bzip2 | wc -c\" lockstep.poweroff";

  private TierDigestCheck() {}

  /** See the class comment. */
  public static void main(String[] args) throws IOException, BootException {
    if (args.length != 4) {
      System.err.println("usage: TierDigestCheck IMAGE POINTS STEPS SEED");
      System.exit(2);
    }
    byte[] kernel = Files.readAllBytes(Path.of(args[0], "kernel"));
    byte[] initrd = Files.readAllBytes(Path.of(args[0], "initrd"));
    KernelLoader.Images images = KernelLoader.Images.of(kernel, initrd);
    int points = Integer.parseInt(args[1]);
    Random random = new Random(Long.parseLong(args[3]));
    int compared = 0;
    while (compared < points) {
      compared += boot(images, points - compared, Long.parseLong(args[2]), random);
    }
    System.out.printf("%d digests agree (seed %s)%n", compared, args[3]);
  }

  /** Returns how many digests were compared until the guest ended. */
  private static int boot(KernelLoader.Images images, int points, long mean, Random random)
      throws BootException {
    Machine interpreted = machine(images, EngineOptions.INTERPRETER);
    Machine compiled = machine(images, EngineOptions.REGIONS);
    for (int point = 1; point <= points; point++) {
      long to = interpreted.steps() + 1 + random.nextLong(2 * mean);
      Stop stop = interpreted.run(to);
      if (random.nextInt(DROP_ONE_IN) == 0) {
        long before = interpreted.steps() - random.nextLong(Math.min(mean, 100_000));
        compiled.run(Math.max(before, compiled.steps()));
        compiled.dropCaches();
      }
      compiled.run(interpreted.steps());
      if (compiled.steps() != interpreted.steps() || compiled.digest() != interpreted.digest()) {
        System.out.printf("The tiers differ at or before step %d%n", interpreted.steps());
        System.exit(1);
      }
      if (stop == Stop.HALTED || stop == Stop.IDLE) {
        report(compiled, point);
        return point;
      }
    }
    report(compiled, points);
    return points;
  }

  private static void report(Machine machine, int points) {
    EngineStats stats = machine.engineStats();
    System.out.printf(
        "%d points up to step %d agree; %.1f %% of the steps compiled, %d regions, %d dropped%n",
        points,
        machine.steps(),
        100.0 * stats.stepsInRegions() / machine.steps(),
        stats.units(),
        stats.evicted());
  }

  private static Machine machine(KernelLoader.Images images, EngineOptions options)
      throws BootException {
    MachineConfig config =
        new MachineConfig(
            MEMORY_BYTES,
            ClockMode.INSTRUCTIONS,
            Firmware.BUILT_IN,
            1_700_000_000_000_000_000L,
            List.of());
    Machine machine = new Machine(config, OutputSink.NONE, options);
    machine.boot(images, COMMAND_LINE);
    return machine;
  }
}
