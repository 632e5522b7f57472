package io.lockstep.vm.snapshot;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A growing little-endian buffer of saved state. Sections carry a name, so that reader and writer
 * that disagree find out at once and can say where.
 *
 * <pre>
 * section := name length (1 byte) | name (ASCII) | body ...
 * </pre>
 */
public final class StateWriter {
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

  private byte[] bytes = new byte[4096];
  private int size;
  private String[] sectionNames = new String[32];
  private int[] sectionStarts = new int[32];
  private int sections;

  /** Starts a section; the reader must ask for the same name here. */
  public StateWriter section(String name) {
    byte[] ascii = name.getBytes(StandardCharsets.US_ASCII);
    putByte(ascii.length).putRaw(ascii, 0, ascii.length);
    if (sections == sectionNames.length) {
      sectionNames = Arrays.copyOf(sectionNames, sections * 2);
      sectionStarts = Arrays.copyOf(sectionStarts, sections * 2);
    }
    sectionNames[sections] = name;
    sectionStarts[sections++] = size;
    return this;
  }

  /** The number of sections so far. */
  public int sections() {
    return sections;
  }

  /** The name of section {@code n}, counted from 0. */
  public String sectionName(int n) {
    return sectionNames[n];
  }

  /** Where the body of section {@code n} begins. */
  public int sectionStart(int n) {
    return sectionStarts[n];
  }

  /** Appends the low 8 bits. */
  public StateWriter putByte(int value) {
    ensure(1);
    bytes[size++] = (byte) value;
    return this;
  }

  /** Appends one byte, 0 or 1. */
  public StateWriter putBoolean(boolean value) {
    return putByte(value ? 1 : 0);
  }

  /** Appends 4 bytes. */
  public StateWriter putInt(int value) {
    ensure(4);
    INT.set(bytes, size, value);
    size += 4;
    return this;
  }

  /** Appends 8 bytes. */
  public StateWriter putLong(long value) {
    ensure(8);
    LONG.set(bytes, size, value);
    size += 8;
    return this;
  }

  /** Appends all values, without their number. */
  public StateWriter putLongs(long[] values) {
    for (long v : values) {
      putLong(v);
    }
    return this;
  }

  /** Appends the length (4 bytes) and the bytes. */
  public StateWriter putBytes(byte[] value) {
    return putInt(value.length).putRaw(value, 0, value.length);
  }

  private StateWriter putRaw(byte[] from, int offset, int length) {
    ensure(length);
    System.arraycopy(from, offset, bytes, size, length);
    size += length;
    return this;
  }

  /** The number of bytes so far. */
  public int size() {
    return size;
  }

  /** A copy of what was written. */
  public byte[] toByteArray() {
    return Arrays.copyOf(bytes, size);
  }

  /** Forgets everything, keeping the buffer. */
  public void clear() {
    size = 0;
    sections = 0;
  }

  /** The backing array, valid up to {@link #size} until the next put. */
  public byte[] array() {
    return bytes;
  }

  private void ensure(int more) {
    if (bytes.length - size < more) {
      bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, size + more));
    }
  }
}
