package io.lockstep.vm.engine.x86;

import static io.lockstep.vm.engine.x86.Assembler.*;

import io.lockstep.vm.engine.x86.Assembler.Label;
import io.lockstep.vm.isa.Op;

/** Emits computation on integer registers. RAX, RCX and RDX are free for it. */
final class IntegerEmitter {
  private final Assembler a;
  private final GuestRegisters guest;

  IntegerEmitter(Assembler a, GuestRegisters guest) {
    this.a = a;
    this.guest = guest;
  }

  /** Emits an operation; returns false, with nothing emitted, if there is no code for it. */
  boolean emit(long op) {
    int rd = Op.rd(op);
    int rs1 = Op.rs1(op);
    int rs2 = Op.rs2(op);
    int imm = (int) Op.imm(op);
    switch (Op.code(op)) {
      case Op.NOP -> {}
      case Op.LI -> guest.storeConstant(rd, imm);
      case Op.AUIPC -> guest.storePageAnd(rd, imm);
      case Op.MV -> move(rd, rs1);
      case Op.ADDI -> addConstant(rd, rs1, imm);
      case Op.XORI -> constant(XOR, rd, rs1, imm);
      case Op.ORI -> constant(OR, rd, rs1, imm);
      case Op.ANDI -> constant(AND, rd, rs1, imm);
      case Op.SLTI -> setIfConstant(LESS, rd, rs1, imm);
      case Op.SLTIU -> setIfConstant(BELOW, rd, rs1, imm);
      case Op.SLLI -> shift(SHL, rd, rs1, imm);
      case Op.SRLI -> shift(SHR, rd, rs1, imm);
      case Op.SRAI -> shift(SAR, rd, rs1, imm);
      case Op.RORI -> shift(ROR, rd, rs1, imm);
      case Op.ADDIW -> addWord(rd, rs1, imm);
      case Op.SLLIW -> shiftWord(SHL, rd, rs1, imm);
      case Op.SRLIW -> shiftWord(SHR, rd, rs1, imm);
      case Op.SRAIW -> shiftWord(SAR, rd, rs1, imm);
      case Op.RORIW -> shiftWord(ROR, rd, rs1, imm);
      case Op.ADD -> add(rd, rs1, rs2);
      case Op.SUB -> binary(SUB, false, rd, rs1, rs2);
      case Op.XOR -> binary(XOR, true, rd, rs1, rs2);
      case Op.OR -> binary(OR, true, rd, rs1, rs2);
      case Op.AND -> binary(AND, true, rd, rs1, rs2);
      case Op.MUL -> multiply(true, rd, rs1, rs2);
      case Op.ADDW -> binaryWord(ADD, rd, rs1, rs2);
      case Op.SUBW -> binaryWord(SUB, rd, rs1, rs2);
      case Op.MULW -> multiply(false, rd, rs1, rs2);
      case Op.SLL -> shiftBy(SHL, rd, rs1, rs2);
      case Op.SRL -> shiftBy(SHR, rd, rs1, rs2);
      case Op.SRA -> shiftBy(SAR, rd, rs1, rs2);
      case Op.ROL -> shiftBy(ROL, rd, rs1, rs2);
      case Op.ROR -> shiftBy(ROR, rd, rs1, rs2);
      case Op.SLLW -> shiftWordBy(SHL, rd, rs1, rs2);
      case Op.SRLW -> shiftWordBy(SHR, rd, rs1, rs2);
      case Op.SRAW -> shiftWordBy(SAR, rd, rs1, rs2);
      case Op.ROLW -> shiftWordBy(ROL, rd, rs1, rs2);
      case Op.RORW -> shiftWordBy(ROR, rd, rs1, rs2);
      case Op.SLT -> setIf(LESS, rd, rs1, rs2);
      case Op.SLTU -> setIf(BELOW, rd, rs1, rs2);
      default -> {
        return rare(op, rd, rs1, rs2, imm);
      }
    }
    return true;
  }

  private boolean rare(long op, int rd, int rs1, int rs2, int imm) {
    switch (Op.code(op)) {
      case Op.MULH -> multiplyHigh(IMUL_WIDE, rd, rs1, rs2);
      case Op.MULHU -> multiplyHigh(MUL, rd, rs1, rs2);
      case Op.DIV -> divideSigned(true, false, rd, rs1, rs2);
      case Op.REM -> divideSigned(true, true, rd, rs1, rs2);
      case Op.DIVW -> divideSigned(false, false, rd, rs1, rs2);
      case Op.REMW -> divideSigned(false, true, rd, rs1, rs2);
      case Op.DIVU -> divideUnsigned(true, false, rd, rs1, rs2);
      case Op.REMU -> divideUnsigned(true, true, rd, rs1, rs2);
      case Op.DIVUW -> divideUnsigned(false, false, rd, rs1, rs2);
      case Op.REMUW -> divideUnsigned(false, true, rd, rs1, rs2);
      case Op.SH1ADD -> shiftedAdd(1, false, rd, rs1, rs2);
      case Op.SH2ADD -> shiftedAdd(2, false, rd, rs1, rs2);
      case Op.SH3ADD -> shiftedAdd(3, false, rd, rs1, rs2);
      case Op.ADD_UW -> shiftedAdd(0, true, rd, rs1, rs2);
      case Op.SH1ADD_UW -> shiftedAdd(1, true, rd, rs1, rs2);
      case Op.SH2ADD_UW -> shiftedAdd(2, true, rd, rs1, rs2);
      case Op.SH3ADD_UW -> shiftedAdd(3, true, rd, rs1, rs2);
      case Op.SLLI_UW -> {
        guest.loadWord(RAX, rs1);
        a.shift(SHL, true, RAX, imm);
        guest.store(rd, RAX);
      }
      case Op.ANDN -> withComplement(AND, rd, rs1, rs2);
      case Op.ORN -> withComplement(OR, rd, rs1, rs2);
      case Op.XNOR -> withComplement(XOR, rd, rs1, rs2);
      case Op.SEXT_B -> extend(MOVSX8, rd, rs1);
      case Op.SEXT_H -> extend(MOVSX16, rd, rs1);
      case Op.ZEXT_H -> extend(MOVZX16, rd, rs1);
      case Op.MAX -> select(LESS, rd, rs1, rs2);
      case Op.MIN -> select(GREATER, rd, rs1, rs2);
      case Op.MAXU -> select(BELOW, rd, rs1, rs2);
      case Op.MINU -> select(ABOVE, rd, rs1, rs2);
      case Op.REV8 -> {
        guest.load(RAX, rs1);
        a.byteSwap(RAX);
        guest.store(rd, RAX);
      }
      case Op.CTZ -> bitNumber(LOWEST_BIT, true, 64, 0, rd, rs1);
      case Op.CTZW -> bitNumber(LOWEST_BIT, false, 32, 0, rd, rs1);
      case Op.CLZ -> bitNumber(HIGHEST_BIT, true, 127, 63, rd, rs1);
      case Op.CLZW -> bitNumber(HIGHEST_BIT, false, 63, 31, rd, rs1);
      case Op.ORC_B -> orCombine(rd, rs1);
      case Op.BSETI -> oneBit(5, rd, rs1, imm);
      case Op.BCLRI -> oneBit(6, rd, rs1, imm);
      case Op.BINVI -> oneBit(7, rd, rs1, imm);
      case Op.BEXTI -> {
        guest.load(RAX, rs1);
        a.shift(SHR, true, RAX, imm);
        a.ri(AND, false, RAX, 1);
        guest.store(rd, RAX);
      }
      case Op.CZERO_EQZ -> zeroIf(EQUAL, rd, rs1, rs2);
      case Op.CZERO_NEZ -> zeroIf(NOT_EQUAL, rd, rs1, rs2);
      default -> {
        return false;
      }
    }
    return true;
  }

  private void move(int rd, int rs1) {
    if (guest.host(rd) >= 0) {
      guest.load(guest.host(rd), rs1);
    } else if (guest.host(rs1) >= 0) {
      guest.store(rd, guest.host(rs1));
    } else {
      guest.load(RAX, rs1);
      guest.store(rd, RAX);
    }
  }

  private void addConstant(int rd, int rs1, int imm) {
    if (rd == rs1) {
      if (guest.host(rd) >= 0) {
        a.ri(ADD, true, guest.host(rd), imm);
      } else {
        a.mi(ADD, RBP, GuestRegisters.displacement(rd), imm);
      }
      return;
    }
    int target = guest.target(rd);
    guest.loadSum(target, rs1, imm);
    guest.store(rd, target);
  }

  private void constant(int opcode, int rd, int rs1, int imm) {
    int target = guest.target(rd);
    guest.load(target, rs1);
    a.ri(opcode, true, target, imm);
    guest.store(rd, target);
  }

  private void addWord(int rd, int rs1, int imm) {
    if (imm == 0 && rs1 != 0) {
      int target = guest.target(rd);
      guest.operate(MOVSXD, true, target, rs1);
      guest.store(rd, target);
      return;
    }
    int target = guest.target(rd);
    guest.loadLow(target, rs1);
    a.ri(ADD, false, target, imm);
    guest.storeWord(rd, target);
  }

  private void shift(int number, int rd, int rs1, int amount) {
    int target = guest.target(rd);
    guest.load(target, rs1);
    if (amount != 0) {
      a.shift(number, true, target, amount);
    }
    guest.store(rd, target);
  }

  private void shiftWord(int number, int rd, int rs1, int amount) {
    int target = guest.target(rd);
    guest.loadLow(target, rs1);
    if (amount != 0) {
      a.shift(number, false, target, amount);
    }
    if (number == SHR && amount != 0) {
      // Not negative, and the upper half has been cleared.
      guest.store(rd, target);
    } else {
      guest.storeWord(rd, target);
    }
  }

  private void add(int rd, int rs1, int rs2) {
    int target = guest.host(rd);
    int one = guest.host(rs1);
    int other = guest.host(rs2);
    if (target >= 0 && one >= 0 && other >= 0 && target != one && target != other) {
      a.rx(LEA, true, target, one, other, 0, 0);
    } else {
      binary(ADD, true, rd, rs1, rs2);
    }
  }

  private void binary(int opcode, boolean commutes, int rd, int rs1, int rs2) {
    int target = guest.target(rd);
    if (target != guest.host(rs2) || rs1 == rs2) {
      guest.load(target, rs1);
      guest.arithmetic(opcode, true, target, rs2);
    } else if (commutes) {
      guest.arithmetic(opcode, true, target, rs1);
    } else {
      target = RAX;
      guest.load(RAX, rs1);
      guest.arithmetic(opcode, true, RAX, rs2);
    }
    guest.store(rd, target);
  }

  private void binaryWord(int opcode, int rd, int rs1, int rs2) {
    int target = rs1 == rs2 ? guest.target(rd) : guest.wordTarget(rd, rs2);
    guest.loadLow(target, rs1);
    guest.arithmetic(opcode, false, target, rs2);
    guest.storeWord(rd, target);
  }

  private void multiply(boolean wide, int rd, int rs1, int rs2) {
    guest.load(RAX, rs1);
    if (rs2 == 0) {
      a.constant(RAX, 0);
    } else {
      guest.operate(IMUL, wide, RAX, rs2);
    }
    if (wide) {
      guest.store(rd, RAX);
    } else {
      guest.storeWord(rd, RAX);
    }
  }

  private void multiplyHigh(int number, int rd, int rs1, int rs2) {
    guest.load(RAX, rs1);
    guest.load(RCX, rs2);
    a.unary(number, true, RCX);
    guest.store(rd, RDX);
  }

  /** Division by zero gives all ones and the dividend; overflow wraps (RISC-V Unpriv. §13.2). */
  private void divideSigned(boolean wide, boolean remainder, int rd, int rs1, int rs2) {
    Label byZero = new Label();
    Label byMinusOne = new Label();
    Label done = new Label();
    guest.load(RAX, rs1);
    guest.load(RCX, rs2);
    a.rr(TEST, wide, RCX, RCX);
    a.jumpIf(EQUAL, byZero);
    a.ri(CMP, wide, RCX, -1);
    a.jumpIf(EQUAL, byMinusOne);
    a.signIntoRdx(wide);
    a.unary(IDIV, wide, RCX);
    if (remainder) {
      a.rr(MOV, wide, RAX, RDX);
    }
    a.jump(done);
    a.bind(byMinusOne);
    if (remainder) {
      a.constant(RAX, 0);
    } else {
      a.unary(NEG, wide, RAX);
    }
    a.jump(done);
    a.bind(byZero);
    if (!remainder) {
      a.constant(RAX, -1);
    }
    a.bind(done);
    storeQuotient(wide, rd);
  }

  private void divideUnsigned(boolean wide, boolean remainder, int rd, int rs1, int rs2) {
    Label byZero = new Label();
    Label done = new Label();
    guest.load(RAX, rs1);
    guest.load(RCX, rs2);
    a.rr(TEST, wide, RCX, RCX);
    a.jumpIf(EQUAL, byZero);
    a.constant(RDX, 0);
    a.unary(DIV, wide, RCX);
    if (remainder) {
      a.rr(MOV, wide, RAX, RDX);
    }
    a.jump(done);
    a.bind(byZero);
    if (!remainder) {
      a.constant(RAX, -1);
    }
    a.bind(done);
    storeQuotient(wide, rd);
  }

  private void storeQuotient(boolean wide, int rd) {
    if (wide) {
      guest.store(rd, RAX);
    } else {
      guest.storeWord(rd, RAX);
    }
  }

  private void shiftedAdd(int amount, boolean word, int rd, int rs1, int rs2) {
    if (word) {
      guest.loadWord(RAX, rs1);
    } else {
      guest.load(RAX, rs1);
    }
    if (amount != 0) {
      a.shift(SHL, true, RAX, amount);
    }
    guest.arithmetic(ADD, true, RAX, rs2);
    guest.store(rd, RAX);
  }

  private void withComplement(int opcode, int rd, int rs1, int rs2) {
    guest.load(RAX, rs2);
    a.unary(NOT, true, RAX);
    guest.arithmetic(opcode, true, RAX, rs1);
    guest.store(rd, RAX);
  }

  private void extend(int opcode, int rd, int rs1) {
    guest.load(RAX, rs1);
    a.rr(opcode, true, RAX, RAX);
    guest.store(rd, RAX);
  }

  /** The second source where the first compares like this with it, else the first. */
  private void select(int condition, int rd, int rs1, int rs2) {
    guest.load(RAX, rs1);
    guest.load(RCX, rs2);
    a.rr(CMP, true, RAX, RCX);
    a.rr(CMOV | condition, true, RAX, RCX);
    guest.store(rd, RAX);
  }

  private void zeroIf(int condition, int rd, int rs1, int rs2) {
    guest.load(RAX, rs1);
    guest.load(RDX, rs2);
    a.constant(RCX, 0);
    a.rr(TEST, true, RDX, RDX);
    a.rr(CMOV | condition, true, RAX, RCX);
    guest.store(rd, RAX);
  }

  /** The number of a bit, combined by XOR with a constant; without bits that of {@code none}. */
  private void bitNumber(int opcode, boolean wide, int none, int xor, int rd, int rs1) {
    guest.load(RDX, rs1);
    a.constant(RCX, none);
    a.rr(opcode, wide, RAX, RDX);
    a.rr(CMOV | EQUAL, wide, RAX, RCX);
    if (xor != 0) {
      a.ri(XOR, false, RAX, xor);
    }
    guest.store(rd, RAX);
  }

  /** As {@link io.lockstep.vm.isa.IntegerOps#orCombine}. */
  private void orCombine(int rd, int rs1) {
    guest.load(RAX, rs1);
    a.rr(MOV, true, RDX, RAX);
    a.constant(RCX, 0x7f7f_7f7f_7f7f_7f7fL);
    a.rr(AND, true, RAX, RCX);
    a.rr(ADD, true, RAX, RCX);
    a.rr(OR, true, RAX, RDX);
    a.shift(SHR, true, RAX, 7);
    a.constant(RCX, 0x0101_0101_0101_0101L);
    a.rr(AND, true, RAX, RCX);
    a.rr(MOV, true, RDX, RAX);
    a.shift(SHL, true, RAX, 8);
    a.rr(SUB, true, RAX, RDX);
    guest.store(rd, RAX);
  }

  private void oneBit(int number, int rd, int rs1, int index) {
    guest.load(RAX, rs1);
    a.bit(number, RAX, index);
    guest.store(rd, RAX);
  }

  private void shiftBy(int number, int rd, int rs1, int rs2) {
    guest.loadWord(RCX, rs2);
    guest.load(RAX, rs1);
    a.shiftByCl(number, true, RAX);
    guest.store(rd, RAX);
  }

  private void shiftWordBy(int number, int rd, int rs1, int rs2) {
    guest.loadWord(RCX, rs2);
    guest.loadWord(RAX, rs1);
    a.shiftByCl(number, false, RAX);
    guest.storeWord(rd, RAX);
  }

  private void setIf(int condition, int rd, int rs1, int rs2) {
    guest.load(RAX, rs1);
    a.constant(RCX, 0);
    guest.arithmetic(CMP, true, RAX, rs2);
    a.set(condition, RCX);
    guest.store(rd, RCX);
  }

  private void setIfConstant(int condition, int rd, int rs1, int imm) {
    a.constant(RCX, 0);
    if (guest.host(rs1) >= 0) {
      a.ri(CMP, true, guest.host(rs1), imm);
    } else {
      guest.load(RAX, rs1);
      a.ri(CMP, true, RAX, imm);
    }
    a.set(condition, RCX);
    guest.store(rd, RCX);
  }

  /**
   * Emits the comparison of a branch.
   *
   * @return the condition under which it is taken
   */
  int compare(long op) {
    int rs1 = Op.rs1(op);
    int rs2 = Op.rs2(op);
    if (guest.host(rs1) >= 0 && rs2 == 0) {
      a.rr(TEST, true, guest.host(rs1), guest.host(rs1));
    } else if (guest.host(rs1) >= 0) {
      guest.operate(CMP, true, guest.host(rs1), rs2);
    } else if (rs1 != 0 && rs2 == 0) {
      a.mi(CMP, RBP, GuestRegisters.displacement(rs1), 0);
    } else if (rs1 != 0 && guest.host(rs2) >= 0) {
      a.rm(CMP_MEMORY, true, guest.host(rs2), RBP, GuestRegisters.displacement(rs1));
    } else {
      guest.load(RAX, rs1);
      guest.arithmetic(CMP, true, RAX, rs2);
    }
    return switch (Op.code(op)) {
      case Op.BEQ -> EQUAL;
      case Op.BNE -> NOT_EQUAL;
      case Op.BLT -> LESS;
      case Op.BGE -> NOT_LESS;
      case Op.BLTU -> BELOW;
      default -> NOT_BELOW;
    };
  }
}
