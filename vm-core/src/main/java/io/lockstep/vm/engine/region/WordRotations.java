package io.lockstep.vm.engine.region;

import io.lockstep.vm.isa.Op;

/**
 * Rotations of 32-bit words that code without Zbb makes of two shifts and an OR, XOR or addition:
 *
 * <pre>
 *   slliw t, a, k
 *   srliw u, a, 32-k
 *   or    d, t, u
 * </pre>
 *
 * HotSpot knows a rotation when it sees one, but not through the conversions to 64 bits that lie
 * between these. So the last of the three is emitted as a rotation of what {@code a} was, which is
 * kept in a local variable, because one of the shifts usually overwrites it. The shifts stay; where
 * nothing else reads them, HotSpot drops them.
 *
 * <p>All three operations give the same: a left-shifted word, sign-extended, and a right-shifted
 * one, which is not negative, have no bit in common below 2^32.
 */
final class WordRotations {
  /** Shifted by what, from which contents of which register, at which operation. */
  private record Shift(int register, int contents, boolean left, int amount, int at) {
    boolean completes(Shift other) {
      return register == other.register
          && contents == other.contents
          && left != other.left
          && amount + other.amount == Integer.SIZE;
    }
  }

  private final int[] amounts;
  private final int[] keptAt;
  private final int[] keeps;
  private int count;

  private WordRotations(int operations) {
    amounts = new int[operations];
    keptAt = new int[operations];
    keeps = new int[operations];
  }

  /** Finds them in straight-line code. */
  static WordRotations in(RegionBlock block) {
    WordRotations found = new WordRotations(block.count);
    Shift[] shifts = new Shift[Op.REGISTERS];
    int[] contents = new int[Op.REGISTERS];
    for (int i = 0; i < block.count; i++) {
      long op = block.ops[i];
      int code = Op.code(op);
      int from = Op.rs1(op);
      Shift shift = null;
      if ((code == Op.SLLIW || code == Op.SRLIW) && from != 0 && Op.imm(op) != 0) {
        shift = new Shift(from, contents[from], code == Op.SLLIW, (int) Op.imm(op), i);
      } else if (code == Op.OR || code == Op.XOR || code == Op.ADD || code == Op.ADDW) {
        found.combine(i, shifts[from], shifts[Op.rs2(op)]);
      }
      if (RegionCompiler.writes(code)) {
        contents[Op.rd(op)]++;
        shifts[Op.rd(op)] = shift;
      }
    }
    return found;
  }

  private void combine(int at, Shift a, Shift b) {
    if (a == null || b == null || !a.completes(b)) {
      return;
    }
    int first = Math.min(a.at, b.at);
    if (keeps[first] == 0) {
      keeps[first] = ++count;
    }
    amounts[at] = a.left ? a.amount : b.amount;
    keptAt[at] = keeps[first];
  }

  /** How many words are kept: they are numbered from 1. */
  int count() {
    return count;
  }

  /** The number under which the first source of this operation is to be kept before it; or 0. */
  int keeps(int operation) {
    return keeps[operation];
  }

  /** How far this operation rotates to the left the word of {@link #kept}; 0 if it does not. */
  int amount(int operation) {
    return amounts[operation];
  }

  /** The number of the word that this operation rotates. */
  int kept(int operation) {
    return keptAt[operation];
  }
}
