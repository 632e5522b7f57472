package io.lockstep.host.net;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The newest epoch of every VM in a file, so that a switch that is started again still refuses
 * older ones. A line is added for each new epoch; the last line of a VM counts.
 *
 * <pre>
 * 00000000-0000-0007-0000-000000000007 12
 * </pre>
 *
 * <p>A line is in the file before the epoch is granted, so it outlives the switch's process. That
 * it outlives the host too is seen to a moment later, because a takeover must not wait for a disk.
 */
final class EpochFile implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(EpochFile.class);
  private static final Pattern LINE = Pattern.compile("([0-9a-f-]{36}) ([0-9]{1,18})");
  private static final int VMS_MAX = 65_536;
  private static final int LINES_MAX = 1_000_000;

  private final Path path;
  private final FileChannel channel;
  private final Map<UUID, Long> epochs = new HashMap<>();

  private EpochFile(Path path, FileChannel channel) {
    this.path = path;
    this.channel = channel;
  }

  /**
   * Opens or makes the file and reads it. A last line that was being written when its process ended
   * is cut off.
   *
   * @throws IOException with a sentence for the user
   */
  static EpochFile open(Path path) throws IOException {
    EpochFile file = null;
    try {
      file =
          new EpochFile(
              path,
              FileChannel.open(
                  path,
                  StandardOpenOption.CREATE,
                  StandardOpenOption.READ,
                  StandardOpenOption.WRITE));
      file.lock();
      file.read();
      return file;
    } catch (Damage e) {
      file.close();
      throw new IOException(
          "the file of epochs %s is not what it should be (%s); restore it, or name another"
              .formatted(path, e.getMessage()),
          e);
    } catch (IOException e) {
      if (file != null) {
        file.close();
      }
      throw new IOException(
          "the file of epochs %s cannot be used: %s; name another"
              .formatted(path, e.getMessage() == null ? e : e.getMessage()),
          e);
    }
  }

  private static final class Damage extends IOException {
    private static final long serialVersionUID = 1L;

    Damage(String what) {
      super(what);
    }
  }

  private void lock() throws IOException {
    try {
      if (channel.tryLock() != null) {
        return;
      }
    } catch (OverlappingFileLockException e) {
      LOG.debug("locked by this process", e);
    }
    throw new IOException("another switch uses it");
  }

  private void read() throws IOException {
    long size = channel.size();
    if (size > LINES_MAX * 64L) {
      throw new Damage("it has " + size + " bytes");
    }
    BufferedReader lines =
        new BufferedReader(Channels.newReader(channel.position(0), StandardCharsets.ISO_8859_1));
    long complete = 0;
    int number = 0;
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      number++;
      if (complete + line.length() + 1 > size) {
        break; // it has no end
      }
      complete += line.length() + 1;
      Matcher fields = LINE.matcher(line);
      if (!fields.matches()) {
        throw new Damage("line " + number + " names no machine and epoch");
      }
      keep(fields, number);
    }
    channel.truncate(complete).position(complete);
  }

  private void keep(Matcher fields, int line) throws Damage {
    try {
      epochs.merge(UUID.fromString(fields.group(1)), Long.valueOf(fields.group(2)), Math::max);
    } catch (IllegalArgumentException e) {
      throw new Damage("line " + line + " names no machine");
    }
    if (epochs.size() > VMS_MAX) {
      throw new Damage("it names more than " + VMS_MAX + " machines");
    }
  }

  /** The newest epochs that the file knew when it was opened. */
  Map<UUID, Long> epochs() {
    return Map.copyOf(epochs);
  }

  /**
   * Adds a newer epoch. A file that cannot be written is no reason to leave a VM without network.
   */
  void record(UUID vm, long epoch) {
    byte[] line = (vm + " " + epoch + "\n").getBytes(StandardCharsets.ISO_8859_1);
    try {
      channel.write(ByteBuffer.wrap(line));
      Thread.ofVirtual().start(this::makeDurable);
    } catch (IOException e) {
      LOG.warn(
          "Epoch {} of VM {} could not be noted in {} ({}): do not start the switch again while"
              + " older hosts of it may wake up.",
          epoch,
          vm,
          path,
          e.getMessage());
    }
  }

  private void makeDurable() {
    try {
      channel.force(false);
    } catch (IOException e) {
      LOG.debug("{}: {}", path, e.getMessage());
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      LOG.debug("{}: {}", path, e.getMessage());
    }
  }
}
