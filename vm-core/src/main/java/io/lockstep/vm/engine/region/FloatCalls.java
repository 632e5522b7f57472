package io.lockstep.vm.engine.region;

import io.lockstep.vm.isa.Op;
import io.lockstep.vm.isa.fp.Fp32;
import io.lockstep.vm.isa.fp.Fp64;
import io.lockstep.vm.isa.fp.FpEnv;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;

/** How emitted code does each floating-point operation: which method it calls, and with what. */
final class FloatCalls {
  private static final ClassDesc SINGLE = ClassDesc.of(Fp32.class.getName());
  private static final ClassDesc DUAL = ClassDesc.of(Fp64.class.getName());
  private static final ClassDesc ENV = ClassDesc.of(FpEnv.class.getName());
  private static final ClassDesc MEMORY = ClassDesc.of(RegionMemory.class.getName());
  private static final MethodTypeDesc BOX =
      MethodTypeDesc.of(ConstantDescs.CD_long, ConstantDescs.CD_int);
  private static final MethodTypeDesc UNBOX =
      MethodTypeDesc.of(ConstantDescs.CD_int, ConstantDescs.CD_long);

  /**
   * By code from {@link Op#FADD_S}: method; operands, {@code s} single, {@code d} double or
   * integer, {@code r} rounding mode, {@code e} flags; result.
   */
  private static final String[] TABLE = {
    "add ssre s",
    "sub ssre s",
    "mul ssre s",
    "div ssre s",
    "sqrt sre s",
    "fma sssre s",
    "fmsub sssre s",
    "fnmsub sssre s",
    "fnmadd sssre s",
    "sgnj ss s",
    "sgnjn ss s",
    "sgnjx ss s",
    "min sse s",
    "max sse s",
    "eq sse d",
    "lt sse d",
    "le sse d",
    "classify s d",
    "toI32 sre d",
    "toU32 sre d",
    "toI64 sre d",
    "toU64 sre d",
    "fromI32 dre s",
    "fromU32 dre s",
    "fromI64 dre s",
    "fromU64 dre s",
    "",
    "",
    "add ddre d",
    "sub ddre d",
    "mul ddre d",
    "div ddre d",
    "sqrt dre d",
    "fma dddre d",
    "fmsub dddre d",
    "fnmsub dddre d",
    "fnmadd dddre d",
    "sgnj dd d",
    "sgnjn dd d",
    "sgnjx dd d",
    "min dde d",
    "max dde d",
    "eq dde d",
    "lt dde d",
    "le dde d",
    "classify d d",
    "toI32 dre d",
    "toU32 dre d",
    "toI64 dre d",
    "toU64 dre d",
    "fromI32 d d",
    "fromU32 d d",
    "fromI64 dre d",
    "fromU64 dre d",
    "",
    "",
    "fromF64 dre s",
    "fromF32 se d",
  };

  private static final int DYNAMIC = 7;

  private FloatCalls() {}

  /** Pushes a register's contents. */
  @FunctionalInterface
  interface Push {
    void register(int index);
  }

  /** Emits the operation; leaves its result, a {@code long}, on the stack. */
  static void emit(CodeBuilder b, long op, Push push) {
    int code = Op.code(op);
    switch (code) {
      case Op.FMV_X_D, Op.FMV_D_X -> push.register(Op.rs1(op));
      case Op.FMV_X_W -> {
        push.register(Op.rs1(op));
        b.l2i().i2l();
      }
      case Op.FMV_W_X -> {
        push.register(Op.rs1(op));
        b.l2i().invokestatic(SINGLE, "box", BOX);
      }
      default -> call(b, op, push, TABLE[code - Op.FADD_S].split(" "), owner(code));
    }
  }

  private static ClassDesc owner(int code) {
    return code < Op.FADD_D || code == Op.FCVT_S_D ? SINGLE : DUAL;
  }

  private static void call(CodeBuilder b, long op, Push push, String[] row, ClassDesc owner) {
    int[] sources = {Op.rs1(op), Op.rs2(op), (int) (op >>> 40) & 0xff};
    ClassDesc[] types = new ClassDesc[row[1].length()];
    for (int i = 0; i < types.length; i++) {
      types[i] = operand(b, op, row[1].charAt(i), i < 3 ? sources[i] : 0, push);
    }
    boolean single = row[2].equals("s");
    ClassDesc result = single ? ConstantDescs.CD_int : ConstantDescs.CD_long;
    b.invokestatic(owner, row[0], MethodTypeDesc.of(result, types));
    if (single) {
      b.invokestatic(SINGLE, "box", BOX);
    }
  }

  private static ClassDesc operand(CodeBuilder b, long op, char kind, int register, Push push) {
    if (kind == 'e') {
      b.getstatic(MEMORY, "FP", ENV);
      return ENV;
    }
    if (kind == 'r') {
      int rm = (int) (op >> 32) & 7;
      b.loadConstant(rm == DYNAMIC ? FpEnv.RNE : rm);
      return ConstantDescs.CD_int;
    }
    push.register(register);
    if (kind == 's') {
      b.invokestatic(SINGLE, "unbox", UNBOX);
      return ConstantDescs.CD_int;
    }
    return ConstantDescs.CD_long;
  }
}
