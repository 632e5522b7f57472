package io.lockstep.cli.demo;

import java.io.Serial;

/** The demo cannot go on, or saw a promise broken. The message is a sentence for the user. */
final class DemoException extends Exception {
  @Serial private static final long serialVersionUID = 1;

  DemoException(String message) {
    super(message);
  }
}
