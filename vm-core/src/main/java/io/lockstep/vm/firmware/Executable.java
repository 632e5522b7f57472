package io.lockstep.vm.firmware;

import io.lockstep.vm.memory.GuestRam;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;

/**
 * A program as it goes into memory: an ELF file for RV64, a Linux {@code Image}, or plain bytes.
 * The bytes are not trusted.
 *
 * @param pieces what goes where
 * @param entry guest physical address of the first instruction
 * @param end first address after everything that the program occupies, uninitialized data included
 */
record Executable(List<Piece> pieces, long entry, long end) {

  /** Bytes from a file, and zeroes after them. {@code memoryLength} is at least {@code length}. */
  record Piece(long address, byte[] bytes, int offset, int length, long memoryLength) {
    long end() {
      return address + memoryLength;
    }
  }

  /**
   * Where a kernel or a next boot stage without an address of its own goes: 2 MiB above the start
   * of RAM.
   */
  static final long DEFAULT_KERNEL = GuestRam.BASE + 0x20_0000;

  private static final int ELF_HEADER = 64;
  private static final int ELF_SEGMENT = 56;
  private static final int ELF_RISCV = 243;
  private static final int ELF_LOAD = 1;
  private static final int IMAGE_HEADER = 64;
  private static final int IMAGE_MAGIC_AT = 0x38;

  /** {@code RSC\x05}, little-endian. */
  private static final int IMAGE_MAGIC = 0x0543_5352;

  /** {@code ARM\x64}, at the same place. */
  private static final int ARM64_MAGIC = 0x644d_5241;

  /**
   * Reads a program.
   *
   * @param what how to call it in messages: kernel or firmware
   * @param bytes the file
   * @param plainAddress where a file of unknown format is loaded; 0 if that is an error
   * @param memoryBytes the size of RAM, which also limits what is decompressed
   */
  static Executable parse(String what, byte[] bytes, long plainAddress, long memoryBytes)
      throws BootException {
    byte[] b = isGzip(bytes) ? gunzip(what, bytes, memoryBytes) : bytes;
    ByteBuffer buffer = ByteBuffer.wrap(b).order(ByteOrder.LITTLE_ENDIAN);
    if (b.length >= 4 && buffer.getInt(0) == 0x464c_457f) {
      return elf(what, b, buffer);
    }
    if (b.length >= IMAGE_HEADER && buffer.getInt(IMAGE_MAGIC_AT) == IMAGE_MAGIC) {
      return image(what, b, buffer);
    }
    rejectForeign(what, b, buffer);
    if (plainAddress == 0) {
      throw new BootException(
          "The %s is neither an ELF file nor a Linux Image for RISC-V; give the kernel that a riscv64 system boots."
              .formatted(what));
    }
    Piece piece = new Piece(plainAddress, b, 0, b.length, b.length);
    return new Executable(List.of(piece), plainAddress, piece.end());
  }

  private static boolean isGzip(byte[] b) {
    return b.length > 2 && (b[0] & 0xff) == 0x1f && (b[1] & 0xff) == 0x8b;
  }

  private static byte[] gunzip(String what, byte[] bytes, long memoryBytes) throws BootException {
    int limit = (int) Math.min(memoryBytes, Integer.MAX_VALUE - 64);
    try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(bytes))) {
      byte[] out = in.readNBytes(limit);
      if (in.read() >= 0) {
        throw new BootException(
            "The decompressed %s is larger than the guest's memory of %s; give the guest more."
                .formatted(what, mebibytes(memoryBytes)));
      }
      return out;
    } catch (IOException e) {
      throw new BootException("The compressed %s is damaged; get the file again.".formatted(what));
    }
  }

  private static Executable elf(String what, byte[] b, ByteBuffer buffer) throws BootException {
    if (b.length < ELF_HEADER) {
      throw damaged(what);
    }
    if (b[4] != 2 || b[5] != 1 || buffer.getShort(18) != ELF_RISCV) {
      throw new BootException(
          "The %s is an ELF file for another architecture; one for 64-bit RISC-V is needed."
              .formatted(what));
    }
    long entry = buffer.getLong(24);
    long table = buffer.getLong(32);
    int entrySize = Short.toUnsignedInt(buffer.getShort(54));
    int count = Short.toUnsignedInt(buffer.getShort(56));
    if (entrySize < ELF_SEGMENT || table < 0 || table > b.length - (long) entrySize * count) {
      throw damaged(what);
    }
    List<Piece> pieces = new ArrayList<>();
    long physicalEntry = entry;
    long end = 0;
    for (int i = 0; i < count; i++) {
      int at = (int) table + i * entrySize;
      if (buffer.getInt(at) != ELF_LOAD || buffer.getLong(at + 40) == 0) {
        continue;
      }
      Piece piece = segment(what, b, buffer, at);
      pieces.add(piece);
      end = Long.compareUnsigned(piece.end(), end) > 0 ? piece.end() : end;
      long intoSegment = entry - buffer.getLong(at + 16);
      if (Long.compareUnsigned(intoSegment, piece.memoryLength()) < 0) {
        physicalEntry = piece.address() + intoSegment;
      }
    }
    if (pieces.isEmpty()) {
      throw new BootException("The %s contains nothing to load.".formatted(what));
    }
    return new Executable(List.copyOf(pieces), physicalEntry, end);
  }

  private static Piece segment(String what, byte[] b, ByteBuffer buffer, int at)
      throws BootException {
    long offset = buffer.getLong(at + 8);
    long address = buffer.getLong(at + 24);
    long fileLength = buffer.getLong(at + 32);
    long memoryLength = buffer.getLong(at + 40);
    boolean inFile =
        offset >= 0 && fileLength >= 0 && offset <= b.length && fileLength <= b.length - offset;
    if (!inFile || memoryLength < fileLength || memoryLength > Long.MAX_VALUE / 4) {
      throw damaged(what);
    }
    if (address < GuestRam.BASE || address > Long.MAX_VALUE / 2) {
      throw new BootException(
          "The %s wants to be loaded at 0x%x, but memory starts at 0x%x; give one linked for this board."
              .formatted(what, address, GuestRam.BASE));
    }
    return new Piece(address, b, (int) offset, (int) fileLength, memoryLength);
  }

  /**
   * Linux, Documentation/arch/riscv/boot-image-header: text offset at 8, size at 16, flags at 24.
   */
  private static Executable image(String what, byte[] b, ByteBuffer buffer) throws BootException {
    long textOffset = buffer.getLong(8);
    long size = buffer.getLong(16);
    if (textOffset < 0 || textOffset > 1L << 32 || size < 0 || size > 1L << 32) {
      throw damaged(what);
    }
    if ((buffer.getLong(24) & 1) != 0) {
      throw new BootException(
          "The %s is for big-endian RISC-V; one for riscv64 is needed.".formatted(what));
    }
    long address = textOffset == 0 ? DEFAULT_KERNEL : GuestRam.BASE + textOffset;
    Piece piece = new Piece(address, b, 0, b.length, Math.max(size, b.length));
    return new Executable(List.of(piece), address, piece.end());
  }

  private static void rejectForeign(String what, byte[] b, ByteBuffer buffer) throws BootException {
    boolean x86 = b.length >= 0x206 && buffer.getInt(0x202) == 0x5372_6448;
    boolean arm = b.length >= IMAGE_HEADER && buffer.getInt(IMAGE_MAGIC_AT) == ARM64_MAGIC;
    if (x86 || arm) {
      throw new BootException(
          "The %s is a Linux kernel for %s; one for riscv64 is needed."
              .formatted(what, x86 ? "x86" : "arm64"));
    }
    if (b.length >= 8 && buffer.getInt(4) == 0x676d_697a) {
      throw new BootException(
          "The %s is packed for EFI (zboot); give the unpacked Image.".formatted(what));
    }
    if (b.length == 0) {
      throw new BootException("The %s file is empty.".formatted(what));
    }
  }

  private static BootException damaged(String what) {
    return new BootException(
        "The %s file is damaged: its header points outside of the file.".formatted(what));
  }

  static String mebibytes(long bytes) {
    return Math.ceilDiv(bytes, 1L << 20) + " MiB";
  }
}
