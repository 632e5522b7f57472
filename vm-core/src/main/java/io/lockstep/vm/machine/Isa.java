package io.lockstep.vm.machine;

import io.lockstep.vm.firmware.VirtBoardTree;
import java.util.List;

/** What the hart tells a kernel that it can do. */
final class Isa {
  private static final List<String> EXTENSIONS =
      List.of(
          "i",
          "m",
          "a",
          "f",
          "d",
          "c",
          "zicboz",
          "zicntr",
          "zicond",
          "zicsr",
          "zifencei",
          "zihintpause",
          "zba",
          "zbb",
          "zbc",
          "zbs",
          "sstc",
          "svadu");

  static final VirtBoardTree.Cpu CPU =
      new VirtBoardTree.Cpu(
          "rv64imafdc_" + String.join("_", EXTENSIONS.subList(6, EXTENSIONS.size())),
          "rv64i",
          EXTENSIONS,
          "riscv,sv48");

  private Isa() {}
}
