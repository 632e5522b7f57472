package io.lockstep.ft.storage;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/**
 * A directory in memory whose power can fail: what was not forced is kept, lost or torn by chance.
 * Processes on it can be killed in the middle of an operation.
 */
final class CrashingStorage {
  static final String BASE = "base";
  private static final int SECTOR = 512;

  /** Thrown out of the operation in which a process dies, and out of all later ones. */
  static final class Killed extends RuntimeException {
    Killed() {
      super("killed", null, false, false);
    }
  }

  private static final class Inode {
    byte[] stable = {};
    byte[] now = {};
    final List<long[]> unforced = new ArrayList<>();
    final List<byte[]> unforcedBytes = new ArrayList<>();
    User lockedBy;

    void put(long at, byte[] bytes) {
      now = put(now, at, bytes, 0, bytes.length);
      unforced.add(new long[] {at});
      unforcedBytes.add(bytes);
    }

    static byte[] put(byte[] to, long at, byte[] bytes, int from, int end) {
      byte[] grown = to.length < at + end ? Arrays.copyOf(to, (int) at + end) : to;
      System.arraycopy(bytes, from, grown, (int) at + from, end - from);
      return grown;
    }

    void forced() {
      stable = now.clone();
      unforced.clear();
      unforcedBytes.clear();
    }

    void lose(Random random, boolean sectors) {
      for (int i = 0; i < unforced.size(); i++) {
        byte[] bytes = unforcedBytes.get(i);
        long at = unforced.get(i)[0];
        int piece = sectors ? SECTOR : 1 + random.nextInt(Math.max(1, bytes.length));
        double kept = random.nextInt(3) / 2.0;
        for (int from = 0; from < bytes.length; from += piece) {
          if (random.nextDouble() < kept) {
            stable = put(stable, at, bytes, from, Math.min(bytes.length, from + piece));
          }
        }
      }
      now = stable.clone();
      unforced.clear();
      unforcedBytes.clear();
    }
  }

  private final Random random;
  private final Map<String, Inode> stableNames = new TreeMap<>();
  private final Map<String, Inode> names = new TreeMap<>();
  int powerFailures;
  int kills;
  int full;

  CrashingStorage(Random random, byte[] base) {
    this.random = random;
    Inode inode = new Inode();
    inode.stable = base.clone();
    inode.now = base.clone();
    names.put(BASE, inode);
    stableNames.put(BASE, inode);
  }

  byte[] contentOfBase() {
    return names.get(BASE).now.clone();
  }

  List<String> names() {
    return List.copyOf(names.keySet());
  }

  /** For tests that damage a file. */
  byte[] content(String name) {
    return names.get(name).now;
  }

  void truncate(String name, int length) {
    Inode inode = names.get(name);
    inode.now = Arrays.copyOf(inode.now, length);
    inode.forced();
  }

  void powerFails() {
    powerFailures++;
    Map<String, Inode> all = new HashMap<>(stableNames);
    names.forEach(all::putIfAbsent);
    for (Map.Entry<String, Inode> e : all.entrySet()) {
      boolean stable = stableNames.containsKey(e.getKey());
      if (stable != names.containsKey(e.getKey())) {
        stable = random.nextBoolean();
      }
      if (stable) {
        e.getValue().lockedBy = null;
        e.getValue().lose(random, !e.getKey().endsWith(".index"));
        names.put(e.getKey(), e.getValue());
      } else {
        names.remove(e.getKey());
      }
    }
    stableNames.clear();
    stableNames.putAll(names);
  }

  /** A process that uses the directory. */
  final class User implements LayerFiles {
    private long stepsLeft = Long.MAX_VALUE;
    private double fullChance;
    private boolean dead;

    void dieAfter(long steps) {
      stepsLeft = steps;
    }

    void spaceRunsOut(double chance) {
      fullChance = chance;
    }

    void kill() {
      if (!dead) {
        kills++;
      }
      dead = true;
      names.values().stream().filter(i -> i.lockedBy == this).forEach(i -> i.lockedBy = null);
    }

    private void step() {
      if (!dead && --stepsLeft < 0) {
        kill();
      }
      if (dead) {
        throw new Killed();
      }
    }

    @Override
    public List<String> list() {
      step();
      return List.copyOf(names.keySet());
    }

    @Override
    public BlockFile create(String name, long size) throws IOException {
      step();
      if (names.containsKey(name)) {
        throw new FileAlreadyExistsException(name);
      }
      Inode inode = new Inode();
      names.put(name, inode);
      if (size > 0) {
        inode.put(size - 1, new byte[1]);
      }
      return new Handle(inode, !name.endsWith(".index"));
    }

    @Override
    public BlockFile open(String name, boolean writable) throws IOException {
      step();
      Inode inode = names.get(name);
      if (inode == null) {
        throw new NoSuchFileException(name);
      }
      return new Handle(inode, !name.endsWith(".index"));
    }

    @Override
    public boolean exists(String name) {
      step();
      return names.containsKey(name);
    }

    @Override
    public void delete(String name) {
      step();
      names.remove(name);
    }

    @Override
    public void force() {
      step();
      stableNames.clear();
      stableNames.putAll(names);
    }

    @Override
    public boolean isLocked(String name) {
      step();
      Inode inode = names.get(name);
      return inode != null && inode.lockedBy != null && inode.lockedBy != this;
    }

    @Override
    public BlockFile openBase(boolean writable) throws IOException {
      return open(BASE, writable);
    }

    @Override
    public long baseSize() {
      return names.get(BASE).now.length;
    }

    @Override
    public String describe(String name) {
      return "/memory/" + name;
    }

    @Override
    public String describeBase() {
      return describe(BASE);
    }

    private final class Handle implements BlockFile {
      private final Inode inode;
      private final boolean sectors;

      Handle(Inode inode, boolean sectors) {
        this.inode = inode;
        this.sectors = sectors;
      }

      @Override
      public void read(ByteBuffer into, long position) throws IOException {
        step();
        if (position + into.remaining() > inode.now.length) {
          throw new IOException("end of file");
        }
        into.put(inode.now, (int) position, into.remaining());
      }

      @Override
      public void write(ByteBuffer from, long position) throws IOException {
        byte[] bytes = new byte[from.remaining()];
        from.get(bytes);
        if (!dead && stepsLeft == 0) {
          inode.put(position, part(bytes));
        }
        step();
        if (random.nextDouble() < fullChance) {
          full++;
          inode.put(position, part(bytes));
          throw new IOException("No space left on device");
        }
        inode.put(position, bytes);
      }

      private byte[] part(byte[] bytes) {
        int n = random.nextInt(bytes.length + 1);
        return Arrays.copyOf(bytes, sectors ? n / SECTOR * SECTOR : n);
      }

      @Override
      public void force() {
        step();
        inode.forced();
      }

      @Override
      public long size() {
        step();
        return inode.now.length;
      }

      @Override
      public boolean tryLock(boolean shared) {
        step();
        if (shared) {
          return true;
        }
        if (inode.lockedBy != null && inode.lockedBy != User.this) {
          return false;
        }
        inode.lockedBy = User.this;
        return true;
      }

      @Override
      public void close() {
        if (inode.lockedBy == User.this) {
          inode.lockedBy = null;
        }
      }
    }
  }
}
