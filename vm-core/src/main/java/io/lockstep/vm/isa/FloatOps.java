package io.lockstep.vm.isa;

import io.lockstep.vm.hart.Hart;
import io.lockstep.vm.isa.fp.Fp32;
import io.lockstep.vm.isa.fp.Fp64;
import io.lockstep.vm.isa.fp.FpEnv;

/** The computational operations of F and D. Results go to the register array, flags to the hart. */
public final class FloatOps {
  private static final int DYNAMIC = 7;
  private static final int RMM = 4;

  private FloatOps() {}

  /**
   * Runs one operation.
   *
   * @return false if it is illegal because frm holds a reserved rounding mode; then nothing changed
   */
  public static boolean execute(long op, Hart hart) {
    int code = Op.code(op);
    int rm = (int) (op >> 32) & 7;
    if (rm == DYNAMIC) {
      rm = hart.frm;
      if (rm > RMM) {
        return false;
      }
    }
    hart.fpDirty();
    if (code < Op.FADD_D) {
      single(op, code, rm, hart.x, hart.fp);
    } else {
      dual(op, code, rm, hart.x, hart.fp);
    }
    return true;
  }

  private static int s(long[] x, int register) {
    return Fp32.unbox(x[register]);
  }

  private static void single(long op, int code, int rm, long[] x, FpEnv env) {
    int rd = Op.rd(op);
    int rs1 = Op.rs1(op);
    if (code <= Op.FNMADD_S) {
      int a = s(x, rs1);
      int b = s(x, Op.rs2(op));
      int c = s(x, (int) (op >>> 40) & 0xff);
      x[rd] = Fp32.box(singleArithmetic(code, a, b, c, rm, env));
    } else if (code <= Op.FMAX_S) {
      x[rd] = Fp32.box(singleSelect(code, s(x, rs1), s(x, Op.rs2(op)), env));
    } else if (code <= Op.FCVT_LU_S) {
      x[rd] = singleToInteger(code, s(x, rs1), s(x, Op.rs2(op)), rm, env);
    } else if (code == Op.FMV_X_W) {
      x[rd] = (int) x[rs1];
    } else {
      x[rd] = Fp32.box(integerToSingle(code, x[rs1], rm, env));
    }
  }

  private static int singleArithmetic(int code, int a, int b, int c, int rm, FpEnv env) {
    return switch (code) {
      case Op.FADD_S -> Fp32.add(a, b, rm, env);
      case Op.FSUB_S -> Fp32.sub(a, b, rm, env);
      case Op.FMUL_S -> Fp32.mul(a, b, rm, env);
      case Op.FDIV_S -> Fp32.div(a, b, rm, env);
      case Op.FSQRT_S -> Fp32.sqrt(a, rm, env);
      case Op.FMADD_S -> Fp32.fma(a, b, c, rm, env);
      case Op.FMSUB_S -> Fp32.fmsub(a, b, c, rm, env);
      case Op.FNMSUB_S -> Fp32.fnmsub(a, b, c, rm, env);
      default -> Fp32.fnmadd(a, b, c, rm, env);
    };
  }

  private static int singleSelect(int code, int a, int b, FpEnv env) {
    return switch (code) {
      case Op.FSGNJ_S -> Fp32.sgnj(a, b);
      case Op.FSGNJN_S -> Fp32.sgnjn(a, b);
      case Op.FSGNJX_S -> Fp32.sgnjx(a, b);
      case Op.FMIN_S -> Fp32.min(a, b, env);
      default -> Fp32.max(a, b, env);
    };
  }

  private static long singleToInteger(int code, int a, int b, int rm, FpEnv env) {
    return switch (code) {
      case Op.FEQ_S -> Fp32.eq(a, b, env);
      case Op.FLT_S -> Fp32.lt(a, b, env);
      case Op.FLE_S -> Fp32.le(a, b, env);
      case Op.FCLASS_S -> Fp32.classify(a);
      case Op.FCVT_W_S -> Fp32.toI32(a, rm, env);
      case Op.FCVT_WU_S -> Fp32.toU32(a, rm, env);
      case Op.FCVT_L_S -> Fp32.toI64(a, rm, env);
      default -> Fp32.toU64(a, rm, env);
    };
  }

  private static int integerToSingle(int code, long a, int rm, FpEnv env) {
    return switch (code) {
      case Op.FCVT_S_W -> Fp32.fromI32(a, rm, env);
      case Op.FCVT_S_WU -> Fp32.fromU32(a, rm, env);
      case Op.FCVT_S_L -> Fp32.fromI64(a, rm, env);
      case Op.FCVT_S_LU -> Fp32.fromU64(a, rm, env);
      default -> (int) a;
    };
  }

  private static void dual(long op, int code, int rm, long[] x, FpEnv env) {
    int rd = Op.rd(op);
    long a = x[Op.rs1(op)];
    long b = x[Op.rs2(op)];
    if (code <= Op.FNMADD_D) {
      x[rd] = doubleArithmetic(code, a, b, x[(int) (op >>> 40) & 0xff], rm, env);
    } else if (code <= Op.FMAX_D) {
      x[rd] = doubleSelect(code, a, b, env);
    } else if (code <= Op.FCVT_LU_D) {
      x[rd] = doubleToInteger(code, a, b, rm, env);
    } else {
      x[rd] = doubleConvert(code, a, rm, env);
    }
  }

  private static long doubleArithmetic(int code, long a, long b, long c, int rm, FpEnv env) {
    return switch (code) {
      case Op.FADD_D -> Fp64.add(a, b, rm, env);
      case Op.FSUB_D -> Fp64.sub(a, b, rm, env);
      case Op.FMUL_D -> Fp64.mul(a, b, rm, env);
      case Op.FDIV_D -> Fp64.div(a, b, rm, env);
      case Op.FSQRT_D -> Fp64.sqrt(a, rm, env);
      case Op.FMADD_D -> Fp64.fma(a, b, c, rm, env);
      case Op.FMSUB_D -> Fp64.fmsub(a, b, c, rm, env);
      case Op.FNMSUB_D -> Fp64.fnmsub(a, b, c, rm, env);
      default -> Fp64.fnmadd(a, b, c, rm, env);
    };
  }

  private static long doubleSelect(int code, long a, long b, FpEnv env) {
    return switch (code) {
      case Op.FSGNJ_D -> Fp64.sgnj(a, b);
      case Op.FSGNJN_D -> Fp64.sgnjn(a, b);
      case Op.FSGNJX_D -> Fp64.sgnjx(a, b);
      case Op.FMIN_D -> Fp64.min(a, b, env);
      default -> Fp64.max(a, b, env);
    };
  }

  private static long doubleToInteger(int code, long a, long b, int rm, FpEnv env) {
    return switch (code) {
      case Op.FEQ_D -> Fp64.eq(a, b, env);
      case Op.FLT_D -> Fp64.lt(a, b, env);
      case Op.FLE_D -> Fp64.le(a, b, env);
      case Op.FCLASS_D -> Fp64.classify(a);
      case Op.FCVT_W_D -> Fp64.toI32(a, rm, env);
      case Op.FCVT_WU_D -> Fp64.toU32(a, rm, env);
      case Op.FCVT_L_D -> Fp64.toI64(a, rm, env);
      default -> Fp64.toU64(a, rm, env);
    };
  }

  private static long doubleConvert(int code, long a, int rm, FpEnv env) {
    return switch (code) {
      case Op.FCVT_D_W -> Fp64.fromI32(a);
      case Op.FCVT_D_WU -> Fp64.fromU32(a);
      case Op.FCVT_D_L -> Fp64.fromI64(a, rm, env);
      case Op.FCVT_D_LU -> Fp64.fromU64(a, rm, env);
      case Op.FCVT_S_D -> Fp32.box(Fp32.fromF64(a, rm, env));
      case Op.FCVT_D_S -> Fp64.fromF32(Fp32.unbox(a), env);
      default -> a;
    };
  }
}
