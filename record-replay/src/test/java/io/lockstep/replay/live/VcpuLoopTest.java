package io.lockstep.replay.live;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lockstep.replay.ToyRun;
import io.lockstep.replay.log.LogEntry;
import io.lockstep.replay.log.LogEntry.EndReason;
import io.lockstep.replay.sim.ToyMachine;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class VcpuLoopTest {
  @Test
  void commandsRunOnTheMachinesThreadInTheOrderOfTheInputs() throws Exception {
    try (ToyRun run = new ToyRun(1, ClockMode.HOST, 0)) {
      VcpuLoop loop = run.loop(ClockMode.HOST, run.inMemory(), ToyRun.PACE);
      CompletableFuture<VcpuEnd> end = start(loop);
      List<Integer> order = new ArrayList<>();
      for (int i = 0; i < 100; i++) {
        int n = i;
        loop.execute(() -> order.add(n));
      }
      String name = loop.execute(() -> Thread.currentThread().getName()).get();
      assertThat(name).isEqualTo("test-vcpu");
      assertThat(order).hasSize(100).isSorted();
      loop.stop(EndReason.STOPPED).get();
      assertThat(end.get()).isInstanceOf(VcpuEnd.Stopped.class);
      assertThat(run.log.getLast())
          .isEqualTo(new LogEntry.End(end.get().point(), EndReason.STOPPED));
    }
  }

  @Test
  void aPausedMachineStandsAndGetsItsInputsInOrderAfterwards() throws Exception {
    try (ToyRun run = new ToyRun(2, ClockMode.HOST, 0)) {
      VcpuLoop loop = run.loop(ClockMode.HOST, run.inMemory(), ToyRun.PACE);
      CompletableFuture<VcpuEnd> end = start(loop);
      loop.pause().get();
      long point = loop.execute(() -> run.machine.steps()).get();
      for (byte i = 0; i < 50; i++) {
        loop.offer(new Input.ConsoleInput(7, new byte[] {i}));
      }
      assertThat(loop.execute(() -> run.machine.steps()).get()).isEqualTo(point);
      loop.resume();
      for (byte i = 50; i < 60; i++) {
        loop.offer(new Input.ConsoleInput(7, new byte[] {i}));
      }
      loop.execute(() -> null).get();
      loop.stop(null).get();
      end.get();
      List<Byte> typed =
          run.log.stream()
              .filter(
                  e ->
                      e instanceof LogEntry.InputEntry i
                          && i.input() instanceof Input.ConsoleInput c
                          && c.device() == 7)
              .map(e -> ((Input.ConsoleInput) ((LogEntry.InputEntry) e).input()).data()[0])
              .toList();
      assertThat(typed).hasSize(60).isSorted();
    }
  }

  @Test
  void aDigestBehindAnInputIsTakenAlsoWhereOneWasTakenBeforeIt() throws Exception {
    try (ToyRun run = new ToyRun(7, ClockMode.HOST, 0)) {
      VcpuLoop loop = run.loop(ClockMode.HOST, run.inMemory(), ToyRun.PACE);
      CompletableFuture<VcpuEnd> end = start(loop);
      // All at one point: the inputs offered by a command are applied before the next step.
      CompletableFuture<Long> digest =
          loop.execute(
                  () -> {
                    loop.digestNow();
                    loop.digestNow();
                    loop.offer(new Input.ConsoleInput(7, new byte[] {1}));
                    return loop.<Long>execute(
                        () -> {
                          loop.digestNow();
                          return run.machine.digest();
                        });
                  })
              .thenCompose(later -> later);
      long expected = digest.get();
      loop.stop(null).get();
      end.get();
      int typed = indexOfTyping(run.log);
      assertThat(run.log.subList(0, typed))
          .filteredOn(e -> e.point() == run.log.get(typed).point())
          .filteredOn(LogEntry.Digest.class::isInstance)
          .hasSize(1);
      assertThat(run.log.get(typed + 1))
          .isEqualTo(new LogEntry.Digest(run.log.get(typed).point(), expected));
    }
  }

  private static int indexOfTyping(List<LogEntry> log) {
    for (int i = 0; i < log.size(); i++) {
      if (log.get(i) instanceof LogEntry.InputEntry e
          && e.input() instanceof Input.ConsoleInput c
          && c.device() == 7) {
        return i;
      }
    }
    throw new AssertionError("no input in " + log);
  }

  @Test
  void anIdleMachineIsWokenByAnInputAndByItsTimer() throws Exception {
    try (ToyRun run = new ToyRun(3, ClockMode.HOST, 2_000_000)) {
      VcpuLoop loop = run.loop(ClockMode.HOST, run.inMemory(), ToyRun.PACE);
      VcpuEnd end = start(loop).get();
      assertThat(end.point()).isEqualTo(2_000_000);
      // The toy machine waits for its timer hundreds of times in so many steps.
      assertThat(loop.stats().idleTicks()).isPositive();
      assertThat(loop.stats().readings()).isGreaterThan(50);
    }
  }

  @Test
  void afterTheEndCommandsFailAndInputsAreDropped() throws Exception {
    try (ToyRun run = new ToyRun(4, ClockMode.HOST, 10_000)) {
      VcpuLoop loop = run.loop(ClockMode.HOST, run.inMemory(), ToyRun.PACE);
      start(loop).get();
      int entries = run.log.size();
      loop.offer(new Input.Control(Input.ControlKind.POWER_OFF));
      CompletableFuture<Void> late = loop.stop(null);
      assertThatThrownBy(late::get)
          .isInstanceOf(ExecutionException.class)
          .hasMessageContaining("has stopped");
      assertThat(run.log).hasSize(entries);
    }
  }

  @Test
  void everyOutputIsCommittedAtAPointBehindItAndBeforeTheNextEntry() throws Exception {
    try (ToyRun run = new ToyRun(5, ClockMode.HOST, 1_000_000)) {
      List<String> violations = new ArrayList<>();
      AtomicInteger uncommitted = new AtomicInteger();
      AtomicInteger committed = new AtomicInteger();
      InputJournal log = run.inMemory();
      OutputGate gate =
          new OutputGate() {
            private long emittedAt;

            @Override
            public void emit(Output output) {
              uncommitted.incrementAndGet();
              emittedAt = run.machine.steps();
            }

            @Override
            public void commit(long point) {
              if (point < emittedAt || point > emittedAt + 2 * ToyMachine.BLOCK) {
                violations.add("emitted at " + emittedAt + ", committed at " + point);
              }
              committed.addAndGet(uncommitted.getAndSet(0));
              log.append(new LogEntry.OutputMark(point, committed.get()));
            }

            @Override
            public boolean holdsOutputs() {
              return true;
            }
          };
      VcpuLoop loop = run.loop(ClockMode.HOST, log, ToyRun.PACE);
      loop.useGate(gate);
      start(loop).get();
      assertThat(violations).isEmpty();
      assertThat(committed.get()).isGreaterThan(500);
      assertThat(uncommitted.get()).isZero();
      for (int i = 1; i < run.log.size(); i++) {
        assertThat(run.log.get(i).point()).isGreaterThanOrEqualTo(run.log.get(i - 1).point());
      }
    }
  }

  @Test
  void aThrottledMachineSleepsItsShare() throws Exception {
    try (ToyRun run = new ToyRun(6, ClockMode.HOST, 0)) {
      VcpuLoop loop = run.loop(ClockMode.HOST, InputJournal.NONE, ToyRun.PACE);
      loop.throttle(0.9);
      CompletableFuture<VcpuEnd> end = start(loop);
      while (loop.stats().runTicks() < 200_000) {
        TimeUnit.MILLISECONDS.sleep(5);
      }
      loop.stop(null).get();
      end.get();
      // It sleeps nine times as long as it runs; half of that allows for a busy host.
      assertThat(loop.stats().throttledTicks()).isGreaterThan(loop.stats().runTicks() * 4);
    }
  }

  @Test
  void aFloodOfPacketsWhilePausedIsBounded() throws Exception {
    try (ToyRun run = new ToyRun(7, ClockMode.HOST, 0)) {
      VcpuLoop loop = run.loop(ClockMode.HOST, run.inMemory(), ToyRun.PACE);
      CompletableFuture<VcpuEnd> end = start(loop);
      loop.pause().get();
      for (int i = 0; i < 3 * Inbox.PACKETS_MAX; i++) {
        loop.offer(new Input.PacketArrival(7, new byte[20]));
      }
      loop.resume().get();
      loop.execute(() -> null).get();
      loop.stop(null).get();
      end.get();
      long packets =
          run.log.stream()
              .filter(
                  e ->
                      e instanceof LogEntry.InputEntry i
                          && i.input() instanceof Input.PacketArrival p
                          && p.device() == 7)
              .count();
      assertThat(packets).isBetween(1L, (long) Inbox.PACKETS_MAX);
    }
  }

  private static CompletableFuture<VcpuEnd> start(VcpuLoop loop) {
    CompletableFuture<VcpuEnd> end = new CompletableFuture<>();
    Thread.ofPlatform()
        .daemon()
        .name("test-vcpu")
        .start(
            () -> {
              try {
                end.complete(loop.run());
              } catch (RuntimeException e) {
                end.completeExceptionally(e);
              }
            });
    return end;
  }
}
