package io.lockstep.vm.isa;

/**
 * Expands a 16-bit instruction (C extension, RISC-V Unpriv. §27) to the 32-bit instruction that it
 * abbreviates.
 */
final class CompressedDecoder {
  /** What a reserved encoding expands to: an illegal instruction. */
  static final int ILLEGAL = 0;

  private CompressedDecoder() {}

  /** Expands the low 16 bits of {@code c}; {@link #ILLEGAL} for reserved encodings. */
  static int expand(int c) {
    return switch (c & 3) {
      case 0 -> quadrant0(c);
      case 1 -> quadrant1(c);
      default -> quadrant2(c);
    };
  }

  private static int quadrant0(int c) {
    int rdPrime = 8 + bits(c, 4, 2);
    int rs1Prime = 8 + bits(c, 9, 7);
    int offsetW = bits(c, 12, 10) << 3 | bits(c, 6, 6) << 2 | bits(c, 5, 5) << 6;
    int offsetD = bits(c, 12, 10) << 3 | bits(c, 6, 5) << 6;
    return switch (c >>> 13 & 7) {
      case 0 -> {
        int imm =
            bits(c, 12, 11) << 4 | bits(c, 10, 7) << 6 | bits(c, 6, 6) << 2 | bits(c, 5, 5) << 3;
        yield imm == 0 ? ILLEGAL : iType(0x13, rdPrime, 0, 2, imm);
      }
      case 1 -> iType(0x07, rdPrime, 3, rs1Prime, offsetD);
      case 2 -> iType(0x03, rdPrime, 2, rs1Prime, offsetW);
      case 3 -> iType(0x03, rdPrime, 3, rs1Prime, offsetD);
      case 5 -> sType(0x27, 3, rs1Prime, rdPrime, offsetD);
      case 6 -> sType(0x23, 2, rs1Prime, rdPrime, offsetW);
      case 7 -> sType(0x23, 3, rs1Prime, rdPrime, offsetD);
      default -> ILLEGAL;
    };
  }

  private static int quadrant1(int c) {
    int rd = bits(c, 11, 7);
    int imm6 = signed(bits(c, 12, 12) << 5 | bits(c, 6, 2), 6);
    return switch (c >>> 13 & 7) {
      case 0 -> iType(0x13, rd, 0, rd, imm6);
      case 1 -> rd == 0 ? ILLEGAL : iType(0x1b, rd, 0, rd, imm6);
      case 2 -> iType(0x13, rd, 0, 0, imm6);
      case 3 -> rd == 2 ? addi16sp(c) : imm6 == 0 ? ILLEGAL : rd << 7 | 0x37 | imm6 << 12;
      case 4 -> arithmetic(c);
      case 5 -> jType(jumpOffset(c));
      case 6 -> bType(0, 8 + bits(c, 9, 7), branchOffset(c));
      default -> bType(1, 8 + bits(c, 9, 7), branchOffset(c));
    };
  }

  private static int addi16sp(int c) {
    int imm =
        bits(c, 12, 12) << 9
            | bits(c, 6, 6) << 4
            | bits(c, 5, 5) << 6
            | bits(c, 4, 3) << 7
            | bits(c, 2, 2) << 5;
    return imm == 0 ? ILLEGAL : iType(0x13, 2, 0, 2, signed(imm, 10));
  }

  private static int arithmetic(int c) {
    int rd = 8 + bits(c, 9, 7);
    int shamt = bits(c, 12, 12) << 5 | bits(c, 6, 2);
    return switch (bits(c, 11, 10)) {
      case 0 -> iType(0x13, rd, 5, rd, shamt);
      case 1 -> iType(0x13, rd, 5, rd, shamt | 0x400);
      case 2 -> iType(0x13, rd, 7, rd, signed(shamt, 6));
      default -> registerArithmetic(c, rd, 8 + bits(c, 4, 2));
    };
  }

  private static int registerArithmetic(int c, int rd, int rs2) {
    return switch (bits(c, 12, 12) << 2 | bits(c, 6, 5)) {
      case 0 -> rType(0x33, rd, 0, rd, rs2, 0x20);
      case 1 -> rType(0x33, rd, 4, rd, rs2, 0);
      case 2 -> rType(0x33, rd, 6, rd, rs2, 0);
      case 3 -> rType(0x33, rd, 7, rd, rs2, 0);
      case 4 -> rType(0x3b, rd, 0, rd, rs2, 0x20);
      case 5 -> rType(0x3b, rd, 0, rd, rs2, 0);
      default -> ILLEGAL;
    };
  }

  private static int quadrant2(int c) {
    int rd = bits(c, 11, 7);
    int rs2 = bits(c, 6, 2);
    int loadW = bits(c, 12, 12) << 5 | bits(c, 6, 4) << 2 | bits(c, 3, 2) << 6;
    int loadD = bits(c, 12, 12) << 5 | bits(c, 6, 5) << 3 | bits(c, 4, 2) << 6;
    int storeW = bits(c, 12, 9) << 2 | bits(c, 8, 7) << 6;
    int storeD = bits(c, 12, 10) << 3 | bits(c, 9, 7) << 6;
    return switch (c >>> 13 & 7) {
      case 0 -> iType(0x13, rd, 1, rd, bits(c, 12, 12) << 5 | rs2);
      case 1 -> iType(0x07, rd, 3, 2, loadD);
      case 2 -> rd == 0 ? ILLEGAL : iType(0x03, rd, 2, 2, loadW);
      case 3 -> rd == 0 ? ILLEGAL : iType(0x03, rd, 3, 2, loadD);
      case 4 -> jumpOrMove(c, rd, rs2);
      case 5 -> sType(0x27, 3, 2, rs2, storeD);
      case 6 -> sType(0x23, 2, 2, rs2, storeW);
      default -> sType(0x23, 3, 2, rs2, storeD);
    };
  }

  private static int jumpOrMove(int c, int rd, int rs2) {
    boolean link = bits(c, 12, 12) == 1;
    if (rs2 != 0) {
      return link ? rType(0x33, rd, 0, rd, rs2, 0) : rType(0x33, rd, 0, 0, rs2, 0);
    }
    if (rd == 0) {
      return link ? 0x00100073 : ILLEGAL;
    }
    return iType(0x67, link ? 1 : 0, 0, rd, 0);
  }

  private static int jumpOffset(int c) {
    int imm =
        bits(c, 12, 12) << 11
            | bits(c, 11, 11) << 4
            | bits(c, 10, 9) << 8
            | bits(c, 8, 8) << 10
            | bits(c, 7, 7) << 6
            | bits(c, 6, 6) << 7
            | bits(c, 5, 3) << 1
            | bits(c, 2, 2) << 5;
    return signed(imm, 12);
  }

  private static int branchOffset(int c) {
    int imm =
        bits(c, 12, 12) << 8
            | bits(c, 11, 10) << 3
            | bits(c, 6, 5) << 6
            | bits(c, 4, 3) << 1
            | bits(c, 2, 2) << 5;
    return signed(imm, 9);
  }

  private static int iType(int opcode, int rd, int funct3, int rs1, int imm) {
    return imm << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode;
  }

  private static int rType(int opcode, int rd, int funct3, int rs1, int rs2, int funct7) {
    return funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode;
  }

  private static int sType(int opcode, int funct3, int rs1, int rs2, int imm) {
    return (imm >> 5) << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | (imm & 0x1f) << 7 | opcode;
  }

  private static int bType(int funct3, int rs1, int imm) {
    return (imm >> 12 & 1) << 31
        | (imm >> 5 & 0x3f) << 25
        | rs1 << 15
        | funct3 << 12
        | (imm >> 1 & 0xf) << 8
        | (imm >> 11 & 1) << 7
        | 0x63;
  }

  private static int jType(int imm) {
    return (imm >> 20 & 1) << 31
        | (imm >> 1 & 0x3ff) << 21
        | (imm >> 11 & 1) << 20
        | (imm >> 12 & 0xff) << 12
        | 0x6f;
  }

  private static int bits(int c, int high, int low) {
    return c >>> low & (1 << (high - low + 1)) - 1;
  }

  private static int signed(int value, int width) {
    return value << (32 - width) >> (32 - width);
  }
}
