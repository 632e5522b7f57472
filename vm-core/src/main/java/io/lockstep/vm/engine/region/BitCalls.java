package io.lockstep.vm.engine.region;

import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;

import io.lockstep.vm.isa.Op;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.function.IntConsumer;

/**
 * How emitted code does the operations on bits (Zbb, Zbs): with the methods of {@link Long} and
 * {@link Integer} that HotSpot has instructions for.
 */
final class BitCalls {
  private static final ClassDesc LONG = ClassDesc.of("java.lang.Long");
  private static final ClassDesc INTEGER = ClassDesc.of("java.lang.Integer");
  private static final MethodTypeDesc COUNT = MethodTypeDesc.of(CD_int, CD_long);
  private static final MethodTypeDesc COUNT_WORD = MethodTypeDesc.of(CD_int, CD_int);
  private static final MethodTypeDesc ROTATE = MethodTypeDesc.of(CD_long, CD_long, CD_int);
  private static final MethodTypeDesc ROTATE_WORD = MethodTypeDesc.of(CD_int, CD_int, CD_int);
  private static final MethodTypeDesc REVERSE = MethodTypeDesc.of(CD_long, CD_long);
  private static final long WORD = 0xffff_ffffL;

  private final CodeBuilder b;
  private final long op;
  private final IntConsumer push;

  private BitCalls(CodeBuilder b, long op, IntConsumer push) {
    this.b = b;
    this.op = op;
    this.push = push;
  }

  /**
   * Emits an operation, which leaves its result on the stack.
   *
   * @param push emits the contents of a register
   * @return false, with nothing emitted, if it is none of these
   */
  static boolean emit(CodeBuilder b, long op, IntConsumer push) {
    return new BitCalls(b, op, push).emit();
  }

  @SuppressWarnings("CheckReturnValue")
  private boolean emit() {
    switch (Op.code(op)) {
      case Op.CLZ -> source().invokestatic(LONG, "numberOfLeadingZeros", COUNT).i2l();
      case Op.CTZ -> source().invokestatic(LONG, "numberOfTrailingZeros", COUNT).i2l();
      case Op.CPOP -> source().invokestatic(LONG, "bitCount", COUNT).i2l();
      case Op.CLZW -> word().invokestatic(INTEGER, "numberOfLeadingZeros", COUNT_WORD).i2l();
      case Op.CTZW -> word().invokestatic(INTEGER, "numberOfTrailingZeros", COUNT_WORD).i2l();
      case Op.CPOPW -> word().invokestatic(INTEGER, "bitCount", COUNT_WORD).i2l();
      case Op.SEXT_B -> word().i2b().i2l();
      case Op.SEXT_H -> word().i2s().i2l();
      case Op.ZEXT_H -> word().i2c().i2l();
      case Op.REV8 -> source().invokestatic(LONG, "reverseBytes", REVERSE);
      case Op.ROL -> rotate("rotateLeft", true);
      case Op.ROR -> rotate("rotateRight", true);
      case Op.RORI -> rotate("rotateRight", false);
      case Op.ROLW -> rotateWord("rotateLeft", true);
      case Op.RORW -> rotateWord("rotateRight", true);
      case Op.RORIW -> rotateWord("rotateRight", false);
      case Op.SLLI_UW -> source().loadConstant(WORD).land().loadConstant((int) Op.imm(op)).lshl();
      case Op.BCLR -> mask().loadConstant(-1L).lxor().land();
      case Op.BINV -> mask().lxor();
      case Op.BSET -> mask().lor();
      case Op.BCLRI -> source().loadConstant(~(1L << Op.imm(op))).land();
      case Op.BINVI -> source().loadConstant(1L << Op.imm(op)).lxor();
      case Op.BSETI -> source().loadConstant(1L << Op.imm(op)).lor();
      case Op.BEXT -> {
        source();
        second().l2i().lushr().lconst_1().land();
      }
      case Op.BEXTI -> source().loadConstant((int) Op.imm(op)).lushr().lconst_1().land();
      default -> {
        return false;
      }
    }
    return true;
  }

  private CodeBuilder source() {
    push.accept(Op.rs1(op));
    return b;
  }

  private CodeBuilder second() {
    push.accept(Op.rs2(op));
    return b;
  }

  private CodeBuilder word() {
    return source().l2i();
  }

  /** The first source, and the bit that the second one names. */
  private CodeBuilder mask() {
    source().lconst_1();
    return second().l2i().lshl();
  }

  private CodeBuilder amount(boolean inRegister) {
    return inRegister ? second().l2i() : b.loadConstant((int) Op.imm(op));
  }

  private void rotate(String method, boolean inRegister) {
    source();
    amount(inRegister).invokestatic(LONG, method, ROTATE);
  }

  private void rotateWord(String method, boolean inRegister) {
    word();
    amount(inRegister).invokestatic(INTEGER, method, ROTATE_WORD).i2l();
  }
}
