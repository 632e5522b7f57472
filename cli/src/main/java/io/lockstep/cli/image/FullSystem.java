package io.lockstep.cli.image;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Puts a complete Debian together up to the point where its own programs must run: all packages
 * unpacked, with dpkg's database saying just that. The rest, {@code dpkg --configure -a}, is the
 * second stage, which the guest does itself on its first start: no program of another architecture
 * runs on the host.
 */
final class FullSystem {
  /** What Debian's installer takes for granted, as apt search patterns, and what makes it start. */
  static final List<String> PACKAGES =
      List.of(
          "?essential",
          "?priority(required)",
          "?priority(important)",
          "systemd-sysv",
          "systemd-resolved",
          "dbus");

  private static final String DEPMOD = "depmod";
  private static final String DPKG = "var/lib/dpkg/";
  private static final String INFO = DPKG + "info/";

  private final FileTree tree = new FileTree(0);
  private final Spool spool;
  private final StringBuilder status = new StringBuilder();
  private final Map<String, List<String>> triggers = new TreeMap<>();

  FullSystem(Spool spool) {
    this.spool = spool;
    // Before any package, some of which still name the old directories.
    for (String name : List.of("bin", "sbin", "lib")) {
      tree.directory("usr/" + name, 0755);
      tree.link(name, "usr/" + name);
    }
  }

  /**
   * Adds the modules of the kernel; the package itself stays outside, as the machine brings the
   * kernel.
   *
   * @param scratch directory to use meanwhile, which does not exist yet
   */
  void addModules(KernelPackage kernel, Path scratch) throws ImageException, IOException {
    tree.setTime(kernel.time());
    String directory = KernelPackage.MODULE_ROOT + kernel.release() + "/";
    Map<String, FileTree.Regular> modules = kernel.usableModules();
    modules.forEach((path, file) -> tree.put(directory + path, file));
    if (HostCommand.find(DEPMOD).isPresent()) {
      indexModules(kernel.release(), modules, directory, scratch);
    }
  }

  /**
   * Uses the host's depmod, which reads any machine's modules; without it the second stage does it,
   * slowly.
   */
  private void indexModules(
      String release, Map<String, FileTree.Regular> modules, String directory, Path scratch)
      throws ImageException, IOException {
    Path unpacked = scratch.resolve("lib/modules").resolve(release);
    for (Map.Entry<String, FileTree.Regular> module : modules.entrySet()) {
      Path file = unpacked.resolve(module.getKey());
      Files.createDirectories(file.getParent());
      try (OutputStream out = Files.newOutputStream(file)) {
        module.getValue().content().writeTo(out);
      }
    }
    HostCommand.Result result = new HostCommand(DEPMOD, "-b", scratch.toString(), release).run();
    if (result.succeeded()) {
      try (Stream<Path> files = Files.list(unpacked)) {
        for (Path file : files.filter(Files::isRegularFile).toList()) {
          tree.file(directory + file.getFileName(), 0644, Content.of(Files.readAllBytes(file)));
        }
      }
    }
    AtomicDirectory.deleteTree(scratch);
  }

  /** Unpacks a package and registers it with dpkg as unpacked. */
  void addPackage(DebPackage deb) throws ImageException, IOException {
    var archive = new DebArchive(deb.file());
    Map<String, String> control = archive.control();
    List<String> paths = archive.unpack(tree, spool, path -> true);
    boolean sameArchitectureOnly =
        control.getOrDefault("control", "").contains("\nMulti-Arch: same\n");
    String infoName = sameArchitectureOnly ? deb.name() + ":" + deb.architecture() : deb.name();
    register(infoName, control, paths);
    status.append(stanza(control)).append('\n');
    readTriggers(
        sameArchitectureOnly ? infoName : deb.name(), control.getOrDefault("triggers", ""));
  }

  private void register(String infoName, Map<String, String> control, List<String> paths) {
    var list = new StringBuilder("/.\n");
    paths.stream()
        .filter(path -> !path.isEmpty())
        .forEach(path -> list.append('/').append(path).append('\n'));
    tree.file(INFO + infoName + ".list", 0644, list.toString());
    control.forEach(
        (member, text) -> {
          if (!member.equals("control") && !member.isEmpty()) {
            boolean script =
                List.of("preinst", "postinst", "prerm", "postrm", "config").contains(member);
            tree.file(INFO + infoName + "." + member, script ? 0755 : 0644, text);
          }
        });
  }

  /**
   * The package's entry in dpkg's status file: its control fields, its state and its configuration
   * files.
   */
  private String stanza(Map<String, String> control) throws IOException {
    var text = new StringBuilder();
    for (String line : control.getOrDefault("control", "").lines().toList()) {
      text.append(line).append('\n');
      if (line.startsWith("Package:")) {
        text.append("Status: install ok unpacked\n");
      }
    }
    var files = new StringBuilder();
    for (String line : control.getOrDefault("conffiles", "").lines().toList()) {
      FileTree.Regular file = tree.file(line.strip()).orElse(null);
      if (file != null) {
        files
            .append(' ')
            .append(line.strip())
            .append(' ')
            .append(Digests.md5(file.content().bytes()))
            .append('\n');
      }
    }
    if (!files.isEmpty()) {
      text.append("Conffiles:\n").append(files);
    }
    return text.toString();
  }

  /**
   * Registers what a package wants to hear of (deb-triggers(5)), which dpkg does when it unpacks
   * one.
   */
  private void readTriggers(String packageName, String text) {
    for (String line : text.lines().toList()) {
      String[] words = line.strip().split("\\s+");
      if (words.length == 2 && words[0].startsWith("interest")) {
        String suffix = words[0].equals("interest-noawait") ? "/noawait" : "";
        boolean forFile = words[1].startsWith("/");
        triggers
            .computeIfAbsent(forFile ? "File" : words[1], name -> new ArrayList<>())
            .add(forFile ? words[1] + " " + packageName + suffix : packageName + suffix);
      }
    }
  }

  /** Adds everything that is not in a package, and the second stage. */
  void complete(DebianMirror mirror, byte[] sshKeys) throws IOException {
    tree.file(DPKG + "status", 0644, status.toString());
    tree.file(INFO + "format", 0644, "1\n");
    for (String name : List.of("available", "diversions", "statoverride")) {
      tree.file(DPKG + name, 0644, "");
    }
    tree.directory(DPKG + "updates", 0755);
    triggers.forEach(
        (name, lines) ->
            tree.file(DPKG + "triggers/" + name, 0644, String.join("\n", lines) + "\n"));
    accounts();
    configuration(mirror);
    tree.file("etc/lockstep/functions", 0644, Content.of(Resources.bytes("functions")));
    tree.file("etc/lockstep/second-stage", 0755, Content.of(Resources.bytes("second-stage")));
    tree.file("etc/lockstep/started", 0755, Content.of(Resources.bytes("full-started")));
    tree.file(
        "etc/systemd/system/lockstep.service", 0644, Content.of(Resources.bytes("full-service")));
    tree.link("etc/systemd/system/multi-user.target.wants/lockstep.service", "../lockstep.service");
    if (sshKeys.length > 0) {
      tree.directory("root/.ssh", 0700);
      tree.file("root/.ssh/authorized_keys", 0600, Content.of(sshKeys));
    }
  }

  /** The first scripts need users and awk before the packages that make them are configured. */
  private void accounts() throws IOException {
    for (String name : List.of("passwd", "group")) {
      FileTree.Regular master = tree.file("usr/share/base-passwd/" + name + ".master").orElse(null);
      if (master != null) {
        String text = new String(master.content().bytes(), StandardCharsets.UTF_8);
        tree.file("etc/" + name, 0644, text.replaceFirst("^root:\\*:", "root:x:"));
      }
    }
    if (tree.at("usr/bin/awk").isEmpty() && tree.exists("usr/bin/mawk")) {
      tree.link("usr/bin/awk", "mawk");
    }
  }

  private void configuration(DebianMirror mirror) throws IOException {
    tree.file("etc/fstab", 0644, "/dev/vda / ext4 noatime,errors=remount-ro 0 1\n");
    tree.file("etc/hostname", 0644, "lockstep\n");
    tree.file(
        "etc/hosts",
        0644,
        "127.0.0.1\tlocalhost\n127.0.1.1\tlockstep\n::1\tlocalhost ip6-localhost\n");
    tree.file("etc/machine-id", 0444, ""); // Filled by systemd at the first start of each copy.
    tree.file("etc/network/interfaces", 0644, "auto lo\niface lo inet loopback\n");
    tree.file(
        "etc/systemd/network/20-wired.network", 0644, "[Match]\nName=e*\n\n[Network]\nDHCP=yes\n");
    tree.link(
        "etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
        "/usr/lib/systemd/system/systemd-networkd.service");
    tree.file(
        "etc/apt/sources.list.d/debian.sources", 0644, mirror.deb822(AptWorkspace.ARCHITECTURE));
    tree.file(
        "etc/systemd/system/serial-getty@.service.d/autologin.conf",
        0644,
        Content.of(Resources.bytes("full-autologin")));
  }

  FileTree tree() {
    return tree;
  }
}
