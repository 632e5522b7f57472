package io.lockstep.bench;

import com.sun.net.httpserver.HttpServer;
import io.lockstep.bench.BenchOutput.Better;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

/**
 * What recording costs, how fast a recording is replayed, and how large its log is; Debian with
 * nothing but BusyBox, recorded and not, in turn.
 */
public final class RecordingBench {
  private static final int INPUT_MIB = 64;

  private static final int MEMORY_MIB = 512;
  private static final String COMMAND_LINE =
      "console=ttyS0 quiet lockstep.services=none lockstep.ip=off lockstep.poweroff";

  private static final double COST_MAX = 1.05;

  private final BenchArguments arguments;
  private final BenchOutput out = new BenchOutput("recording");
  private final Path image;
  private final Path scratch;
  private int recordings;

  private RecordingBench(BenchArguments arguments, Path image, Path scratch) {
    this.arguments = arguments;
    this.image = image;
    this.scratch = scratch;
  }

  /** See {@code benchmarks/README.md} for the arguments. */
  public static void main(String[] args) throws IOException, InterruptedException {
    BenchArguments arguments = BenchArguments.parse(args);
    if (arguments.image("mini").isEmpty()) {
      new BenchOutput("recording").skipped("all", arguments.missingImage("mini", ""));
      return;
    }
    Path scratch = Files.createTempDirectory("recording-bench");
    try {
      RecordingBench bench =
          new RecordingBench(arguments, arguments.image("mini").orElseThrow(), scratch);
      bench.costAndReplay();
      if (arguments.quick()) {
        BenchOutput out = new BenchOutput("recording");
        out.skipped("an idle guest", "Left out by --quick.");
        out.skipped("input in the log", "Left out by --quick.");
      } else {
        bench.idle();
        bench.input();
      }
    } finally {
      delete(scratch);
    }
  }

  private List<String> guest(String script) {
    return linux(script).arguments();
  }

  private LinuxGuest linux(String script) {
    return LinuxGuest.of(image, MEMORY_MIB, COMMAND_LINE + " lockstep.run=\"" + script + "\"");
  }

  private Path newRecording() {
    return scratch.resolve("recording" + ++recordings);
  }

  private GuestRun record(Path to, List<String> guest) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("record", "--out", to.toString()));
    command.addAll(guest);
    return GuestRun.of(arguments, command);
  }

  private GuestRun run(List<String> guest) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("run"));
    command.addAll(guest);
    return GuestRun.of(arguments, command);
  }

  /** The same work recorded, not recorded, and replayed, in turn. */
  private void costAndReplay() throws IOException, InterruptedException {
    int blocks = arguments.quick() ? 800 : 5000;
    int rounds = arguments.quick() ? 1 : 3;
    String work =
        "echo @@begin; dd if=/dev/zero bs=64k count=%d 2>/dev/null | sha256sum; echo @@end"
            .formatted(blocks);
    List<String> guest = guest(work);
    boolean withQemu = !arguments.quick() && Tools.has("qemu-system-riscv64");
    List<Double> qemu = new ArrayList<>();
    List<Double> plainBoot = new ArrayList<>();
    List<Double> plainWork = new ArrayList<>();
    List<Double> recordedBoot = new ArrayList<>();
    List<Double> recordedWork = new ArrayList<>();
    List<Double> recorded = new ArrayList<>();
    List<Double> replayed = new ArrayList<>();
    double bytes = 0;
    for (int round = 0; round < rounds; round++) {
      GuestRun plain = run(guest);
      plainBoot.add(plain.secondsTo("@@begin"));
      plainWork.add(plain.secondsTo("@@end") - plain.secondsTo("@@begin"));
      Path recording = newRecording();
      GuestRun live = record(recording, guest);
      recordedBoot.add(live.secondsTo("@@begin"));
      recordedWork.add(live.secondsTo("@@end") - live.secondsTo("@@begin"));
      recorded.add(live.seconds());
      GuestRun replay = GuestRun.of(arguments, List.of("replay", recording.toString()));
      replayed.add(replay.seconds());
      bytes = new LogFigures(recording).bytesPerThousandInstructions();
      delete(recording);
      if (withQemu) {
        qemu.add(qemuRecord(work));
        out.progress("round %d: QEMU recorded %.2f s".formatted(round + 1, qemu.getLast()));
      }
      out.progress(
          "round %d: boot %.2f s, recorded %.2f s; work %.2f s, recorded %.2f s; all recorded %.2f s, replayed %.2f s"
              .formatted(
                  round + 1,
                  plainBoot.getLast(),
                  recordedBoot.getLast(),
                  plainWork.getLast(),
                  recordedWork.getLast(),
                  live.seconds(),
                  replay.seconds()));
    }
    compare("recording, CPU-bound work", recordedWork, plainWork, "not recorded", COST_MAX);
    compare("recording, boot of Debian", recordedBoot, plainBoot, "not recorded", COST_MAX);
    compare("replay of boot and CPU-bound work", replayed, recorded, "the recording of it", 1);
    if (withQemu) {
      compare("recording, from start to power-off", recorded, qemu, "QEMU with rr=record", 1);
    } else {
      out.skipped(
          "recording against QEMU's",
          arguments.quick() ? "Left out by --quick." : "Install qemu-system-misc.");
    }
    out.value("log, CPU-bound work", bytes, "bytes per 1,000 instructions", Better.LOWER)
        .with("target", 0.05)
        .print();
  }

  /** The same guest recorded by QEMU, which counts instructions for that; seconds to its end. */
  private double qemuRecord(String work) throws IOException, InterruptedException {
    Path log = scratch.resolve("qemu-record");
    Contender qemu =
        linux(work).inQemu("qemu-record", "-icount", "shift=auto,rr=record,rrfile=" + log);
    double seconds = GuestRun.of(qemu.command()).seconds();
    Files.delete(log);
    return seconds;
  }

  private void compare(
      String name, List<Double> ours, List<Double> theirs, String peer, double target) {
    out.ratio(name, median(ours) / median(theirs), peer, Better.LOWER)
        .with("value", median(ours))
        .with("peer_value", median(theirs))
        .with("unit", "s")
        .with("rounds", ours.size())
        .with("target", target)
        .print();
  }

  private static double median(List<Double> values) {
    double[] sorted = values.stream().mapToDouble(d -> d).sorted().toArray();
    int n = sorted.length;
    return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
  }

  /** A guest that does nothing. */
  private void idle() throws IOException, InterruptedException {
    int seconds = 60;
    Path recording = newRecording();
    record(recording, guest("sleep %d".formatted(seconds)));
    LogFigures figures = new LogFigures(recording);
    // Without the beginning of the sleep, and the end of the guest.
    double middle = seconds - 4;
    out.value("log, idle Debian", figures.kilobitsPerSecond(middle), "kbit/s", Better.LOWER)
        .with("target", 10)
        .print();
    out.value(
            "replay of an idle hour",
            figures.replaySecondsPerSecond(middle) * 3600,
            "s",
            Better.LOWER)
        .with("target", 10)
        .print();
    delete(recording);
  }

  /** A guest that reads a disk and downloads. */
  private void input() throws IOException, InterruptedException {
    byte[] data = new byte[1 << 20];
    new Random(1).nextBytes(data);
    Path disk = scratch.resolve("disk.img");
    try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
      for (int i = 0; i < INPUT_MIB; i++) {
        file.write(data);
      }
    }
    Path recording = newRecording();
    List<String> reading = new ArrayList<>(guest("dd if=/dev/vda of=/dev/null bs=1M"));
    reading.addAll(List.of("--disk", disk.toString()));
    record(recording, reading);
    input("log, disk input", recording, "disk");
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 1);
    server.createContext(
        "/",
        exchange -> {
          exchange.sendResponseHeaders(200, (long) INPUT_MIB << 20);
          for (int i = 0; i < INPUT_MIB; i++) {
            exchange.getResponseBody().write(data);
          }
          exchange.close();
        });
    server.start();
    try {
      recording = newRecording();
      List<String> loading =
          new ArrayList<>(
              guest(
                  "wait-for-network; wget -q -O /dev/null http://10.0.2.2:%d/"
                      .formatted(server.getAddress().getPort())));
      loading.replaceAll(word -> word.replace("lockstep.ip=off", "lockstep.ip=dhcp"));
      loading.addAll(List.of("--net", "user,outbound=loopback"));
      record(recording, loading);
      input("log, network input", recording, "packet");
    } finally {
      server.stop(0);
    }
  }

  private void input(String name, Path recording, String type) throws IOException {
    double ratio = new LogFigures(recording).bytesPerPayload(type);
    out.ratio(name, ratio, "what came in", Better.LOWER).with("target", COST_MAX).print();
    delete(recording);
  }

  private static void delete(Path tree) throws IOException {
    try (Stream<Path> files = Files.walk(tree)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
