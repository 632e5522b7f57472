package io.lockstep.ft.storage;

import io.lockstep.ft.protocol.ClaimKind;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.ft.protocol.ReplicaId;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/**
 * Who owns an epoch. Stored as lines of text, for a person who looks at the directory:
 *
 * <pre>
 *   lockstep-epoch 1
 *   vm web
 *   epoch 7
 *   owner 5f0c...
 *   kind ALONE
 *   host alpha
 *   time 2026-01-01T12:00:00Z
 * </pre>
 *
 * @param host the owner's host, for a person
 * @param time when it was claimed by that host's clock, for a person; nothing depends on it
 */
public record EpochRecord(
    Epoch epoch, ReplicaId owner, ClaimKind kind, String vm, String host, Instant time) {
  private static final String FIRST_LINE = "lockstep-epoch 1";

  byte[] encode() {
    return (FIRST_LINE
            + "\nvm %s\nepoch %d\nowner %s\nkind %s\nhost %s\ntime %s\n"
                .formatted(vm, epoch.number(), owner.value(), kind, host, time))
        .getBytes(StandardCharsets.UTF_8);
  }

  /** Empty if it isn't a record. */
  static Optional<EpochRecord> decode(byte[] bytes) {
    String[] lines = new String(bytes, StandardCharsets.UTF_8).split("\n", -1);
    if (!lines[0].equals(FIRST_LINE)) {
      return Optional.empty();
    }
    Map<String, String> values = new HashMap<>();
    for (String line : lines) {
      int space = line.indexOf(' ');
      if (space > 0) {
        values.put(line.substring(0, space), line.substring(space + 1));
      }
    }
    try {
      return Optional.of(
          new EpochRecord(
              new Epoch(Long.parseLong(values.getOrDefault("epoch", ""))),
              new ReplicaId(UUID.fromString(values.getOrDefault("owner", ""))),
              ClaimKind.valueOf(values.getOrDefault("kind", "")),
              values.getOrDefault("vm", ""),
              values.getOrDefault("host", ""),
              Instant.parse(values.getOrDefault("time", ""))));
    } catch (IllegalArgumentException | java.time.DateTimeException e) {
      return Optional.empty();
    }
  }
}
