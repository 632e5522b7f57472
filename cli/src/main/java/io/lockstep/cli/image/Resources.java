package io.lockstep.cli.image;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;

/** The guest's scripts, which are beside these classes. */
final class Resources {
  private Resources() {}

  static byte[] bytes(String name) throws IOException {
    try (InputStream in = Resources.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new FileNotFoundException("resource " + name);
      }
      return in.readAllBytes();
    }
  }
}
