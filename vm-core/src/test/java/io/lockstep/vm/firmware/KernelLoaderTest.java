package io.lockstep.vm.firmware;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lockstep.vm.memory.GuestRam;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KernelLoaderTest {
  private static final byte[] NONE = {};
  private static final long MEMORY = 32L << 20;
  private static final byte[] DTB = {(byte) 0xd0, 0x0d, (byte) 0xfe, (byte) 0xed};

  private final GuestRam ram = new GuestRam(MEMORY);

  private static byte[] image(int length, long textOffset, long size) {
    ByteBuffer b = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 64; i < length; i++) {
      b.put(i, (byte) i);
    }
    b.putLong(8, textOffset).putLong(16, size).putInt(0x38, 0x05435352);
    return b.array();
  }

  private static byte[] elf(
      long entry, long virtual, long physical, int fileLength, long memoryLength) {
    ByteBuffer b = ByteBuffer.allocate(0x100 + fileLength).order(ByteOrder.LITTLE_ENDIAN);
    b.putInt(0, 0x464c457f).put(4, (byte) 2).put(5, (byte) 1).putShort(16, (short) 2);
    b.putShort(18, (short) 243).putLong(24, entry).putLong(32, 64);
    b.putShort(54, (short) 56).putShort(56, (short) 1);
    b.putInt(64, 1).putLong(72, 0x100).putLong(80, virtual).putLong(88, physical);
    b.putLong(96, fileLength).putLong(104, memoryLength);
    for (int i = 0; i < fileLength; i++) {
      b.put(0x100 + i, (byte) (i + 1));
    }
    return b.array();
  }

  private KernelLoader.Entry start(byte[] kernel, byte[] initrd, byte[] firmware)
      throws BootException {
    return KernelLoader.plan(MEMORY, new KernelLoader.Images(kernel, initrd, firmware))
        .place(ram, DTB);
  }

  private byte[] memory(long at, int length) {
    byte[] b = new byte[length];
    ram.read(at, b, 0, length);
    return b;
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 0x20_0000})
  void aLinuxImageGoesTwoMebibytesUp(long textOffset) throws BootException {
    byte[] image = image(1000, textOffset, 4000);
    KernelLoader.Entry entry = start(image, NONE, NONE);
    assertThat(entry.pc()).isEqualTo(0x8020_0000L);
    assertThat(entry.a0()).isZero();
    assertThat(entry.a2()).isZero();
    assertThat(memory(entry.pc(), 1000)).isEqualTo(image);
    assertThat(memory(entry.a1(), 4)).isEqualTo(DTB);
    assertThat(entry.a1() % (2 << 20)).isZero();
  }

  @Test
  void aCompressedImageIsUnpacked() throws Exception {
    byte[] image = image(100_000, 0x20_0000, 0);
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
      out.write(image);
    }
    KernelLoader.Entry entry = start(packed.toByteArray(), NONE, NONE);
    assertThat(memory(entry.pc(), image.length)).isEqualTo(image);
    byte[] damaged = Arrays.copyOf(packed.toByteArray(), packed.size() / 2);
    assertRefused(damaged, NONE, "damaged");
  }

  @Test
  void aCompressedImageThatUnpacksToMoreThanMemoryIsRefused() throws IOException {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
      out.write(new byte[(int) MEMORY + 1]);
    }
    assertRefused(packed.toByteArray(), NONE, "larger than the guest's memory of 32 MiB");
  }

  @Test
  void anElfGoesToItsPhysicalAddressesAndItsEntryIsTranslated() throws BootException {
    ram.write(0x8100_0010L, new byte[] {9}, 0, 1);
    KernelLoader.Entry entry =
        start(
            elf(0xffff_ffff_8000_0004L, 0xffff_ffff_8000_0000L, 0x8100_0000L, 16, 32), NONE, NONE);
    assertThat(entry.pc()).isEqualTo(0x8100_0004L);
    assertThat(memory(0x8100_0000L, 18))
        .containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0, 0);
  }

  @Test
  void theInitrdLiesBelowTheDeviceTreeOnAPage() throws BootException {
    byte[] initrd = new byte[12_345];
    new Random(1).nextBytes(initrd);
    KernelLoader.Plan plan =
        KernelLoader.plan(MEMORY, KernelLoader.Images.of(image(100, 0, 0), initrd));
    KernelLoader.Entry entry = plan.place(ram, DTB);
    assertThat(plan.initrdStart() % 4096).isZero();
    assertThat(plan.initrdEnd() - plan.initrdStart()).isEqualTo(initrd.length);
    assertThat(plan.initrdEnd()).isLessThanOrEqualTo(entry.a1());
    assertThat(memory(plan.initrdStart(), initrd.length)).isEqualTo(initrd);
  }

  @Test
  void firmwareStartsAtTheBottomAndIsToldOfTheKernel() throws BootException {
    KernelLoader.Entry entry = start(new byte[] {1, 2, 3}, NONE, new byte[] {4, 5, 6});
    assertThat(entry.pc()).isEqualTo(0x8000_0000L);
    assertThat(memory(0x8000_0000L, 3)).containsExactly(4, 5, 6);
    assertThat(memory(0x8020_0000L, 3)).containsExactly(1, 2, 3);
    ByteBuffer info = ByteBuffer.wrap(memory(entry.a2(), 48)).order(ByteOrder.LITTLE_ENDIAN);
    assertThat(info.getLong()).isEqualTo(0x4942534f);
    assertThat(info.getLong()).isEqualTo(2);
    assertThat(info.getLong()).isEqualTo(0x8020_0000L);
    assertThat(info.getLong()).isEqualTo(1);
  }

  @Test
  void firmwareMayComeAlone() throws BootException {
    assertThat(start(NONE, NONE, elf(0x8000_0000L, 0x8000_0000L, 0x8000_0000L, 8, 8)).pc())
        .isEqualTo(0x8000_0000L);
  }

  @Test
  void aKernelInTheFirmwaresPlaceIsNoneForTheBuiltInFirmware() {
    assertThatThrownBy(() -> start(elf(0x8000_0000L, 0x8000_0000L, 0x8000_0000L, 8, 8), NONE, NONE))
        .isInstanceOf(BootException.class)
        .hasMessageContaining("--firmware none");
  }

  @Test
  void aSmallMemoryHasItsDeviceTreeAtTheTop() throws BootException {
    long memory = 1 << 20;
    KernelLoader.Entry entry =
        KernelLoader.plan(
                memory,
                KernelLoader.Images.of(elf(0x8001_0000L, 0x8001_0000L, 0x8001_0000L, 8, 8), NONE))
            .place(new GuestRam(memory), DTB);
    assertThat(entry.a1()).isEqualTo(0x8000_0000L + memory - KernelLoader.DTB_MAX);
  }

  @Test
  void aLargeMemoryHasItsDeviceTreeBelowThreeGibibytes() throws BootException {
    KernelLoader.Plan plan =
        KernelLoader.plan(64L << 30, KernelLoader.Images.of(image(100, 0, 0), new byte[1]));
    assertThat(plan.initrdEnd()).isLessThan(3L << 30);
  }

  private void assertRefused(byte[] kernel, byte[] firmware, String sentencePart) {
    assertThatThrownBy(() -> start(kernel, NONE, firmware))
        .isInstanceOf(BootException.class)
        .hasMessageContaining(sentencePart)
        .hasMessageEndingWith(".");
  }

  @Test
  void whatCannotStartIsRefusedWithASentence() {
    byte[] x86 = new byte[0x300];
    ByteBuffer.wrap(x86).order(ByteOrder.LITTLE_ENDIAN).putInt(0x202, 0x53726448);
    byte[] arm = new byte[0x300];
    ByteBuffer.wrap(arm).order(ByteOrder.LITTLE_ENDIAN).putInt(0x38, 0x644d5241);
    byte[] otherElf = elf(0, 0, 0x8000_0000L, 8, 8);
    otherElf[18] = 62;
    byte[] zboot = new byte[64];
    System.arraycopy(new byte[] {'M', 'Z', 0, 0, 'z', 'i', 'm', 'g'}, 0, zboot, 0, 8);
    assertRefused(NONE, NONE, "nothing to start");
    assertRefused(x86, NONE, "for x86");
    assertRefused(arm, NONE, "for arm64");
    assertRefused(otherElf, NONE, "another architecture");
    assertRefused(zboot, NONE, "zboot");
    assertRefused(new byte[100], NONE, "neither an ELF");
    assertRefused(Arrays.copyOf(elf(0, 0, 0x8000_0000L, 8, 8), 100), NONE, "damaged");
    assertRefused(elf(0, 0, 0x1000, 8, 8), NONE, "0x1000");
    assertRefused(image(100, 0, MEMORY), NONE, "at least 39 MiB is needed");
    assertRefused(
        elf(0x8000_0000L, 0x8000_0000L, 0x8000_0000L, 8, 8), new byte[100], "both want the memory");
  }

  @Test
  void theMemorySaidToBeNeededIsEnough() throws BootException {
    for (long size = 100; size < 40L << 20; size = size * 3 + 12_345) {
      KernelLoader.Images images =
          KernelLoader.Images.of(image(100, 0, size), new byte[(int) (size / 2)]);
      long enough = 1L << 20;
      while (true) {
        try {
          KernelLoader.plan(enough, images);
          break;
        } catch (BootException e) {
          long said =
              Long.parseLong(e.getMessage().replaceAll(".*at least (\\d+) MiB.*", "$1")) << 20;
          assertThat(said).as(e.getMessage()).isGreaterThan(enough);
          assertThat(enough).as("said too little: %s", e.getMessage()).isEqualTo(1L << 20);
          enough = said;
        }
      }
    }
  }

  @Test
  void aDeviceTreeThatIsTooLargeIsRefused() throws BootException {
    KernelLoader.Plan plan =
        KernelLoader.plan(MEMORY, KernelLoader.Images.of(image(100, 0, 0), NONE));
    assertThatThrownBy(() -> plan.place(ram, new byte[KernelLoader.DTB_MAX + 1]))
        .isInstanceOf(BootException.class)
        .hasMessageContaining("command line is too long");
  }

  @Test
  void damagedFilesAreRefusedOrLoadedButNeverHurt() throws BootException {
    int loaded = 0;
    int refused = 0;
    for (int seed = 0; seed < 2_000; seed++) {
      Random random = new Random(seed);
      byte[] file =
          random.nextBoolean()
              ? elf(0x8000_0000L, 0x8000_0000L, 0x8000_0000L + random.nextInt(1 << 20), 64, 128)
              : image(512, 0x20_0000, 4096);
      for (int i = random.nextInt(6); i >= 0; i--) {
        file[random.nextInt(random.nextBoolean() ? 0x78 : file.length)] = (byte) random.nextInt();
      }
      file =
          Arrays.copyOf(file, random.nextInt(4) == 0 ? random.nextInt(file.length) : file.length);
      KernelLoader.Plan plan;
      try {
        plan = KernelLoader.plan(MEMORY, KernelLoader.Images.of(file, NONE));
      } catch (BootException e) {
        assertThat(e.getMessage()).endsWith(".");
        refused++;
        continue;
      }
      plan.place(ram, DTB);
      loaded++;
    }
    assertThat(loaded).isGreaterThan(200);
    assertThat(refused).isGreaterThan(200);
  }
}
