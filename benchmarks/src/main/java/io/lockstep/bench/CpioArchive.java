package io.lockstep.bench;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** A cpio archive in the format of Linux's initramfs ("newc"), which may follow another one. */
final class CpioArchive {
  private static final int DIRECTORY = 0040755;
  private static final int PROGRAM = 0100755;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private int inode = 1;

  CpioArchive directory(String name) {
    return entry(name, DIRECTORY, new byte[0]);
  }

  CpioArchive program(String name, byte[] contents) {
    return entry(name, PROGRAM, contents);
  }

  byte[] toBytes() {
    entry("TRAILER!!!", 0, new byte[0]);
    return out.toByteArray();
  }

  private CpioArchive entry(String name, int mode, byte[] contents) {
    byte[] nameBytes = (name + "\0").getBytes(StandardCharsets.US_ASCII);
    // magic, inode, mode, uid, gid, links, time, size, device (2), rdev (2), name length, checksum
    int[] fields = {inode++, mode, 0, 0, 1, 0, contents.length, 0, 0, 0, 0, nameBytes.length, 0};
    StringBuilder header = new StringBuilder("070701");
    for (int field : fields) {
      header.append("%08X".formatted(field));
    }
    out.writeBytes(header.toString().getBytes(StandardCharsets.US_ASCII));
    out.writeBytes(nameBytes);
    pad();
    out.writeBytes(contents);
    pad();
    return this;
  }

  private void pad() {
    while (out.size() % 4 != 0) {
      out.write(0);
    }
  }
}
