package io.lockstep.cli;

import io.lockstep.cli.image.ImageException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;

/** Turns what may go wrong with images into a sentence for the user. */
public final class ImageErrors {
  private ImageErrors() {}

  /** A job that may fail. */
  public interface Job<T> {
    T run() throws ImageException, IOException;
  }

  /**
   * Does the job.
   *
   * @throws UserError if it fails
   */
  public static <T> T reported(Job<T> job) {
    try {
      return job.run();
    } catch (ImageException e) {
      throw new UserError(e.getMessage(), e);
    } catch (IOException e) {
      throw new UserError(sentence(e), e);
    }
  }

  /** What a failed file operation means for the user. */
  static String sentence(IOException e) {
    String text = String.valueOf(e.getMessage());
    String file =
        e instanceof FileSystemException failed && failed.getFile() != null ? failed.getFile() : "";
    if (text.contains("No space left on device") || text.contains("Disk quota exceeded")) {
      return "The disk is full; free some space or choose another directory.";
    }
    if (e instanceof AccessDeniedException || text.contains("Permission denied")) {
      return (file.isEmpty() ? "A file" : file)
          + " may not be written; choose a directory of your own.";
    }
    if (text.contains("Read-only file system")) {
      return (file.isEmpty() ? "The directory" : file)
          + " is on a read-only file system; choose another directory.";
    }
    String where = file.isEmpty() ? text : file + ": " + e.getClass().getSimpleName();
    return "A file operation failed (" + where + "); check the path and try again.";
  }
}
