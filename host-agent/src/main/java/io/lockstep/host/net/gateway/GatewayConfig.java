package io.lockstep.host.net.gateway;

import io.lockstep.host.net.tcp.TcpConfig;
import java.nio.file.Path;
import java.util.List;

/**
 * What the gateway offers.
 *
 * @param outbound where guests may go
 * @param forwards ports of the host that lead into guests
 * @param resolvConf file that names the host's resolver
 * @param tcp numbers of its TCP
 */
public record GatewayConfig(
    Outbound outbound, List<Forward> forwards, Path resolvConf, TcpConfig tcp) {
  public static final Path RESOLV_CONF = Path.of("/etc/resolv.conf");

  public GatewayConfig {
    forwards = List.copyOf(forwards);
  }

  public static GatewayConfig of(Outbound outbound, List<Forward> forwards) {
    return new GatewayConfig(outbound, forwards, RESOLV_CONF, TcpConfig.DEFAULT);
  }
}
