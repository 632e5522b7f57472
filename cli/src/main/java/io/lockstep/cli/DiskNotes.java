package io.lockstep.cli;

import io.lockstep.host.vm.VmSpec.DiskSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What a recording keeps about its disks, so that it can be continued live on them later: where the
 * image is, and what tells that it is still the same.
 */
final class DiskNotes {
  private static final String CHANGED_BY_RECORDING = "written";

  private DiskNotes() {}

  static Map<String, String> of(List<DiskSpec> disks, boolean writeThrough) {
    Map<String, String> out = new HashMap<>();
    for (int i = 0; i < disks.size(); i++) {
      DiskSpec disk = disks.get(i);
      boolean written = writeThrough && !disk.readOnly();
      out.put("disk." + i + ".image", disk.image().toAbsolutePath().toString());
      out.put("disk." + i + ".state", written ? CHANGED_BY_RECORDING : state(disk.image()));
    }
    return out;
  }

  /**
   * The image of a recorded disk.
   *
   * @throws UserError if it is not what it was when the recording began
   */
  static Path image(Map<String, String> notes, int disk) {
    String image = notes.get("disk." + disk + ".image");
    String was = notes.get("disk." + disk + ".state");
    if (image == null || was == null) {
      throw new UserError("The recording does not say where its disk " + disk + " is.");
    }
    if (was.equals(CHANGED_BY_RECORDING)) {
      throw new UserError(
          ("The machine wrote to the disk %s itself while it was recorded (--write-through, or a"
                  + " recording of a running machine), so the disk is no more what it was at the"
                  + " beginning; the recording can be replayed, but not go live.")
              .formatted(image));
    }
    Path file = Path.of(image);
    if (!was.equals(state(file))) {
      throw new UserError(
          "The disk %s has changed since the recording began, or is gone; put back the image of that time to go live."
              .formatted(image));
    }
    return file;
  }

  private static String state(Path image) {
    try {
      return Files.size(image) + " bytes, changed " + Files.getLastModifiedTime(image);
    } catch (IOException e) {
      return "unreadable";
    }
  }
}
