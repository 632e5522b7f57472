package io.lockstep.vm.isa;

/**
 * Decoded operations. A decoded instruction is one {@code long}:
 *
 * <pre>
 *  63                    32 31      24 23      16 15       8 7        0
 * +------------------------+----------+----------+----------+----------+
 * |       imm (signed)     |   rs2    |   rs1    |    rd    |   code   |
 * +------------------------+----------+----------+----------+----------+
 * </pre>
 *
 * <p>Register fields index the hart's register array: 0 to 31 are x0 to x31, {@link #SINK} takes
 * what is written to x0, {@link #F0} to F0+31 are f0 to f31. What {@code imm} holds besides an
 * immediate: branches and {@link #J}, {@link #JAL}, {@link #AUIPC}: an offset from the start of the
 * instruction's page; floating point: the rounding mode field in bits 0 to 2 and, for fused
 * operations, the register index of rs3 in bits 8 to 15; {@link #CSR} and {@link #ILLEGAL}: the
 * instruction's bits.
 */
public final class Op {
  /** Register index that swallows writes to x0. */
  public static final int SINK = 32;

  /** Register index of f0. */
  public static final int F0 = 64;

  /** Length of the register array: a power of two, so that an 8-bit index never leaves it. */
  public static final int REGISTERS = 256;

  // Integer computation (RISC-V Unpriv. §2, §4)
  public static final int NOP = 0;
  public static final int LI = 1;
  public static final int AUIPC = 2;
  public static final int MV = 3;
  public static final int ADDI = 4;
  public static final int SLTI = 5;
  public static final int SLTIU = 6;
  public static final int XORI = 7;
  public static final int ORI = 8;
  public static final int ANDI = 9;
  public static final int SLLI = 10;
  public static final int SRLI = 11;
  public static final int SRAI = 12;
  public static final int ADDIW = 13;
  public static final int SLLIW = 14;
  public static final int SRLIW = 15;
  public static final int SRAIW = 16;
  public static final int ADD = 17;
  public static final int SUB = 18;
  public static final int SLL = 19;
  public static final int SLT = 20;
  public static final int SLTU = 21;
  public static final int XOR = 22;
  public static final int SRL = 23;
  public static final int SRA = 24;
  public static final int OR = 25;
  public static final int AND = 26;
  public static final int ADDW = 27;
  public static final int SUBW = 28;
  public static final int SLLW = 29;
  public static final int SRLW = 30;
  public static final int SRAW = 31;

  // Loads and stores (§2.6, §4.3)
  public static final int LB = 32;
  public static final int LH = 33;
  public static final int LW = 34;
  public static final int LD = 35;
  public static final int LBU = 36;
  public static final int LHU = 37;
  public static final int LWU = 38;
  public static final int SB = 39;
  public static final int SH = 40;
  public static final int SW = 41;
  public static final int SD = 42;
  public static final int FLW = 43;
  public static final int FLD = 44;
  public static final int FSW = 45;
  public static final int FSD = 46;

  // Conditional branches: end a block
  public static final int BEQ = 47;
  public static final int BNE = 48;
  public static final int BLT = 49;
  public static final int BGE = 50;
  public static final int BLTU = 51;
  public static final int BGEU = 52;

  // Jumps and the end of straight-line code: end a block
  public static final int J = 53;
  public static final int JAL = 54;
  public static final int JR = 55;
  public static final int JALR = 56;
  public static final int FALL = 57;

  // Integer multiplication and division (M)
  public static final int MUL = 58;
  public static final int MULW = 59;
  public static final int MULH = 60;
  public static final int MULHSU = 61;
  public static final int MULHU = 62;
  public static final int DIV = 63;
  public static final int DIVU = 64;
  public static final int REM = 65;
  public static final int REMU = 66;
  public static final int DIVW = 67;
  public static final int DIVUW = 68;
  public static final int REMW = 69;
  public static final int REMUW = 70;

  // Address generation (Zba)
  public static final int SH1ADD = 71;
  public static final int SH2ADD = 72;
  public static final int SH3ADD = 73;
  public static final int ADD_UW = 74;
  public static final int SH1ADD_UW = 75;
  public static final int SH2ADD_UW = 76;
  public static final int SH3ADD_UW = 77;
  public static final int SLLI_UW = 78;

  // Basic bit manipulation (Zbb)
  public static final int ANDN = 79;
  public static final int ORN = 80;
  public static final int XNOR = 81;
  public static final int CLZ = 82;
  public static final int CTZ = 83;
  public static final int CPOP = 84;
  public static final int CLZW = 85;
  public static final int CTZW = 86;
  public static final int CPOPW = 87;
  public static final int MAX = 88;
  public static final int MAXU = 89;
  public static final int MIN = 90;
  public static final int MINU = 91;
  public static final int SEXT_B = 92;
  public static final int SEXT_H = 93;
  public static final int ZEXT_H = 94;
  public static final int ROL = 95;
  public static final int ROLW = 96;
  public static final int ROR = 97;
  public static final int RORW = 98;
  public static final int RORI = 99;
  public static final int RORIW = 100;
  public static final int ORC_B = 101;
  public static final int REV8 = 102;

  // Single-bit instructions (Zbs)
  public static final int BCLR = 103;
  public static final int BCLRI = 104;
  public static final int BEXT = 105;
  public static final int BEXTI = 106;
  public static final int BINV = 107;
  public static final int BINVI = 108;
  public static final int BSET = 109;
  public static final int BSETI = 110;

  // Carry-less multiplication (Zbc)
  public static final int CLMUL = 111;
  public static final int CLMULH = 112;
  public static final int CLMULR = 113;

  // Integer conditional operations (Zicond)
  public static final int CZERO_EQZ = 114;
  public static final int CZERO_NEZ = 115;

  // Atomics (A)
  public static final int LR_W = 116;
  public static final int LR_D = 117;
  public static final int SC_W = 118;
  public static final int SC_D = 119;
  public static final int AMOSWAP_W = 120;
  public static final int AMOADD_W = 121;
  public static final int AMOXOR_W = 122;
  public static final int AMOAND_W = 123;
  public static final int AMOOR_W = 124;
  public static final int AMOMIN_W = 125;
  public static final int AMOMAX_W = 126;
  public static final int AMOMINU_W = 127;
  public static final int AMOMAXU_W = 128;
  public static final int AMOSWAP_D = 129;
  public static final int AMOADD_D = 130;
  public static final int AMOXOR_D = 131;
  public static final int AMOAND_D = 132;
  public static final int AMOOR_D = 133;
  public static final int AMOMIN_D = 134;
  public static final int AMOMAX_D = 135;
  public static final int AMOMINU_D = 136;
  public static final int AMOMAXU_D = 137;

  // Single-precision floating point (F)
  public static final int FADD_S = 138;
  public static final int FSUB_S = 139;
  public static final int FMUL_S = 140;
  public static final int FDIV_S = 141;
  public static final int FSQRT_S = 142;
  public static final int FMADD_S = 143;
  public static final int FMSUB_S = 144;
  public static final int FNMSUB_S = 145;
  public static final int FNMADD_S = 146;
  public static final int FSGNJ_S = 147;
  public static final int FSGNJN_S = 148;
  public static final int FSGNJX_S = 149;
  public static final int FMIN_S = 150;
  public static final int FMAX_S = 151;
  public static final int FEQ_S = 152;
  public static final int FLT_S = 153;
  public static final int FLE_S = 154;
  public static final int FCLASS_S = 155;
  public static final int FCVT_W_S = 156;
  public static final int FCVT_WU_S = 157;
  public static final int FCVT_L_S = 158;
  public static final int FCVT_LU_S = 159;
  public static final int FCVT_S_W = 160;
  public static final int FCVT_S_WU = 161;
  public static final int FCVT_S_L = 162;
  public static final int FCVT_S_LU = 163;
  public static final int FMV_X_W = 164;
  public static final int FMV_W_X = 165;

  // Double-precision floating point (D)
  public static final int FADD_D = 166;
  public static final int FSUB_D = 167;
  public static final int FMUL_D = 168;
  public static final int FDIV_D = 169;
  public static final int FSQRT_D = 170;
  public static final int FMADD_D = 171;
  public static final int FMSUB_D = 172;
  public static final int FNMSUB_D = 173;
  public static final int FNMADD_D = 174;
  public static final int FSGNJ_D = 175;
  public static final int FSGNJN_D = 176;
  public static final int FSGNJX_D = 177;
  public static final int FMIN_D = 178;
  public static final int FMAX_D = 179;
  public static final int FEQ_D = 180;
  public static final int FLT_D = 181;
  public static final int FLE_D = 182;
  public static final int FCLASS_D = 183;
  public static final int FCVT_W_D = 184;
  public static final int FCVT_WU_D = 185;
  public static final int FCVT_L_D = 186;
  public static final int FCVT_LU_D = 187;
  public static final int FCVT_D_W = 188;
  public static final int FCVT_D_WU = 189;
  public static final int FCVT_D_L = 190;
  public static final int FCVT_D_LU = 191;
  public static final int FMV_X_D = 192;
  public static final int FMV_D_X = 193;
  public static final int FCVT_S_D = 194;
  public static final int FCVT_D_S = 195;

  // Cache blocks (Zicboz)
  public static final int CBO_ZERO = 196;

  // System instructions: end a block
  public static final int CSR = 197;
  public static final int ECALL = 198;
  public static final int EBREAK = 199;
  public static final int SRET = 200;
  public static final int MRET = 201;
  public static final int WFI = 202;
  public static final int SFENCE_VMA = 203;
  public static final int FENCE_I = 204;
  public static final int ILLEGAL = 205;

  /** The number of operations. */
  public static final int COUNT = 206;

  private static final String[] NAMES = {
    "nop",
    "li",
    "auipc",
    "mv",
    "addi",
    "slti",
    "sltiu",
    "xori",
    "ori",
    "andi",
    "slli",
    "srli",
    "srai",
    "addiw",
    "slliw",
    "srliw",
    "sraiw",
    "add",
    "sub",
    "sll",
    "slt",
    "sltu",
    "xor",
    "srl",
    "sra",
    "or",
    "and",
    "addw",
    "subw",
    "sllw",
    "srlw",
    "sraw",
    "lb",
    "lh",
    "lw",
    "ld",
    "lbu",
    "lhu",
    "lwu",
    "sb",
    "sh",
    "sw",
    "sd",
    "flw",
    "fld",
    "fsw",
    "fsd",
    "beq",
    "bne",
    "blt",
    "bge",
    "bltu",
    "bgeu",
    "j",
    "jal",
    "jr",
    "jalr",
    "fall",
    "mul",
    "mulw",
    "mulh",
    "mulhsu",
    "mulhu",
    "div",
    "divu",
    "rem",
    "remu",
    "divw",
    "divuw",
    "remw",
    "remuw",
    "sh1add",
    "sh2add",
    "sh3add",
    "add.uw",
    "sh1add.uw",
    "sh2add.uw",
    "sh3add.uw",
    "slli.uw",
    "andn",
    "orn",
    "xnor",
    "clz",
    "ctz",
    "cpop",
    "clzw",
    "ctzw",
    "cpopw",
    "max",
    "maxu",
    "min",
    "minu",
    "sext.b",
    "sext.h",
    "zext.h",
    "rol",
    "rolw",
    "ror",
    "rorw",
    "rori",
    "roriw",
    "orc.b",
    "rev8",
    "bclr",
    "bclri",
    "bext",
    "bexti",
    "binv",
    "binvi",
    "bset",
    "bseti",
    "clmul",
    "clmulh",
    "clmulr",
    "czero.eqz",
    "czero.nez",
    "lr.w",
    "lr.d",
    "sc.w",
    "sc.d",
    "amoswap.w",
    "amoadd.w",
    "amoxor.w",
    "amoand.w",
    "amoor.w",
    "amomin.w",
    "amomax.w",
    "amominu.w",
    "amomaxu.w",
    "amoswap.d",
    "amoadd.d",
    "amoxor.d",
    "amoand.d",
    "amoor.d",
    "amomin.d",
    "amomax.d",
    "amominu.d",
    "amomaxu.d",
    "fadd.s",
    "fsub.s",
    "fmul.s",
    "fdiv.s",
    "fsqrt.s",
    "fmadd.s",
    "fmsub.s",
    "fnmsub.s",
    "fnmadd.s",
    "fsgnj.s",
    "fsgnjn.s",
    "fsgnjx.s",
    "fmin.s",
    "fmax.s",
    "feq.s",
    "flt.s",
    "fle.s",
    "fclass.s",
    "fcvt.w.s",
    "fcvt.wu.s",
    "fcvt.l.s",
    "fcvt.lu.s",
    "fcvt.s.w",
    "fcvt.s.wu",
    "fcvt.s.l",
    "fcvt.s.lu",
    "fmv.x.w",
    "fmv.w.x",
    "fadd.d",
    "fsub.d",
    "fmul.d",
    "fdiv.d",
    "fsqrt.d",
    "fmadd.d",
    "fmsub.d",
    "fnmsub.d",
    "fnmadd.d",
    "fsgnj.d",
    "fsgnjn.d",
    "fsgnjx.d",
    "fmin.d",
    "fmax.d",
    "feq.d",
    "flt.d",
    "fle.d",
    "fclass.d",
    "fcvt.w.d",
    "fcvt.wu.d",
    "fcvt.l.d",
    "fcvt.lu.d",
    "fcvt.d.w",
    "fcvt.d.wu",
    "fcvt.d.l",
    "fcvt.d.lu",
    "fmv.x.d",
    "fmv.d.x",
    "fcvt.s.d",
    "fcvt.d.s",
    "cbo.zero",
    "csr",
    "ecall",
    "ebreak",
    "sret",
    "mret",
    "wfi",
    "sfence.vma",
    "fence.i",
    "illegal"
  };

  private Op() {}

  /** Packs an operation. */
  public static long of(int code, int rd, int rs1, int rs2, int imm) {
    return (long) imm << 32
        | (long) (rs2 & 0xff) << 24
        | (rs1 & 0xff) << 16
        | (rd & 0xff) << 8
        | code;
  }

  /** The operation's code, 0 to 255. */
  public static int code(long op) {
    return (int) op & 0xff;
  }

  /** The destination's register index. */
  public static int rd(long op) {
    return (int) (op >>> 8) & 0xff;
  }

  /** The first source's register index. */
  public static int rs1(long op) {
    return (int) (op >>> 16) & 0xff;
  }

  /** The second source's register index. */
  public static int rs2(long op) {
    return (int) (op >>> 24) & 0xff;
  }

  /** The immediate field, sign-extended. */
  public static long imm(long op) {
    return op >> 32;
  }

  /** Whether the operation is the last one of its block. */
  public static boolean endsBlock(int code) {
    return code >= BEQ && code <= FALL || code >= CSR;
  }

  /** Whether the operation reads or writes guest memory. */
  public static boolean touchesMemory(int code) {
    return code >= LB && code <= FSD || code >= LR_W && code <= AMOMAXU_D || code == CBO_ZERO;
  }

  /**
   * Whether the operation is part of the F or D extension, and so illegal while mstatus.FS is off.
   */
  public static boolean isFloatingPoint(int code) {
    return code >= FLW && code <= FSD || code >= FADD_S && code <= FCVT_D_S;
  }

  /** The instruction's name. */
  public static String name(int code) {
    return NAMES[code];
  }
}
