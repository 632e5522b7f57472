package io.lockstep.vm.virtio;

import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;
import io.lockstep.vm.snapshot.StateFormatException;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;

/** A virtio entropy source (virtio 1.2 §5.4). Random bytes come from outside, as inputs. */
public final class VirtioEntropy extends VirtioDevice {
  /** The most bytes that one request yields. */
  public static final int LENGTH_MAX = 4096;

  private static final int QUEUE_SIZE = 16;

  private final int id;
  private final OutputSink sink;
  private final LinkedHashMap<Long, Request> inFlight = new LinkedHashMap<>();
  private long nextId = 1;

  private record Request(int head, BufferList data) {}

  /**
   * Makes an entropy source.
   *
   * @param id its {@link io.lockstep.vm.port.DeviceId}
   * @param sink takes its {@link Output.EntropyRequest}s
   */
  public VirtioEntropy(int id, OutputSink sink) {
    super(QUEUE_SIZE);
    this.id = id;
    this.sink = sink;
  }

  @Override
  int type() {
    return 4;
  }

  @Override
  long features() {
    return 0;
  }

  @Override
  byte[] config() {
    return new byte[0];
  }

  @Override
  void notified(int queue) {
    takeRequests();
    signal(0);
  }

  private void takeRequests() {
    Virtqueue ring = queue(0);
    for (int i = 0; i < ring.size() && inFlight.size() < ring.size(); i++) {
      DescriptorChain chain = poll(0);
      if (chain == null) {
        break;
      }
      BufferList wanted = chain.writable();
      if (wanted.length() == 0) {
        ring.push(chain.head(), 0);
        continue;
      }
      BufferList data = wanted.slice(0, Math.min(wanted.length(), LENGTH_MAX));
      inFlight.put(nextId, new Request(chain.head(), data));
      sink.emit(new Output.EntropyRequest(id, nextId, (int) data.length()));
      nextId++;
    }
    ring.wantNotification();
  }

  @Override
  public void apply(Input input) {
    if (input instanceof Input.EntropyDelivery delivery) {
      Request request = inFlight.remove(delivery.requestId());
      if (request == null || !isRunning()) {
        return;
      }
      int n = request.data().write(ram(), 0, delivery.data(), 0, delivery.data().length);
      queue(0).push(request.head(), n);
      takeRequests();
      signal(0);
    }
  }

  @Override
  public void reissue(OutputSink to) {
    List<Output> outputs = new ArrayList<>();
    inFlight.forEach(
        (requestId, r) ->
            outputs.add(new Output.EntropyRequest(id, requestId, (int) r.data().length())));
    outputs.forEach(to::emit);
  }

  @Override
  void reset() {
    inFlight.clear();
  }

  @Override
  public void save(StateWriter out) {
    out.section("entropy").putLong(nextId).putInt(inFlight.size());
    inFlight.forEach(
        (requestId, r) -> {
          out.putLong(requestId).putInt(r.head());
          r.data().save(out);
        });
  }

  @Override
  public void restore(StateReader in) {
    in.section("entropy");
    nextId = in.getLong();
    inFlight.clear();
    int n = in.getInt(0, QUEUE_SIZE);
    long last = 0;
    for (int i = 0; i < n; i++) {
      long requestId = in.getLong();
      int head = in.getInt();
      BufferList data = BufferList.restore(in, ram());
      if (requestId <= last || requestId >= nextId || data.length() > LENGTH_MAX) {
        throw new StateFormatException(
            "saved state has an impossible entropy request " + requestId);
      }
      inFlight.put(requestId, new Request(head, data));
      last = requestId;
    }
  }
}
