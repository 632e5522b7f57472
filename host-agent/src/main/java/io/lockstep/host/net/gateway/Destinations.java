package io.lockstep.host.net.gateway;

import io.lockstep.host.net.wire.Ipv4;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/**
 * Decides which addresses guests may reach, and where they lie for the host. Nothing else opens
 * outbound sockets.
 */
final class Destinations {
  private static final long RESOLVER_KEPT = 5_000_000_000L;
  private static final int RESOLV_CONF_MAX = 64 << 10;

  private final Outbound outbound;
  private final Path resolvConf;
  private final Set<Integer> deniedLoopbackPorts;
  private InetAddress resolver;
  private long resolverRead = Long.MIN_VALUE / 2;

  /**
   * @param deniedLoopbackPorts TCP ports of this host that no guest may reach: the switch's own,
   *     where a guest could pose as another VM
   */
  Destinations(GatewayConfig config, List<Integer> deniedLoopbackPorts) {
    this.outbound = config.outbound();
    this.resolvConf = config.resolvConf();
    this.deniedLoopbackPorts = Set.copyOf(deniedLoopbackPorts);
  }

  /** Where an address that a guest uses leads to, or null if it may not go there. */
  InetSocketAddress resolve(int address, int port, boolean udp) {
    if (port == 0 || outbound == Outbound.NONE) {
      return null;
    }
    if (address == UserGateway.GATEWAY) {
      boolean denied = !udp && deniedLoopbackPorts.contains(port);
      return denied ? null : new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
    }
    if (outbound != Outbound.ANY || (address & UserGateway.NETMASK) == UserGateway.SUBNET) {
      return null;
    }
    int first = address >>> 24;
    if (first == 0 || first == 127 || first >= 224) {
      return null;
    }
    try {
      return new InetSocketAddress(InetAddress.getByAddress(Ipv4.toBytes(address)), port);
    } catch (UnknownHostException e) {
      throw new IllegalStateException(e);
    }
  }

  /** True if guests may use the host's resolver, given that there is one. */
  boolean allowsResolver(InetSocketAddress resolverAddress) {
    return outbound == Outbound.ANY
        || outbound == Outbound.LOOPBACK && resolverAddress.getAddress().isLoopbackAddress();
  }

  boolean allowsNothing() {
    return outbound == Outbound.NONE;
  }

  /** The host's first resolver, or null. */
  InetSocketAddress resolver(long now) {
    if (now - resolverRead > RESOLVER_KEPT) {
      resolverRead = now;
      resolver = readResolver();
    }
    return resolver == null ? null : new InetSocketAddress(resolver, 53);
  }

  private InetAddress readResolver() {
    try {
      if (Files.size(resolvConf) > RESOLV_CONF_MAX) {
        return null;
      }
      for (String line : Files.readString(resolvConf, StandardCharsets.ISO_8859_1).split("\n")) {
        String[] words = line.strip().split("\\s+");
        if (words.length >= 2
            && words[0].equals("nameserver")
            && words[1].matches("[0-9.]+|[0-9a-fA-F:.]+(%\\w+)?")) {
          return InetAddress.getByName(words[1]);
        }
      }
    } catch (IOException e) {
      return null; // none is configured, or it can't be read: there is no resolver
    }
    return null;
  }
}
