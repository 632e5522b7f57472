package io.lockstep.vm.differential;

import io.lockstep.vm.isa.Decoder;
import io.lockstep.vm.isa.Op;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Every encoding there is, by the operation that our decoder makes of it; so what our decoder takes
 * for illegal is tried, too, and another decoder can disagree.
 *
 * <p>Wide instructions are listed with rd and rs1 open: all values of funct3 and of the upper
 * twelve bits, for each major opcode apart from the jumps, the branches and SYSTEM.
 */
final class Templates {
  private static final int[] OPCODES = {
    0x03, 0x07, 0x0f, 0x13, 0x17, 0x1b, 0x23, 0x27, 0x2f, 0x33, 0x37, 0x3b, 0x43, 0x47, 0x4b, 0x4f,
    0x53, 0x0b, 0x2b, 0x5b, 0x7b, 0x57, 0x6b, 0x77
  };

  private final List<List<Integer>> wide = new ArrayList<>();
  private final List<List<Integer>> compressed = new ArrayList<>();

  Templates() {
    for (int i = 0; i < Op.COUNT; i++) {
      wide.add(new ArrayList<>());
      compressed.add(new ArrayList<>());
    }
    for (int opcode : OPCODES) {
      for (int funct3 = 0; funct3 < 8; funct3++) {
        for (int upper = 0; upper < 4096; upper++) {
          int word = upper << 20 | 1 << 15 | funct3 << 12 | 1 << 7 | opcode;
          wide.get(Op.code(Decoder.decode(word, 0))).add(word & ~(31 << 15 | 31 << 7));
        }
      }
    }
    for (int half = 0; half < 0x10000; half++) {
      if (Decoder.isCompressed(half)) {
        compressed.get(Op.code(Decoder.decode(half, 0))).add(half);
      }
    }
  }

  /** A wide encoding of an operation, rd and rs1 being 0; or 0 if there is none. */
  int wide(int code, Random random) {
    return pick(wide.get(code), random);
  }

  /** A compressed encoding of an operation, or -1 if there is none. */
  int compressed(int code, Random random) {
    List<Integer> list = compressed.get(code);
    return list.isEmpty() ? -1 : pick(list, random);
  }

  private static int pick(List<Integer> list, Random random) {
    return list.isEmpty() ? 0 : list.get(random.nextInt(list.size()));
  }
}
