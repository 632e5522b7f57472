package io.lockstep.vm.snapshot;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Reads what {@link StateWriter} wrote. Every method throws {@link StateFormatException} when the
 * bytes run out.
 */
public final class StateReader {
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

  private final byte[] bytes;
  private int at;
  private String section = "start";

  /** Reads from the start of {@code bytes}. */
  public StateReader(byte[] bytes) {
    this.bytes = bytes;
  }

  /** Expects the section {@code name} here. */
  public StateReader section(String name) {
    int length = getByte();
    String found = new String(raw(length), StandardCharsets.US_ASCII);
    if (!found.equals(name)) {
      throw new StateFormatException(
          "saved state has section '%s' where '%s' was expected (after '%s')"
              .formatted(printable(found), name, section));
    }
    section = name;
    return this;
  }

  /** One byte, 0 to 255. */
  public int getByte() {
    need(1);
    return bytes[at++] & 0xff;
  }

  /** One byte that must be 0 or 1. */
  public boolean getBoolean() {
    int b = getByte();
    if (b > 1) {
      throw new StateFormatException(
          "saved state has %d for a flag in section '%s'".formatted(b, section));
    }
    return b == 1;
  }

  /** 4 bytes. */
  public int getInt() {
    need(4);
    int v = (int) INT.get(bytes, at);
    at += 4;
    return v;
  }

  /** An int that must lie within the bounds, both included. */
  public int getInt(int min, int max) {
    int v = getInt();
    if (v < min || v > max) {
      throw new StateFormatException(
          "saved state has %d outside %d to %d in section '%s'".formatted(v, min, max, section));
    }
    return v;
  }

  /** 8 bytes. */
  public long getLong() {
    need(8);
    long v = (long) LONG.get(bytes, at);
    at += 8;
    return v;
  }

  /** Fills the array. */
  public void getLongs(long[] into) {
    for (int i = 0; i < into.length; i++) {
      into[i] = getLong();
    }
  }

  /** A byte array of at most {@code maxLength} bytes. */
  public byte[] getBytes(int maxLength) {
    return raw(getInt(0, maxLength));
  }

  /** Whether all bytes have been read. */
  public boolean atEnd() {
    return at == bytes.length;
  }

  private byte[] raw(int length) {
    need(length);
    byte[] out = Arrays.copyOfRange(bytes, at, at + length);
    at += length;
    return out;
  }

  private void need(int n) {
    if (bytes.length - at < n) {
      throw new StateFormatException(
          "saved state ends too early, in section '%s'".formatted(section));
    }
  }

  private static String printable(String s) {
    return s.replaceAll("[^ -~]", "?");
  }
}
