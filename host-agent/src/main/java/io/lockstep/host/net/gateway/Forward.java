package io.lockstep.host.net.gateway;

import io.lockstep.host.net.wire.Ipv4;
import java.io.IOException;
import java.net.BindException;

/**
 * A port of the host that leads into a guest.
 *
 * @param udp UDP, otherwise TCP
 * @param hostAddress IP address to listen on
 * @param hostPort port to listen on, 0 for any free one
 * @param guestAddress guest's IPv4 address
 * @param guestPort guest's port
 */
public record Forward(
    boolean udp, String hostAddress, int hostPort, int guestAddress, int guestPort) {
  /**
   * Reads {@code tcp:2222:10.0.2.15:22} or {@code udp:0.0.0.0:5353:10.0.2.15:53}.
   *
   * @throws IllegalArgumentException with a sentence for the user
   */
  public static Forward parse(String text) {
    String[] parts = text.split(":", -1);
    boolean bound = parts.length == 5;
    if (parts.length != 4 && !bound || !parts[0].equals("tcp") && !parts[0].equals("udp")) {
      throw new IllegalArgumentException(
          "'"
              + text
              + "' is not a forward like tcp:2222:10.0.2.15:22 or udp:127.0.0.1:5353:10.0.2.15:53");
    }
    String address = bound ? Ipv4.format(Ipv4.parse(parts[1])) : "127.0.0.1";
    int at = bound ? 2 : 1;
    int guest = parts[at + 1].isEmpty() ? UserGateway.FIRST_GUEST : Ipv4.parse(parts[at + 1]);
    if ((guest & UserGateway.NETMASK) != UserGateway.SUBNET || !UserGateway.isGuest(guest)) {
      throw new IllegalArgumentException(
          "'" + text + "': guests have addresses from 10.0.2.4 to 10.0.2.254");
    }
    return new Forward(
        parts[0].equals("udp"),
        address,
        port(text, parts[at], 0),
        guest,
        port(text, parts[at + 2], 1));
  }

  private static int port(String text, String number, int least) {
    int port = number.matches("\\d{1,5}") ? Integer.parseInt(number) : -1;
    if (port < least || port > 65_535) {
      throw new IllegalArgumentException("'" + text + "': '" + number + "' is not a port number");
    }
    return port;
  }

  /** The same with the port that was found free. */
  Forward withHostPort(int port) {
    return new Forward(udp, hostAddress, port, guestAddress, guestPort);
  }

  /** Why it could not be opened, as a sentence for the user. */
  IOException cannotListen(IOException cause) {
    String advice = cause instanceof BindException ? "; choose another host port" : "";
    return new IOException(
        "the forward " + this + " cannot listen: " + cause.getMessage() + advice, cause);
  }

  @Override
  public String toString() {
    return (udp ? "udp:" : "tcp:")
        + hostAddress
        + ":"
        + hostPort
        + ":"
        + Ipv4.format(guestAddress)
        + ":"
        + guestPort;
  }
}
