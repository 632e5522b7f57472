package io.lockstep.replay.recording;

import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.zip.CRC32C;

/**
 * The file {@code recording.conf}: lines {@code name=value}, the last one a checksum of those
 * before.
 *
 * @param config the machine
 * @param definition the machine's {@link io.lockstep.vm.machine.VirtualMachine#definition()} when
 *     it was recorded
 * @param runId names the run, equal to the log's
 * @param startPoint where the recording begins
 * @param notes what the recorder's user wants kept, such as the disk images and what they looked
 *     like
 */
public record RecordingInfo(
    MachineConfig config,
    String definition,
    long runId,
    long startPoint,
    Map<String, String> notes) {
  static final String FILE = "recording.conf";
  private static final int VERSION = 1;
  private static final String CHECKSUM = "crc32c=";

  /** Copies. */
  public RecordingInfo {
    notes = Map.copyOf(notes);
  }

  void write(Path directory) throws IOException {
    StringBuilder out = new StringBuilder();
    line(out, "lockstep-recording", VERSION);
    line(out, "run", Long.toHexString(runId));
    line(out, "start-point", startPoint);
    line(out, "memory", config.memoryBytes());
    line(out, "clock", config.clock());
    line(out, "firmware", config.firmware());
    line(out, "rtc-base", config.rtcBaseNanos());
    for (int i = 0; i < config.virtio().size(); i++) {
      line(out, "virtio." + i, slot(config.virtio().get(i)));
    }
    definition.lines().forEach(d -> line(out, "definition", d));
    for (String note : new TreeSet<>(notes.keySet())) {
      line(out, "note." + note, notes.get(note).replace('\n', ' '));
    }
    line(out, "crc32c", checksum(out.toString()));
    // Whole or not there: a crash here must not leave half a description, nor may a reader see one.
    Path draft = directory.resolve(FILE + ".tmp");
    Files.writeString(draft, out);
    Files.move(
        draft,
        directory.resolve(FILE),
        StandardCopyOption.ATOMIC_MOVE,
        StandardCopyOption.REPLACE_EXISTING);
  }

  static RecordingInfo read(Path directory) throws IOException {
    Path file = directory.resolve(FILE);
    if (!Files.isRegularFile(file)) {
      throw new RecordingException(directory + " is not a recording: it has no " + FILE);
    }
    if (Files.size(file) > 1 << 20) {
      throw new RecordingException(file + " is damaged");
    }
    String text = new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
    if (!text.startsWith("lockstep-recording=" + VERSION + "\n")) {
      throw new RecordingException(
          file + " is damaged or of another version; this program reads version " + VERSION);
    }
    int end = text.lastIndexOf(CHECKSUM);
    if (end < 0
        || !text.substring(end).equals(CHECKSUM + checksum(text.substring(0, end)) + "\n")) {
      throw new RecordingException(file + " is damaged: its checksum does not match");
    }
    try {
      return parse(text.substring(0, end));
    } catch (IllegalArgumentException | NullPointerException | IndexOutOfBoundsException e) {
      throw new RecordingException(
          file + " does not describe a machine that this program knows", e);
    }
  }

  /**
   * Compares with the machine that is to replay.
   *
   * @throws RecordingException with a sentence that names the first difference
   */
  public void check(String present) throws RecordingException {
    Map<String, String> recorded = fields(definition);
    Map<String, String> now = fields(present);
    TreeSet<String> names = new TreeSet<>(recorded.keySet());
    names.addAll(now.keySet());
    for (String name : names) {
      String was = recorded.getOrDefault(name, "absent");
      String is = now.getOrDefault(name, "absent");
      if (!was.equals(is)) {
        throw new RecordingException(
            ("this recording was made by a machine of another kind: its %s is %s, this program's is"
                    + " %s; replay it with the version that recorded it")
                .formatted(name, was, is));
      }
    }
  }

  private static Map<String, String> fields(String definition) {
    Map<String, String> out = new LinkedHashMap<>();
    definition
        .lines()
        .forEach(
            line -> {
              int at = line.indexOf('=');
              out.put(at < 0 ? line : line.substring(0, at), at < 0 ? "" : line.substring(at + 1));
            });
    return out;
  }

  private static RecordingInfo parse(String text) {
    Map<String, String> values = new LinkedHashMap<>();
    Map<String, String> notes = new LinkedHashMap<>();
    StringBuilder definition = new StringBuilder();
    List<VirtioSlot> slots = new ArrayList<>();
    for (String line : text.split("\n")) {
      int at = line.indexOf('=');
      String name = line.substring(0, at);
      String value = line.substring(at + 1);
      if (name.equals("definition")) {
        definition.append(value).append('\n');
      } else if (name.startsWith("note.")) {
        notes.put(name.substring("note.".length()), value);
      } else if (name.startsWith("virtio.")) {
        slots.add(slot(value));
      } else {
        values.put(name, value);
      }
    }
    MachineConfig config =
        new MachineConfig(
            Long.parseLong(values.get("memory")),
            ClockMode.valueOf(values.get("clock")),
            Firmware.valueOf(values.get("firmware")),
            Long.parseLong(values.get("rtc-base")),
            slots);
    return new RecordingInfo(
        config,
        definition.toString(),
        Long.parseUnsignedLong(values.get("run"), 16),
        Long.parseLong(values.get("start-point")),
        notes);
  }

  private static String slot(VirtioSlot slot) {
    return switch (slot) {
      case VirtioSlot.Empty s -> "empty";
      case VirtioSlot.Block s -> "block %d %b %s".formatted(s.sectors(), s.readOnly(), s.serial());
      case VirtioSlot.Net s -> "net %x %b".formatted(s.mac(), s.offloads());
      case VirtioSlot.Console s -> "console";
      case VirtioSlot.Entropy s -> "entropy";
    };
  }

  private static VirtioSlot slot(String text) {
    String[] words = text.split(" ", 4);
    return switch (words[0]) {
      case "empty" -> new VirtioSlot.Empty();
      case "block" ->
          new VirtioSlot.Block(Long.parseLong(words[1]), Boolean.parseBoolean(words[2]), words[3]);
      case "net" ->
          new VirtioSlot.Net(Long.parseLong(words[1], 16), Boolean.parseBoolean(words[2]));
      case "console" -> new VirtioSlot.Console();
      case "entropy" -> new VirtioSlot.Entropy();
      default -> throw new IllegalArgumentException("unknown device " + words[0]);
    };
  }

  private static void line(StringBuilder out, String name, Object value) {
    out.append(name).append('=').append(value).append('\n');
  }

  private static String checksum(String text) {
    CRC32C crc = new CRC32C();
    crc.update(text.getBytes(StandardCharsets.UTF_8));
    return "%08x".formatted(crc.getValue());
  }
}
