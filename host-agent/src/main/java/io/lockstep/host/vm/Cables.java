package io.lockstep.host.vm;

import io.lockstep.host.backend.CapturedLink;
import io.lockstep.host.backend.LinkBackend;
import io.lockstep.host.net.ClaimAnswer;
import io.lockstep.host.net.NetworkLink;
import io.lockstep.host.net.SwitchAddress;
import io.lockstep.host.net.SwitchClient;
import io.lockstep.host.net.Tap;
import io.lockstep.host.net.TapLink;
import io.lockstep.host.net.TlsFiles;
import io.lockstep.host.net.VirtualSwitch;
import io.lockstep.host.net.gateway.GatewayConfig;
import io.lockstep.host.net.wire.Mac;
import io.lockstep.host.net.wire.Offload;
import java.io.IOException;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Connects network cards. */
public final class Cables {
  private static final Logger LOG = LoggerFactory.getLogger(Cables.class);
  private static final long ANSWER_WAIT_SECONDS = 5;
  private static final long FIRST_EPOCH = 1;

  private Cables() {}

  /**
   * Connects a card of an unprotected machine.
   *
   * @throws SetupException if its cable cannot be plugged in
   */
  public static LinkBackend open(NetSpec net) throws SetupException {
    LinkBackend backend = new LinkBackend();
    try {
      if (net.capture().isPresent()) {
        CapturedLink captured = new CapturedLink(net.capture().get());
        NetworkLink link = null;
        try {
          link = link(net, backend, captured.receiver(backend));
        } finally {
          if (link == null) {
            captured.close();
          }
        }
        backend.connect(captured.over(link));
      } else {
        backend.connect(link(net, backend, backend));
      }
      return backend;
    } catch (IOException e) {
      throw new SetupException(sentence(e.getMessage()), e);
    }
  }

  private static String sentence(String text) {
    String start = Character.toUpperCase(text.charAt(0)) + text.substring(1);
    return start.endsWith(".") ? start : start + ".";
  }

  private static NetworkLink link(NetSpec net, LinkBackend backend, NetworkLink.Receiver receiver)
      throws IOException, SetupException {
    return switch (net.cable()) {
      case NetSpec.Cable.ToGateway to -> gateway(to, backend, receiver);
      case NetSpec.Cable.ToTap to -> new TapLink(Tap.open(to.name()), receiver);
      case NetSpec.Cable.ToSwitch to -> port(to, net.mac(), receiver);
    };
  }

  private static NetworkLink gateway(
      NetSpec.Cable.ToGateway to, LinkBackend backend, NetworkLink.Receiver receiver)
      throws IOException {
    VirtualSwitch network =
        VirtualSwitch.start(
            VirtualSwitch.Config.inProcess(
                GatewayConfig.of(to.outbound(), to.forwards()), Optional.empty()));
    backend.setForwards(network.forwards());
    return new OwnNetwork(network, network.connect("vm", Offload.MACHINE, receiver));
  }

  /** A link that takes its switch with it when it is closed. */
  private record OwnNetwork(VirtualSwitch network, NetworkLink link) implements NetworkLink {
    @Override
    public void send(byte[] packet, int offset, int length) {
      link.send(packet, offset, length);
    }

    @Override
    public long dropped() {
      return link.dropped();
    }

    @Override
    public void close() {
      link.close();
      network.close();
    }
  }

  private static NetworkLink port(
      NetSpec.Cable.ToSwitch to, long mac, NetworkLink.Receiver receiver)
      throws IOException, SetupException {
    Optional<SSLContext> tls =
        to.tls().isPresent() ? Optional.of(load(to.tls().get())) : Optional.empty();
    if (tls.isEmpty() && !SwitchAddress.isLocal(to.address().resolve())) {
      throw new SetupException(
          ("The switch at %s is on another host; give tls-cert=, tls-key= and tls-ca= for a"
                  + " connection that nobody can listen to.")
              .formatted(to.address()));
    }
    FirstAnswer listener = new FirstAnswer(receiver, mac);
    SwitchClient client =
        SwitchClient.primary(
            new SwitchClient.Config(to.address(), tls, UUID.randomUUID(), mac, Offload.MACHINE),
            FIRST_EPOCH,
            listener);
    boolean done = false;
    try {
      listener.await(to.address());
      done = true;
      return client;
    } finally {
      if (!done) {
        client.close();
      }
    }
  }

  private static SSLContext load(TlsFiles files) throws IOException {
    return files.load();
  }

  /** Listens for what the switch says to the port at first, and later. */
  private static final class FirstAnswer implements SwitchClient.Listener {
    private final NetworkLink.Receiver receiver;
    private final long mac;
    private final CompletableFuture<ClaimAnswer> first = new CompletableFuture<>();

    FirstAnswer(NetworkLink.Receiver receiver, long mac) {
      this.receiver = receiver;
      this.mac = mac;
    }

    void await(SwitchAddress address) throws SetupException {
      try {
        ClaimAnswer answer = first.get(ANSWER_WAIT_SECONDS, TimeUnit.SECONDS);
        if (answer.isRefusal()) {
          throw new SetupException(explain(answer));
        }
      } catch (TimeoutException e) {
        throw new SetupException(
            "There is no switch at %s; start one with 'lockstep switch --listen %1$s'."
                .formatted(address),
            e);
      } catch (InterruptedException | ExecutionException e) {
        throw new SetupException("The connection to the switch was interrupted; try again.", e);
      }
    }

    private String explain(ClaimAnswer answer) {
      return switch (answer) {
        case MAC_IN_USE, EPOCH_IN_USE, STALE_EPOCH ->
            "Another virtual machine on the switch has the address %s; give this one another with mac=."
                .formatted(Mac.format(mac));
        case FULL -> "The switch has no room for another virtual machine; stop one first.";
        case VERSION ->
            "The switch is of another version of Lockstep; use the same version on both sides.";
        case MALFORMED, WAITING, OWNER ->
            "What listens there does not understand Lockstep; is it a 'lockstep switch'?";
      };
    }

    @Override
    public void packet(byte[] data, int offset, int length) {
      receiver.packet(data, offset, length);
    }

    @Override
    public void answered(ClaimAnswer answer) {
      if (!first.complete(answer) && answer.isRefusal()) {
        LOG.warn("network: {}", explain(answer));
      }
    }

    @Override
    public void disconnected(String reason) {
      LOG.warn("the connection to the switch is lost and being made again: {}", reason);
    }

    @Override
    public void refused(ClaimAnswer answer, long newestEpoch) {
      if (!first.complete(answer)) {
        LOG.warn("network: {}", explain(answer));
      }
    }
  }
}
