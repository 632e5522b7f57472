package io.lockstep.cli.image;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.List;
import java.util.zip.GZIPInputStream;

/** Undoes the compression that a kernel build applied to a module or an image. */
final class Decompressor {
  private Decompressor() {}

  /**
   * Decompresses by format name.
   *
   * @param format {@code gz}, {@code gzip}, {@code xz}, {@code zst} or {@code zstd}; the empty
   *     string means none
   */
  static byte[] decompress(byte[] data, String format) throws ImageException, IOException {
    return switch (format) {
      case "" -> data;
      case "gz", "gzip" -> gunzip(data);
      case "xz" -> filter("xz", data);
      case "zst", "zstd" -> filter("zstd", data);
      default ->
          throw new ImageException(
              "The kernel is compressed as "
                  + format
                  + ", which is not supported; choose another --suite.");
    };
  }

  private static byte[] gunzip(byte[] data) throws IOException {
    try (var in = new GZIPInputStream(new ByteArrayInputStream(data))) {
      return in.readAllBytes();
    }
  }

  private static byte[] filter(String program, byte[] data) throws ImageException, IOException {
    var output = new byte[1][];
    HostCommand.Result result =
        new HostCommand(program, List.of("-d", "-c", "-q"))
            .reading(data)
            .run(stream -> output[0] = stream.readAllBytes());
    if (!result.succeeded()) {
      throw new ImageException(
          "A file of the kernel package is damaged; delete the download cache and build again.");
    }
    return output[0];
  }
}
