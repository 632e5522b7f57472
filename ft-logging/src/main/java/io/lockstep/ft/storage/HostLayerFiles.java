package io.lockstep.ft.storage;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.Stream;

/** Layers in a directory of the host's file systems. */
final class HostLayerFiles implements LayerFiles {
  private final Path directory;
  private final Path base;

  HostLayerFiles(Path directory, Path base) {
    this.directory = directory;
    this.base = base;
  }

  private record HostFile(Path path, FileChannel channel) implements BlockFile {
    @Override
    public void read(ByteBuffer into, long position) throws IOException {
      long at = position;
      while (into.hasRemaining()) {
        int n = channel.read(into, at);
        if (n <= 0) {
          throw new IOException(path + " ends too early; somebody has shortened it");
        }
        at += n;
      }
    }

    @Override
    public void write(ByteBuffer from, long position) throws IOException {
      long at = position;
      while (from.hasRemaining()) {
        at += channel.write(from, at);
      }
    }

    @Override
    public void force() throws IOException {
      channel.force(false);
    }

    @Override
    public long size() throws IOException {
      return channel.size();
    }

    @Override
    public boolean tryLock(boolean shared) throws IOException {
      try {
        return channel.tryLock(0, Long.MAX_VALUE, shared) != null;
      } catch (OverlappingFileLockException e) {
        return false;
      }
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }

  @Override
  public List<String> list() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(p -> p.getFileName().toString()).toList();
    } catch (NoSuchFileException e) {
      return List.of();
    } catch (java.io.UncheckedIOException e) {
      throw e.getCause();
    }
  }

  @Override
  public BlockFile create(String name, long size) throws IOException {
    if (!Files.isDirectory(directory)) {
      Files.createDirectories(directory);
      DurableFiles.forceDirectory(directory.toAbsolutePath().getParent());
    }
    Path path = directory.resolve(name);
    FileChannel channel =
        FileChannel.open(
            path, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
    HostFile file = new HostFile(path, channel);
    if (size > 0) {
      file.write(ByteBuffer.allocate(1), size - 1);
    }
    return file;
  }

  @Override
  public BlockFile open(String name, boolean writable) throws IOException {
    return open(directory.resolve(name), writable);
  }

  private static BlockFile open(Path path, boolean writable) throws IOException {
    return new HostFile(
        path,
        writable
            ? FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)
            : FileChannel.open(path, StandardOpenOption.READ));
  }

  @Override
  public boolean exists(String name) {
    return Files.exists(directory.resolve(name));
  }

  @Override
  public void delete(String name) throws IOException {
    DurableFiles.deleteIfThere(directory.resolve(name));
  }

  @Override
  public void force() throws IOException {
    DurableFiles.forceDirectory(directory);
  }

  @Override
  public boolean isLocked(String name) throws IOException {
    // A lock for reading can be had without the right to write; it is given back by closing.
    try (BlockFile file = open(name, false)) {
      return !file.tryLock(true);
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  @Override
  public BlockFile openBase(boolean writable) throws IOException {
    return open(base, writable);
  }

  @Override
  public long baseSize() throws IOException {
    return Files.size(base);
  }

  @Override
  public String describe(String name) {
    return directory.resolve(name).toString();
  }

  @Override
  public String describeBase() {
    return base.toString();
  }
}
