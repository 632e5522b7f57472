package io.lockstep.vm.asm;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Makes machine code for tests: words, a few named instructions, labels. */
public final class Assembler {
  private final long base;
  private final ByteBuffer code;
  private final Map<String, Long> labels = new HashMap<>();
  private final List<Reference> references = new ArrayList<>();

  private record Reference(int at, String label) {}

  /**
   * Starts at an address.
   *
   * @param base address of the first instruction
   * @param capacity most bytes of code
   */
  public Assembler(long base, int capacity) {
    this.base = base;
    this.code = ByteBuffer.allocate(capacity).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** The address of what comes next. */
  public long here() {
    return base + code.position();
  }

  /** The code so far, references resolved. */
  public byte[] bytes() {
    for (Reference r : references) {
      resolve(r);
    }
    references.clear();
    byte[] bytes = new byte[code.position()];
    code.get(0, bytes);
    return bytes;
  }

  private void resolve(Reference r) {
    Long target = labels.get(r.label);
    if (target == null) {
      throw new IllegalStateException("no label " + r.label);
    }
    int offset = (int) (target - (base + r.at));
    int half = code.getShort(r.at) & 0xffff;
    if ((half & 3) != 3) {
      code.putShort(r.at, (short) (half | compressedOffset(half, offset)));
      return;
    }
    int word = code.getInt(r.at);
    boolean jump = (word & 0x7f) == 0x6f;
    code.putInt(r.at, word | (jump ? jumpOffset(offset) : branchOffset(offset)));
  }

  private static int compressedOffset(int half, int offset) {
    if (half >>> 13 == 5) { // c.j
      return (offset >> 11 & 1) << 12
          | (offset >> 4 & 1) << 11
          | (offset >> 8 & 3) << 9
          | (offset >> 10 & 1) << 8
          | (offset >> 6 & 1) << 7
          | (offset >> 7 & 1) << 6
          | (offset >> 1 & 7) << 3
          | (offset >> 5 & 1) << 2;
    }
    if (offset < -256 || offset > 254) {
      throw new IllegalStateException("compressed branch too far: " + offset);
    }
    return (offset >> 8 & 1) << 12
        | (offset >> 3 & 3) << 10
        | (offset >> 6 & 3) << 5
        | (offset >> 1 & 3) << 3
        | (offset >> 5 & 1) << 2;
  }

  private static int branchOffset(int offset) {
    if (offset < -4096 || offset > 4094) {
      throw new IllegalStateException("branch too far: " + offset);
    }
    return (offset >> 12 & 1) << 31
        | (offset >> 5 & 0x3f) << 25
        | (offset >> 1 & 0xf) << 8
        | (offset >> 11 & 1) << 7;
  }

  private static int jumpOffset(int offset) {
    return (offset >> 20 & 1) << 31
        | (offset >> 1 & 0x3ff) << 21
        | (offset >> 11 & 1) << 20
        | (offset >> 12 & 0xff) << 12;
  }

  /** Names the present address. */
  public Assembler label(String name) {
    labels.put(name, here());
    return this;
  }

  /** The address of a label that has been set. */
  public long address(String label) {
    return labels.get(label);
  }

  /** A 32-bit instruction. */
  public Assembler word(int bits) {
    code.putInt(bits);
    return this;
  }

  /** A 16-bit instruction. */
  public Assembler half(int bits) {
    code.putShort((short) bits);
    return this;
  }

  /** Fills with {@code c.nop} up to an address. */
  public Assembler padTo(long address) {
    while (here() < address) {
      half(1);
    }
    return this;
  }

  /** An instruction in the I format. */
  public Assembler i(int opcode, int funct3, int rd, int rs1, int imm) {
    if (imm < -2048 || imm > 4095) {
      throw new IllegalArgumentException("immediate " + imm);
    }
    return word(imm << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode);
  }

  /** An instruction in the R format. */
  public Assembler r(int opcode, int funct3, int funct7, int rd, int rs1, int rs2) {
    return word(funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode);
  }

  private Assembler s(int opcode, int funct3, int rs1, int rs2, int imm) {
    int word = rs2 << 20 | rs1 << 15 | funct3 << 12 | opcode;
    return word(word | (imm >> 5) << 25 | (imm & 31) << 7);
  }

  /** addi. */
  public Assembler addi(int rd, int rs1, int imm) {
    return i(0x13, 0, rd, rs1, imm);
  }

  /** add. */
  public Assembler add(int rd, int rs1, int rs2) {
    return r(0x33, 0, 0, rd, rs1, rs2);
  }

  /** sub. */
  public Assembler sub(int rd, int rs1, int rs2) {
    return r(0x33, 0, 0x20, rd, rs1, rs2);
  }

  /** andi. */
  public Assembler andi(int rd, int rs1, int imm) {
    return i(0x13, 7, rd, rs1, imm);
  }

  /** slli. */
  public Assembler slli(int rd, int rs1, int shift) {
    return i(0x13, 1, rd, rs1, shift);
  }

  /** srli. */
  public Assembler srli(int rd, int rs1, int shift) {
    return i(0x13, 5, rd, rs1, shift);
  }

  /** Loads a constant, any 64 bits. */
  public Assembler li(int rd, long value) {
    if (value == (int) value) {
      int low = (int) value << 20 >> 20;
      int high = (int) value - low;
      if (high == 0) {
        return addi(rd, 0, low);
      }
      word(high & 0xfffff000 | rd << 7 | 0x37);
      return low == 0 ? this : i(0x1b, 0, rd, rd, low);
    }
    int low = (int) value << 20 >> 20;
    li(rd, value - low >> 12);
    slli(rd, rd, 12);
    return low == 0 ? this : addi(rd, rd, low);
  }

  /** ld. */
  public Assembler ld(int rd, int rs1, int offset) {
    return i(0x03, 3, rd, rs1, offset);
  }

  /** sd. */
  public Assembler sd(int rs2, int rs1, int offset) {
    return s(0x23, 3, rs1, rs2, offset);
  }

  /** sw. */
  public Assembler sw(int rs2, int rs1, int offset) {
    return s(0x23, 2, rs1, rs2, offset);
  }

  /** sh. */
  public Assembler sh(int rs2, int rs1, int offset) {
    return s(0x23, 1, rs1, rs2, offset);
  }

  /** fld. */
  public Assembler fld(int rd, int rs1, int offset) {
    return i(0x07, 3, rd, rs1, offset);
  }

  /** fsd. */
  public Assembler fsd(int rs2, int rs1, int offset) {
    return s(0x27, 3, rs1, rs2, offset);
  }

  /** csrrw. */
  public Assembler csrrw(int rd, int csr, int rs1) {
    return i(0x73, 1, rd, rs1, csr);
  }

  /** csrw. */
  public Assembler csrw(int csr, int rs1) {
    return csrrw(0, csr, rs1);
  }

  /** csrr. */
  public Assembler csrr(int rd, int csr) {
    return i(0x73, 2, rd, 0, csr);
  }

  /** csrs. */
  public Assembler csrs(int csr, int rs1) {
    return i(0x73, 2, 0, rs1, csr);
  }

  /** csrc. */
  public Assembler csrc(int csr, int rs1) {
    return i(0x73, 3, 0, rs1, csr);
  }

  /** A conditional branch by funct3. */
  public Assembler branch(int funct3, int rs1, int rs2, String label) {
    references.add(new Reference(code.position(), label));
    return word(rs2 << 20 | rs1 << 15 | funct3 << 12 | 0x63);
  }

  /** beq. */
  public Assembler beq(int rs1, int rs2, String label) {
    return branch(0, rs1, rs2, label);
  }

  /** bne. */
  public Assembler bne(int rs1, int rs2, String label) {
    return branch(1, rs1, rs2, label);
  }

  /** A compressed jump or branch: its bits without the offset. */
  public Assembler shortJump(int bits, String label) {
    references.add(new Reference(code.position(), label));
    return half(bits);
  }

  /** jal. */
  public Assembler jal(int rd, String label) {
    references.add(new Reference(code.position(), label));
    return word(rd << 7 | 0x6f);
  }

  /** jalr. */
  public Assembler jalr(int rd, int rs1, int offset) {
    return i(0x67, 0, rd, rs1, offset);
  }

  /** ecall. */
  public Assembler ecall() {
    return word(0x73);
  }

  /** mret. */
  public Assembler mret() {
    return word(0x30200073);
  }

  /** sret. */
  public Assembler sret() {
    return word(0x10200073);
  }

  /** wfi. */
  public Assembler wfi() {
    return word(0x10500073);
  }

  /** sfence.vma. */
  public Assembler sfence(int rs1, int rs2) {
    return r(0x73, 0, 9, 0, rs1, rs2);
  }

  /** fence.i. */
  public Assembler fenceI() {
    return word(0x100f);
  }

  /** Ends the machine by its test device at 0x10_0000. */
  public Assembler powerOff(int scratch1, int scratch2) {
    return li(scratch1, 0x10_0000).li(scratch2, 0x5555).sw(scratch2, scratch1, 0).label("off");
  }
}
