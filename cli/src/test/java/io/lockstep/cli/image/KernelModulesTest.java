package io.lockstep.cli.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;

class KernelModulesTest {
  private final Map<String, FileTree.Regular> files = new TreeMap<>();

  /** An ELF64 file with nothing but a .modinfo section and the section names. */
  private static byte[] elf(String... entries) {
    byte[] info = (String.join("\0", entries) + "\0").getBytes(StandardCharsets.UTF_8);
    byte[] names = "\0.modinfo\0.shstrtab\0".getBytes(StandardCharsets.UTF_8);
    int tables = 64 + info.length + names.length;
    ByteBuffer elf = ByteBuffer.allocate(tables + 3 * 64).order(ByteOrder.LITTLE_ENDIAN);
    elf.putInt(0, 0x464c457f).putLong(40, tables).putShort(60, (short) 3).putShort(62, (short) 2);
    elf.put(64, info).put(64 + info.length, names);
    section(elf, tables + 64, 1, 64, info.length);
    section(elf, tables + 128, 10, 64 + info.length, names.length);
    return elf.array();
  }

  private static void section(ByteBuffer elf, int at, int name, int offset, int size) {
    elf.putInt(at, name).putLong(at + 24, offset).putLong(at + 32, size);
  }

  private void module(String path, String... entries) {
    put(path, elf(entries));
  }

  private void put(String path, byte[] bytes) {
    files.put(path, new FileTree.Regular(Content.of(bytes), 0644, FileTree.Owner.ROOT, 0));
  }

  private List<String> closure(String... names) throws ImageException, IOException {
    return new KernelModules(files, "kernel/built_in.ko\n")
        .closure(List.of(names)).stream().map(KernelModules.Module::name).toList();
  }

  @Test
  void aModuleComesAfterAllItDependsOn() throws Exception {
    module("net/virtio_net.ko", "license=GPL", "depends=net_failover");
    module("net/net_failover.ko", "depends=failover");
    module("core/failover.ko", "depends=");
    assertThat(closure("virtio_net")).containsExactly("failover", "net_failover", "virtio_net");
  }

  @Test
  void softDependenciesAreTakenWhenTheyExist() throws Exception {
    module("fs/ext4.ko", "softdep=pre: crypto-crc32c nonsuch post: later", "depends=crc16");
    module("lib/crc16.ko", "depends=");
    module("crypto/crc32c_generic.ko", "depends=");
    module("later.ko", "depends=");
    assertThat(closure("ext4")).containsExactly("crc16", "crc32c_generic", "ext4");
  }

  @Test
  void hyphensAndUnderscoresAreTheSame() throws Exception {
    module("char/virtio-rng.ko", "depends=rng-core");
    module("char/rng_core.ko", "depends=");
    assertThat(closure("virtio_rng")).containsExactly("rng_core", "virtio_rng");
    assertThat(closure("virtio-rng")).containsExactly("rng_core", "virtio_rng");
  }

  @Test
  void aCircleOfDependenciesEnds() throws Exception {
    module("a.ko", "depends=b");
    module("b.ko", "depends=a");
    assertThat(closure("a")).containsExactly("b", "a");
  }

  @Test
  void whatIsBuiltInNeedsNoModuleAndWhatIsUnknownIsAnError() throws Exception {
    module("a.ko", "depends=built_in");
    assertThat(closure("a", "built-in")).containsExactly("a");
    assertThatThrownBy(() -> closure("nonsuch"))
        .isInstanceOf(ImageException.class)
        .hasMessageContaining("nonsuch");
  }

  @Test
  void theDependencyFileListsWhatToLoadFirstLast() throws Exception {
    module("x/a.ko", "depends=b");
    module("x/b.ko", "depends=c");
    module("x/c.ko", "depends=");
    var modules = new KernelModules(files, "");
    assertThat(modules.dependencyFile(modules.closure(List.of("a"))).lines())
        .containsExactlyInAnyOrder("x/a.ko: x/b.ko x/c.ko", "x/b.ko: x/c.ko", "x/c.ko:");
  }

  @Test
  void aCompressedModuleIsStoredPlain() throws Exception {
    byte[] plain = elf("depends=");
    var packed = new ByteArrayOutputStream();
    try (var gzip = new GZIPOutputStream(packed)) {
      gzip.write(plain);
    }
    put("x/a.ko.gz", packed.toByteArray());
    KernelModules.Module module = new KernelModules(files, "").closure(List.of("a")).getFirst();
    assertThat(module.path()).isEqualTo("x/a.ko");
    assertThat(module.bytes()).isEqualTo(plain);
  }

  @Test
  void noiseIsNoModule() {
    long seed = 20250711;
    var random = new Random(seed);
    for (int i = 0; i < 2000; i++) {
      byte[] noise = elf("depends=a,b", "softdep=pre: c");
      for (int flips = random.nextInt(20); flips >= 0; flips--) {
        noise[random.nextInt(noise.length)] = (byte) random.nextInt();
      }
      // Whatever it is, it is an answer and no exception.
      assertThat(ModuleInfo.of(noise)).as("seed %d, round %d", seed, i).isNotNull();
    }
    assertThat(ModuleInfo.of(new byte[3])).isEmpty();
  }
}
