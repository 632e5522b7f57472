package io.lockstep.vm.digest;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * A fast 64-bit hash of bytes: four independent multiply-rotate lanes over 8-byte words, mixed at
 * the end. The same on every host. It finds accidents (a difference goes unseen with probability
 * 2^-64); it is no defence against somebody who constructs collisions.
 */
public final class Hash64 {
  private static final long P1 = 0x9e37_79b1_85eb_ca87L;
  private static final long P2 = 0xc2b2_ae3d_27d4_eb4fL;
  private static final long P3 = 0x1656_67b1_9e37_79f9L;
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private Hash64() {}

  /**
   * Hashes words.
   *
   * @param words a multiple of 4
   * @param seed distinguishes uses
   */
  public static long of(long[] words, long seed) {
    long a = seed + P1;
    long b = seed ^ P2;
    long c = seed + P3;
    long d = seed - P1;
    for (int i = 0; i < words.length; i += 4) {
      a = round(a, words[i]);
      b = round(b, words[i + 1]);
      c = round(c, words[i + 2]);
      d = round(d, words[i + 3]);
    }
    return finish(a, b, c, d, (long) words.length * Long.BYTES);
  }

  /** Hashes the first {@code length} bytes of an array. */
  public static long of(byte[] bytes, int length, long seed) {
    long a = seed + P1;
    long b = seed ^ P2;
    int i = 0;
    for (; i + 16 <= length; i += 16) {
      a = round(a, (long) LONG.get(bytes, i));
      b = round(b, (long) LONG.get(bytes, i + 8));
    }
    long c = seed + P3;
    for (; i < length; i++) {
      c = round(c, bytes[i]);
    }
    return finish(a, b, c, seed - P1, length);
  }

  private static long round(long lane, long word) {
    return Long.rotateLeft(lane + word * P2, 31) * P1;
  }

  private static long finish(long a, long b, long c, long d, long size) {
    long h =
        Long.rotateLeft(a, 1)
            + Long.rotateLeft(b, 7)
            + Long.rotateLeft(c, 12)
            + Long.rotateLeft(d, 18);
    h = mix(h ^ a * P2) * P1 + P3;
    h = mix(h ^ b * P2) * P1 + P3;
    h = mix(h ^ c * P2) * P1 + P3;
    h = mix(h ^ d * P2) * P1 + P3;
    return mix(h + size);
  }

  /** Spreads every bit over the whole word. */
  public static long mix(long h) {
    h = (h ^ h >>> 33) * P2;
    h = (h ^ h >>> 29) * P3;
    return h ^ h >>> 32;
  }
}
