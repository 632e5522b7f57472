package io.lockstep.vm.firmware;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a flattened device tree, version 17 (Devicetree Specification 0.4 §5).
 *
 * <pre>
 * header (40) | memory reservations (16, empty) | structure block | strings block
 * </pre>
 *
 * <p>Nodes are written in the order in which they are begun; a node's properties come before its
 * children.
 */
public final class Fdt {
  private static final int MAGIC = 0xd00dfeed;
  private static final int VERSION = 17;
  private static final int COMPATIBLE_VERSION = 16;
  private static final int HEADER = 40;
  private static final int RESERVATIONS = 16;

  private static final int BEGIN_NODE = 1;
  private static final int END_NODE = 2;
  private static final int PROPERTY = 3;
  private static final int END = 9;

  private final ByteArrayOutputStream structure = new ByteArrayOutputStream();
  private final ByteArrayOutputStream strings = new ByteArrayOutputStream();
  private final Map<String, Integer> stringOffsets = new LinkedHashMap<>();
  private int depth;

  /** Begins a node; the root's name is empty. */
  public Fdt begin(String name) {
    depth++;
    cell(BEGIN_NODE);
    padded((name + "\0").getBytes(StandardCharsets.US_ASCII));
    return this;
  }

  /** Ends the node begun last. */
  public Fdt end() {
    depth--;
    cell(END_NODE);
    return this;
  }

  /** A property without value. */
  public Fdt flag(String name) {
    return bytes(name, new byte[0]);
  }

  /** A property of 32-bit cells. */
  public Fdt cells(String name, int... values) {
    ByteBuffer b = ByteBuffer.allocate(4 * values.length);
    for (int v : values) {
      b.putInt(v);
    }
    return bytes(name, b.array());
  }

  /** A property of 64-bit values, two cells each. */
  public Fdt longs(String name, long... values) {
    ByteBuffer b = ByteBuffer.allocate(8 * values.length);
    for (long v : values) {
      b.putLong(v);
    }
    return bytes(name, b.array());
  }

  /** A property of one or more strings. */
  public Fdt strings(String name, String... values) {
    return strings(name, List.of(values));
  }

  /** A property of one or more strings. */
  public Fdt strings(String name, List<String> values) {
    StringBuilder all = new StringBuilder();
    for (String v : values) {
      all.append(v).append('\0');
    }
    return bytes(name, all.toString().getBytes(StandardCharsets.UTF_8));
  }

  /** A property of bytes. */
  public Fdt bytes(String name, byte[] value) {
    cell(PROPERTY);
    cell(value.length);
    cell(nameOffset(name));
    padded(value);
    return this;
  }

  /** The finished blob. All nodes must have ended. */
  public byte[] toByteArray() {
    if (depth != 0) {
      throw new IllegalStateException(depth + " device tree nodes have not ended");
    }
    int structureSize = structure.size() + 4;
    int structureAt = HEADER + RESERVATIONS;
    int stringsAt = structureAt + structureSize;
    int total = stringsAt + strings.size();
    ByteBuffer b = ByteBuffer.allocate(total);
    b.putInt(MAGIC).putInt(total).putInt(structureAt).putInt(stringsAt).putInt(HEADER);
    b.putInt(VERSION).putInt(COMPATIBLE_VERSION).putInt(0).putInt(strings.size());
    b.putInt(structureSize).put(new byte[RESERVATIONS]);
    b.put(structure.toByteArray()).putInt(END).put(strings.toByteArray());
    return b.array();
  }

  private int nameOffset(String name) {
    return stringOffsets.computeIfAbsent(
        name,
        n -> {
          int at = strings.size();
          strings.writeBytes((n + "\0").getBytes(StandardCharsets.US_ASCII));
          return at;
        });
  }

  private void cell(int v) {
    structure.write(v >>> 24);
    structure.write(v >>> 16);
    structure.write(v >>> 8);
    structure.write(v);
  }

  private void padded(byte[] value) {
    structure.writeBytes(value);
    while (structure.size() % 4 != 0) {
      structure.write(0);
    }
  }
}
