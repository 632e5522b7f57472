package io.lockstep.cli.image;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** The bytes of a file that is going into an image. */
sealed interface Content permits Content.InMemory, Spool.Slice {
  /** Length in bytes. */
  long size();

  void writeTo(OutputStream out) throws IOException;

  /** All of it at once; for files that are known to be small or single. */
  byte[] bytes() throws IOException;

  static Content of(String text) {
    return new InMemory(text.getBytes(StandardCharsets.UTF_8));
  }

  static Content of(byte[] bytes) {
    return new InMemory(bytes.clone());
  }

  /** Content made by the builder itself. */
  final class InMemory implements Content {
    private final byte[] bytes;

    private InMemory(byte[] bytes) {
      this.bytes = bytes;
    }

    @Override
    public long size() {
      return bytes.length;
    }

    @Override
    public void writeTo(OutputStream out) throws IOException {
      out.write(bytes);
    }

    @Override
    public byte[] bytes() {
      return bytes.clone();
    }
  }
}
