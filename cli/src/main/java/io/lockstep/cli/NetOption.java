package io.lockstep.cli;

import io.lockstep.host.net.SwitchAddress;
import io.lockstep.host.net.TlsFiles;
import io.lockstep.host.net.gateway.Forward;
import io.lockstep.host.net.gateway.Outbound;
import io.lockstep.host.net.wire.Mac;
import io.lockstep.host.vm.NetSpec;
import io.lockstep.host.vm.NetSpec.Cable;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * The value of {@code --net}.
 *
 * @param cable where the cable leads; empty for no network card
 * @param mac the card's address, if the user gave one
 */
record NetOption(Optional<Cable> cable, OptionalLong mac) {
  /** The address in a network with nobody else. */
  private static final long LONE_MAC = 0x5254_0012_3456L;

  /** No network card. */
  static final NetOption NONE = new NetOption(Optional.empty(), OptionalLong.empty());

  /** The network card, with an address made up where the user gave none. */
  Optional<NetSpec> toSpec(Optional<Path> capture) {
    return cable.map(c -> new NetSpec(mac.orElseGet(() -> address(c)), c, capture));
  }

  private static long address(Cable cable) {
    return switch (cable) {
      case Cable.ToGateway _ -> LONE_MAC;
      case Cable.ToSwitch _, Cable.ToTap _ ->
          0x5254_0000_0000L | new SecureRandom().nextInt() & 0xffff_ffffL;
    };
  }

  /** Reads {@code switch=ADDR,...}, {@code user,...}, {@code tap=NAME,...} or {@code none}. */
  static final class Converter implements ITypeConverter<NetOption> {
    @Override
    public NetOption convert(String text) {
      String[] parts = text.split(",", -1);
      Settings settings = new Settings(text, parts);
      try {
        NetOption option = settings.read(parts[0]);
        settings.refuseRest();
        return option;
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }

  /** The {@code name=value} pairs after the kind of network. */
  private static final class Settings {
    private final String text;
    private final Map<String, List<String>> values = new LinkedHashMap<>();

    Settings(String text, String[] parts) {
      this.text = text;
      for (int i = 1; i < parts.length; i++) {
        int equals = parts[i].indexOf('=');
        if (equals <= 0) {
          throw new TypeConversionException(
              "'%s' in '%s' is not of the form NAME=VALUE".formatted(parts[i], text));
        }
        values
            .computeIfAbsent(parts[i].substring(0, equals), _ -> new ArrayList<>())
            .add(parts[i].substring(equals + 1));
      }
    }

    NetOption read(String kind) {
      if (kind.equals("none")) {
        return NONE;
      }
      Cable cable;
      if (kind.equals("user")) {
        List<Forward> forwards = all("forward").stream().map(Forward::parse).toList();
        cable = new Cable.ToGateway(outbound(), forwards);
      } else if (kind.startsWith("switch=")) {
        cable = new Cable.ToSwitch(SwitchAddress.parse(kind.substring(7)), tls());
      } else if (kind.startsWith("tap=")) {
        cable = new Cable.ToTap(kind.substring(4));
      } else {
        throw new IllegalArgumentException(
            "'%s' is not one of none, user, switch=ADDR and tap=NAME".formatted(kind));
      }
      return new NetOption(Optional.of(cable), mac());
    }

    private List<String> all(String name) {
      List<String> found = values.remove(name);
      return found == null ? List.of() : found;
    }

    private Optional<String> one(String name) {
      List<String> found = all(name);
      if (found.size() > 1) {
        throw new IllegalArgumentException("'%s' has %s more than once".formatted(text, name));
      }
      return found.stream().findFirst();
    }

    private Outbound outbound() {
      String wanted = one("outbound").orElse("none");
      for (Outbound outbound : Outbound.values()) {
        if (outbound.name().toLowerCase(Locale.ROOT).equals(wanted)) {
          return outbound;
        }
      }
      throw new IllegalArgumentException(
          "'%s' is not one of none, loopback and any".formatted(wanted));
    }

    private OptionalLong mac() {
      Optional<String> wanted = one("mac");
      if (wanted.isEmpty()) {
        return OptionalLong.empty();
      }
      long mac = Mac.parse(wanted.get());
      if (!Mac.isUsableSource(mac)) {
        throw new IllegalArgumentException(
            "'%s' is no address for a network card".formatted(wanted.get()));
      }
      return OptionalLong.of(mac);
    }

    private Optional<TlsFiles> tls() {
      Optional<String> certificate = one("tls-cert");
      Optional<String> key = one("tls-key");
      Optional<String> authority = one("tls-ca");
      if (certificate.isEmpty() && key.isEmpty() && authority.isEmpty()) {
        return Optional.empty();
      }
      if (certificate.isEmpty() || key.isEmpty() || authority.isEmpty()) {
        throw new IllegalArgumentException("tls-cert, tls-key and tls-ca are needed together");
      }
      return Optional.of(
          new TlsFiles(Path.of(certificate.get()), Path.of(key.get()), Path.of(authority.get())));
    }

    void refuseRest() {
      if (!values.isEmpty()) {
        throw new IllegalArgumentException(
            "'%s' in '%s' is not a setting of this kind of network"
                .formatted(values.keySet().iterator().next(), text));
      }
    }
  }
}
