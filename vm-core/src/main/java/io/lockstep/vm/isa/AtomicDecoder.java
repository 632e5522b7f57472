package io.lockstep.vm.isa;

import static io.lockstep.vm.isa.Op.*;

/**
 * Decodes the A extension (RISC-V Unpriv. §14). Acquire and release bits need nothing on one hart
 * that executes in order.
 */
final class AtomicDecoder {
  private AtomicDecoder() {}

  static long decode(int w) {
    int funct3 = Decoder.funct3(w);
    if (funct3 != 2 && funct3 != 3) {
      return Decoder.illegal(w);
    }
    int word = word(w >>> 27, Decoder.rs2(w));
    if (word < 0) {
      return Decoder.illegal(w);
    }
    int code = funct3 == 2 ? word : doubleOf(word);
    return Op.of(code, Decoder.rdOrSink(w), Decoder.rs1(w), Decoder.rs2(w), 0);
  }

  private static int word(int funct5, int rs2) {
    return switch (funct5) {
      case 0x02 -> rs2 == 0 ? LR_W : -1;
      case 0x03 -> SC_W;
      case 0x01 -> AMOSWAP_W;
      case 0x00 -> AMOADD_W;
      case 0x04 -> AMOXOR_W;
      case 0x0c -> AMOAND_W;
      case 0x08 -> AMOOR_W;
      case 0x10 -> AMOMIN_W;
      case 0x14 -> AMOMAX_W;
      case 0x18 -> AMOMINU_W;
      case 0x1c -> AMOMAXU_W;
      default -> -1;
    };
  }

  private static int doubleOf(int word) {
    return word == LR_W ? LR_D : word == SC_W ? SC_D : word - AMOSWAP_W + AMOSWAP_D;
  }
}
