package io.lockstep.cli.image;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The host's apt with an index, a package state and a cache of our own, for another architecture
 * and suite. Proxy, credentials and other transport settings are the host's; insecure repositories
 * are never allowed.
 */
final class AptWorkspace {
  static final String ARCHITECTURE = "riscv64";

  private static final Pattern INSTALLED_LINE = Pattern.compile("Inst (\\S+) \\((\\S+) .*");
  private static final Pattern KERNEL_DEPENDENCY =
      Pattern.compile("\\b(linux-image-[0-9][a-z0-9.+~-]*)");

  private final Path root;
  private final Path configuration;
  private final String suite;
  private final DebianMirror mirror;
  private final Progress progress;

  private AptWorkspace(Path root, String suite, DebianMirror mirror, Progress progress) {
    this.root = root;
    this.configuration = root.resolve("apt.conf");
    this.suite = suite;
    this.mirror = mirror;
    this.progress = progress;
  }

  /**
   * Prepares the workspace of a suite below {@code cache}; what it downloaded before is still
   * there.
   */
  static AptWorkspace open(Path cache, String suite, DebianMirror mirror, Progress progress)
      throws ImageException, IOException {
    String sources = mirror.deb822(ARCHITECTURE);
    Path root = cache.resolve("apt").resolve(suite + "-" + shortDigest(sources)).toAbsolutePath();
    for (String directory :
        List.of(
            "lists/partial",
            "archives/partial",
            "etc/apt.conf.d",
            "etc/sources.list.d",
            "etc/preferences.d",
            "etc/trusted.gpg.d")) {
      Files.createDirectories(root.resolve(directory));
    }
    var workspace = new AptWorkspace(root, suite, mirror, progress);
    workspace.writeSources(mirror);
    Files.writeString(workspace.configuration, configuration(root, hostTransport()));
    workspace.assume(Set.of());
    return workspace;
  }

  private static String shortDigest(String text) {
    return HexFormat.of()
        .formatHex(Digests.sha256().digest(text.getBytes(StandardCharsets.UTF_8)), 0, 6);
  }

  /** The host's {@code Acquire} settings, in apt.conf(5) syntax. */
  private static String hostTransport() throws ImageException, IOException {
    HostCommand.Result dump = new HostCommand("apt-config", "dump").run();
    return dump.output()
        .lines()
        .filter(line -> line.startsWith("Acquire::") || line.startsWith("Dir::Bin::methods"))
        .filter(
            line ->
                !line.startsWith("Acquire::IndexTargets") && !line.startsWith("Acquire::Languages"))
        .collect(Collectors.joining("\n", "", "\n"));
  }

  private static String configuration(Path root, String transport) {
    return transport
        + """
        Dir "%1$s/";
        Dir::State "%1$s";
        Dir::State::lists "lists/";
        Dir::State::status "%1$s/status";
        Dir::Cache "%1$s";
        Dir::Cache::archives "archives/";
        Dir::Etc "%1$s/etc";
        Dir::Etc::sourcelist "/dev/null";
        Dir::Etc::sourceparts "%1$s/etc/sources.list.d";
        Dir::Etc::trusted "/dev/null";
        Dir::Etc::trustedparts "%1$s/etc/trusted.gpg.d";
        Dir::Etc::netrc "/etc/apt/auth.conf";
        Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
        APT::Architecture "%2$s";
        APT::Architectures { "%2$s"; };
        APT::Sandbox::User "";
        APT::Install-Recommends "false";
        APT::Install-Suggests "false";
        APT::Get::AllowUnauthenticated "false";
        APT::Update::Error-Mode "any";
        Acquire::Languages "none";
        Acquire::Retries "3";
        Acquire::AllowInsecureRepositories "false";
        Acquire::AllowWeakRepositories "false";
        Acquire::AllowDowngradeToInsecureRepositories "false";
        """
            .formatted(root, ARCHITECTURE);
  }

  /** Makes apt take these packages for installed, so that it does not bring them. */
  void assume(Collection<String> packages) throws IOException {
    var status = new StringBuilder();
    for (String name : new TreeSet<>(packages)) {
      status
          .append("Package: ")
          .append(name)
          .append("\nStatus: install ok installed\nPriority: optional\n");
      status.append("Maintainer: none\nArchitecture: all\nMulti-Arch: foreign\nVersion: 9999\n");
      status.append(name.equals("debconf") ? "Provides: debconf-2.0\n" : "");
      status.append("Description: provided by the appliance\n\n");
    }
    Files.writeString(root.resolve("status"), status);
  }

  /**
   * Brings the package index up to date and checks its signature. When the updates of the suite
   * can't be had just now it is done without them, and when the mirror is away with the index of
   * the last time.
   */
  void update() throws ImageException, IOException {
    try (var step = progress.step("Package index of Debian " + suite)) {
      writeSources(mirror);
      Optional<AptTrouble> trouble = tryUpdate();
      if (trouble.isPresent() && mirror.sources().size() > 1) {
        writeSources(mirror.archiveOnly());
        Optional<AptTrouble> archiveTrouble = tryUpdate();
        if (archiveTrouble.isEmpty()) {
          step.note(
              "without updates and security fixes, which cannot be had now; "
                  + trouble.get().sentence());
        }
        trouble = archiveTrouble;
      }
      if (trouble.isPresent()) {
        if (trouble.get().kind() != AptTrouble.Kind.NETWORK || !hasIndex()) {
          throw new ImageException(trouble.get().sentence());
        }
        step.note("the mirror cannot be reached, so this is the index of the last build");
      }
    }
  }

  private Optional<AptTrouble> tryUpdate() throws ImageException, IOException {
    HostCommand.Result result = apt("apt-get", List.of("-q", "update")).run();
    if (!result.succeeded()) {
      return Optional.of(AptTrouble.in(result.errors(), suite, mirror.address()));
    }
    apt("apt-get", List.of("-q", "autoclean")).run();
    return Optional.empty();
  }

  private void writeSources(DebianMirror used) throws IOException {
    Files.writeString(root.resolve("etc/sources.list.d/debian.sources"), used.deb822(ARCHITECTURE));
  }

  private boolean hasIndex() throws IOException {
    try (Stream<Path> lists = Files.list(root.resolve("lists"))) {
      return lists.anyMatch(file -> file.getFileName().toString().contains("_Packages"));
    }
  }

  /**
   * The packages and all they depend on, as {@code name=version}, in the order apt would install
   * them.
   */
  List<String> resolve(Collection<String> packages) throws ImageException, IOException {
    if (packages.isEmpty()) {
      return List.of();
    }
    var arguments =
        new ArrayList<>(List.of("-q", "-y", "-s", "--no-install-recommends", "install"));
    arguments.addAll(packages);
    HostCommand.Result result = apt("apt-get", arguments).run();
    if (!result.succeeded()) {
      throw new ImageException(AptTrouble.in(result.errors(), suite, mirror.address()).sentence());
    }
    var resolved = new ArrayList<String>();
    for (String line : result.output().lines().toList()) {
      Matcher matcher = INSTALLED_LINE.matcher(line);
      if (matcher.matches()) {
        resolved.add(matcher.group(1) + "=" + matcher.group(2));
      }
    }
    return resolved;
  }

  /**
   * The package that holds the kernel itself, which the suite's {@code linux-image-riscv64} stands
   * for.
   */
  String kernelPackage() throws ImageException, IOException {
    String meta = "linux-image-" + ARCHITECTURE;
    for (Map<String, String> stanza : show(List.of(meta))) {
      Matcher matcher = KERNEL_DEPENDENCY.matcher(stanza.getOrDefault("depends", ""));
      if (matcher.find()) {
        return matcher.group(1);
      }
    }
    throw new ImageException(
        "Debian "
            + suite
            + " has no kernel for "
            + ARCHITECTURE
            + "; choose a suite that does, for example trixie.");
  }

  private List<Map<String, String>> show(Collection<String> packages)
      throws ImageException, IOException {
    var arguments = new ArrayList<>(List.of("--no-all-versions", "show"));
    arguments.addAll(packages);
    HostCommand.Result result = apt("apt-cache", arguments).run();
    if (!result.succeeded()) {
      throw new ImageException(AptTrouble.in(result.errors(), suite, mirror.address()).sentence());
    }
    return AptSourcesParser.stanzas(result.output());
  }

  /**
   * Downloads what the cache does not have and verifies every file's checksum.
   *
   * @param packages as {@code name} or {@code name=version}
   * @return the file of each of them
   */
  Map<String, DebPackage> download(Collection<String> packages) throws ImageException, IOException {
    Path archives = root.resolve("archives");
    var found = new TreeMap<String, DebPackage>();
    for (Map<String, String> stanza : show(packages)) {
      DebPackage deb = cached(archives, stanza);
      found.putIfAbsent(deb.name(), deb);
      found.putIfAbsent(deb.name() + "=" + deb.version(), deb);
    }
    var wanted = new LinkedHashMap<String, DebPackage>();
    for (String name : packages) {
      DebPackage deb = found.get(name);
      if (deb == null) {
        throw new ImageException("apt did not deliver " + name + "; run the build again.");
      }
      wanted.put(name, deb);
    }
    fetch(archives, wanted);
    return wanted;
  }

  private void fetch(Path archives, Map<String, DebPackage> wanted)
      throws ImageException, IOException {
    long total = wanted.values().stream().mapToLong(DebPackage::size).sum();
    try (var step = progress.step("Packages (" + wanted.size() + ")", total)) {
      Thread watcher = Thread.ofVirtual().start(() -> watch(archives, wanted.values(), step));
      try {
        var arguments = new ArrayList<>(List.of("-q", "download"));
        arguments.addAll(wanted.keySet());
        HostCommand.Result result = apt("apt-get", arguments).in(archives).run();
        if (!result.succeeded()) {
          throw new ImageException(
              AptTrouble.in(result.errors(), suite, mirror.address()).sentence());
        }
      } finally {
        watcher.interrupt();
      }
      for (DebPackage deb : wanted.values()) {
        verify(deb);
      }
      step.at(total);
    }
  }

  private static DebPackage cached(Path archives, Map<String, String> stanza) {
    String version = stanza.getOrDefault("version", "");
    String name = stanza.getOrDefault("package", "");
    String architecture = stanza.getOrDefault("architecture", "");
    String file = name + "_" + version.replace(":", "%3a") + "_" + architecture + ".deb";
    return new DebPackage(
        name,
        version,
        architecture,
        archives.resolve(file),
        Long.parseLong(stanza.getOrDefault("size", "0")),
        stanza.getOrDefault("sha256", ""));
  }

  /** Shows how much of the files is there, until interrupted. */
  private static void watch(Path archives, Collection<DebPackage> packages, Progress.Step step) {
    try {
      while (true) {
        long done = 0;
        for (DebPackage deb : packages) {
          Path partial = archives.resolve("partial").resolve(deb.file().getFileName());
          done += Math.max(sizeOf(deb.file()), sizeOf(partial));
        }
        step.at(done);
        Thread.sleep(100);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static long sizeOf(Path file) {
    try {
      return Files.exists(file) ? Files.size(file) : 0;
    } catch (IOException e) {
      return 0; // Moved away between the two calls; the next look finds it.
    }
  }

  private static void verify(DebPackage deb) throws ImageException, IOException {
    if (!Files.exists(deb.file())) {
      throw new ImageException(
          "apt did not deliver " + deb.file().getFileName() + "; run the build again.");
    }
    MessageDigest digest = Digests.sha256();
    try (InputStream in = new DigestInputStream(Files.newInputStream(deb.file()), digest)) {
      in.transferTo(OutputStream.nullOutputStream());
    }
    if (!HexFormat.of().formatHex(digest.digest()).equals(deb.sha256())) {
      Files.delete(deb.file());
      throw new ImageException(
          "The cached package "
              + deb.file().getFileName()
              + " was damaged and has been removed; run the build again.");
    }
  }

  private HostCommand apt(String program, List<String> arguments) {
    return new HostCommand(program, arguments).with("APT_CONFIG", configuration.toString());
  }
}
