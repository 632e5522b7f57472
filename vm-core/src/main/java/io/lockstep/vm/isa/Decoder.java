package io.lockstep.vm.isa;

import static io.lockstep.vm.isa.Op.*;

/**
 * Decodes RV64GC with Zba, Zbb, Zbc, Zbs, Zicond, Zicboz, Zicsr and Zifencei to packed operations
 * ({@link Op}). Pure: the same bits always give the same operation, whatever the machine's state;
 * what depends on state (FS off, privilege) is checked when the operation runs.
 */
public final class Decoder {
  private static final int[] LOADS = {LB, LH, LW, LD, LBU, LHU, LWU, -1};
  private static final int[] STORES = {SB, SH, SW, SD, -1, -1, -1, -1};
  private static final int[] BRANCHES = {BEQ, BNE, -1, -1, BLT, BGE, BLTU, BGEU};
  private static final int[] BASE = {ADD, SLL, SLT, SLTU, XOR, SRL, OR, AND};
  private static final int[] MULDIV = {MUL, MULH, MULHSU, MULHU, DIV, DIVU, REM, REMU};
  private static final int[] MULDIV_W = {MULW, -1, -1, -1, DIVW, DIVUW, REMW, REMUW};
  private static final int[] MIN_MAX_CLMUL = {-1, CLMUL, CLMULR, CLMULH, MIN, MINU, MAX, MAXU};

  private Decoder() {}

  /** Whether the instruction whose first 16 bits are given is 2 bytes long, not 4. */
  public static boolean isCompressed(int low16) {
    return (low16 & 3) != 3;
  }

  /**
   * Decodes one instruction.
   *
   * @param bits the instruction; for a compressed one the upper 16 bits are ignored
   * @param pageOffset the instruction's offset in its page, 0 to 4094
   */
  public static long decode(int bits, int pageOffset) {
    int wide = bits;
    if (isCompressed(bits)) {
      wide = CompressedDecoder.expand(bits & 0xffff);
      if (wide == CompressedDecoder.ILLEGAL) {
        return illegal(bits & 0xffff);
      }
    }
    long op = decodeWide(wide, pageOffset);
    return code(op) == ILLEGAL && wide != bits ? illegal(bits & 0xffff) : op;
  }

  private static long decodeWide(int w, int pageOffset) {
    return switch (w & 0x7f) {
      case 0x03 -> load(w);
      case 0x07 -> fpLoad(w);
      case 0x0f -> miscMem(w);
      case 0x13 -> opImm(w);
      case 0x17 -> auipc(w, pageOffset);
      case 0x1b -> opImm32(w);
      case 0x23 -> store(w);
      case 0x27 -> fpStore(w);
      case 0x2f -> AtomicDecoder.decode(w);
      case 0x33 -> opReg(w);
      case 0x37 -> alu(w, LI, 0, 0, w & 0xfffff000);
      case 0x3b -> opReg32(w);
      case 0x43, 0x47, 0x4b, 0x4f -> FloatDecoder.fused(w);
      case 0x53 -> FloatDecoder.decode(w);
      case 0x63 -> branch(w, pageOffset);
      case 0x67 -> funct3(w) == 0 ? jalr(w) : illegal(w);
      case 0x6f -> jal(w, pageOffset);
      case 0x73 -> system(w);
      default -> illegal(w);
    };
  }

  static long illegal(int bits) {
    return Op.of(ILLEGAL, 0, 0, 0, bits);
  }

  /** An operation whose only effect is on rd: nothing at all if that is x0. */
  static long alu(int w, int code, int rs1, int rs2, int imm) {
    int rd = w >>> 7 & 31;
    return rd == 0 ? Op.of(NOP, 0, 0, 0, 0) : Op.of(code, rd, rs1, rs2, imm);
  }

  static int rdOrSink(int w) {
    int rd = w >>> 7 & 31;
    return rd == 0 ? SINK : rd;
  }

  static int funct3(int w) {
    return w >>> 12 & 7;
  }

  static int funct7(int w) {
    return w >>> 25;
  }

  static int rs1(int w) {
    return w >>> 15 & 31;
  }

  static int rs2(int w) {
    return w >>> 20 & 31;
  }

  private static int immI(int w) {
    return w >> 20;
  }

  private static int immS(int w) {
    return (w >> 25) << 5 | (w >>> 7 & 31);
  }

  private static long load(int w) {
    int code = LOADS[funct3(w)];
    return code < 0 ? illegal(w) : Op.of(code, rdOrSink(w), rs1(w), 0, immI(w));
  }

  private static long fpLoad(int w) {
    int code = funct3(w) == 2 ? FLW : funct3(w) == 3 ? FLD : -1;
    return code < 0 ? illegal(w) : Op.of(code, F0 + (w >>> 7 & 31), rs1(w), 0, immI(w));
  }

  private static long store(int w) {
    int code = STORES[funct3(w)];
    return code < 0 ? illegal(w) : Op.of(code, 0, rs1(w), rs2(w), immS(w));
  }

  private static long fpStore(int w) {
    int code = funct3(w) == 2 ? FSW : funct3(w) == 3 ? FSD : -1;
    return code < 0 ? illegal(w) : Op.of(code, 0, rs1(w), F0 + rs2(w), immS(w));
  }

  private static long miscMem(int w) {
    return switch (funct3(w)) {
      // One hart and devices that act only at steps: every order is kept anyway.
      case 0 -> Op.of(NOP, 0, 0, 0, 0);
      case 1 -> Op.of(FENCE_I, 0, 0, 0, 0);
      case 2 ->
          w >>> 20 == 4 && (w >>> 7 & 31) == 0 ? Op.of(CBO_ZERO, 0, rs1(w), 0, w) : illegal(w);
      default -> illegal(w);
    };
  }

  private static long auipc(int w, int pageOffset) {
    long imm = (long) (w & 0xfffff000) + pageOffset;
    // The sum leaves 32 bits only if the upper 20 bits are the largest positive ones and the offset
    // carries; it cannot: the low 12 bits of the first are 0.
    return alu(w, AUIPC, 0, 0, (int) imm);
  }

  private static long branch(int w, int pageOffset) {
    int code = BRANCHES[funct3(w)];
    if (code < 0) {
      return illegal(w);
    }
    int imm = (w >> 31) << 12 | (w >>> 7 & 1) << 11 | (w >>> 25 & 0x3f) << 5 | (w >>> 8 & 0xf) << 1;
    return Op.of(code, 0, rs1(w), rs2(w), pageOffset + imm);
  }

  private static long jal(int w, int pageOffset) {
    int imm =
        (w >> 31) << 20 | (w >>> 12 & 0xff) << 12 | (w >>> 20 & 1) << 11 | (w >>> 21 & 0x3ff) << 1;
    int rd = w >>> 7 & 31;
    return Op.of(rd == 0 ? J : JAL, rd, 0, 0, pageOffset + imm);
  }

  private static long jalr(int w) {
    int rd = w >>> 7 & 31;
    return Op.of(rd == 0 ? JR : JALR, rd, rs1(w), 0, immI(w));
  }

  private static long opImm(int w) {
    int imm = immI(w);
    int rs1 = rs1(w);
    return switch (funct3(w)) {
      case 0 -> rs1 == 0 ? alu(w, LI, 0, 0, imm) : alu(w, imm == 0 ? MV : ADDI, rs1, 0, imm);
      case 1 -> shiftLeftImm(w);
      case 2 -> alu(w, SLTI, rs1, 0, imm);
      case 3 -> alu(w, SLTIU, rs1, 0, imm);
      case 4 -> alu(w, XORI, rs1, 0, imm);
      case 5 -> shiftRightImm(w);
      case 6 -> alu(w, ORI, rs1, 0, imm);
      default -> alu(w, ANDI, rs1, 0, imm);
    };
  }

  private static long shiftLeftImm(int w) {
    int shamt = w >>> 20 & 0x3f;
    int code =
        switch (w >>> 26) {
          case 0x00 -> SLLI;
          case 0x12 -> BCLRI;
          case 0x1a -> BINVI;
          case 0x0a -> BSETI;
          case 0x18 -> countOrExtend(shamt);
          default -> -1;
        };
    return code < 0 ? illegal(w) : alu(w, code, rs1(w), 0, shamt);
  }

  private static int countOrExtend(int selector) {
    return switch (selector) {
      case 0 -> CLZ;
      case 1 -> CTZ;
      case 2 -> CPOP;
      case 4 -> SEXT_B;
      case 5 -> SEXT_H;
      default -> -1;
    };
  }

  private static long shiftRightImm(int w) {
    int shamt = w >>> 20 & 0x3f;
    int code =
        switch (w >>> 26) {
          case 0x00 -> SRLI;
          case 0x10 -> SRAI;
          case 0x12 -> BEXTI;
          case 0x18 -> RORI;
          case 0x0a -> shamt == 7 ? ORC_B : -1;
          case 0x1a -> shamt == 0x38 ? REV8 : -1;
          default -> -1;
        };
    return code < 0 ? illegal(w) : alu(w, code, rs1(w), 0, shamt);
  }

  private static long opImm32(int w) {
    int shamt = w >>> 20 & 0x1f;
    int code =
        switch (funct3(w)) {
          case 0 -> ADDIW;
          case 1 ->
              switch (funct7(w)) {
                case 0x00 -> SLLIW;
                case 0x04, 0x05 -> SLLI_UW;
                case 0x30 -> countWord(shamt);
                default -> -1;
              };
          case 5 ->
              switch (funct7(w)) {
                case 0x00 -> SRLIW;
                case 0x20 -> SRAIW;
                case 0x30 -> RORIW;
                default -> -1;
              };
          default -> -1;
        };
    if (code < 0) {
      return illegal(w);
    }
    int imm = code == ADDIW ? immI(w) : code == SLLI_UW ? w >>> 20 & 0x3f : shamt;
    return alu(w, code, rs1(w), 0, imm);
  }

  private static int countWord(int selector) {
    return switch (selector) {
      case 0 -> CLZW;
      case 1 -> CTZW;
      case 2 -> CPOPW;
      default -> -1;
    };
  }

  private static long opReg(int w) {
    int f3 = funct3(w);
    int code =
        switch (funct7(w)) {
          case 0x00 -> BASE[f3];
          case 0x01 -> MULDIV[f3];
          case 0x05 -> MIN_MAX_CLMUL[f3];
          case 0x07 -> f3 == 5 ? CZERO_EQZ : f3 == 7 ? CZERO_NEZ : -1;
          case 0x10 -> f3 == 2 ? SH1ADD : f3 == 4 ? SH2ADD : f3 == 6 ? SH3ADD : -1;
          case 0x14 -> f3 == 1 ? BSET : -1;
          case 0x20 -> subtractOrInvert(f3);
          case 0x24 -> f3 == 1 ? BCLR : f3 == 5 ? BEXT : -1;
          case 0x30 -> f3 == 1 ? ROL : f3 == 5 ? ROR : -1;
          case 0x34 -> f3 == 1 ? BINV : -1;
          default -> -1;
        };
    if (code == ADD && rs1(w) == 0) {
      return alu(w, MV, rs2(w), 0, 0);
    }
    return code < 0 ? illegal(w) : alu(w, code, rs1(w), rs2(w), 0);
  }

  private static int subtractOrInvert(int f3) {
    return switch (f3) {
      case 0 -> SUB;
      case 4 -> XNOR;
      case 5 -> SRA;
      case 6 -> ORN;
      case 7 -> ANDN;
      default -> -1;
    };
  }

  private static long opReg32(int w) {
    int f3 = funct3(w);
    int code =
        switch (funct7(w)) {
          case 0x00 -> f3 == 0 ? ADDW : f3 == 1 ? SLLW : f3 == 5 ? SRLW : -1;
          case 0x01 -> MULDIV_W[f3];
          case 0x04 -> f3 == 0 ? ADD_UW : f3 == 4 && rs2(w) == 0 ? ZEXT_H : -1;
          case 0x10 -> f3 == 2 ? SH1ADD_UW : f3 == 4 ? SH2ADD_UW : f3 == 6 ? SH3ADD_UW : -1;
          case 0x20 -> f3 == 0 ? SUBW : f3 == 5 ? SRAW : -1;
          case 0x30 -> f3 == 1 ? ROLW : f3 == 5 ? RORW : -1;
          default -> -1;
        };
    return code < 0 ? illegal(w) : alu(w, code, rs1(w), rs2(w), 0);
  }

  private static long system(int w) {
    if (funct3(w) != 0) {
      return funct3(w) == 4 ? illegal(w) : Op.of(CSR, rdOrSink(w), rs1(w), 0, w);
    }
    if (funct7(w) == 0x09 && (w >>> 7 & 31) == 0) {
      return Op.of(SFENCE_VMA, 0, rs1(w), rs2(w), w);
    }
    int code =
        switch (w) {
          case 0x00000073 -> ECALL;
          case 0x00100073 -> EBREAK;
          case 0x10200073 -> SRET;
          case 0x30200073 -> MRET;
          case 0x10500073 -> WFI;
          default -> ILLEGAL;
        };
    return Op.of(code, 0, 0, 0, w);
  }
}
