package io.lockstep.cli.image;

/**
 * An image could not be built. The message is one sentence for the user that says what to do about
 * it.
 */
public final class ImageException extends Exception {
  private static final long serialVersionUID = 1L;

  public ImageException(String sentence) {
    super(sentence);
  }

  public ImageException(String sentence, Throwable cause) {
    super(sentence, cause);
  }
}
