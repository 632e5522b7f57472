package io.lockstep.cli.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;

class LinuxImageTest {
  private static byte[] flat() {
    byte[] image = new byte[4096];
    ByteBuffer.wrap(image)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putShort(0, (short) 0x5a4d)
        .putInt(56, 0x05435352);
    return image;
  }

  private static byte[] gzip(byte[] bytes) throws IOException {
    var out = new ByteArrayOutputStream();
    try (var gzip = new GZIPOutputStream(out)) {
      gzip.write(bytes);
    }
    return out.toByteArray();
  }

  private static byte[] zboot(byte[] payload, int offset, int size) {
    byte[] file = new byte[64 + payload.length];
    ByteBuffer bytes = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putInt(0, 0x5a4d).putInt(4, 0x676d697a).putInt(8, offset).putInt(12, size);
    bytes.put(24, "gzip".getBytes(StandardCharsets.US_ASCII)).put(64, payload);
    return file;
  }

  @Test
  void aFlatImageIsTakenUnmodified() throws Exception {
    assertThat(LinuxImage.flat(flat())).isEqualTo(flat());
  }

  @Test
  void aPackedImageIsUnpacked() throws Exception {
    assertThat(LinuxImage.flat(gzip(flat()))).isEqualTo(flat());
  }

  @Test
  void thePayloadOfAZbootFileIsUnpacked() throws Exception {
    byte[] packed = gzip(flat());
    assertThat(LinuxImage.flat(zboot(packed, 64, packed.length))).isEqualTo(flat());
  }

  @Test
  void anythingElseIsRefusedWithASentence() throws Exception {
    byte[] packed = gzip(flat());
    for (byte[] bad :
        new byte[][] {
          new byte[10],
          new byte[5000],
          gzip(new byte[100]),
          zboot(packed, 64, Integer.MAX_VALUE),
          zboot(packed, -1, 10)
        }) {
      assertThatThrownBy(() -> LinuxImage.flat(bad))
          .isInstanceOf(ImageException.class)
          .hasMessageContaining("--suite");
    }
  }
}
