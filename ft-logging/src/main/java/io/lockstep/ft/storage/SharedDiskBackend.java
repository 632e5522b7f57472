package io.lockstep.ft.storage;

import io.lockstep.replay.live.BlockBackend;
import io.lockstep.replay.live.InputPort;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Input.BlockStatus;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.Output.BlockOp;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A machine's block device on a {@link SharedDisk}.
 *
 * <p>Writes are done by one thread, in the order of their submission. A read that is submitted
 * while writes wait goes behind them, so it sees them; in particular, reads of a machine that went
 * live see the requests that were issued again before. Other reads are done by a few threads.
 * Flushes have a thread of their own; all that wait share the next one.
 */
public final class SharedDiskBackend implements BlockBackend {
  private static final Logger LOG = LoggerFactory.getLogger(SharedDiskBackend.class);
  private static final int READERS = 3;
  private static final byte[] NOTHING = {};

  /**
   * Bytes of requests that wait or are under way. The device bounds them itself, but forgets them
   * when the guest resets it: then who submits waits.
   */
  private static final int WAITING_BYTES_MAX = 64 << 20;

  /** What a request counts on top of its data. */
  private static final int REQUEST_WEIGHT = 4096;

  private final SharedDisk disk;
  private final Consumer<StorageException> trouble;
  private final ExecutorService writes = executor("shared-disk-write", 1);
  private final ExecutorService reads = executor("shared-disk-read", READERS);
  private final ExecutorService flushes = executor("shared-disk-flush", 1);
  private final Semaphore room = new Semaphore(WAITING_BYTES_MAX);
  private final AtomicInteger writesWaiting = new AtomicInteger();
  private final List<Request> flushesWaiting = new ArrayList<>();
  private final AtomicBoolean warned = new AtomicBoolean();

  private record Request(Output.BlockRequest output, InputPort completions) {
    int weight() {
      boolean hasData = output.op() == BlockOp.READ || output.op() == BlockOp.WRITE;
      return (int) Math.min(WAITING_BYTES_MAX, REQUEST_WEIGHT + (hasData ? output.length() : 0));
    }
  }

  /**
   * A backend that owns the disk.
   *
   * @param trouble gets the error of every request that fails, on a thread of this backend
   */
  public SharedDiskBackend(SharedDisk disk, Consumer<StorageException> trouble) {
    this.disk = disk;
    this.trouble = trouble;
  }

  private static ExecutorService executor(String name, int threads) {
    return Executors.newFixedThreadPool(
        threads, Thread.ofPlatform().daemon().name(name + "-", 0).factory());
  }

  /** The disk beneath. */
  public SharedDisk disk() {
    return disk;
  }

  @Override
  public long sectors() {
    return disk.sectors();
  }

  @Override
  public void submit(Output.BlockRequest output, InputPort completions) {
    Request request = new Request(output, completions);
    room.acquireUninterruptibly(request.weight());
    try {
      switch (output.op()) {
        case READ -> {
          if (writesWaiting.get() == 0) {
            reads.execute(() -> perform(request));
          } else {
            writes.execute(() -> perform(request));
          }
        }
        case WRITE, WRITE_ZEROES -> {
          writesWaiting.incrementAndGet();
          writes.execute(
              () -> {
                try {
                  perform(request);
                } finally {
                  writesWaiting.decrementAndGet();
                }
              });
        }
        // What is there afterwards is undefined (virtio 1.2 §5.2.6.1), so nothing need be done.
        case DISCARD -> writes.execute(() -> complete(request, BlockStatus.OK, NOTHING));
        case FLUSH -> {
          synchronized (flushesWaiting) {
            flushesWaiting.add(request);
          }
          flushes.execute(this::flushAll);
        }
      }
    } catch (RejectedExecutionException e) {
      // Closed; the machine has stopped for good.
      room.release(request.weight());
    }
  }

  private void perform(Request request) {
    Output.BlockRequest r = request.output();
    long position = r.sector() * SharedDisk.SECTOR;
    byte[] read = NOTHING;
    try {
      switch (r.op()) {
        case READ -> {
          read = new byte[Math.toIntExact(r.length())];
          disk.read(position, ByteBuffer.wrap(read));
        }
        case WRITE -> disk.write(position, ByteBuffer.wrap(r.data()));
        case WRITE_ZEROES -> disk.zero(position, r.length());
        case DISCARD, FLUSH -> throw new IllegalStateException("not performed here: " + r.op());
      }
    } catch (StorageException e) {
      failed(request, e);
      return;
    }
    complete(request, BlockStatus.OK, read);
  }

  /** All that wait share one. */
  private void flushAll() {
    List<Request> waiting;
    synchronized (flushesWaiting) {
      waiting = List.copyOf(flushesWaiting);
      flushesWaiting.clear();
    }
    if (waiting.isEmpty()) {
      return;
    }
    try {
      disk.flush();
    } catch (StorageException e) {
      waiting.forEach(r -> failed(r, e));
      return;
    }
    waiting.forEach(r -> complete(r, BlockStatus.OK, NOTHING));
  }

  private void failed(Request request, StorageException e) {
    if (warned.compareAndSet(false, true)) {
      LOG.warn("the guest sees an I/O error, further ones are not reported: {}", e.getMessage());
    }
    trouble.accept(e);
    complete(request, BlockStatus.IO_ERROR, NOTHING);
  }

  private void complete(Request request, BlockStatus status, byte[] data) {
    room.release(request.weight());
    Output.BlockRequest r = request.output();
    request.completions().offer(new Input.BlockCompletion(r.device(), r.requestId(), status, data));
  }

  /** Waits for requests in flight, flushes, and closes the disk. */
  @Override
  public void close() {
    // Flushes last: they cover what the others have done.
    finish(writes);
    finish(reads);
    finish(flushes);
    disk.close();
  }

  private static void finish(ExecutorService executor) {
    executor.shutdown();
    boolean interrupted = false;
    while (!executor.isTerminated()) {
      try {
        executor.awaitTermination(1, TimeUnit.DAYS);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
