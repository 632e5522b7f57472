package io.lockstep.host.vm;

import io.lockstep.host.vm.VmSpec.BootSpec;
import io.lockstep.vm.firmware.BootException;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.guest.SmallGuest;
import io.lockstep.vm.machine.Machine;
import java.nio.file.Path;
import java.util.Optional;

/** Loads what a machine starts from. */
final class BootFiles {
  private static final byte[] NONE = {};

  private BootFiles() {}

  static void boot(Machine machine, BootSpec boot) throws SetupException {
    KernelLoader.Images images =
        boot.isSmallGuest()
            ? KernelLoader.Images.of(SmallGuest.elf(), NONE)
            : new KernelLoader.Images(
                read("kernel", boot.kernel()),
                read("initrd", boot.initrd()),
                read("firmware", boot.firmware()));
    try {
      machine.boot(images, boot.append());
    } catch (BootException e) {
      throw new SetupException(withNames(e.getMessage(), boot), e);
    }
  }

  private static byte[] read(String what, Optional<Path> file) throws SetupException {
    return file.isPresent() ? HostFiles.read(what, file.get()) : NONE;
  }

  /** Says which file is meant, which the loader does not know. */
  private static String withNames(String sentence, BootSpec boot) {
    String named = sentence;
    if (boot.kernel().isPresent()) {
      named =
          named.replaceFirst(
              "^The (compressed |decompressed )?kernel( file)? ",
              "The $1kernel "
                  + java.util.regex.Matcher.quoteReplacement(boot.kernel().get().toString())
                  + " ");
    }
    if (boot.firmware().isPresent()) {
      named =
          named.replaceFirst(
              "^The (compressed |decompressed )?firmware( file)? ",
              "The $1firmware "
                  + java.util.regex.Matcher.quoteReplacement(boot.firmware().get().toString())
                  + " ");
    }
    return named;
  }
}
