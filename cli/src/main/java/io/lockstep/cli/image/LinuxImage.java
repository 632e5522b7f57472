package io.lockstep.cli.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Gets the flat kernel {@code Image} out of what a kernel package has in {@code /boot}: that image
 * itself (Debian's {@code vmlinux}, also a PE file because of its EFI stub), the same under gzip,
 * or as the payload of an EFI zboot file.
 */
final class LinuxImage {
  /** "RSC\5" at byte 56 (kernel documentation, arch/riscv/boot-image-header). */
  private static final int RISCV_MAGIC = 0x05435352;

  private static final int RISCV_MAGIC_OFFSET = 56;

  /**
   * The EFI zboot header: "zimg" at 4, payload offset and size after it, then the compression's
   * name at 24.
   */
  private static final int ZBOOT_MAGIC = 0x676d697a;

  private static final int ZBOOT_HEADER = 56;
  private static final int GZIP_MAGIC = 0x8b1f;
  private static final int LAYERS = 3;

  private LinuxImage() {}

  /** The flat image, unmodified apart from decompression. */
  static byte[] flat(byte[] file) throws ImageException, IOException {
    byte[] image = file;
    for (int layer = 0; layer < LAYERS; layer++) {
      if (isFlat(image)) {
        return image;
      }
      image = unwrap(image);
    }
    throw unknown();
  }

  static boolean isFlat(byte[] image) {
    return image.length > RISCV_MAGIC_OFFSET + 8
        && littleEndian(image).getInt(RISCV_MAGIC_OFFSET) == RISCV_MAGIC;
  }

  private static byte[] unwrap(byte[] image) throws ImageException, IOException {
    ByteBuffer bytes = littleEndian(image);
    if (image.length > 2 && (bytes.getShort(0) & 0xffff) == GZIP_MAGIC) {
      return Decompressor.decompress(image, "gzip");
    }
    if (image.length > ZBOOT_HEADER && bytes.getInt(4) == ZBOOT_MAGIC) {
      int offset = bytes.getInt(8);
      int size = bytes.getInt(12);
      if (offset < 0 || size < 0 || (long) offset + size > image.length) {
        throw unknown();
      }
      String format = new String(image, 24, 32, StandardCharsets.US_ASCII);
      int end = format.indexOf('\0');
      return Decompressor.decompress(
          Arrays.copyOfRange(image, offset, offset + size),
          end < 0 ? format : format.substring(0, end));
    }
    throw unknown();
  }

  private static ByteBuffer littleEndian(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static ImageException unknown() {
    return new ImageException(
        "The kernel of this suite has a format that is not known; choose another --suite.");
  }
}
