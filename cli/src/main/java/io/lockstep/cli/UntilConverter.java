package io.lockstep.cli;

import io.lockstep.replay.recording.ReplayUntil;
import io.lockstep.vm.machine.MachineConfig;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads the value of {@code --until}. */
final class UntilConverter implements ITypeConverter<ReplayUntil> {
  private static final String LSN = "lsn:";
  private static final String TIME = "time:";

  @Override
  public ReplayUntil convert(String text) {
    try {
      if (text.startsWith(LSN)) {
        return new ReplayUntil.LsnBound(Long.parseLong(text.substring(LSN.length())));
      }
      if (text.startsWith(TIME)) {
        double seconds = Double.parseDouble(text.substring(TIME.length()).replaceFirst("s$", ""));
        return new ReplayUntil.Time((long) (seconds * MachineConfig.TIMEBASE_HZ));
      }
      return new ReplayUntil.Point(Long.parseLong(text.replace("_", "").replace(",", "")));
    } catch (NumberFormatException e) {
      throw new TypeConversionException(
          "'" + text + "' is not a number of steps, lsn:N or time:SECONDS");
    }
  }
}
