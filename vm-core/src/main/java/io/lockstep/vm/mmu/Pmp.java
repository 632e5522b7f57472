package io.lockstep.vm.mmu;

import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import io.lockstep.vm.snapshot.Stateful;

/** Physical memory protection, 16 entries of 4-byte granularity (RISC-V Priv. §3.7). */
public final class Pmp implements Stateful {
  /** Permission to read, write, execute: as in a configuration byte. */
  public static final int READ = 1, WRITE = 2, EXECUTE = 4;

  private static final int ENTRIES = 16;
  private static final int LOCKED = 0x80;
  private static final int OFF = 0, TOR = 1, NA4 = 2;

  private final int[] configs = new int[ENTRIES];
  private final long[] addresses = new long[ENTRIES];
  private final long[] first = new long[ENTRIES];
  private final long[] last = new long[ENTRIES];
  private int active;

  /**
   * pmpcfg register {@code 2 * index}: eight configuration bytes. Registers beyond the 16 entries
   * read 0.
   */
  public long config(int index) {
    long value = 0;
    for (int i = 7; i >= 0; i--) {
      int entry = index * 8 + i;
      value = value << 8 | (entry < ENTRIES ? configs[entry] : 0);
    }
    return value;
  }

  /**
   * Writes pmpcfg register {@code 2 * index}; locked entries and reserved combinations keep what
   * they had.
   */
  public void setConfig(int index, long value) {
    for (int i = 0; i < 8; i++) {
      int entry = index * 8 + i;
      int byteValue = (int) (value >>> 8 * i) & 0x9f;
      if (entry < ENTRIES && (configs[entry] & LOCKED) == 0 && (byteValue & 3) != 2) {
        configs[entry] = byteValue;
      }
    }
    recompute();
  }

  /** pmpaddr register; registers beyond the 16 entries read 0. */
  public long address(int entry) {
    return entry < ENTRIES ? addresses[entry] : 0;
  }

  /** Writes a pmpaddr register, unless it is locked. */
  public void setAddress(int entry, long value) {
    if (entry >= ENTRIES || (configs[entry] & LOCKED) != 0 || lockedByNext(entry)) {
      return;
    }
    addresses[entry] = value & (1L << 54) - 1;
    recompute();
  }

  private boolean lockedByNext(int entry) {
    return entry + 1 < ENTRIES && (configs[entry + 1] & LOCKED) != 0 && mode(entry + 1) == TOR;
  }

  private int mode(int entry) {
    return configs[entry] >> 3 & 3;
  }

  /** Opens all of the address space to all modes, as firmware does before it starts a kernel. */
  public void allowAll() {
    addresses[0] = (1L << 54) - 1;
    configs[0] = 0x1f;
    recompute();
  }

  private void recompute() {
    active = 0;
    for (int i = 0; i < ENTRIES; i++) {
      long a = addresses[i];
      switch (mode(i)) {
        case OFF -> {
          first[i] = Long.MAX_VALUE;
          last[i] = -1;
        }
        case TOR -> {
          first[i] = i == 0 ? 0 : addresses[i - 1] << 2;
          last[i] = (a << 2) - 1;
        }
        case NA4 -> {
          first[i] = a << 2;
          last[i] = first[i] + 3;
        }
        default -> {
          long ones = a ^ a + 1;
          first[i] = (a & ~ones) << 2;
          last[i] = first[i] + (ones << 2 | 3);
        }
      }
      if (mode(i) != OFF) {
        active = i + 1;
      }
    }
  }

  /**
   * Whether an access is allowed.
   *
   * @param physical first byte
   * @param length bytes
   * @param permission one of {@link #READ}, {@link #WRITE}, {@link #EXECUTE}
   * @param machineMode whether the access is made with M-mode's privilege
   */
  public boolean allows(long physical, long length, int permission, boolean machineMode) {
    long end = physical + length - 1;
    for (int i = 0; i < active; i++) {
      if (first[i] <= end && physical <= last[i]) {
        if (physical < first[i] || end > last[i]) {
          return false;
        }
        boolean enforced = !machineMode || (configs[i] & LOCKED) != 0;
        return !enforced || (configs[i] & permission) != 0;
      }
    }
    return machineMode;
  }

  /** Whether one answer holds for every byte of the page at {@code physical}. */
  public boolean uniform(long physical) {
    long end = physical + 4095;
    for (int i = 0; i < active; i++) {
      if (first[i] <= end && physical <= last[i]) {
        return physical >= first[i] && end <= last[i];
      }
    }
    return true;
  }

  @Override
  public void save(StateWriter out) {
    out.section("pmp");
    for (int i = 0; i < ENTRIES; i++) {
      out.putByte(configs[i]).putLong(addresses[i]);
    }
  }

  @Override
  public void restore(StateReader in) {
    in.section("pmp");
    for (int i = 0; i < ENTRIES; i++) {
      configs[i] = in.getByte() & 0x9f;
      addresses[i] = in.getLong() & (1L << 54) - 1;
    }
    recompute();
  }
}
