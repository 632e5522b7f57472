package io.lockstep.cli;

import io.lockstep.host.net.L2Switch;
import io.lockstep.host.net.SwitchAddress;
import io.lockstep.host.net.SwitchClient;
import io.lockstep.host.net.TlsFiles;
import io.lockstep.host.net.VirtualSwitch;
import io.lockstep.host.net.gateway.Forward;
import io.lockstep.host.net.gateway.GatewayConfig;
import io.lockstep.host.net.gateway.Outbound;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import javax.net.ssl.SSLContext;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code lockstep switch}: the network that outlives its hosts. */
@Command(
    name = "switch",
    description = "Run a virtual network: a switch with a gateway to this host's network.",
    footer = {
      "",
      "Guests are in 10.0.2.0/24: the gateway is 10.0.2.2, DNS is 10.0.2.3, DHCP",
      "hands out addresses from 10.0.2.15 on. When the switch is ready it prints one",
      "line of JSON with the addresses it uses; it runs until it is stopped (Ctrl-C).",
      "",
      "Examples:",
      "  lockstep switch --forward tcp:2222:10.0.2.15:22",
      "      a network with the first guest's ssh on port 2222 of this host",
      "  lockstep switch --listen unix:/tmp/net --outbound any --pcap /tmp/net.pcap",
      "      guests reach whatever this host reaches; everything is captured",
      "  lockstep switch --status 127.0.0.1:7810",
      "      ports, addresses and counters of the switch that runs there",
      "  qemu-system-riscv64 ... -device virtio-net-device,netdev=n -netdev \\",
      "      stream,id=n,server=off,addr.type=inet,addr.host=127.0.0.1,addr.port=7810",
      "      a QEMU guest on the same network"
    })
final class SwitchCommand implements Callable<Integer> {
  private static final String DEFAULT_ADDRESS = "127.0.0.1:7810";

  @Spec private CommandSpec spec;

  @Option(
      names = "--listen",
      paramLabel = "ADDR",
      converter = AddressConverter.class,
      description =
          "Where VMs connect: HOST:PORT (port 0: any free one) or unix:PATH. May be repeated."
              + " Default: "
              + DEFAULT_ADDRESS)
  private final List<SwitchAddress> listen = new ArrayList<>();

  @Option(
      names = "--forward",
      paramLabel = "SPEC",
      converter = ForwardConverter.class,
      description =
          "Lead a port of this host into a guest: tcp|udp:[ADDRESS:]PORT:GUEST:PORT. May be"
              + " repeated. Without ADDRESS only this host can connect.")
  private final List<Forward> forwards = new ArrayList<>();

  @Option(
      names = "--outbound",
      paramLabel = "none|loopback|any",
      converter = OutboundConverter.class,
      description =
          "Where guests may connect to: nowhere (default), this host's loopback services as"
              + " 10.0.2.2, or everything that this host reaches.")
  private Outbound outbound = Outbound.NONE;

  @Option(names = "--no-gateway", description = "Only switch frames: no DHCP, no forwards.")
  private boolean noGateway;

  @Option(
      names = "--tap",
      paramLabel = "NAME",
      description = "Uplink to this TAP device (Linux; needs CAP_NET_ADMIN or a device of yours).")
  private String tap;

  @Option(
      names = "--pcap",
      paramLabel = "FILE",
      description = "Capture all frames to this file, for tshark or Wireshark.")
  private Path pcap;

  @Option(
      names = "--epochs",
      paramLabel = "FILE",
      description =
          "Remember in this file which hosts were replaced, so that they stay cut off when the"
              + " switch is started again.")
  private Path epochs;

  @Mixin private TlsOptions tls;

  @Option(
      names = "--status",
      paramLabel = "ADDR",
      converter = AddressConverter.class,
      description = "Print the state of the switch at ADDR as JSON, and end.")
  private SwitchAddress status;

  @Override
  public Integer call() throws InterruptedException {
    Optional<TlsFiles> files = tls.files(spec);
    try {
      if (status != null) {
        Optional<SSLContext> context =
            files.isPresent() ? Optional.of(files.get().load()) : Optional.empty();
        out(SwitchClient.status(status, context));
        return ExitStatus.OK;
      }
      try (VirtualSwitch network = VirtualSwitch.start(config(files))) {
        out(readyLine(network));
        waitForSignal(network);
      }
      return ExitStatus.OK;
    } catch (IOException e) {
      throw new UserError(e.getMessage(), e);
    }
  }

  private VirtualSwitch.Config config(Optional<TlsFiles> files) {
    if (noGateway && !forwards.isEmpty()) {
      throw new ParameterException(
          spec.commandLine(), "--forward needs the gateway; leave out --no-gateway");
    }
    return new VirtualSwitch.Config(
        listen.isEmpty() ? List.of(SwitchAddress.parse(DEFAULT_ADDRESS)) : listen,
        files,
        noGateway ? Optional.empty() : Optional.of(GatewayConfig.of(outbound, forwards)),
        Optional.ofNullable(tap),
        Optional.ofNullable(pcap),
        Optional.ofNullable(epochs),
        L2Switch.Limits.DEFAULT);
  }

  private void out(String line) {
    spec.commandLine().getOut().println(line);
    spec.commandLine().getOut().flush();
  }

  private static String readyLine(VirtualSwitch network) {
    return "{\"event\":\"ready\",\"pid\":"
        + ProcessHandle.current().pid()
        + ",\"listen\":"
        + jsonArray(network.addresses())
        + ",\"forwards\":"
        + jsonArray(network.forwards())
        + "}";
  }

  private static String jsonArray(List<?> values) {
    List<String> quoted = new ArrayList<>();
    for (Object value : values) {
      quoted.add('"' + value.toString().replace("\\", "\\\\").replace("\"", "\\\"") + '"');
    }
    return "[" + String.join(",", quoted) + "]";
  }

  /** Waits for the process to be stopped, and then closes the switch before the process ends. */
  private static void waitForSignal(VirtualSwitch network) throws InterruptedException {
    Runtime.getRuntime().addShutdownHook(new Thread(network::close, "switch-shutdown"));
    new CountDownLatch(1).await();
  }

  /** Reads an address of a switch. */
  static final class AddressConverter implements ITypeConverter<SwitchAddress> {
    @Override
    public SwitchAddress convert(String text) {
      try {
        return SwitchAddress.parse(text);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }

  /** Reads a forward. */
  static final class ForwardConverter implements ITypeConverter<Forward> {
    @Override
    public Forward convert(String text) {
      try {
        return Forward.parse(text);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }

  /** Reads the value of {@code --outbound}. */
  static final class OutboundConverter implements ITypeConverter<Outbound> {
    @Override
    public Outbound convert(String text) {
      for (Outbound outbound : Outbound.values()) {
        if (outbound.name().toLowerCase(Locale.ROOT).equals(text)) {
          return outbound;
        }
      }
      throw new TypeConversionException("'" + text + "' is not one of none, loopback and any");
    }
  }
}
