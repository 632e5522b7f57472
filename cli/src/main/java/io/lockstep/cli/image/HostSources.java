package io.lockstep.cli.image;

import java.io.IOException;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** The package sources that the host's apt is configured with. */
final class HostSources {
  private HostSources() {}

  /** All enabled binary sources, in the order of apt: the main file, then its directory by name. */
  static List<AptSource> read() throws ImageException, IOException {
    Map<String, String> settings = settings();
    Path base = Path.of("/").resolve(settings.getOrDefault("Dir::Etc", "etc/apt/"));
    Path main = base.resolve(settings.getOrDefault("Dir::Etc::sourcelist", "sources.list"));
    Path parts = base.resolve(settings.getOrDefault("Dir::Etc::sourceparts", "sources.list.d"));
    var sources = new ArrayList<AptSource>();
    if (Files.isReadable(main)) {
      sources.addAll(readFile(main));
    }
    if (Files.isDirectory(parts)) {
      try (Stream<Path> files = Files.list(parts)) {
        for (Path file : files.sorted().toList()) {
          sources.addAll(readFile(file));
        }
      }
    }
    return sources;
  }

  private static Map<String, String> settings() throws ImageException, IOException {
    var settings = new TreeMap<String, String>();
    String dump = new HostCommand("apt-config", "dump").run().output();
    for (String line : dump.lines().toList()) {
      int blank = line.indexOf(' ');
      if (blank > 0 && line.endsWith("\";")) {
        settings.put(line.substring(0, blank), line.substring(blank + 2, line.length() - 2));
      }
    }
    return settings;
  }

  private static List<AptSource> readFile(Path file) throws IOException {
    String name = file.getFileName().toString();
    if (!Files.isReadable(file)) {
      return List.of(); // Some hosts keep sources with credentials from ordinary users.
    }
    try {
      if (name.endsWith(".sources")) {
        return AptSourcesParser.deb822(Files.readString(file));
      }
      return name.endsWith(".list") ? AptSourcesParser.oneLine(Files.readString(file)) : List.of();
    } catch (MalformedInputException e) {
      return List.of();
    }
  }
}
