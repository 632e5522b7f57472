package io.lockstep.host.net;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;
import javax.net.ssl.SSLContext;

/**
 * Where a switch listens: {@code 127.0.0.1:4000}, {@code [::1]:4000} or {@code
 * unix:/run/lockstep/switch}.
 */
public sealed interface SwitchAddress {
  /** A TCP address. Port 0 means any free one, for listening. */
  record Tcp(String host, int port) implements SwitchAddress {
    @Override
    public String toString() {
      return (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
    }
  }

  /** A Unix socket. */
  record Unix(Path path) implements SwitchAddress {
    @Override
    public String toString() {
      return "unix:" + path;
    }
  }

  /**
   * Reads an address.
   *
   * @throws IllegalArgumentException with a sentence for the user
   */
  static SwitchAddress parse(String text) {
    if (text.startsWith("unix:")) {
      try {
        Path path = Path.of(text.substring(5));
        if (text.length() > 5) {
          return new Unix(path);
        }
      } catch (InvalidPathException e) {
        // said below
      }
      throw new IllegalArgumentException("'" + text + "' needs a path, like unix:/tmp/switch");
    }
    int colon = text.lastIndexOf(':');
    String host = colon < 0 ? "" : text.substring(0, colon);
    if (host.startsWith("[") && host.endsWith("]")) {
      host = host.substring(1, host.length() - 1);
    }
    int port = -1;
    if (colon >= 0 && text.substring(colon + 1).matches("\\d{1,5}")) {
      port = Integer.parseInt(text.substring(colon + 1));
    }
    if (port < 0 || port > 65_535) {
      throw new IllegalArgumentException(
          "'" + text + "' is not an address like 127.0.0.1:4000 or unix:/tmp/switch");
    }
    return new Tcp(host.isEmpty() ? "127.0.0.1" : host, port);
  }

  /** The address as the JDK wants it; looks a name up. */
  default SocketAddress resolve() throws UnknownHostException {
    return switch (this) {
      case Tcp tcp -> new InetSocketAddress(InetAddress.getByName(tcp.host), tcp.port);
      case Unix unix -> UnixDomainSocketAddress.of(unix.path);
    };
  }

  /**
   * Resolves the address to connect to it, if that is allowed: without TLS only to this host.
   *
   * @throws IOException with a sentence for the user
   */
  default SocketAddress resolveFor(Optional<SSLContext> tls) throws IOException {
    SocketAddress address;
    try {
      address = resolve();
    } catch (UnknownHostException e) {
      throw new IOException("There is no host for %s; check its name.".formatted(this), e);
    }
    if (tls.isEmpty() && !isLocal(address)) {
      throw new IOException(
          ("The switch at %s is on another host, which needs certificates on both sides: make some"
                  + " with 'lockstep pki' and give their files.")
              .formatted(this));
    }
    return address;
  }

  /** True if plaintext is allowed there: a Unix socket, or an address of the loopback interface. */
  static boolean isLocal(SocketAddress address) {
    return address instanceof UnixDomainSocketAddress
        || address instanceof InetSocketAddress inet
            && inet.getAddress() != null
            && inet.getAddress().isLoopbackAddress();
  }
}
