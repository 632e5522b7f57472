package io.lockstep.host.vm;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** Reads files that a user named, and says in a sentence what is wrong with them. */
public final class HostFiles {
  /** The largest file that is read whole; what a guest starts from must fit into 1 GiB. */
  private static final int SIZE_MAX = 1 << 30;

  private HostFiles() {}

  /**
   * Reads a file.
   *
   * @param what what the file is to the user ("kernel")
   */
  public static byte[] read(String what, Path file) throws SetupException {
    checkReadable(what, file);
    try {
      byte[] contents = contents(file);
      if (contents.length == 0) {
        throw new SetupException("The %s %s is empty; make it again.".formatted(what, file));
      }
      return contents;
    } catch (TooLargeException e) {
      throw new SetupException(
          "The %s %s is larger than 1 GiB; is that the right file?".formatted(what, file), e);
    } catch (IOException e) {
      throw new SetupException("The %s %s cannot be read: %s.".formatted(what, file, reason(e)), e);
    } catch (OutOfMemoryError e) {
      throw new SetupException(
          ("Not enough memory to load the %s %s; close other programs or raise Java's heap with"
                  + " LOCKSTEP_JAVA_OPTS=-Xmx2g.")
              .formatted(what, file),
          e);
    }
  }

  /** Pipes and devices have no size. */
  private static byte[] contents(Path file) throws IOException {
    if (Files.isRegularFile(file)) {
      if (Files.size(file) > SIZE_MAX) {
        throw new TooLargeException();
      }
      return Files.readAllBytes(file);
    }
    try (InputStream in = Files.newInputStream(file)) {
      byte[] contents = in.readNBytes(SIZE_MAX + 1);
      if (contents.length > SIZE_MAX) {
        throw new TooLargeException();
      }
      return contents;
    }
  }

  private static final class TooLargeException extends IOException {
    private static final long serialVersionUID = 1;
  }

  /** Checks what can be checked without opening. */
  public static void checkReadable(String what, Path file) throws SetupException {
    if (!Files.exists(file)) {
      throw new SetupException("The %s %s does not exist; check its name.".formatted(what, file));
    }
    if (Files.isDirectory(file)) {
      throw new SetupException("The %s %s is a directory; name a file.".formatted(what, file));
    }
    if (!Files.isReadable(file)) {
      throw new SetupException(
          "The %s %s may not be read; check its permissions (ls -l).".formatted(what, file));
    }
  }

  /** An I/O error in a few words, without the file's name. */
  public static String reason(IOException e) {
    return switch (e) {
      case AccessDeniedException _ -> "permission denied";
      case NoSuchFileException _ -> "it does not exist";
      default -> {
        String message = e.getMessage();
        yield message == null ? e.getClass().getSimpleName() : message;
      }
    };
  }
}
