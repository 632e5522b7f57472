package io.lockstep.cli;

import io.lockstep.replay.store.SyncPolicy;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads the value of {@code --sync}. */
final class SyncConverter implements ITypeConverter<SyncPolicy> {
  @Override
  public SyncPolicy convert(String text) {
    for (SyncPolicy policy : SyncPolicy.values()) {
      if (policy.name().toLowerCase(Locale.ROOT).replace('_', '-').equals(text)) {
        return policy;
      }
    }
    throw new TypeConversionException(
        "'" + text + "' is not one of never, every-second and always");
  }
}
