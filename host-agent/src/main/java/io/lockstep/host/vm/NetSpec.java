package io.lockstep.host.vm;

import io.lockstep.host.net.SwitchAddress;
import io.lockstep.host.net.TlsFiles;
import io.lockstep.host.net.gateway.Forward;
import io.lockstep.host.net.gateway.Outbound;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A network card.
 *
 * @param mac its address, 48 bits in the low bits
 * @param cable where its cable leads
 * @param capture a file that gets all its packets
 */
public record NetSpec(long mac, Cable cable, Optional<Path> capture) {
  /** Where a network card's cable leads. */
  public sealed interface Cable {
    /**
     * To a switch in another process.
     *
     * @param tls certificates, needed unless the switch is on this host
     */
    record ToSwitch(SwitchAddress address, Optional<TlsFiles> tls) implements Cable {}

    /** To a gateway in this process, which is the whole network. */
    record ToGateway(Outbound outbound, List<Forward> forwards) implements Cable {
      /** Copies. */
      public ToGateway {
        forwards = List.copyOf(forwards);
      }
    }

    /** To a TAP device of this host. */
    record ToTap(String name) implements Cable {}
  }
}
