package io.lockstep.cli.image;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * An unpacked kernel package.
 *
 * @param release what {@code uname -r} says when it runs
 * @param image the kernel as it is in the package
 * @param modules the modules and their lists, by path relative to the kernel's module directory
 * @param time when the kernel was made, in seconds since 1970
 */
record KernelPackage(
    String release, Content image, Map<String, FileTree.Regular> modules, long time) {
  /** Where modules belong in a guest, followed by the release. */
  static final String MODULE_ROOT = "usr/lib/modules/";

  /** Where packages before Debian 13 have them. */
  private static final String OLD_MODULE_ROOT = "lib/modules/";

  /** Virtio, and what is software alone: tunnels, loop devices, volume management and the like. */
  private static final Pattern USABLE_DRIVERS =
      Pattern.compile(
          "kernel/drivers/(?:"
              + "(?:virtio|block|md|vhost|dax|nvdimm|target|char/hw_random|infiniband/core)/.*"
              + "|net/(?:bonding|team|vxlan|wireguard|ipvlan|ppp|slip)/.*"
              + "|net/[^/]*|scsi/virtio_scsi[^/]*|input/keyboard/gpio_keys[^/]*)");

  private static final String IMAGE_PREFIX = "boot/vmlinu";

  static KernelPackage unpack(DebPackage deb, Spool spool) throws ImageException, IOException {
    var unpacked = new FileTree(0);
    new DebArchive(deb.file()).unpack(unpacked, spool, path -> true);
    Map.Entry<String, FileTree.Regular> image =
        unpacked.filesBelow("boot").entrySet().stream()
            .filter(file -> file.getKey().startsWith(IMAGE_PREFIX))
            .findFirst()
            .orElseThrow(
                () -> new ImageException("The package " + deb.name() + " has no kernel in /boot."));
    String release = image.getKey().substring(image.getKey().indexOf('-') + 1);
    var modules = new TreeMap<String, FileTree.Regular>();
    for (String root : new String[] {OLD_MODULE_ROOT, MODULE_ROOT}) {
      String directory = root + release + "/";
      unpacked
          .filesBelow(directory)
          .forEach((path, file) -> modules.put(path.substring(directory.length()), file));
    }
    return new KernelPackage(release, image.getValue().content(), modules, image.getValue().time());
  }

  /**
   * The modules without the drivers for hardware that the machine does not have: a third of them,
   * and a guest that indexes its modules itself has to unpack each one.
   */
  Map<String, FileTree.Regular> usableModules() {
    var usable = new TreeMap<>(modules);
    usable.keySet().removeIf(path -> !usable(path));
    return usable;
  }

  private static boolean usable(String path) {
    boolean driver = path.startsWith("kernel/drivers/") || path.startsWith("kernel/sound/");
    return !driver || USABLE_DRIVERS.matcher(path).matches();
  }

  /** The list of what is built in and therefore has no module; empty if the package has none. */
  String builtIn() throws IOException {
    FileTree.Regular list = modules.get("modules.builtin");
    return list == null ? "" : new String(list.content().bytes(), StandardCharsets.UTF_8);
  }
}
