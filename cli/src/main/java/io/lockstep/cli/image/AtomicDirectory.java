package io.lockstep.cli.image;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * A directory that appears complete or not at all. It is filled under another name beside its place
 * and then renamed. When the process is told to end meanwhile, what there is goes away; when it is
 * killed, the next build of the same directory removes it, which it can tell by the lock that
 * nobody holds any more.
 */
final class AtomicDirectory implements AutoCloseable {
  private static final String LOCK = ".lock";
  private static final int DELETE_TRIES = 5;
  private static final int PAUSE_MS = 20;

  private final Path place;
  private final Path work;
  private final FileChannel lockFile;
  private final Thread onExit = new Thread(this::abandon, "image-cleanup");

  /** Starts filling a directory for {@code place}, which may be absent, empty or an older image. */
  AtomicDirectory(Path place) throws ImageException, IOException {
    this.place = place.toAbsolutePath().normalize();
    checkReplaceable(this.place);
    Path parent = this.place.getParent();
    if (parent == null) {
      throw new ImageException(
          "The root directory cannot become an image; name another directory.");
    }
    Files.createDirectories(parent);
    removeStale(parent, prefix());
    work = Files.createDirectory(parent.resolve(prefix() + UUID.randomUUID()));
    lockFile =
        FileChannel.open(
            work.resolve(LOCK), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    lockFile.lock();
    Runtime.getRuntime().addShutdownHook(onExit);
  }

  private static void checkReplaceable(Path place) throws ImageException, IOException {
    if (!Files.exists(place) || ImageManifest.isIn(place)) {
      return;
    }
    if (!Files.isDirectory(place)) {
      throw new ImageException(place + " is a file; name a directory for the image.");
    }
    try (Stream<Path> content = Files.list(place)) {
      if (content.findAny().isPresent()) {
        throw new ImageException(
            place + " has other files in it; name a new directory for the image.");
      }
    }
  }

  private String prefix() {
    return "." + place.getFileName() + ".partial-";
  }

  private static void removeStale(Path parent, String prefix) throws IOException {
    try (Stream<Path> siblings = Files.list(parent)) {
      for (Path sibling :
          siblings.filter(path -> path.getFileName().toString().startsWith(prefix)).toList()) {
        if (!inUse(sibling)) {
          deleteTree(sibling);
        }
      }
    }
  }

  private static boolean inUse(Path directory) throws IOException {
    try (var channel = FileChannel.open(directory.resolve(LOCK), StandardOpenOption.WRITE);
        FileLock lock = channel.tryLock()) {
      return lock == null;
    } catch (NoSuchFileException e) {
      return false;
    } catch (OverlappingFileLockException e) {
      return true;
    }
  }

  /** Where to put the files. */
  Path work() {
    return work;
  }

  /** Moves the directory to its place. An older image there is replaced. */
  void commit() throws IOException {
    removeExitHook();
    lockFile.close();
    Files.delete(work.resolve(LOCK));
    Path old = place.resolveSibling(prefix() + "old-" + UUID.randomUUID());
    boolean replaces = Files.exists(place);
    if (replaces) {
      Files.move(place, old, StandardCopyOption.ATOMIC_MOVE);
    }
    try {
      Files.move(work, place, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      if (replaces) {
        Files.move(old, place, StandardCopyOption.ATOMIC_MOVE);
      }
      throw e;
    }
    if (replaces) {
      deleteTree(old);
    }
  }

  /** Removes what was not committed. */
  @Override
  public void close() throws IOException {
    if (Files.exists(work)) {
      removeExitHook();
      lockFile.close();
      deleteTree(work);
    }
  }

  private void removeExitHook() {
    try {
      Runtime.getRuntime().removeShutdownHook(onExit);
    } catch (IllegalStateException e) {
      // The process is ending: the hook runs already and does the same.
    }
  }

  /** On the way out of the process: the builder may still be writing, hence more than one try. */
  private void abandon() {
    HostCommand.endAll();
    for (int i = 0; i < DELETE_TRIES && Files.exists(work); i++) {
      try {
        deleteTree(work);
      } catch (IOException e) {
        pause();
      }
    }
  }

  private static void pause() {
    try {
      Thread.sleep(PAUSE_MS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Removes a directory and all in it; what vanishes meanwhile is no error. */
  static void deleteTree(Path directory) throws IOException {
    Files.walkFileTree(
        directory,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.deleteIfExists(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFileFailed(Path file, IOException failure)
              throws IOException {
            if (failure instanceof NoSuchFileException) {
              return FileVisitResult.CONTINUE;
            }
            throw failure;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path visited, IOException failure)
              throws IOException {
            Files.deleteIfExists(visited);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
