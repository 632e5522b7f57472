package io.lockstep.vm.virtio;

import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;

/** A virtio entropy source (virtio 1.2 §5.4). Random bytes come from outside, as inputs. */
public final class VirtioEntropy extends VirtioDevice {
  /** The most bytes that one request yields. */
  public static final int LENGTH_MAX = 4096;

  private static final int QUEUE_SIZE = 16;

  private final int id;
  private final OutputSink sink;
  private final InFlight<Request> inFlight = new InFlight<>();

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
  void notified(int queue) {
    takeRequests();
    signal(0);
  }

  private void takeRequests() {
    Virtqueue ring = queue(0);
    for (int i = 0; i < ring.size() && inFlight.count() < ring.size(); i++) {
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
      Request request = new Request(chain.head(), data);
      sink.emit(output(inFlight.add(request), request));
    }
    ring.wantNotification();
  }

  private Output.EntropyRequest output(long requestId, Request r) {
    return new Output.EntropyRequest(id, requestId, (int) r.data().length());
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
    inFlight.reissue(to, this::output);
  }

  @Override
  void reset() {
    inFlight.clear();
  }

  @Override
  public void save(StateWriter out) {
    out.section("entropy");
    inFlight.save(out, (to, r) -> r.data().save(to.putInt(r.head())));
  }

  @Override
  public void restore(StateReader in) {
    in.section("entropy");
    inFlight.restore(
        in,
        QUEUE_SIZE,
        from -> new Request(from.getInt(), BufferList.restore(from, ram())),
        r -> r.data().length() <= LENGTH_MAX,
        "entropy");
  }
}
