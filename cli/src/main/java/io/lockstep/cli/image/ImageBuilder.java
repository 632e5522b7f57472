package io.lockstep.cli.image;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Builds guest images. */
public final class ImageBuilder {
  private static final String CONSOLE = "console=ttyS0 earlycon=sbi";
  private static final List<String> REAL_SHELLS = List.of("bash", "dash");
  private static final long MIB = 1L << 20;
  private static final int LEAST_MEMORY_MIB = 256;
  private static final int FULL_MEMORY_MIB = 1024;

  private final Path cache;
  private final Progress progress;

  /**
   * @param cache directory for downloads; made if missing
   * @param progress where to tell how far it is
   */
  public ImageBuilder(Path cache, Progress progress) {
    this.cache = cache;
    this.progress = progress;
  }

  /** The user's cache directory by the XDG base directory rules. */
  public static Path userCache() {
    String xdg = System.getenv("XDG_CACHE_HOME");
    Path base = xdg == null || !xdg.startsWith("/") ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(xdg);
    return base.resolve("lockstep");
  }

  /**
   * Builds an image. The directory is there only when all of it is.
   *
   * @throws ImageException with a sentence for the user
   * @throws IOException if a file can't be written
   */
  public ImageManifest build(ImageRequest request) throws ImageException, IOException {
    byte[] sshKeys = sshKeys(request.sshKey());
    try (var output = new AtomicDirectory(request.directory())) {
      ImageManifest manifest = fill(output.work(), request, sshKeys);
      manifest.write(output.work());
      output.commit();
      return manifest;
    }
  }

  private static byte[] sshKeys(Optional<Path> file) throws ImageException {
    if (file.isEmpty()) {
      return new byte[0];
    }
    try {
      return Files.readAllBytes(file.get());
    } catch (IOException e) {
      throw new ImageException("The public key " + file.get() + " cannot be read; check the path.", e);
    }
  }

  /** One build at a time uses the cache: apt's own locks make a second one fail and not wait. */
  private FileLock lock(FileChannel file) throws IOException {
    FileLock lock = file.tryLock();
    if (lock == null) {
      progress.say("Another build uses the download cache; waiting for it to end.");
      lock = file.lock();
    }
    return lock;
  }

  private static DebianMirror mirror(ImageRequest request) throws ImageException, IOException {
    DebianMirror mirror =
        request.mirror().isPresent()
            ? DebianMirror.named(request.mirror().get(), request.suite())
            : DebianMirror.ofHost(HostSources.read(), request.suite());
    for (AptSource source : mirror.sources()) {
      if (source.signedBy().startsWith("/") && !Files.isReadable(Path.of(source.signedBy()))) {
        throw new ImageException(
            "The key ring " + source.signedBy() + " is missing; install the Debian package debian-archive-keyring.");
      }
    }
    return mirror;
  }

  private ImageManifest fill(Path work, ImageRequest request, byte[] sshKeys) throws ImageException, IOException {
    Files.createDirectories(cache);
    Downloads downloads;
    try (FileChannel lockFile =
            FileChannel.open(cache.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock held = lock(lockFile)) {
      downloads = download(request);
    }
    try (var spool = new Spool(work.resolve("spool"))) {
      return writeAppliance(work, request, downloads, spool, sshKeys);
    }
  }

  /** The packages of an image: the kernel, and what goes into the appliance. */
  private record Downloads(DebPackage kernel, List<DebPackage> appliance) {}

  private Downloads download(ImageRequest request) throws ImageException, IOException {
    AptWorkspace apt = AptWorkspace.open(cache, request.suite(), mirror(request), progress);
    apt.update();
    var assumed = new ArrayList<>(Appliance.ONLY_FOR_SCRIPTS);
    assumed.removeAll(request.include());
    apt.assume(assumed);
    String kernelName = apt.kernelPackage();
    var wanted = new ArrayList<>(List.of("busybox-static"));
    if (!request.include().isEmpty()) {
      // BusyBox's shell runs its own awk, gzip and so on even where a package brings the real ones.
      wanted.addAll(REAL_SHELLS);
      wanted.addAll(request.include());
    }
    var names = new ArrayList<String>(List.of(kernelName));
    names.addAll(apt.resolve(wanted));
    var packages = new ArrayList<>(apt.download(names));
    DebPackage kernel = find(packages, kernelName);
    packages.remove(kernel);
    return new Downloads(kernel, packages);
  }

  private ImageManifest writeAppliance(
      Path work, ImageRequest request, Downloads downloads, Spool spool, byte[] sshKeys)
      throws ImageException, IOException {
    DebPackage kernel = downloads.kernel();
    var appliance = new Appliance(spool);
    var modules = new ArrayList<>(Appliance.MODULES);
    modules.addAll(request.modules());
    try (var step = progress.step("Unpacking")) {
      step.doing(kernel.name());
      Files.write(work.resolve(ImageManifest.KERNEL), LinuxImage.flat(appliance.addKernel(kernel, modules)));
      for (DebPackage deb : downloads.appliance()) {
        step.doing(deb.name());
        appliance.addPackage(deb);
      }
      appliance.complete(request.suite(), sshKeys);
    }
    long size = writeInitrd(appliance.tree(), work.resolve(ImageManifest.INITRD));
    var packages = new ArrayList<>(downloads.appliance());
    packages.add(kernel);
    return new ImageManifest(
        request.suite(), kernel.version(), Optional.empty(), CONSOLE, applianceMemory(size), versions(packages));
  }

  private static DebPackage find(List<DebPackage> packages, String name) throws ImageException {
    return packages.stream()
        .filter(deb -> deb.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new ImageException("apt did not deliver " + name + "; run the build again."));
  }

  private long writeInitrd(FileTree tree, Path file) throws IOException {
    try (var step = progress.step("Writing the initial RAM file system", tree.contentSize());
        OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), 1 << 16)) {
      CpioWriter.write(tree, out);
      step.at(tree.contentSize());
    }
    return Files.size(file);
  }

  /** While the kernel unpacks the archive both are in memory, and its file system may take half of what is left. */
  private static int applianceMemory(long initrdSize) {
    long needed = 3 * initrdSize / MIB + 160;
    return (int) Math.max(LEAST_MEMORY_MIB, (needed + 63) / 64 * 64);
  }

  private static Map<String, String> versions(List<DebPackage> packages) {
    var versions = new TreeMap<String, String>();
    packages.forEach(deb -> versions.put(deb.name(), deb.version()));
    return versions;
  }
}
