package io.lockstep.vm.firmware;

import io.lockstep.vm.memory.GuestRam;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Decides where everything goes before the first step, and puts it there.
 *
 * <pre>
 * 0x8000_0000          firmware, if a guest brings its own (plain bytes, or an ELF file's addresses)
 * 0x8020_0000          kernel (plain bytes and Image; an ELF file's addresses)
 *    ...
 * below the next       initrd, on a page
 * below the next       boot information for the firmware, one page
 * top of RAM - 2 MiB   device tree (at most 3 GiB; on a page at the top of a small RAM)
 * </pre>
 *
 * <p>Two steps, since the device tree has to tell where the initrd is: {@link #plan}, then {@link
 * Plan#place}.
 */
public final class KernelLoader {
  /** Room for the device tree: the most bytes it may have. */
  public static final int DTB_MAX = 64 << 10;

  private static final long PAGE = GuestRam.PAGE;
  private static final long DTB_ALIGNMENT = 2 << 20;
  private static final long DTB_CEILING = 3L << 30;

  /** Below this size of RAM the device tree sits on a page at the very top. */
  private static final long SMALL = 16 << 20;

  /** OpenSBI's {@code struct fw_dynamic_info}, version 2. */
  private static final long FW_DYNAMIC_MAGIC = 0x4942_534f;

  private static final long FW_DYNAMIC_VERSION = 2;
  private static final long FW_DYNAMIC_SUPERVISOR = 1;

  private KernelLoader() {}

  /**
   * What a machine starts from. Without firmware the kernel starts in S-mode on the built-in SBI.
   *
   * @param kernel an ELF file or Linux Image (also compressed with gzip); behind firmware also
   *     plain bytes; empty for none
   * @param initrd bytes, empty for none
   * @param firmware an ELF file or plain bytes for M-mode, empty for none
   */
  public record Images(byte[] kernel, byte[] initrd, byte[] firmware) {
    private static final byte[] NONE = {};

    /** A kernel on the built-in SBI. */
    public static Images of(byte[] kernel, byte[] initrd) {
      return new Images(kernel, initrd, NONE);
    }
  }

  /**
   * The hart's registers at the start.
   *
   * @param pc first instruction
   * @param a0 the hart's id
   * @param a1 address of the device tree
   * @param a2 address of the firmware's boot information, 0 without firmware
   */
  public record Entry(long pc, long a0, long a1, long a2) {}

  /** Where everything goes. */
  public static final class Plan {
    private final List<Executable.Piece> pieces;
    private final byte[] initrd;
    private final long initrdStart;
    private final long dtbAddress;
    private final byte[] bootInfo;
    private final long bootInfoAddress;
    private final long pc;

    private Plan(
        List<Executable.Piece> pieces,
        byte[] initrd,
        long initrdStart,
        long dtbAddress,
        byte[] bootInfo,
        long bootInfoAddress,
        long pc) {
      this.pieces = pieces;
      this.initrd = initrd;
      this.initrdStart = initrdStart;
      this.dtbAddress = dtbAddress;
      this.bootInfo = bootInfo;
      this.bootInfoAddress = bootInfoAddress;
      this.pc = pc;
    }

    /** Guest physical address of the initrd. */
    public long initrdStart() {
      return initrdStart;
    }

    /** First address after the initrd; equal to the start if there is none. */
    public long initrdEnd() {
      return initrdStart + initrd.length;
    }

    /**
     * Copies everything into RAM, which must have the size that was planned for.
     *
     * @param dtb the device tree, at most {@link #DTB_MAX} bytes
     * @throws BootException if the device tree is larger, which a very long command line can do
     */
    public Entry place(GuestRam ram, byte[] dtb) throws BootException {
      if (dtb.length > DTB_MAX) {
        throw new BootException(
            "The kernel's command line is too long; it must be shorter than 60,000 characters.");
      }
      for (Executable.Piece p : pieces) {
        ram.write(p.address(), p.bytes(), p.offset(), p.length());
        ram.zero(p.address() + p.length(), p.memoryLength() - p.length());
      }
      ram.write(initrdStart, initrd, 0, initrd.length);
      ram.write(bootInfoAddress, bootInfo, 0, bootInfo.length);
      ram.write(dtbAddress, dtb, 0, dtb.length);
      return new Entry(pc, 0, dtbAddress, bootInfo.length == 0 ? 0 : bootInfoAddress);
    }
  }

  /**
   * Finds a place for everything.
   *
   * @param memoryBytes the size of RAM
   * @throws BootException if a file is not what it should be, or RAM is too small
   */
  public static Plan plan(long memoryBytes, Images images) throws BootException {
    boolean ownFirmware = images.firmware().length > 0;
    if (!ownFirmware && images.kernel().length == 0) {
      throw new BootException("There is nothing to start: give a kernel or firmware.");
    }
    List<Executable.Piece> pieces = new ArrayList<>();
    long end = GuestRam.BASE;
    long pc = 0;
    if (ownFirmware) {
      Executable firmware =
          Executable.parse("firmware", images.firmware(), GuestRam.BASE, memoryBytes);
      pieces.addAll(firmware.pieces());
      pc = firmware.entry();
      end = firmware.end();
    }
    long next = 0;
    if (images.kernel().length > 0) {
      long plain = ownFirmware ? Executable.DEFAULT_KERNEL : 0;
      Executable kernel = Executable.parse("kernel", images.kernel(), plain, memoryBytes);
      checkOverlap(pieces, kernel.pieces());
      if (!ownFirmware && kernel.entry() == GuestRam.BASE) {
        throw new BootException(
            "The kernel starts at 0x%x, where firmware does on this board, so it is made for M-mode; add --firmware none."
                .formatted(GuestRam.BASE));
      }
      pieces.addAll(kernel.pieces());
      next = kernel.entry();
      end = Math.max(end, kernel.end());
    }
    byte[] bootInfo = ownFirmware ? dynamicInfo(next) : new byte[0];
    return arrange(memoryBytes, pieces, end, images.initrd(), bootInfo, ownFirmware ? pc : next);
  }

  private static Plan arrange(
      long memoryBytes,
      List<Executable.Piece> pieces,
      long end,
      byte[] initrd,
      byte[] bootInfo,
      long pc)
      throws BootException {
    long dtb = dtbAddress(memoryBytes);
    long info = dtb - PAGE;
    long initrdStart = alignDown(info - initrd.length, PAGE);
    if (Long.compareUnsigned(end, initrdStart) > 0) {
      if (dtb + 2 * DTB_ALIGNMENT < GuestRam.BASE + memoryBytes) {
        throw new BootException(
            "Kernel and initrd are larger than the 1 GiB that can be loaded; make the initrd"
                + " smaller.");
      }
      long needed = end - GuestRam.BASE + initrd.length + 2 * PAGE;
      long withTree = needed + DTB_MAX > SMALL ? needed + 2 * DTB_ALIGNMENT : needed + DTB_MAX;
      throw new BootException(
          "The guest's memory of %s is too small for what it starts from; at least %s is needed."
              .formatted(Executable.mebibytes(memoryBytes), Executable.mebibytes(withTree)));
    }
    return new Plan(pieces, initrd, initrdStart, dtb, bootInfo, info, pc);
  }

  private static long dtbAddress(long memoryBytes) {
    long top = Math.max(DTB_CEILING, GuestRam.BASE + SMALL);
    long end = Math.min(GuestRam.BASE + memoryBytes, top);
    return alignDown(end - DTB_MAX, memoryBytes < SMALL ? PAGE : DTB_ALIGNMENT);
  }

  private static void checkOverlap(List<Executable.Piece> some, List<Executable.Piece> others)
      throws BootException {
    for (Executable.Piece a : some) {
      for (Executable.Piece b : others) {
        if (a.address() < b.end() && b.address() < a.end()) {
          throw new BootException(
              ("Kernel and firmware both want the memory at 0x%x; start a kernel that is made for"
                      + " M-mode with --firmware none.")
                  .formatted(Math.max(a.address(), b.address())));
        }
      }
    }
  }

  private static byte[] dynamicInfo(long next) {
    ByteBuffer b = ByteBuffer.allocate(6 * 8).order(ByteOrder.LITTLE_ENDIAN);
    b.putLong(FW_DYNAMIC_MAGIC).putLong(FW_DYNAMIC_VERSION).putLong(next);
    b.putLong(FW_DYNAMIC_SUPERVISOR).putLong(0).putLong(0);
    return b.array();
  }

  private static long alignDown(long v, long alignment) {
    return v & -alignment;
  }
}
