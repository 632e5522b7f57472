package io.lockstep.vm.isa;

import static io.lockstep.vm.isa.Op.*;

/** Decodes the F and D extensions (RISC-V Unpriv. §20, §21), apart from loads and stores. */
final class FloatDecoder {
  /** From a single-precision operation's code to the same in double precision. */
  private static final int TO_DOUBLE = FADD_D - FADD_S;

  private FloatDecoder() {}

  /** FMADD, FMSUB, FNMSUB, FNMADD: rs3 travels in bits 8 to 15 of the immediate. */
  static long fused(int w) {
    int format = w >>> 25 & 3;
    if (format > 1 || reservedRounding(w)) {
      return Decoder.illegal(w);
    }
    int code =
        switch (w & 0x7f) {
          case 0x43 -> FMADD_S;
          case 0x47 -> FMSUB_S;
          case 0x4b -> FNMSUB_S;
          default -> FNMADD_S;
        };
    int imm = (F0 + (w >>> 27)) << 8 | Decoder.funct3(w);
    return Op.of(code + format * TO_DOUBLE, fd(w), f1(w), f2(w), imm);
  }

  static long decode(int w) {
    int format = Decoder.funct7(w) & 3;
    if (format > 1) {
      return Decoder.illegal(w);
    }
    int d = format * TO_DOUBLE;
    return switch (Decoder.funct7(w) >>> 2) {
      case 0x00 -> rounded(w, FADD_S + d, fd(w), f1(w), f2(w));
      case 0x01 -> rounded(w, FSUB_S + d, fd(w), f1(w), f2(w));
      case 0x02 -> rounded(w, FMUL_S + d, fd(w), f1(w), f2(w));
      case 0x03 -> rounded(w, FDIV_S + d, fd(w), f1(w), f2(w));
      case 0x0b ->
          Decoder.rs2(w) == 0 ? rounded(w, FSQRT_S + d, fd(w), f1(w), 0) : Decoder.illegal(w);
      case 0x04 -> select(w, d, FSGNJ_S, FSGNJN_S, FSGNJX_S, fd(w));
      case 0x05 -> select(w, d, FMIN_S, FMAX_S, -1, fd(w));
      case 0x14 -> select(w, d, FLE_S, FLT_S, FEQ_S, Decoder.rdOrSink(w));
      case 0x08 -> betweenFormats(w, format);
      case 0x18 -> convert(w, FCVT_W_S + d, Decoder.rdOrSink(w), f1(w));
      case 0x1a -> convert(w, FCVT_S_W + d, fd(w), Decoder.rs1(w));
      case 0x1c -> moveOrClassify(w, d);
      case 0x1e ->
          Decoder.rs2(w) == 0 && Decoder.funct3(w) == 0
              ? Op.of(FMV_W_X + d, fd(w), Decoder.rs1(w), 0, 0)
              : Decoder.illegal(w);
      default -> Decoder.illegal(w);
    };
  }

  private static long rounded(int w, int code, int rd, int rs1, int rs2) {
    return reservedRounding(w) ? Decoder.illegal(w) : Op.of(code, rd, rs1, rs2, Decoder.funct3(w));
  }

  private static long select(int w, int d, int code0, int code1, int code2, int rd) {
    int code =
        switch (Decoder.funct3(w)) {
          case 0 -> code0;
          case 1 -> code1;
          case 2 -> code2;
          default -> -1;
        };
    return code < 0 ? Decoder.illegal(w) : Op.of(code + d, rd, f1(w), f2(w), 0);
  }

  private static long betweenFormats(int w, int format) {
    if (Decoder.rs2(w) != 1 - format) {
      return Decoder.illegal(w);
    }
    return rounded(w, format == 0 ? FCVT_S_D : FCVT_D_S, fd(w), f1(w), 0);
  }

  /** W, WU, L, LU follow each other in the encoding of rs2 and in {@link Op}. */
  private static long convert(int w, int first, int rd, int rs1) {
    return Decoder.rs2(w) > 3 ? Decoder.illegal(w) : rounded(w, first + Decoder.rs2(w), rd, rs1, 0);
  }

  private static long moveOrClassify(int w, int d) {
    if (Decoder.rs2(w) != 0 || Decoder.funct3(w) > 1) {
      return Decoder.illegal(w);
    }
    int code = Decoder.funct3(w) == 0 ? FMV_X_W : FCLASS_S;
    return Op.of(code + d, Decoder.rdOrSink(w), f1(w), 0, 0);
  }

  /** Rounding modes 5 and 6 are reserved; 7 takes the mode from frm when the operation runs. */
  private static boolean reservedRounding(int w) {
    return Decoder.funct3(w) == 5 || Decoder.funct3(w) == 6;
  }

  private static int fd(int w) {
    return F0 + (w >>> 7 & 31);
  }

  private static int f1(int w) {
    return F0 + Decoder.rs1(w);
  }

  private static int f2(int w) {
    return F0 + Decoder.rs2(w);
  }
}
