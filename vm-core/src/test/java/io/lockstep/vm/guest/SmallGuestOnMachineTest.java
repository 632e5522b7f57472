package io.lockstep.vm.guest;

import static io.lockstep.vm.guest.Frames.UDP_PROTOCOL;
import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.machine.VirtualMachine.Power;
import io.lockstep.vm.port.DeviceId;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Input.BlockStatus;
import io.lockstep.vm.port.Output;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;

/** The small guest on our own machine, on the instruction clock. */
class SmallGuestOnMachineTest {
  private static final long MAC = 0x52_54_00_12_34_56L;
  private static final int SECTOR = 512;
  private static final int VNET_HEADER = 12;
  private static final long SLICE_STEPS = 10_000;
  private static final long REPLY_STEPS_MAX = 50_000_000;

  private final byte[] disk = new byte[2 << 20];

  @Test
  void acknowledgedWritesOutliveTheMachine() throws Exception {
    Board first = new Board("");
    assertThat(first.ask("SET a 5")).isEqualTo("OK 1 5\n");
    assertThat(first.ask("ADD a 7")).isEqualTo("OK 2 12\n");
    assertThat(first.console.toString())
        .contains("[small] Lockstep small guest, 16 MiB")
        .contains("boot 1, seq 0");

    Board second = new Board("");
    assertThat(second.ask("GET a")).isEqualTo("OK 2 12\n");
    assertThat(second.console.toString()).contains("boot 2, seq 2");
    assertThat(second.ask("POWEROFF")).isEqualTo("OK 2 0\n");
    second.runUntilHalted();
    assertThat(second.machine.power()).isEqualTo(Power.OFF);
  }

  @Test
  void theSameRunTwiceEndsInTheSameState() throws Exception {
    long[] digests = new long[2];
    for (int run = 0; run < digests.length; run++) {
      Arrays.fill(disk, (byte) 0);
      Board board = new Board("load=cpu dirty_kb=4000 beat_ms=20");
      for (int i = 1; i <= 20; i++) {
        assertThat(board.ask("APPEND " + i)).isEqualTo("OK " + i + " " + i + "\n");
      }
      assertThat(board.ask("SLEEP 50")).isEqualTo("OK 20 50\n");
      assertThat(board.ask("STAT")).doesNotContain(" rounds=0 ").doesNotContain(" dirtied=0\n");
      assertThat(board.console.toString()).contains("[small] beat 2 requests ");
      digests[run] = board.machine.digest();
    }
    assertThat(digests[0]).isEqualTo(digests[1]);
  }

  @Test
  void aFailingDiskEndsItBeforeItAcknowledges() throws Exception {
    Board board = new Board("");
    assertThat(board.ask("SET a 5")).isEqualTo("OK 1 5\n");
    board.diskFails = true;
    board.deliver(Frames.udp("SET a 6"));
    board.runUntilHalted();
    assertThat(board.machine.power()).isEqualTo(Power.FAILED);
    assertThat(board.console.toString()).contains("[small] panic: disk request type 1");
    assertThat(board.replies).isEmpty();
  }

  /** A machine whose disk is this test's, and which always answers at the next slice. */
  private final class Board {
    final StringBuilder console = new StringBuilder();
    final Queue<String> replies = new ArrayDeque<>();
    final Machine machine;
    boolean diskFails;
    private final Queue<Output.BlockRequest> requests = new ArrayDeque<>();

    Board(String commandLine) throws Exception {
      VirtioSlot block = new VirtioSlot.Block(disk.length / SECTOR, false, "small");
      VirtioSlot net = new VirtioSlot.Net(MAC, false);
      machine =
          new Machine(
              new MachineConfig(
                  SmallGuest.RAM_BYTES_MIN,
                  ClockMode.INSTRUCTIONS,
                  Firmware.BUILT_IN,
                  0,
                  List.of(block, net)),
              this::take);
      machine.boot(KernelLoader.Images.of(SmallGuest.elf(), new byte[0]), commandLine);
      runUntil(() -> console.indexOf("[small] ready") >= 0);
    }

    String ask(String request) {
      deliver(Frames.udp(request));
      runUntil(() -> !replies.isEmpty());
      return replies.remove();
    }

    void deliver(byte[] frame) {
      byte[] withHeader =
          ByteBuffer.allocate(VNET_HEADER + frame.length).put(VNET_HEADER, frame).array();
      machine.apply(new Input.PacketArrival(DeviceId.virtio(1), withHeader));
    }

    void runUntilHalted() {
      runUntil(() -> machine.power() != Power.ON);
    }

    private void runUntil(BooleanSupplier reached) {
      long limit = machine.steps() + REPLY_STEPS_MAX;
      while (!reached.getAsBoolean()) {
        assertThat(machine.steps()).as("steps; console: %s", console).isLessThan(limit);
        machine.run(machine.steps() + SLICE_STEPS);
        completeRequests();
      }
    }

    private void take(Output output) {
      switch (output) {
        case Output.ConsoleBytes bytes ->
            console.append(new String(bytes.data(), StandardCharsets.US_ASCII));
        case Output.PacketSent packet -> takeFrame(packet.frame());
        case Output.BlockRequest request -> requests.add(request);
        case Output.EntropyRequest request -> throw new AssertionError(request);
      }
    }

    private void takeFrame(byte[] withHeader) {
      byte[] frame = Arrays.copyOfRange(withHeader, VNET_HEADER, withHeader.length);
      if (Frames.isIp(frame, UDP_PROTOCOL)) {
        replies.add(Frames.udpText(frame));
      }
    }

    private void completeRequests() {
      while (!requests.isEmpty()) {
        Output.BlockRequest request = requests.remove();
        byte[] data = diskFails ? new byte[0] : carryOut(request);
        BlockStatus status = diskFails ? BlockStatus.IO_ERROR : BlockStatus.OK;
        machine.apply(
            new Input.BlockCompletion(request.device(), request.requestId(), status, data));
      }
    }

    private byte[] carryOut(Output.BlockRequest request) {
      ByteBuffer sectors = ByteBuffer.wrap(disk).position((int) request.sector() * SECTOR);
      return switch (request.op()) {
        case READ -> {
          byte[] data = new byte[(int) request.length()];
          sectors.get(data);
          yield data;
        }
        case WRITE -> {
          sectors.put(request.data());
          yield new byte[0];
        }
        case FLUSH -> new byte[0];
        case DISCARD, WRITE_ZEROES -> throw new AssertionError(request);
      };
    }
  }
}
