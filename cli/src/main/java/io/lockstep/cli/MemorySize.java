package io.lockstep.cli;

import io.lockstep.vm.machine.MachineConfig;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads sizes of memory: {@code 512M}, {@code 2G}, {@code 2GiB}; a bare number is in MiB. */
final class MemorySize implements ITypeConverter<Long> {
  private static final Pattern SIZE =
      Pattern.compile("(\\d{1,9})\\s*(?:([KMG])(?:iB|B)?)?", Pattern.CASE_INSENSITIVE);

  @Override
  public Long convert(String text) {
    Matcher m = SIZE.matcher(text.strip());
    if (!m.matches()) {
      throw new TypeConversionException("'" + text + "' is not a size like 512M or 2G");
    }
    String unit = m.group(2) == null ? "M" : m.group(2);
    int shift =
        switch (unit.charAt(0)) {
          case 'K', 'k' -> 10;
          case 'M', 'm' -> 20;
          default -> 30;
        };
    long bytes = Long.parseLong(m.group(1)) << shift;
    if (bytes < MachineConfig.MEMORY_MIN || bytes > MachineConfig.MEMORY_MAX || bytes % 4096 != 0) {
      throw new TypeConversionException(
          "'" + text + "' is not a size between 1M and 64G in whole pages of 4K");
    }
    return bytes;
  }
}
