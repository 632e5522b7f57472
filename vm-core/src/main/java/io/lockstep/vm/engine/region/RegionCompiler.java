package io.lockstep.vm.engine.region;

import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;

import io.lockstep.vm.hart.Hart;
import io.lockstep.vm.isa.IntegerOps;
import io.lockstep.vm.isa.Op;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.util.ArrayList;
import java.util.List;

/**
 * Emits a region as a class file. The method's shape:
 *
 * <pre>
 *   load the guest registers that the region uses into locals
 *   blocks, each starting with its charge: left -= instructions
 *   side exits: set the next pc, go to exit
 *   exit: store the registers the region writes; hart.pc = next pc; return left
 *   handler of RegionLeave: store the registers; return leave(page)
 * </pre>
 *
 * Registers are stored in two places only, not at each exit: that keeps methods small, and HotSpot
 * compiles nothing over 8,000 bytes.
 */
public final class RegionCompiler {
  private static final ClassDesc SELF =
      ClassDesc.of(RegionCompiler.class.getPackageName() + ".GuestCode");
  private static final ClassDesc SUPER = ClassDesc.of(RegionCode.class.getName());
  private static final ClassDesc MEMORY = ClassDesc.of(RegionMemory.class.getName());
  private static final ClassDesc ACCESS = ClassDesc.of(AccessCompiler.NAME);
  private static final ClassDesc ALU = ClassDesc.of(RegionAlu.class.getName());
  private static final ClassDesc INTEGER_OPS = ClassDesc.of(IntegerOps.class.getName());
  private static final ClassDesc HART = ClassDesc.of(Hart.class.getName());
  private static final ClassDesc LEAVE = ClassDesc.of(RegionLeave.class.getName());
  private static final ClassDesc LONG = ClassDesc.of("java.lang.Long");
  private static final ClassDesc INTEGER = ClassDesc.of("java.lang.Integer");
  private static final ClassDesc MATH = ClassDesc.of("java.lang.Math");
  private static final MethodTypeDesc BINARY = MethodTypeDesc.of(CD_long, CD_long, CD_long);
  private static final MethodTypeDesc UNARY = MethodTypeDesc.of(CD_long, CD_long);
  private static final MethodTypeDesc COMPARE = MethodTypeDesc.of(CD_int, CD_long, CD_long);
  private static final MethodTypeDesc LOAD = MethodTypeDesc.of(CD_long, CD_long, CD_long, CD_long);
  private static final MethodTypeDesc STORE =
      MethodTypeDesc.of(CD_void, CD_long, CD_long, CD_long, CD_long);
  private static final MethodTypeDesc ROTATE_WORD = MethodTypeDesc.of(CD_int, CD_int, CD_int);
  private static final MethodTypeDesc ATOMIC =
      MethodTypeDesc.of(CD_long, CD_long, CD_long, CD_long, CD_long);

  // Local variables
  private static final int PAGE = 1;
  private static final int LEFT = 3;
  private static final int NEXT_PC = 5;
  private static final int FIRST_REGISTER = 7;

  private final Region region;
  private final int[] slots = new int[Op.REGISTERS];
  private final boolean[] written = new boolean[Op.REGISTERS];

  /** Words that are to be rotated are kept in the local variables behind this one. */
  private int firstKept;

  private CodeBuilder b;
  private Label[] labels;
  private Label exit;
  private final List<Exit> exits = new ArrayList<>();

  private record Exit(int offset, Label label) {}

  private RegionCompiler(Region region) {
    this.region = region;
  }

  /** The class file of a region. */
  public static byte[] compile(Region region) {
    return new RegionCompiler(region).emit();
  }

  private byte[] emit() {
    assignSlots();
    return ClassFile.of()
        .build(
            SELF,
            c ->
                c.withSuperclass(SUPER)
                    .withFlags(ClassFile.ACC_FINAL)
                    .withMethodBody(
                        ConstantDescs.INIT_NAME,
                        ConstantDescs.MTD_void,
                        0,
                        m ->
                            m.aload(0)
                                .invokespecial(
                                    SUPER, ConstantDescs.INIT_NAME, ConstantDescs.MTD_void)
                                .return_())
                    .withMethodBody(
                        ConstantDescs.CLASS_INIT_NAME,
                        ConstantDescs.MTD_void,
                        ClassFile.ACC_STATIC,
                        m ->
                            m.new_(SELF)
                                .dup()
                                .invokespecial(
                                    SELF, ConstantDescs.INIT_NAME, ConstantDescs.MTD_void)
                                .invokestatic(MEMORY, "deliver", MethodTypeDesc.of(CD_void, SUPER))
                                .return_())
                    .withMethodBody("run", BINARY, ClassFile.ACC_PUBLIC, this::emitRun));
  }

  /** Finds out which registers are used, and gives each a local variable. */
  private void assignSlots() {
    boolean[] used = new boolean[Op.REGISTERS];
    for (RegionBlock block : region.blocks) {
      for (long op : block.ops) {
        used[Op.rs1(op)] = true;
        used[Op.rs2(op)] = true;
        int code = Op.code(op);
        if (code >= Op.FMADD_S && code <= Op.FNMADD_S
            || code >= Op.FMADD_D && code <= Op.FNMADD_D) {
          used[rs3(op)] = true;
        }
        if (writes(code)) {
          used[Op.rd(op)] = true;
          written[Op.rd(op)] = true;
        }
      }
    }
    int slot = FIRST_REGISTER;
    for (int r = 1; r < Op.REGISTERS; r++) {
      if (r == Op.SINK) {
        written[r] = false;
      } else if (used[r]) {
        slots[r] = slot;
        slot += 2;
      }
    }
    written[0] = false;
    firstKept = slot - 1;
  }

  private static int rs3(long op) {
    return (int) (op >>> 40) & 0xff;
  }

  /** Whether an operation writes the register that is named in it. */
  public static boolean writes(int code) {
    boolean store = code >= Op.SB && code <= Op.SD || code == Op.FSW || code == Op.FSD;
    boolean branch = code >= Op.BEQ && code <= Op.J || code == Op.JR || code == Op.FALL;
    return !store && !branch && code != Op.NOP && code != Op.CBO_ZERO;
  }

  private void emitRun(CodeBuilder builder) {
    b = builder;
    labels = new Label[region.blocks.length];
    for (int i = 0; i < labels.length; i++) {
      labels[i] = b.newLabel();
    }
    exit = b.newLabel();
    for (int r = 1; r < slots.length; r++) {
      if (slots[r] != 0) {
        registers();
        b.loadConstant(r).laload().lstore(slots[r]);
      }
    }
    Label start = b.newBoundLabel();
    for (int i = 0; i < region.blocks.length; i++) {
      emitBlock(i);
    }
    Label end = b.newBoundLabel();
    for (Exit e : exits) {
      b.labelBinding(e.label);
      pageAnd(e.offset);
      b.lstore(NEXT_PC).goto_(exit);
    }
    b.labelBinding(exit);
    storeRegisters();
    b.getstatic(MEMORY, "HART", HART).lload(NEXT_PC).putfield(HART, "pc", CD_long);
    b.lload(LEFT).lreturn();
    Label handler = b.newBoundLabel();
    b.pop();
    storeRegisters();
    b.lload(PAGE).invokestatic(MEMORY, "leave", MethodTypeDesc.of(CD_long, CD_long)).lreturn();
    b.exceptionCatch(start, end, handler, LEAVE);
  }

  private void registers() {
    b.getstatic(MEMORY, "REGISTERS", CD_long.arrayType());
  }

  private void storeRegisters() {
    for (int r = 1; r < written.length; r++) {
      if (written[r]) {
        registers();
        b.loadConstant(r).lload(slots[r]).lastore();
      }
    }
  }

  private void pageAnd(int offset) {
    b.lload(PAGE).loadConstant((long) offset).ladd();
  }

  private Label exitTo(int offset) {
    for (Exit e : exits) {
      if (e.offset == offset) {
        return e.label;
      }
    }
    Exit e = new Exit(offset, b.newLabel());
    exits.add(e);
    return e.label;
  }

  private Label labelOf(int block, int offset) {
    return block == RegionBlock.NONE ? exitTo(offset) : labels[block];
  }

  private void emitBlock(int index) {
    RegionBlock block = region.blocks[index];
    b.labelBinding(labels[index]);
    if (block.header) {
      b.lload(LEFT).loadConstant((long) block.worst).lcmp().iflt(exitTo(block.start()));
    }
    b.lload(LEFT).loadConstant((long) block.count).lsub().lstore(LEFT);
    WordRotations rotations = WordRotations.in(block);
    for (int i = 0; i < block.count; i++) {
      if (rotations.keeps(i) != 0) {
        push(Op.rs1(block.ops[i]));
        b.l2i().istore(firstKept + rotations.keeps(i));
      }
      if (rotations.amount(i) != 0) {
        b.iload(firstKept + rotations.kept(i)).loadConstant(rotations.amount(i));
        b.invokestatic(INTEGER, "rotateLeft", ROTATE_WORD).i2l();
        pop(Op.rd(block.ops[i]));
      } else {
        emitOp(block, i);
      }
    }
    int last = Op.code(block.ops[block.count - 1]);
    if (last == Op.J || last == Op.JAL || last == Op.JR || last == Op.JALR) {
      return;
    }
    if (block.next == RegionBlock.NONE || block.next != index + 1) {
      b.goto_(labelOf(block.next, block.end()));
    }
  }

  private void push(int register) {
    if (register == 0) {
      b.lconst_0();
    } else {
      b.lload(slots[register]);
    }
  }

  private void pop(int register) {
    if (register == Op.SINK) {
      b.pop2();
    } else {
      b.lstore(slots[register]);
    }
  }

  private void emitOp(RegionBlock block, int i) {
    long op = block.ops[i];
    int code = Op.code(op);
    if (code == Op.NOP) {
      return;
    }
    if (Op.touchesMemory(code)) {
      emitAccess(block, i, op, code);
    } else if (Op.isFloatingPoint(code)) {
      FloatCalls.emit(b, op, this::push);
      pop(Op.rd(op));
    } else if (code >= Op.BEQ && code <= Op.BGEU) {
      emitBranch(block, op, code);
    } else if (code >= Op.J && code <= Op.JALR) {
      emitJump(block, op, code);
    } else {
      emitInteger(op, code);
      pop(Op.rd(op));
    }
  }

  private void emitBranch(RegionBlock block, long op, int code) {
    Label target = labelOf(block.taken, (int) Op.imm(op));
    push(Op.rs1(op));
    push(Op.rs2(op));
    if (code >= Op.BLTU) {
      b.invokestatic(LONG, "compareUnsigned", COMPARE);
    } else {
      b.lcmp();
    }
    switch (code) {
      case Op.BEQ -> b.ifeq(target);
      case Op.BNE -> b.ifne(target);
      case Op.BLT, Op.BLTU -> b.iflt(target);
      default -> b.ifge(target);
    }
  }

  private void emitJump(RegionBlock block, long op, int code) {
    if (code == Op.J || code == Op.JAL) {
      if (code == Op.JAL) {
        pageAnd(block.end());
        pop(Op.rd(op));
      }
      b.goto_(labelOf(block.taken, (int) Op.imm(op)));
      return;
    }
    push(Op.rs1(op));
    addConstant(Op.imm(op));
    b.loadConstant(-2L).land().lstore(NEXT_PC);
    if (code == Op.JALR) {
      pageAnd(block.end());
      pop(Op.rd(op));
    }
    for (int r : block.returns) {
      b.lload(NEXT_PC);
      pageAnd(region.blocks[r].start());
      b.lcmp().ifeq(labels[r]);
    }
    b.goto_(exit);
  }

  private void addConstant(long value) {
    if (value != 0) {
      b.loadConstant(value).ladd();
    }
  }

  private void emitAccess(RegionBlock block, int i, long op, int code) {
    long info =
        AccessInfo.of(
            code,
            writes(code) ? Op.rd(op) : Op.SINK,
            block.offsets[i],
            block.offsets[i + 1],
            block.count - i);
    push(Op.rs1(op));
    if (code <= Op.FSD) {
      addConstant(Op.imm(op));
    }
    if (code <= Op.LWU || code == Op.FLW || code == Op.FLD) {
      b.lload(LEFT).loadConstant(info);
      b.invokestatic(ACCESS, code == Op.FLD ? "ld" : Op.name(code), LOAD);
      pop(Op.rd(op));
    } else if (code <= Op.FSD) {
      push(Op.rs2(op));
      b.lload(LEFT).loadConstant(info);
      String name = code == Op.FSD ? "sd" : code == Op.FSW ? "sw" : Op.name(code);
      b.invokestatic(ACCESS, name, STORE);
    } else if (code == Op.CBO_ZERO) {
      b.loadConstant(Op.imm(op) & 0xffff_ffffL).lload(LEFT).loadConstant(info);
      b.invokestatic(MEMORY, "zero", STORE);
    } else {
      push(Op.rs2(op));
      b.lload(LEFT).loadConstant(info).invokestatic(MEMORY, "atomic", ATOMIC);
      pop(Op.rd(op));
    }
  }

  private void binary(long op) {
    push(Op.rs1(op));
    push(Op.rs2(op));
  }

  private CodeBuilder immediate(long op) {
    push(Op.rs1(op));
    return b.loadConstant(Op.imm(op));
  }

  private CodeBuilder shiftImmediate(long op) {
    push(Op.rs1(op));
    return b.loadConstant((int) Op.imm(op));
  }

  /** 32-bit operands as {@code int}s. */
  private CodeBuilder words(long op) {
    push(Op.rs1(op));
    b.l2i();
    push(Op.rs2(op));
    return b.l2i();
  }

  private CodeBuilder wordImmediate(long op) {
    push(Op.rs1(op));
    return b.l2i().loadConstant((int) Op.imm(op));
  }

  private void emitInteger(long op, int code) {
    switch (code) {
      case Op.LI -> b.loadConstant(Op.imm(op));
      case Op.AUIPC -> pageAnd((int) Op.imm(op));
      case Op.MV -> push(Op.rs1(op));
      case Op.ADDI -> immediate(op).ladd();
      case Op.SLTI -> immediate(op).invokestatic(ALU, "slt", BINARY);
      case Op.SLTIU -> immediate(op).invokestatic(ALU, "sltu", BINARY);
      case Op.XORI -> immediate(op).lxor();
      case Op.ORI -> immediate(op).lor();
      case Op.ANDI -> immediate(op).land();
      case Op.SLLI -> shiftImmediate(op).lshl();
      case Op.SRLI -> shiftImmediate(op).lushr();
      case Op.SRAI -> shiftImmediate(op).lshr();
      case Op.ADDIW -> wordImmediate(op).iadd().i2l();
      case Op.SLLIW -> wordImmediate(op).ishl().i2l();
      case Op.SRLIW -> wordImmediate(op).iushr().i2l();
      case Op.SRAIW -> wordImmediate(op).ishr().i2l();
      case Op.ADDW -> words(op).iadd().i2l();
      case Op.SUBW -> words(op).isub().i2l();
      case Op.SLLW -> words(op).ishl().i2l();
      case Op.SRLW -> words(op).iushr().i2l();
      case Op.SRAW -> words(op).ishr().i2l();
      case Op.MULW -> words(op).imul().i2l();
      default -> emitRegisterInteger(op, code);
    }
  }

  private void emitRegisterInteger(long op, int code) {
    if (code >= Op.SH1ADD && code <= Op.SH3ADD_UW) {
      emitAddress(op, code);
      return;
    }
    if (BitCalls.emit(b, op, this::push)) {
      return;
    }
    binary(op);
    switch (code) {
      case Op.ADD -> b.ladd();
      case Op.SUB -> b.lsub();
      case Op.XOR -> b.lxor();
      case Op.OR -> b.lor();
      case Op.AND -> b.land();
      case Op.MUL -> b.lmul();
      case Op.SLL -> b.l2i().lshl();
      case Op.SRL -> b.l2i().lushr();
      case Op.SRA -> b.l2i().lshr();
      case Op.ANDN -> b.loadConstant(-1L).lxor().land();
      case Op.ORN -> b.loadConstant(-1L).lxor().lor();
      case Op.XNOR -> b.lxor().loadConstant(-1L).lxor();
      case Op.SLT -> b.invokestatic(ALU, "slt", BINARY);
      case Op.SLTU -> b.invokestatic(ALU, "sltu", BINARY);
      case Op.MULH -> b.invokestatic(MATH, "multiplyHigh", BINARY);
      case Op.MULHU -> b.invokestatic(MATH, "unsignedMultiplyHigh", BINARY);
      case Op.MULHSU -> b.invokestatic(ALU, "mulhsu", BINARY);
      case Op.DIV -> b.invokestatic(ALU, "div", BINARY);
      case Op.DIVU -> b.invokestatic(ALU, "divu", BINARY);
      case Op.REM -> b.invokestatic(ALU, "rem", BINARY);
      case Op.REMU -> b.invokestatic(ALU, "remu", BINARY);
      case Op.DIVW -> b.invokestatic(ALU, "divw", BINARY);
      case Op.DIVUW -> b.invokestatic(ALU, "divuw", BINARY);
      case Op.REMW -> b.invokestatic(ALU, "remw", BINARY);
      case Op.REMUW -> b.invokestatic(ALU, "remuw", BINARY);
      case Op.MAX -> b.invokestatic(MATH, "max", BINARY);
      case Op.MIN -> b.invokestatic(MATH, "min", BINARY);
      case Op.MAXU -> b.invokestatic(ALU, "maxu", BINARY);
      case Op.MINU -> b.invokestatic(ALU, "minu", BINARY);
      case Op.CZERO_EQZ -> b.invokestatic(ALU, "czeroEqz", BINARY);
      case Op.CZERO_NEZ -> b.invokestatic(ALU, "czeroNez", BINARY);
      case Op.ORC_B -> b.pop2().invokestatic(INTEGER_OPS, "orCombine", UNARY);
      default -> {
        b.pop2().pop2().loadConstant(op);
        binary(op);
        b.invokestatic(INTEGER_OPS, "compute", LOAD);
      }
    }
  }

  private void emitAddress(long op, int code) {
    push(Op.rs1(op));
    if (code >= Op.ADD_UW) {
      b.loadConstant(0xffff_ffffL).land();
    }
    int shift =
        switch (code) {
          case Op.SH1ADD, Op.SH1ADD_UW -> 1;
          case Op.SH2ADD, Op.SH2ADD_UW -> 2;
          case Op.SH3ADD, Op.SH3ADD_UW -> 3;
          default -> 0;
        };
    if (shift != 0) {
      b.loadConstant(shift).lshl();
    }
    push(Op.rs2(op));
    b.ladd();
  }
}
