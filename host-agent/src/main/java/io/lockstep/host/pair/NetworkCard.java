package io.lockstep.host.pair;

import io.lockstep.ft.protocol.Epoch;
import io.lockstep.host.backend.LinkBackend;
import io.lockstep.host.net.ClaimAnswer;
import io.lockstep.host.net.SwitchAddress;
import io.lockstep.host.net.SwitchClient;
import io.lockstep.host.net.wire.Offload;
import io.lockstep.host.vm.NetSpec;
import io.lockstep.host.vm.SetupException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;

/**
 * A replica's port at the switch. It connects as soon as the machine is known, and waits; going
 * live is one message then, and the switch cuts off the ports of older epochs by itself.
 */
public final class NetworkCard {
  private static final int HEADER = 12;
  private static final int FRAME_MIN = 60;

  private final LinkBackend backend = new LinkBackend();
  private final SwitchClient client;
  private final long mac;

  /**
   * Where the cable leads.
   *
   * @param address the switch
   * @param tls certificates, needed unless the switch is on this host
   */
  public record Cable(SwitchAddress address, Optional<SSLContext> tls) {}

  /**
   * The cable of a card.
   *
   * @throws SetupException if it leads elsewhere than to a switch, which is what outlives a host
   * @throws IOException with a sentence for the user, if the certificates cannot be used
   */
  public static Cable cable(NetSpec net) throws SetupException, IOException {
    if (!(net.cable() instanceof NetSpec.Cable.ToSwitch to)) {
      throw new SetupException(
          "A protected machine's network must outlive its host: start 'lockstep switch' and use"
              + " --net switch=ADDR.");
    }
    Optional<SSLContext> tls =
        to.tls().isPresent() ? Optional.of(to.tls().get().load()) : Optional.empty();
    // Said here where somebody reads it: later the port would only try again and again.
    to.address().resolveFor(tls);
    return new Cable(to.address(), tls);
  }

  NetworkCard(Cable cable, String vm, long mac, Consumer<String> notices) {
    this.mac = mac;
    UUID id = UUID.nameUUIDFromBytes(vm.getBytes(StandardCharsets.UTF_8));
    SwitchClient.Config config =
        new SwitchClient.Config(cable.address(), cable.tls(), id, mac, Offload.MACHINE);
    client =
        SwitchClient.secondary(
            config,
            new SwitchClient.Listener() {
              @Override
              public void packet(byte[] data, int offset, int length) {
                backend.packet(data, offset, length);
              }

              @Override
              public void refused(ClaimAnswer answer, long newestEpoch) {
                notices.accept(
                    "The switch has cut this replica off (%s, newest epoch %d)."
                        .formatted(answer, newestEpoch));
              }
            });
    backend.connect(client);
  }

  /** Owns the card's address from now on, and tells the network where it is. */
  void claim(Epoch epoch) {
    var _ = client.claim(epoch.number());
    byte[] announcement = announcement();
    client.send(announcement, 0, announcement.length);
  }

  /** The machine's end of the cable. */
  LinkBackend backend() {
    return backend;
  }

  /**
   * A reverse ARP request from the card to everybody: switches learn the place, and nobody answers.
   */
  private byte[] announcement() {
    ByteBuffer b = ByteBuffer.allocate(HEADER + FRAME_MIN);
    b.position(HEADER);
    putMac(b, 0xffff_ffff_ffffL);
    putMac(b, mac);
    b.putShort((short) 0x8035);
    b.putShort((short) 1).putShort((short) 0x0800).put((byte) 6).put((byte) 4).putShort((short) 3);
    putMac(b, mac);
    b.putInt(0);
    putMac(b, mac);
    b.putInt(0);
    return b.array();
  }

  private static void putMac(ByteBuffer b, long mac) {
    b.putShort((short) (mac >>> 32)).putInt((int) mac);
  }

  void close() {
    client.close();
  }
}
