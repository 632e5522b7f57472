package io.lockstep.host.net.wire;

/** MAC addresses, held as the low 48 bits of a long. */
public final class Mac {
  public static final long BROADCAST = 0xffff_ffff_ffffL;

  private Mac() {}

  /** True for broadcast too. */
  public static boolean isMulticast(long mac) {
    return (mac & 0x0100_0000_0000L) != 0;
  }

  public static boolean isUsableSource(long mac) {
    return mac != 0 && !isMulticast(mac);
  }

  /**
   * Reads {@code 52:54:00:12:34:56}.
   *
   * @throws IllegalArgumentException with a sentence for the user
   */
  public static long parse(String text) {
    String[] parts = text.split("[:-]", -1);
    if (parts.length != 6) {
      throw new IllegalArgumentException(
          "'" + text + "' is not a MAC address like 52:54:00:12:34:56");
    }
    long mac = 0;
    for (String part : parts) {
      int octet;
      try {
        octet = part.length() > 2 ? -1 : Integer.parseInt(part, 16);
      } catch (NumberFormatException e) {
        octet = -1;
      }
      if (octet < 0) {
        throw new IllegalArgumentException(
            "'" + text + "' is not a MAC address like 52:54:00:12:34:56");
      }
      mac = mac << 8 | octet;
    }
    return mac;
  }

  public static String format(long mac) {
    StringBuilder text = new StringBuilder(17);
    for (int shift = 40; shift >= 0; shift -= 8) {
      if (shift < 40) {
        text.append(':');
      }
      int octet = (int) (mac >>> shift) & 0xff;
      text.append(Character.forDigit(octet >>> 4, 16)).append(Character.forDigit(octet & 15, 16));
    }
    return text.toString();
  }
}
