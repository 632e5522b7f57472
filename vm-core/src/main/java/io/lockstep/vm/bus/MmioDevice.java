package io.lockstep.vm.bus;

/**
 * A device's register window. The bus calls it with naturally aligned accesses inside the window
 * only; whatever the values, it gives an architectural answer and never throws.
 */
public interface MmioDevice {
  /**
   * Reads a register.
   *
   * @param offset bytes from the window's start
   * @param size 1, 2, 4 or 8
   * @return the value in the low {@code size} bytes; higher bits are ignored
   */
  long read(long offset, int size);

  /**
   * Writes a register.
   *
   * @param offset bytes from the window's start
   * @param size 1, 2, 4 or 8
   * @param value the value in the low {@code size} bytes; higher bits are undefined
   */
  void write(long offset, int size, long value);
}
