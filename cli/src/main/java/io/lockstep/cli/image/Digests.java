package io.lockstep.cli.image;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Checksums that the Java platform guarantees. */
final class Digests {
  private Digests() {}

  static MessageDigest sha256() {
    return digest("SHA-256");
  }

  /** In hexadecimal, as dpkg writes it; a file's name for itself and no protection. */
  static String md5(byte[] bytes) {
    return HexFormat.of().formatHex(digest("MD5").digest(bytes));
  }

  private static MessageDigest digest(String algorithm) {
    try {
      return MessageDigest.getInstance(algorithm);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has " + algorithm, e);
    }
  }
}
