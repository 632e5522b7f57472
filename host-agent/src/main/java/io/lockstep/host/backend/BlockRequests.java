package io.lockstep.host.backend;

import io.lockstep.host.vm.HostFiles;
import io.lockstep.replay.live.InputPort;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Input.BlockStatus;
import io.lockstep.vm.port.Output;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The requests to one disk, which a thread does in the order in which they came. Each that is taken
 * holds its share of the room until it is answered, once.
 */
final class BlockRequests implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(BlockRequests.class);

  /**
   * Bytes of requests that wait or are under way. The device bounds them itself, but forgets them
   * when the guest resets it: then the vCPU thread waits here.
   */
  private static final int WAITING_BYTES_MAX = 64 << 20;

  /** What a request counts on top of its data. */
  private static final int REQUEST_WEIGHT = 4096;

  private static final byte[] NOTHING = {};

  private final Path image;
  private final Semaphore room = new Semaphore(WAITING_BYTES_MAX);
  private final SerialWorker<Request> worker;
  private final AtomicBoolean warned = new AtomicBoolean();

  /** A request and who hears of its end. */
  record Request(Output.BlockRequest output, InputPort completions) {
    private int weight() {
      boolean hasData =
          switch (output.op()) {
            case READ, WRITE -> true;
            case FLUSH, DISCARD, WRITE_ZEROES -> false;
          };
      return Math.min(
          WAITING_BYTES_MAX, REQUEST_WEIGHT + (hasData ? Math.toIntExact(output.length()) : 0));
    }
  }

  /**
   * Starts the thread.
   *
   * @param image the disk, for messages
   * @param work is called on the thread with what waits; has each answered, at once or later
   */
  BlockRequests(Path image, String threadName, Consumer<List<Request>> work) {
    this.image = image;
    worker = new SerialWorker<>(threadName, work);
  }

  /** Takes a request, which may wait for room; ignored once closed. */
  void submit(Output.BlockRequest output, InputPort completions) {
    Request request = new Request(output, completions);
    room.acquireUninterruptibly(request.weight());
    if (!worker.add(request)) {
      room.release(request.weight());
    }
  }

  /** Answers a request that yields no data. */
  void done(Request request) {
    done(request, NOTHING);
  }

  /** Answers a request with what was read. */
  void done(Request request, byte[] read) {
    answer(request, BlockStatus.OK, read);
  }

  /** Answers a request that has failed. */
  void failed(Request request, IOException e) {
    if (warned.compareAndSet(false, true)) {
      LOG.warn(
          "the disk {} has failed, and the guest sees an I/O error: {} (further errors are not"
              + " reported)",
          image,
          HostFiles.reason(e));
    }
    answer(request, BlockStatus.IO_ERROR, NOTHING);
  }

  private void answer(Request request, BlockStatus status, byte[] data) {
    room.release(request.weight());
    Output.BlockRequest r = request.output();
    request.completions().offer(new Input.BlockCompletion(r.device(), r.requestId(), status, data));
  }

  /** Takes nothing more, and waits until the thread has done what waits. */
  @Override
  public void close() {
    worker.close();
  }
}
