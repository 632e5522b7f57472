package io.lockstep.ft.pair;

import io.lockstep.vm.port.OutputSink;
import java.util.concurrent.CompletableFuture;

/** The real I/O of a machine that runs, all of it under one epoch. */
public interface LiveDevices extends AutoCloseable {
  /** Where released outputs go. Called by one thread at a time. */
  OutputSink outputs();

  /**
   * Starts what delivers inputs on its own, and takes over the machine's place in the network.
   * Inputs are taken from here on.
   */
  void start();

  /**
   * Completes when all disk writes that were completed before the call are stable on the shared
   * storage.
   */
  CompletableFuture<Void> makeStable();

  /** Ends the I/O; requests in flight may still be carried out, their completions go nowhere. */
  @Override
  void close();
}
