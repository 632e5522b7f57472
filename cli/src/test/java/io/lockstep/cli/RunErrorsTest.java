package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.io.StringWriter;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

/** What {@code lockstep run} says when it cannot do what it was asked to. */
class RunErrorsTest {
  @TempDir private Path directory;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... args) {
    CommandLine lockstep = Main.commandLine();
    lockstep.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
    String[] all = new String[args.length + 1];
    all[0] = "run";
    System.arraycopy(args, 0, all, 1, args.length);
    return lockstep.execute(all);
  }

  private void assertOneSentence(String... parts) {
    assertThat(err.toString().strip().lines()).hasSize(1);
    assertThat(err.toString()).startsWith("lockstep: ").contains(parts);
  }

  private Path file(String name, byte[] contents) throws IOException {
    return Files.write(directory.resolve(name), contents);
  }

  private Path sparseDisk(String name, long size) throws IOException {
    Path path = directory.resolve(name);
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(size);
    }
    return path;
  }

  /** Gets past everything that is checked before the disks. */
  private Path someKernel() throws IOException {
    return file("kernel", "not a kernel".getBytes(StandardCharsets.US_ASCII));
  }

  @Test
  void aMissingKernelIsNamed() {
    assertThat(run("--kernel", directory.resolve("nowhere").toString())).isEqualTo(1);
    assertOneSentence("kernel", "nowhere does not exist");
  }

  @Test
  void anUnknownEngineIsAWrongUsage() {
    assertThat(run("--engine", "turbo")).isEqualTo(2);
    assertThat(err.toString()).contains("'turbo' is not one of interpreter, bytecode and regions");
  }

  @Test
  void tiersAreComparedWithoutDisks() throws IOException {
    String disk = sparseDisk("disk.img", 1 << 20).toString();
    assertThat(run("--compare-tiers", "--disk", disk)).isEqualTo(1);
    assertOneSentence("without disks and network", "lockstep log bisect --tiers");
  }

  @Test
  void aDirectoryIsNoKernel() {
    assertThat(run("--kernel", directory.toString())).isEqualTo(1);
    assertOneSentence("is a directory; name a file");
  }

  @Test
  void somethingElseIsNoKernel() throws IOException {
    assertThat(run("--kernel", someKernel().toString())).isEqualTo(1);
    assertOneSentence(directory + "/kernel is neither an ELF file nor a Linux Image");
  }

  @Test
  void aKernelForAnotherArchitectureIsRefused() throws IOException {
    byte[] elf = new byte[128];
    byte[] start = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    System.arraycopy(start, 0, elf, 0, start.length);
    elf[16] = 2;
    elf[18] = 62; // EM_X86_64
    assertThat(run("--kernel", file("vmlinux", elf).toString())).isEqualTo(1);
    assertOneSentence("vmlinux is an ELF file for another architecture");
  }

  @Test
  void aFileThatMayNotBeReadIsNamed() throws IOException {
    Path kernel = someKernel();
    Files.setPosixFilePermissions(kernel, PosixFilePermissions.fromString("---------"));
    assumeFalse(Files.isReadable(kernel), "needs a user who is not root");
    assertThat(run("--kernel", kernel.toString())).isEqualTo(1);
    assertOneSentence("may not be read; check its permissions");
  }

  @Test
  void aMissingDiskIsNamed() throws IOException {
    String disk = directory.resolve("none.img").toString();
    assertThat(run("--kernel", someKernel().toString(), "--disk", disk)).isEqualTo(1);
    assertOneSentence("disk", "none.img does not exist");
  }

  @Test
  void aDirectoryIsNoDisk() throws IOException {
    assertThat(run("--kernel", someKernel().toString(), "--disk", directory.toString()))
        .isEqualTo(1);
    assertOneSentence("is a directory");
  }

  @Test
  void anEmptyDiskNeedsASize() throws IOException {
    String disk = file("empty.img", new byte[0]).toString();
    assertThat(run("--kernel", someKernel().toString(), "--disk", disk)).isEqualTo(1);
    assertOneSentence("empty.img is empty", "truncate -s 1G");
  }

  @Test
  void aDiskOfOddSizeIsRefused() throws IOException {
    String disk = sparseDisk("odd.img", 1_000_001).toString();
    assertThat(run("--kernel", someKernel().toString(), "--disk", disk)).isEqualTo(1);
    assertOneSentence("1000001 bytes", "truncate -s %512 " + disk);
  }

  @Test
  void aQcow2ImageIsRefused() throws IOException {
    byte[] header = new byte[1024];
    header[0] = 'Q';
    header[1] = 'F';
    header[2] = 'I';
    header[3] = (byte) 0xfb;
    String disk = file("a.qcow2", header).toString();
    assertThat(run("--kernel", someKernel().toString(), "--disk", disk)).isEqualTo(1);
    assertOneSentence("qemu-img convert -O raw");
  }

  @Test
  void aDiskInUseIsRefused() throws IOException {
    Path disk = sparseDisk("used.img", 1 << 20);
    try (FileChannel other = FileChannel.open(disk, StandardOpenOption.WRITE)) {
      assertThat(other.tryLock()).isNotNull();
      assertThat(run("--kernel", someKernel().toString(), "--disk", disk.toString())).isEqualTo(1);
    }
    assertOneSentence("used.img is in use by another virtual machine");
  }

  @Test
  void aDiskThatMayNotBeWrittenCanBeAttachedReadOnly() throws IOException {
    Path disk = sparseDisk("ro.img", 1 << 20);
    Files.setPosixFilePermissions(disk, PosixFilePermissions.fromString("r--r--r--"));
    assumeFalse(Files.isWritable(disk), "needs a user who is not root");
    assertThat(run("--kernel", someKernel().toString(), "--disk", disk.toString())).isEqualTo(1);
    assertOneSentence("--disk " + disk + ",ro");
  }

  @Test
  void tooManyDisksAreRefused() throws IOException {
    String[] args = new String[2 + 2 * 8];
    args[0] = "--kernel";
    args[1] = someKernel().toString();
    for (int i = 0; i < 8; i++) {
      args[2 + 2 * i] = "--disk";
      args[3 + 2 * i] = sparseDisk("d" + i, 1 << 20).toString();
    }
    assertThat(run(args)).isEqualTo(1);
    assertOneSentence("room for 8 devices and 9 are wanted");
  }

  @Test
  void aDirectoryWithoutManifestIsNoImage() {
    assertThat(run("--image", directory.toString())).isEqualTo(1);
    assertOneSentence("is no guest image", "lockstep image build " + directory);
  }

  @Test
  void moreMemoryThanTheHostHasIsRefused() throws IOException {
    long host =
        ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
    assumeTrue(host < 64L << 30, "needs a host with less than 64 GiB");
    assertThat(run("--kernel", someKernel().toString(), "--memory", "64G")).isEqualTo(1);
    assertOneSentence("not enough memory for a guest with 65536 MiB", "--memory");
  }

  @Test
  void aKernelForMachineModeNeedsNoFirmware() throws IOException {
    String kernel = file("kernel", elfAt(0x8000_0000L)).toString();
    assertThat(run("--kernel", kernel)).isEqualTo(1);
    assertOneSentence("made for M-mode", "--firmware none");
  }

  @Test
  void aKernelInTheFirmwaresPlaceIsRefused() throws IOException {
    String kernel = file("kernel", elfAt(0x8000_0000L)).toString();
    assertThat(run("--kernel", kernel, "--firmware", kernel)).isEqualTo(1);
    assertOneSentence("both want the memory at 0x80000000", "--firmware none");
  }

  @Test
  void noFirmwareNeedsAKernel() {
    assertThat(run("--firmware", "none")).isEqualTo(ExitStatus.USAGE);
    assertThat(err.toString()).contains("add --kernel FILE");
  }

  @Test
  void aKernelLargerThanTheGuestIsRefused() throws IOException {
    String kernel = file("kernel", elfAt(0x8020_0000L)).toString();
    assertThat(run("--kernel", kernel, "--memory", "2M")).isEqualTo(1);
    assertOneSentence("memory of 2 MiB is too small", "at least 3 MiB is needed");
  }

  @Test
  void anInitrdLargerThanTheGuestIsRefused() throws IOException {
    String kernel = file("kernel", elfAt(0x8020_0000L)).toString();
    String initrd = sparseDisk("initrd", 40 << 20).toString();
    assertThat(run("--kernel", kernel, "--initrd", initrd, "--memory", "32M")).isEqualTo(1);
    assertOneSentence("memory of 32 MiB is too small", "is needed");
  }

  @Test
  void aCutOffKernelIsRefused() throws IOException {
    byte[] elf = Arrays.copyOf(elfAt(0x8020_0000L), 100);
    assertThat(run("--kernel", file("kernel", elf).toString())).isEqualTo(1);
    assertOneSentence("kernel is damaged");
  }

  @Test
  void anEmptyKernelIsRefused() throws IOException {
    assertThat(run("--kernel", file("kernel", new byte[0]).toString())).isEqualTo(1);
    assertOneSentence("kernel is empty");
  }

  @Test
  void anInitrdOfMoreThanOneGibibyteIsRefused() throws IOException {
    String initrd = sparseDisk("initrd", (1L << 30) + 1).toString();
    assertThat(run("--kernel", file("kernel", elfAt(0x8020_0000L)).toString(), "--initrd", initrd))
        .isEqualTo(1);
    assertOneSentence("larger than 1 GiB");
  }

  /** An ELF file with one segment of one page of zeroes. */
  private static byte[] elfAt(long address) {
    ByteBuffer b = ByteBuffer.allocate(120 + 4096).order(ByteOrder.LITTLE_ENDIAN);
    b.putInt(0x464c_457f).putInt(0x10102).putLong(0);
    b.putShort((short) 2).putShort((short) 243).putInt(1).putLong(address).putLong(64).putLong(0);
    b.putInt(0).putShort((short) 64).putShort((short) 56).putShort((short) 1).putShort((short) 0);
    b.putInt(0);
    b.putInt(1).putInt(7).putLong(120).putLong(address).putLong(address);
    b.putLong(4096).putLong(4096).putLong(4096);
    return b.array();
  }

  @Test
  void aConsoleLogThatCannotBeWrittenIsNamed() throws IOException {
    assertThat(
            run(
                "--kernel",
                someKernel().toString(),
                "--console-log",
                directory.resolve("no/such/log").toString()))
        .isEqualTo(1);
    assertOneSentence("console log", "cannot be written");
  }

  @ParameterizedTest
  @CsvSource({
    "--memory, 12Q, is not a size like 512M",
    "--memory, 1K, is not a size between 1M and 64G",
    "--memory, 65G, is not a size between 1M and 64G",
    "--clock, wall, is not one of host and instructions",
    "--rtc, yesterday, is not a time like 2025-01-01T00:00:00Z",
    "--rtc, 1960-01-01T00:00:00Z, is not between 1970 and 2200",
    "--no-such-option, x, Unknown option",
    "--disk, ',ro', names no disk image",
    "--disk, 'a.img,rw', is not one of ro and serial=TEXT",
    "--disk, 'a.img,serial=123456789012345678901', is not a serial of 1 to 20",
  })
  void wrongUsageHasStatusTwo(String option, String value, String sentence) {
    assertThat(run(option, value)).isEqualTo(ExitStatus.USAGE);
    assertThat(err.toString()).startsWith("lockstep: ").contains(sentence).contains("--help");
  }

  @Test
  void anInitrdWithoutKernelIsWrongUsage() throws IOException {
    assertThat(run("--initrd", someKernel().toString())).isEqualTo(ExitStatus.USAGE);
    assertThat(err.toString()).contains("add --kernel FILE");
  }
}
