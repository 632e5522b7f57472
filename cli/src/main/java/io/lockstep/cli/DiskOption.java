package io.lockstep.cli;

import io.lockstep.host.vm.VmSpec.DiskSpec;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads {@code PATH[,ro][,serial=TEXT]}. */
final class DiskOption implements ITypeConverter<DiskSpec> {
  private static final int SERIAL_MAX = 20;

  @Override
  public DiskSpec convert(String text) {
    String path = text;
    boolean readOnly = false;
    String serial = "";
    // Options are at the end.
    for (int comma = path.lastIndexOf(','); comma >= 0; comma = path.lastIndexOf(',')) {
      String option = path.substring(comma + 1);
      if (option.equals("ro")) {
        readOnly = true;
      } else if (option.startsWith("serial=")) {
        serial = serial(option.substring("serial=".length()));
      } else {
        throw new TypeConversionException(
            "'%s' in '%s' is not one of ro and serial=TEXT".formatted(option, text));
      }
      path = path.substring(0, comma);
    }
    if (path.isEmpty()) {
      throw new TypeConversionException("'%s' names no disk image".formatted(text));
    }
    try {
      return new DiskSpec(Path.of(path), readOnly, serial);
    } catch (InvalidPathException e) {
      throw new TypeConversionException("'%s' is not a file name".formatted(path));
    }
  }

  private static String serial(String text) {
    boolean printable = text.chars().allMatch(c -> c > ' ' && c < 0x7f);
    if (text.isEmpty() || text.length() > SERIAL_MAX || !printable) {
      throw new TypeConversionException(
          "'%s' is not a serial of 1 to 20 printable characters".formatted(text));
    }
    return text;
  }
}
