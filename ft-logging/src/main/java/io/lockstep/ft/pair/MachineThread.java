package io.lockstep.ft.pair;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * The one thread that ever touches a replica's machine: what it does, it does to the end before the
 * next.
 */
final class MachineThread {
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(Thread.ofPlatform().name("vcpu").daemon().factory());

  void execute(Runnable what) {
    thread.execute(what);
  }

  void end() {
    thread.shutdown();
  }
}
