package io.lockstep.vm.differential;

import static io.lockstep.vm.differential.Layout.*;

import io.lockstep.vm.hart.Cause;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Compares what two machines left in RAM.
 *
 * <p>What may differ, all of it permitted by the specification:
 *
 * <table>
 * <caption>Permitted differences</caption>
 * <tr><td>mtval, stval of a breakpoint<td>the address of the instruction (ours) or 0 (QEMU 7.2);
 *     RISC-V Priv. §3.1.16
 * <tr><td>mtval, stval of an access fault of a misaligned load or store<td>the address of the access
 *     (ours), or of the first of the aligned ones that QEMU makes of it
 * <tr><td>mcause, scause of an atomic where there is no RAM<td>store access fault (ours, RISC-V
 *     Unpriv. §14.4) or load access fault (QEMU 7.2)
 * </table>
 */
final class Comparison {
  private final RandomImage image;
  private final ByteBuffer ours;
  private final ByteBuffer theirs;

  Comparison(RandomImage image, byte[] ours, byte[] theirs) {
    this.image = image;
    this.ours = ByteBuffer.wrap(ours).order(ByteOrder.LITTLE_ENDIAN);
    this.theirs = ByteBuffer.wrap(theirs).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Says what the first difference is, in the order of execution; empty if there is none. */
  String firstDifference() {
    for (int record = 0; record < image.records; record++) {
      long result = result(record, image.records);
      String found = inLog(record, result);
      for (int word = 0; found.isEmpty() && word < LOG_COUNT; word++) {
        long at = result + word * 8L;
        boolean same = at(ours, at) == at(theirs, at);
        found = same ? "" : describe(record, resultName(word), at);
      }
      if (!found.isEmpty()) {
        return found;
      }
    }
    for (long at = TABLES; at < DATA + DATA_LENGTH; at += 8) {
      if (at(ours, at) != at(theirs, at)) {
        return "memory at %x: ours %x, QEMU's %x".formatted(at, at(ours, at), at(theirs, at));
      }
    }
    return "";
  }

  private String inLog(int record, long result) {
    long count = at(ours, result + LOG_COUNT * 8);
    for (int i = 0; i < Math.min(count, TRAPS_MAX + 1); i++) {
      for (int word = 0; word < LOG_ENTRY_WORDS; word++) {
        long entry = result + (LOG + (long) i * LOG_ENTRY_WORDS) * 8;
        long at = entry + word * 8L;
        long cause = word == MTVAL ? at(ours, entry + MCAUSE * 8) : at(ours, entry + SCAUSE * 8);
        if ((word == MCAUSE || word == SCAUSE) && atomicWithoutRam(record, entry, word)) {
          continue;
        }
        long mask = word == MTVAL || word == STVAL ? comparable(cause) : -1;
        if (((at(ours, at) ^ at(theirs, at)) & mask) != 0) {
          String before = i == 0 ? "" : logLine("before", ours, entry - LOG_ENTRY_WORDS * 8);
          return describe(record, "trap %d %s".formatted(i, LOG_NAMES[word]), at)
              + "\n"
              + before
              + logLine("ours", ours, entry)
              + logLine("QEMU", theirs, entry);
        }
      }
    }
    return count == at(theirs, result + LOG_COUNT * 8)
        ? ""
        : describe(record, "number of traps", result + LOG_COUNT * 8);
  }

  /** Whether the trap is of an atomic to where there is no RAM: a store for us, a load for QEMU. */
  private boolean atomicWithoutRam(int record, long entry, int causeWord) {
    long pc = at(ours, entry + (causeWord == MCAUSE ? MEPC : SEPC) * 8L);
    long physical = pc - at(ours, Layout.record(record) + VIRTUAL_OFFSET * 8);
    boolean inCode = physical >= CODE && physical < CODE + CODE_LENGTH;
    return inCode
        && (ours.get((int) (physical - BASE)) & 0x7f) == 0x2f
        && at(ours, entry + causeWord * 8L) == Cause.STORE_ACCESS
        && at(theirs, entry + causeWord * 8L) == Cause.LOAD_ACCESS;
  }

  /** Which bits of a trap's value must be equal. */
  private static long comparable(long cause) {
    return cause == Cause.BREAKPOINT
        ? 0
        : cause == Cause.LOAD_ACCESS || cause == Cause.STORE_ACCESS ? -8 : -1;
  }

  private static final String[] LOG_NAMES = {
    "mcause", "mepc", "mtval", "mstatus", "scause", "sepc", "stval", "delegated"
  };

  private String logLine(String who, ByteBuffer ram, long entry) {
    StringBuilder line = new StringBuilder(who);
    for (int word = 0; word < LOG_ENTRY_WORDS; word++) {
      line.append(" %s=%x".formatted(LOG_NAMES[word], at(ram, entry + word * 8L)));
    }
    return line.append('\n').toString();
  }

  private static int csrOf(int word) {
    int index = word - RESULT_CSRS;
    return index < CSRS_SHOWN.length ? CSRS_SHOWN[index] : 0;
  }

  private static String resultName(int word) {
    if (word < RESULT_F) {
      return "x" + word;
    }
    return word < RESULT_CSRS ? "f" + (word - RESULT_F) : "CSR %x".formatted(csrOf(word));
  }

  private String describe(int record, String what, long at) {
    return "record %d, block at %x: %s: ours %x, QEMU's %x"
        .formatted(record, image.blockStarts[record], what, at(ours, at), at(theirs, at));
  }

  private static long at(ByteBuffer ram, long address) {
    return ram.getLong((int) (address - BASE));
  }
}
