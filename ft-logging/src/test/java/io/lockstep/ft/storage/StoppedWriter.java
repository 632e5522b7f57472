package io.lockstep.ft.storage;

import io.lockstep.ft.protocol.ClaimKind;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.protocol.ReplicaId;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Scanner;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A process that owns epoch 1 and does the writes that it is told: "sector length value" a line, or
 * "flush". It answers "done" to each, and ends with a message when its input has ended or, after
 * what was released to it, when it sees a newer epoch.
 */
final class StoppedWriter {
  private static final int FENCED = 3;

  private StoppedWriter() {}

  public static void main(String[] args) throws Exception {
    StorageDirectory storage = StorageDirectory.open(Path.of(args[0]), "web");
    Epoch own = new Epoch(1);
    AtomicReference<EpochRecord> newer = new AtomicReference<>();
    try (EpochStore epochs =
            new EpochStore(storage, new ReplicaId(UUID.randomUUID()), "a", Duration.ofSeconds(60));
        Scanner in = new Scanner(System.in, StandardCharsets.UTF_8)) {
      epochs.claim(own, ClaimKind.START).join();
      SharedDisk disk = SharedDisk.start(storage, "root", Path.of(args[1]), own, epochs);
      System.out.println("ready");
      try (EpochWatch watch = new EpochWatch(epochs, () -> own, Duration.ofMillis(5), newer::set)) {
        while (in.hasNext()) {
          perform(disk, in);
          System.out.println("done");
        }
        while (newer.get() == null) {
          watch.look();
          Thread.onSpinWait();
        }
      }
    }
    System.out.println("fenced by epoch " + newer.get().epoch().number());
    System.exit(FENCED);
  }

  private static void perform(SharedDisk disk, Scanner in) throws Exception {
    String word = in.next();
    if (word.equals("flush")) {
      disk.flush();
      return;
    }
    byte[] data = new byte[in.nextInt() * SharedDisk.SECTOR];
    Arrays.fill(data, in.nextByte());
    disk.write(Long.parseLong(word) * SharedDisk.SECTOR, ByteBuffer.wrap(data));
  }
}
