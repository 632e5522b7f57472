package io.lockstep.cli.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a kernel module says about itself in its {@code .modinfo} section.
 *
 * @param dependencies names of modules whose symbols it uses; hyphens written as underscores
 * @param softDependencies names or aliases that should be there before it
 */
record ModuleInfo(List<String> dependencies, List<String> softDependencies) {
  private static final int SECTION_HEADER_SIZE = 64;

  ModuleInfo {
    dependencies = List.copyOf(dependencies);
    softDependencies = List.copyOf(softDependencies);
  }

  /** Reads a module's ELF64 file; empty if it is none. */
  static Optional<ModuleInfo> of(byte[] elf) {
    try {
      return modinfo(ByteBuffer.wrap(elf).order(ByteOrder.LITTLE_ENDIAN)).map(ModuleInfo::parse);
    } catch (IndexOutOfBoundsException | ArithmeticException e) {
      return Optional.empty();
    }
  }

  private static Optional<String> modinfo(ByteBuffer elf) {
    if (elf.getInt(0) != 0x464c457f) {
      return Optional.empty();
    }
    int table = Math.toIntExact(elf.getLong(40));
    int count = elf.getShort(60) & 0xffff;
    int names = sectionOffset(elf, table, elf.getShort(62) & 0xffff);
    for (int i = 0; i < count; i++) {
      int header = table + i * SECTION_HEADER_SIZE;
      if (stringAt(elf, names + elf.getInt(header)).equals(".modinfo")) {
        long size = elf.getLong(header + 32);
        if (size < 0 || size > elf.capacity()) {
          return Optional.empty();
        }
        var bytes = new byte[(int) size];
        elf.get(sectionOffset(elf, table, i), bytes);
        return Optional.of(new String(bytes, StandardCharsets.UTF_8));
      }
    }
    return Optional.empty();
  }

  private static int sectionOffset(ByteBuffer elf, int table, int index) {
    return Math.toIntExact(elf.getLong(table + index * SECTION_HEADER_SIZE + 24));
  }

  private static String stringAt(ByteBuffer elf, int offset) {
    var text = new StringBuilder();
    for (int i = offset; elf.get(i) != 0; i++) {
      text.append((char) elf.get(i));
    }
    return text.toString();
  }

  private static ModuleInfo parse(String section) {
    var hard = new ArrayList<String>();
    var soft = new ArrayList<String>();
    for (String entry : section.split("\0")) {
      if (entry.startsWith("depends=")) {
        for (String name : entry.substring(8).split(",")) {
          if (!name.isEmpty()) {
            hard.add(KernelModules.canonical(name));
          }
        }
      } else if (entry.startsWith("softdep=")) {
        soft.addAll(softBefore(entry.substring(8)));
      }
    }
    return new ModuleInfo(hard, soft);
  }

  /** The names after {@code pre:} and before {@code post:}. */
  private static List<String> softBefore(String text) {
    var names = new ArrayList<String>();
    boolean before = false;
    for (String word : text.strip().split("\\s+")) {
      if (word.endsWith(":")) {
        before = word.equals("pre:");
      } else if (before) {
        names.add(KernelModules.canonical(word));
      }
    }
    return names;
  }
}
