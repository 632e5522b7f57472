package io.lockstep.host.net;

import io.lockstep.host.net.gateway.Forward;
import io.lockstep.host.net.gateway.GatewayConfig;
import io.lockstep.host.net.gateway.UserGateway;
import io.lockstep.host.net.loop.EventLoop;
import io.lockstep.host.net.loop.Timer;
import io.lockstep.host.net.wire.Frame;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.net.ssl.SSLContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A whole switch: addresses that ports connect to, gateway, uplink and capture, on a thread of its
 * own.
 */
public final class VirtualSwitch implements AutoCloseable {
  /**
   * What a switch has.
   *
   * @param listen where ports connect; may be empty for a switch inside a process
   * @param tls certificates; needed to listen on anything but loopback and Unix sockets
   * @param gateway the gateway, if there is one
   * @param tap name of a TAP device to use as uplink
   * @param pcap file to capture to
   * @param epochs file that keeps the newest epochs for the next switch
   */
  public record Config(
      List<SwitchAddress> listen,
      Optional<TlsFiles> tls,
      Optional<GatewayConfig> gateway,
      Optional<String> tap,
      Optional<Path> pcap,
      Optional<Path> epochs,
      L2Switch.Limits limits) {
    public Config {
      listen = List.copyOf(listen);
    }

    /** Without a file of epochs. */
    public Config(
        List<SwitchAddress> listen,
        Optional<TlsFiles> tls,
        Optional<GatewayConfig> gateway,
        Optional<String> tap,
        Optional<Path> pcap,
        L2Switch.Limits limits) {
      this(listen, tls, gateway, tap, pcap, Optional.empty(), limits);
    }

    /** A switch inside a process: a gateway and nothing to connect to. */
    public static Config inProcess(GatewayConfig gateway, Optional<Path> pcap) {
      return new Config(
          List.of(),
          Optional.empty(),
          Optional.of(gateway),
          Optional.empty(),
          pcap,
          L2Switch.Limits.DEFAULT);
    }
  }

  private static final Logger LOG = LoggerFactory.getLogger(VirtualSwitch.class);
  private static final long CAPTURE_FLUSH = 200_000_000L;

  private final EventLoop loop = EventLoop.start("lockstep-switch");
  private final L2Switch l2;
  private final List<StreamListener> listeners = new ArrayList<>();
  private final List<SwitchAddress> addresses = new ArrayList<>();
  private List<Forward> forwards = List.of();
  private UserGateway gateway;
  private TapPort tap;
  private PcapWriter pcap;
  private EpochFile epochs;
  private Timer pcapTimer;
  private final AtomicBoolean closed = new AtomicBoolean();

  private VirtualSwitch(L2Switch.Limits limits) {
    l2 = new L2Switch(limits, loop::now);
  }

  /**
   * Starts a switch.
   *
   * @throws IOException with a sentence for the user; nothing is left behind then
   */
  public static VirtualSwitch start(Config config) throws IOException {
    VirtualSwitch s = new VirtualSwitch(config.limits());
    try {
      Optional<SSLContext> tls =
          config.tls().isPresent() ? Optional.of(config.tls().get().load()) : Optional.empty();
      s.onLoop(
          () -> {
            s.open(config, tls);
            return null;
          });
      return s;
    } catch (IOException | RuntimeException e) {
      s.close();
      throw e;
    }
  }

  private void open(Config config, Optional<SSLContext> tls) throws IOException {
    StreamPort.Context context =
        new StreamPort.Context(
            loop, l2, tls, this::statusOnLoop, new byte[Frame.MAX_LENGTH], port -> {});
    if (config.epochs().isPresent()) {
      epochs = EpochFile.open(config.epochs().get());
      l2.rememberEpochs(epochs.epochs(), epochs::record);
    }
    for (SwitchAddress wanted : config.listen()) {
      StreamListener listener = StreamListener.bind(wanted, context, config.limits().ports());
      listeners.add(listener);
      addresses.add(listener.address());
    }
    if (config.pcap().isPresent()) {
      pcap = new PcapWriter(config.pcap().get());
      pcapTimer = loop.timer(this::flushCapture);
      pcapTimer.at(loop.now() + CAPTURE_FLUSH);
      l2.observe((from, frame) -> pcap.write(frame));
    }
    if (config.gateway().isPresent()) {
      List<Integer> own = new ArrayList<>();
      for (SwitchAddress address : addresses) {
        if (address instanceof SwitchAddress.Tcp tcp) {
          own.add(tcp.port());
        }
      }
      gateway = new UserGateway(loop, l2, config.gateway().get(), own);
      forwards = gateway.openForwards();
    }
    if (config.tap().isPresent()) {
      tap = new TapPort(loop, Tap.open(config.tap().get()));
      tap.start(l2);
    }
    for (StreamListener listener : listeners) {
      listener.start();
    }
  }

  private void flushCapture() {
    pcap.flush();
    pcapTimer.at(loop.now() + CAPTURE_FLUSH);
  }

  /** Where ports can connect, with real port numbers. */
  public List<SwitchAddress> addresses() {
    return List.copyOf(addresses);
  }

  /** The forwards, with real port numbers. */
  public List<Forward> forwards() {
    return forwards;
  }

  /**
   * Connects a VM of this process.
   *
   * @param name for status and log
   * @param abilities which {@code Offload} bits the VM takes
   * @param receiver gets packets, on the switch's thread
   */
  public NetworkLink connect(String name, int abilities, NetworkLink.Receiver receiver) {
    InProcessLink link = new InProcessLink(loop, name, abilities, receiver);
    try {
      boolean attached = onLoop(() -> link.attach(l2));
      if (!attached) {
        throw new IllegalStateException("the switch has no free port");
      }
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    return link;
  }

  /** The state as a JSON object. */
  public String statusJson() {
    try {
      return onLoop(this::statusOnLoop);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private String statusOnLoop() {
    StringBuilder json = new StringBuilder("{\"listen\":[");
    for (int i = 0; i < addresses.size(); i++) {
      json.append(i > 0 ? "," : "").append(quoted(addresses.get(i).toString()));
    }
    json.append("],\"forwards\":[");
    for (int i = 0; i < forwards.size(); i++) {
      json.append(i > 0 ? "," : "").append(quoted(forwards.get(i).toString()));
    }
    json.append("],\"ports\":").append(l2.portsJson());
    if (gateway != null) {
      json.append(",\"gateway\":").append(gateway.statusJson());
    }
    return json.append('}').toString();
  }

  private static String quoted(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }

  /**
   * The gateway, for tests that look at its counters; only to be touched through {@link #onLoop}.
   */
  UserGateway gateway() {
    return gateway;
  }

  /** The newest epoch seen of a VM; on the loop. */
  long newestEpoch(UUID vm) {
    return l2.newestEpoch(vm);
  }

  /** Something to do on the loop. */
  interface LoopTask<T> {
    T run() throws IOException;
  }

  /** Runs something on the loop and waits for it. */
  <T> T onLoop(LoopTask<T> task) throws IOException {
    if (closed.get()) {
      throw new IOException("the switch is closed");
    }
    return ask(task);
  }

  private <T> T ask(LoopTask<T> task) throws IOException {
    CompletableFuture<T> result = new CompletableFuture<>();
    loop.execute(
        () -> {
          try {
            result.complete(task.run());
          } catch (IOException | RuntimeException e) {
            result.completeExceptionally(e);
          }
        });
    try {
      return result.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException io) {
        throw io;
      }
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while the switch was asked", e);
    }
  }

  /** Closes ports, forwards and the thread. */
  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    try {
      ask(
          () -> {
            closeOnLoop();
            return null;
          });
    } catch (IOException e) {
      LOG.warn("closing the switch: {}", e.getMessage());
    }
    loop.close();
  }

  private void closeOnLoop() throws IOException {
    for (StreamListener listener : listeners) {
      listener.close();
    }
    if (gateway != null) {
      gateway.close();
    }
    if (tap != null) {
      tap.close();
    }
    if (epochs != null) {
      epochs.close();
    }
    if (pcap != null) {
      pcapTimer.cancel();
      pcap.close();
    }
  }
}
