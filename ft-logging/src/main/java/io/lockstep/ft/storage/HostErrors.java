package io.lockstep.ft.storage;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.Locale;

/** Words for errors of the operating system. */
final class HostErrors {
  private HostErrors() {}

  /** A clause without a full stop. */
  static String reason(IOException e) {
    return switch (e) {
      case NoSuchFileException x -> x.getFile() + " does not exist";
      case AccessDeniedException x -> "access to " + x.getFile() + " is denied";
      case FileSystemException x when x.getReason() != null -> x.getFile() + ": " + x.getReason();
      default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    };
  }

  /** ENOSPC and EDQUOT: Java has no types for them. */
  static boolean isFull(IOException e) {
    String text = String.valueOf(e.getMessage()).toLowerCase(Locale.ROOT);
    return text.contains("no space left") || text.contains("quota exceeded");
  }

  static StorageException wrap(String what, IOException e) {
    return isFull(e)
        ? new StorageException(
            StorageException.Kind.FULL, what + ": no space is left; make room on the storage.", e)
        : new StorageException(
            StorageException.Kind.FAILED, "%s: %s.".formatted(what, reason(e)), e);
  }
}
