package io.lockstep.cli.image;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Builds guest images. */
public final class ImageBuilder {
  private static final String CONSOLE = "console=ttyS0 earlycon=sbi";
  private static final List<String> REAL_SHELLS = List.of("bash", "dash");

  /** The root's device, and the name that the network configuration in the guest expects. */
  private static final String FULL_APPEND = " root=/dev/vda net.ifnames=0";

  private static final long MIB = 1L << 20;
  private static final String SECOND_STAGE_LOG = "second-stage.log";
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
    Path base =
        xdg == null || !xdg.startsWith("/")
            ? Path.of(System.getProperty("user.home"), ".cache")
            : Path.of(xdg);
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
      throw new ImageException(
          "The public key " + file.get() + " cannot be read; check the path.", e);
    }
  }

  /**
   * One build at a time uses the cache: apt's own locks make a second one fail and not wait.
   * Closing the file releases the lock.
   */
  private void lock(FileChannel file) throws IOException {
    if (file.tryLock() == null) {
      progress.say("Another build uses the download cache; waiting for it to end.");
      file.lock();
    }
  }

  private static DebianMirror mirror(ImageRequest request) throws ImageException, IOException {
    DebianMirror mirror =
        request.mirror().isPresent()
            ? DebianMirror.named(request.mirror().get(), request.suite())
            : DebianMirror.ofHost(HostSources.read(), request.suite());
    for (AptSource source : mirror.sources()) {
      if (source.signedBy().startsWith("/") && !Files.isReadable(Path.of(source.signedBy()))) {
        throw new ImageException(
            "The key ring "
                + source.signedBy()
                + " is missing; install the Debian package debian-archive-keyring.");
      }
    }
    return mirror;
  }

  private ImageManifest fill(Path work, ImageRequest request, byte[] sshKeys)
      throws ImageException, IOException {
    Files.createDirectories(cache);
    Downloads downloads;
    try (FileChannel lockFile =
        FileChannel.open(
            cache.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      lock(lockFile);
      downloads = download(request);
    }
    ImageManifest manifest;
    try (var spool = new Spool(work.resolve("spool"))) {
      manifest = write(work, request, downloads, spool, sshKeys);
    }
    manifest.write(work);
    if (request.full() && request.configureNow()) {
      SecondStage.run(work, cache.resolve(SECOND_STAGE_LOG), progress);
    }
    return manifest;
  }

  /**
   * The packages of an image.
   *
   * @param appliance what goes into the initial RAM file system
   * @param system what goes onto the disk of a full system; empty without one
   */
  private record Downloads(
      DebianMirror mirror,
      DebPackage kernel,
      List<DebPackage> appliance,
      List<DebPackage> system) {}

  private Downloads download(ImageRequest request) throws ImageException, IOException {
    DebianMirror mirror = mirror(request);
    AptWorkspace apt = AptWorkspace.open(cache, request.suite(), mirror, progress);
    apt.update();
    String kernelName = apt.kernelPackage();
    List<String> appliance = applianceClosure(apt, request.full() ? List.of() : request.include());
    List<String> system = request.full() ? systemClosure(apt, request.include()) : List.of();

    var names = new LinkedHashSet<String>(List.of(kernelName));
    names.addAll(appliance);
    names.addAll(system);
    Map<String, DebPackage> files = apt.download(names);
    return new Downloads(
        mirror, files.get(kernelName), select(files, appliance), select(files, system));
  }

  private static List<String> applianceClosure(AptWorkspace apt, List<String> include)
      throws ImageException, IOException {
    var wanted = new ArrayList<>(List.of("busybox-static"));
    if (!include.isEmpty()) {
      // BusyBox's shell runs its own awk, gzip and so on even where a package brings the real ones.
      wanted.addAll(REAL_SHELLS);
      wanted.addAll(include);
    }
    var assumed = new ArrayList<>(Appliance.ONLY_FOR_SCRIPTS);
    assumed.removeAll(include);
    apt.assume(assumed);
    return apt.resolve(wanted);
  }

  private static List<String> systemClosure(AptWorkspace apt, List<String> include)
      throws ImageException, IOException {
    var wanted = new ArrayList<>(FullSystem.PACKAGES);
    wanted.addAll(include);
    apt.assume(List.of());
    return apt.resolve(wanted);
  }

  private static List<DebPackage> select(Map<String, DebPackage> files, List<String> names)
      throws ImageException {
    var selected = new ArrayList<DebPackage>();
    for (String name : names) {
      selected.add(files.get(name));
    }
    return selected;
  }

  private ImageManifest write(
      Path work, ImageRequest request, Downloads downloads, Spool spool, byte[] sshKeys)
      throws ImageException, IOException {
    var appliance = new Appliance(spool);
    var modules = new ArrayList<>(Appliance.MODULES);
    modules.addAll(request.modules());
    KernelPackage kernel;
    try (var step = progress.step("Unpacking")) {
      step.doing(downloads.kernel().name());
      kernel = KernelPackage.unpack(downloads.kernel(), spool);
      Files.write(work.resolve(ImageManifest.KERNEL), LinuxImage.flat(kernel.image().bytes()));
      appliance.addModules(kernel, modules);
      for (DebPackage deb : downloads.appliance()) {
        step.doing(deb.name());
        appliance.addPackage(deb);
      }
      appliance.complete(request.suite(), request.full() ? new byte[0] : sshKeys);
    }
    long size = writeInitrd(appliance.tree(), work.resolve(ImageManifest.INITRD));
    if (request.full()) {
      writeSystem(work, request, downloads, kernel, spool, sshKeys);
    }
    var contents = new ArrayList<>(request.full() ? downloads.system() : downloads.appliance());
    contents.add(downloads.kernel());
    return new ImageManifest(
        request.suite(),
        downloads.kernel().version(),
        request.full() ? Optional.of(ImageManifest.DISK) : Optional.empty(),
        request.full() ? CONSOLE + FULL_APPEND : CONSOLE,
        request.full() ? FULL_MEMORY_MIB : applianceMemory(size),
        versions(contents));
  }

  private void writeSystem(
      Path work,
      ImageRequest request,
      Downloads downloads,
      KernelPackage kernel,
      Spool spool,
      byte[] sshKeys)
      throws ImageException, IOException {
    var system = new FullSystem(spool);
    try (var step = progress.step("Unpacking the system")) {
      step.doing("kernel modules");
      system.addModules(kernel, work.resolve("modules"));
      for (DebPackage deb : downloads.system()) {
        step.doing(deb.name());
        system.addPackage(deb);
      }
      system.complete(downloads.mirror(), sshKeys);
    }
    Path staging = work.resolve("staging");
    try (var step = progress.step("Writing the disk image", system.tree().contentSize())) {
      Ext4Image.of(
          system.tree(), work.resolve(ImageManifest.DISK), request.diskSize(), staging, step);
      AtomicDirectory.deleteTree(staging);
    }
  }

  private long writeInitrd(FileTree tree, Path file) throws IOException {
    try (var step = progress.step("Writing the initial RAM file system", tree.contentSize());
        OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), 1 << 16)) {
      CpioWriter.write(tree, out);
      step.at(tree.contentSize());
    }
    return Files.size(file);
  }

  /**
   * While the kernel unpacks the archive both are in memory, and its file system may take half of
   * what is left.
   */
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
