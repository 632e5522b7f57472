package io.lockstep.cli;

import io.lockstep.vm.engine.EngineOptions;
import io.lockstep.vm.engine.EngineOptions.Mode;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** How guest code is executed; a mixin for all commands that run a machine. */
final class EngineOption {
  @Option(
      names = "--engine",
      paramLabel = "interpreter|bytecode|regions",
      converter = ModeConverter.class,
      description =
          "How guest code is executed: 'regions' compiles what is used more than a few times to"
              + " code of this computer's processor (default; on others than x86-64 it is"
              + " 'bytecode'), 'bytecode' compiles what is hot to bytecode of the JVM,"
              + " 'interpreter' compiles nothing. The guest cannot tell, and the two sides of a"
              + " pair, or a recording and its replay, may differ in it.")
  private Mode mode = Mode.REGIONS;

  /** Makes the choice take effect for all machines of this process, whoever makes them. */
  void apply() {
    EngineOptions.useAsStandard(mode);
  }

  /** Reads a mode's name. */
  static final class ModeConverter implements ITypeConverter<Mode> {
    @Override
    public Mode convert(String text) {
      for (Mode mode : Mode.values()) {
        if (mode.name().toLowerCase(Locale.ROOT).equals(text)) {
          return mode;
        }
      }
      throw new TypeConversionException(
          "'" + text + "' is not one of interpreter, bytecode and regions");
    }
  }
}
