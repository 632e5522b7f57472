package io.lockstep.vm.bus;

import java.util.Arrays;

/** The physical address space outside RAM: device windows, in ascending order of address. */
public final class Bus {
  private long[] starts = new long[0];
  private long[] ends = new long[0];
  private MmioDevice[] devices = new MmioDevice[0];

  /**
   * Adds a device window. Windows are added in ascending order and do not overlap.
   *
   * @param start guest physical address
   * @param length bytes
   */
  public void map(long start, long length, MmioDevice device) {
    int n = devices.length;
    if (n > 0 && start < ends[n - 1]) {
      throw new IllegalArgumentException(
          "device windows overlap or are out of order at 0x%x".formatted(start));
    }
    starts = Arrays.copyOf(starts, n + 1);
    ends = Arrays.copyOf(ends, n + 1);
    devices = Arrays.copyOf(devices, n + 1);
    starts[n] = start;
    ends[n] = start + length;
    devices[n] = device;
  }

  /**
   * Whether a naturally aligned access of {@code size} bytes at the physical address meets a
   * device.
   */
  public boolean isMapped(long physical, int size) {
    return find(physical, size) >= 0;
  }

  /** Reads from a device; the access must be {@linkplain #isMapped mapped}. */
  public long read(long physical, int size) {
    int i = find(physical, size);
    return devices[i].read(physical - starts[i], size);
  }

  /** Writes to a device; the access must be {@linkplain #isMapped mapped}. */
  public void write(long physical, int size, long value) {
    int i = find(physical, size);
    devices[i].write(physical - starts[i], size, value);
  }

  private int find(long physical, int size) {
    if ((physical & (size - 1)) != 0) {
      return -1;
    }
    for (int i = 0; i < devices.length; i++) {
      if (physical >= starts[i] && physical < ends[i]) {
        return physical + size <= ends[i] ? i : -1;
      }
    }
    return -1;
  }
}
