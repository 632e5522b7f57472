package io.lockstep.vm.engine.x86;

import static io.lockstep.vm.engine.x86.Assembler.ADD;
import static io.lockstep.vm.engine.x86.Assembler.LEA;
import static io.lockstep.vm.engine.x86.Assembler.MOV;
import static io.lockstep.vm.engine.x86.Assembler.MOVSXD;
import static io.lockstep.vm.engine.x86.Assembler.R12;
import static io.lockstep.vm.engine.x86.Assembler.RAX;
import static io.lockstep.vm.engine.x86.Assembler.RBP;
import static io.lockstep.vm.engine.x86.Assembler.STORE;
import static io.lockstep.vm.engine.x86.Assembler.XOR;

import io.lockstep.vm.isa.Op;

/**
 * Emits reads and writes of guest registers, wherever they live. RBP holds the address of the
 * hart's array plus {@link #BIAS}, so that x0 to x31 are in reach of a displacement of one byte.
 */
final class GuestRegisters {
  static final int BIAS = 128;

  private final Assembler a;
  private final RegisterChoice choice;

  GuestRegisters(Assembler a, RegisterChoice choice) {
    this.a = a;
    this.choice = choice;
  }

  /** The displacement from RBP of a register's place in the array. */
  static int displacement(int register) {
    return register * 8 - BIAS;
  }

  /** The host register that a guest register lives in, or -1. */
  int host(int register) {
    return choice.host[register];
  }

  /** Takes the registers that live in host registers out of the array. */
  void takeAll() {
    for (int r : choice.chosen) {
      a.rm(MOV, true, choice.host[r], RBP, displacement(r));
    }
  }

  /** Puts those back that the region writes. */
  void putBack() {
    for (int r : choice.written) {
      a.rm(STORE, true, choice.host[r], RBP, displacement(r));
    }
  }

  /** A guest register's contents into a host register. */
  void load(int host, int register) {
    if (register == 0) {
      a.rr(XOR, false, host, host);
    } else if (host(register) >= 0) {
      if (host(register) != host) {
        a.rr(MOV, true, host, host(register));
      }
    } else {
      a.rm(MOV, true, host, RBP, displacement(register));
    }
  }

  /** The low half into a host register, zero-extended. */
  void loadWord(int host, int register) {
    if (register == 0) {
      a.rr(XOR, false, host, host);
    } else if (host(register) >= 0) {
      a.rr(MOV, false, host, host(register));
    } else {
      a.rm(MOV, false, host, RBP, displacement(register));
    }
  }

  /** The low half into a host register whose upper half may then be anything. */
  void loadLow(int host, int register) {
    if (register == 0 || host(register) != host) {
      loadWord(host, register);
    }
  }

  /** Where a word may be computed without changing a source that is still to be read. */
  int wordTarget(int register, int source) {
    return host(register) >= 0 && host(register) != host(source) ? host(register) : RAX;
  }

  /** An instruction of the form "register, register or memory" with a guest register. */
  void operate(int opcode, boolean wide, int host, int register) {
    if (host(register) >= 0) {
      a.rr(opcode, wide, host, host(register));
    } else {
      a.rm(opcode, wide, host, RBP, displacement(register));
    }
  }

  /** The same for arithmetic, where the guest register may be x0. */
  void arithmetic(int opcode, boolean wide, int host, int register) {
    if (register == 0) {
      a.ri(opcode, wide, host, 0);
    } else {
      operate(opcode, wide, host, register);
    }
  }

  /** Where a result may be computed: the destination's host register, or else RAX. */
  int target(int register) {
    return host(register) >= 0 ? host(register) : RAX;
  }

  /** A host register's contents into a guest register. */
  void store(int register, int host) {
    if (register == Op.SINK) {
      return;
    }
    if (host(register) < 0) {
      a.rm(STORE, true, host, RBP, displacement(register));
    } else if (host(register) != host) {
      a.rr(MOV, true, host(register), host);
    }
  }

  /** The low half of a host register, sign-extended, into a guest register. */
  void storeWord(int register, int host) {
    int target = target(register);
    a.rr(MOVSXD, true, target, host);
    store(register, target);
  }

  /** A constant into a guest register. */
  void storeConstant(int register, long value) {
    if (register == Op.SINK) {
      return;
    }
    if (host(register) >= 0) {
      a.constant(host(register), value);
    } else if (value == (int) value) {
      a.storeConstant(8, RBP, displacement(register), (int) value);
    } else {
      a.constant(RAX, value);
      store(register, RAX);
    }
  }

  /** An address in the present page into a guest register. */
  void storePageAnd(int register, int offset) {
    int target = target(register);
    a.rm(LEA, true, target, R12, offset);
    store(register, target);
  }

  /** A guest register plus a constant into a host register. */
  void loadSum(int host, int register, int constant) {
    if (register == 0) {
      a.constant(host, constant);
    } else if (host(register) >= 0 && constant != 0) {
      a.rm(LEA, true, host, host(register), constant);
    } else {
      load(host, register);
      if (constant != 0) {
        a.ri(ADD, true, host, constant);
      }
    }
  }
}
