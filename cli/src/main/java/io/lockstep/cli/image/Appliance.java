package io.lockstep.cli.image;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * Puts the root file system of an appliance together: the kernel modules it needs, the packages,
 * BusyBox for what they do not bring, and the scripts that start it. No script of a package is run;
 * what the common ones do, is done here.
 */
final class Appliance {
  /** Drivers for the machine's virtio devices and the file system of its disks. */
  static final List<String> MODULES =
      List.of("virtio_mmio", "virtio_blk", "virtio_net", "virtio_rng", "ext4");

  /**
   * Packages that others depend on just because their scripts use them. Those scripts are not run,
   * and without them an appliance is half the size.
   */
  static final List<String> ONLY_FOR_SCRIPTS =
      List.of(
          "adduser",
          "base-passwd",
          "debconf",
          "dpkg",
          "init-system-helpers",
          "install-info",
          "lsb-base",
          "passwd",
          "sgml-base",
          "sysvinit-utils",
          "ucf",
          "xml-core");

  private static final List<String> MERGED = List.of("bin", "sbin", "lib");
  private static final List<String> UNWANTED =
      List.of(
          "usr/share/man/",
          "usr/share/info/",
          "usr/share/locale/",
          "usr/share/lintian/",
          "usr/share/bug/",
          "usr/share/initramfs-tools/",
          "usr/share/gtk-doc/",
          "usr/share/doc-base/",
          "boot/");

  /** Programs that the kernel and others call by an absolute path in {@code /sbin}. */
  private static final List<String> CALLED_IN_SBIN =
      List.of("init", "modprobe", "ip", "ifconfig", "sysctl", "getty");

  /** A compiler's debugging aids: a hundred megabytes of memory that hardly anyone would miss. */
  private static final Pattern RARELY_USED =
      Pattern.compile("usr/bin/.*lto-dump.*|usr/lib/gcc/.*/lib(?:a|hwa|l|t|ub)san\\.a");

  private static final String DOCUMENTS = "usr/share/doc/";

  private final FileTree tree = new FileTree(0);
  private final Spool spool;
  private final Alternatives alternatives = new Alternatives();
  private final Accounts accounts = new Accounts();
  private final List<Map<String, String>> scripts = new ArrayList<>();

  Appliance(Spool spool) {
    this.spool = spool;
    for (String name : MERGED) {
      tree.directory("usr/" + name, 0755);
      tree.link(name, "usr/" + name);
    }
  }

  /** Adds the modules named and those they need. */
  void addModules(KernelPackage kernel, List<String> names) throws ImageException, IOException {
    tree.setTime(kernel.time());
    String directory = KernelPackage.MODULE_ROOT + kernel.release() + "/";
    var modules = new KernelModules(kernel.modules(), kernel.builtIn());
    List<KernelModules.Module> closure = modules.closure(names);
    for (KernelModules.Module module : closure) {
      tree.file(directory + module.path(), 0644, Content.of(module.bytes()));
    }
    tree.file(directory + "modules.dep", 0644, modules.dependencyFile(closure));
    tree.file(directory + "modules.builtin", 0644, kernel.builtIn());
  }

  /** Unpacks a package, without its documentation. */
  void addPackage(DebPackage deb) throws ImageException, IOException {
    var archive = new DebArchive(deb.file());
    archive.unpack(tree, spool, wanted());
    scripts.add(archive.control());
  }

  private static Predicate<String> wanted() {
    return path ->
        !RARELY_USED.matcher(path).matches()
            && UNWANTED.stream().noneMatch(prefix -> (path + "/").startsWith(prefix))
            && (!path.startsWith(DOCUMENTS) || path.endsWith("/copyright"));
  }

  /** Adds everything that is not in a package. */
  void complete(String suite, byte[] sshKeys) throws ImageException, IOException {
    directories();
    for (Map<String, String> control : scripts) {
      String postinst = control.getOrDefault("postinst", "");
      alternatives.readScript(postinst, tree);
      accounts.readScript(postinst + "\n" + control.getOrDefault("preinst", ""));
    }
    for (FileTree.Regular file : tree.filesBelow("usr/lib/sysusers.d").values()) {
      accounts.readSysusers(new String(file.content().bytes(), StandardCharsets.UTF_8));
    }
    alternatives.apply(tree);
    linkBusyBox();
    certificates();
    configuration(suite);
    startScripts();
    if (sshKeys.length > 0) {
      tree.directory("root/.ssh", 0700);
      tree.file("root/.ssh/authorized_keys", 0600, Content.of(sshKeys));
    }
  }

  private void directories() {
    for (String path :
        List.of(
            "dev", "proc", "sys", "run", "data", "etc", "var/lib", "var/log", "var/cache", "mnt")) {
      tree.directory(path, 0755);
    }
    tree.directory("root", 0700);
    tree.put("tmp", new FileTree.Directory(01777, FileTree.Owner.ROOT, 0));
    tree.put("var/tmp", new FileTree.Directory(01777, FileTree.Owner.ROOT, 0));
    tree.link("var/run", "/run");
    // The kernel opens the console for /init before anything is mounted on /dev.
    tree.device("dev/console", 0600, 5, 1);
  }

  private void linkBusyBox() throws ImageException, IOException {
    FileTree.Regular binary =
        tree.file("usr/bin/busybox")
            .orElseThrow(
                () ->
                    new ImageException(
                        "The package busybox-static has no BusyBox; choose another --suite."));
    for (String applet : BusyBox.applets(binary.content().bytes())) {
      if (!tree.exists("usr/bin/" + applet) && !tree.exists("usr/sbin/" + applet)) {
        tree.link("usr/bin/" + applet, "busybox");
      }
    }
    for (String name : CALLED_IN_SBIN) {
      if (!tree.exists("usr/sbin/" + name)) {
        tree.link("usr/sbin/" + name, "../bin/" + name);
      }
    }
  }

  /** What ca-certificates does when it is configured: all certificates in one file. */
  private void certificates() throws IOException {
    var all = new StringBuilder();
    for (Map.Entry<String, FileTree.Regular> file :
        tree.filesBelow("usr/share/ca-certificates").entrySet()) {
      if (file.getKey().endsWith(".crt")) {
        all.append(new String(file.getValue().content().bytes(), StandardCharsets.UTF_8).strip())
            .append('\n');
      }
    }
    if (!all.isEmpty()) {
      tree.file("etc/ssl/certs/ca-certificates.crt", 0644, all.toString());
    }
  }

  private void configuration(String suite) {
    tree.file("etc/passwd", 0644, accounts.passwd());
    tree.file("etc/group", 0644, accounts.group());
    tree.file("etc/shadow", 0600, accounts.shadow());
    tree.file("etc/hostname", 0644, "lockstep\n");
    tree.file("etc/hosts", 0644, "127.0.0.1\tlocalhost lockstep\n::1\tlocalhost\n");
    tree.file("etc/shells", 0644, "/bin/sh\n/bin/bash\n");
    tree.file(
        "etc/nsswitch.conf",
        0644,
        "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n");
    if (!tree.exists("etc/os-release")) {
      tree.file(
          "etc/os-release",
          0644,
          "ID=lockstep\nID_LIKE=debian\nNAME=\"Lockstep appliance\"\nVERSION_CODENAME="
              + suite
              + "\n");
    }
  }

  private void startScripts() throws IOException {
    resource("init", "init", 0755);
    resource("profile", "etc/profile", 0644);
    resource("wait-for-network", "usr/bin/wait-for-network", 0755);
    resource("poweroff", "usr/sbin/poweroff", 0755);
    resource("poweroff", "usr/sbin/reboot", 0755);
    for (String name : List.of("functions", "inittab")) {
      resource(name, "etc/lockstep/" + name, 0644);
    }
    for (String name : List.of("udhcpc", "console", "shutdown")) {
      resource(name, "etc/lockstep/" + name, 0755);
    }
    tree.directory("etc/lockstep/services", 0755);
    if (tree.exists("usr/bin/redis-server")) {
      resource("service-redis", "etc/lockstep/services/redis", 0755);
    }
    if (tree.exists("usr/sbin/sshd") || tree.exists("usr/sbin/dropbear")) {
      resource("service-ssh", "etc/lockstep/services/ssh", 0755);
      resource("sshd_config", "etc/lockstep/sshd_config", 0644);
    }
  }

  private void resource(String name, String path, int mode) throws IOException {
    tree.file(path, mode, Content.of(Resources.bytes(name)));
  }

  FileTree tree() {
    return tree;
  }
}
