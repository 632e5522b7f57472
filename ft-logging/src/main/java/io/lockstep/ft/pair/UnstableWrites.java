package io.lockstep.ft.pair;

import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.Output.BlockOp;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The disk writes that a secondary's machine has made and of which nobody has said yet that they
 * are stable on the shared storage.
 *
 * <p>A guest may rely on a write that was completed, without a flush, as long as there is no power
 * failure, and the guest has seen none when its primary's host dies with its page cache. So the
 * survivor writes them again, into its own layer, before it goes live. Writes still in flight are
 * not its business: the machine issues those again itself.
 *
 * <p>A write becomes stable when a flush that was issued after its completion completes, or when
 * the primary says so ({@link #stableTo}). Belongs to one thread.
 */
public final class UnstableWrites {
  private record Key(int device, long requestId) {}

  private record Completed(long lsn, long order, Output.BlockRequest request) {}

  private final Map<Key, Output.BlockRequest> inFlight = new HashMap<>();
  private final Map<Key, Long> flushes = new HashMap<>();
  private final LinkedHashMap<Key, Completed> completed = new LinkedHashMap<>();
  private long order;
  private long bytes;

  /** The machine has emitted a disk request. */
  public void emitted(Output.BlockRequest request) {
    Key key = new Key(request.device(), request.requestId());
    if (request.op() == BlockOp.FLUSH) {
      flushes.put(key, order);
    } else if (request.op() != BlockOp.READ) {
      inFlight.put(key, request);
    }
  }

  /** A completion was applied; its log entry is {@code lsn}. */
  public void completed(Input.BlockCompletion completion, long lsn) {
    Key key = new Key(completion.device(), completion.requestId());
    Output.BlockRequest write = inFlight.remove(key);
    if (write != null && completion.status() == Input.BlockStatus.OK) {
      completed.put(key, new Completed(lsn, order++, write));
      bytes += write.data().length;
    }
    Long flushedBefore = flushes.remove(key);
    if (flushedBefore != null && completion.status() == Input.BlockStatus.OK) {
      drop(c -> c.order() < flushedBefore && c.request().device() == completion.device());
    }
  }

  /** All writes whose completion is an entry before {@code next} are stable. */
  public void stableTo(long next) {
    drop(c -> c.lsn() < next);
  }

  /** What has to be written again, in the order of completion. */
  public List<Output.BlockRequest> toRewrite() {
    List<Output.BlockRequest> writes = new ArrayList<>();
    completed.values().forEach(c -> writes.add(c.request()));
    return writes;
  }

  /** Bytes of data kept. */
  public long bytes() {
    return bytes;
  }

  private void drop(java.util.function.Predicate<Completed> stable) {
    for (Iterator<Completed> i = completed.values().iterator(); i.hasNext(); ) {
      Completed c = i.next();
      if (stable.test(c)) {
        bytes -= c.request().data().length;
        i.remove();
      }
    }
  }
}
