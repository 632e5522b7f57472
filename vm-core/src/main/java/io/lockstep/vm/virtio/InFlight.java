package io.lockstep.vm.virtio;

import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;
import io.lockstep.vm.snapshot.StateFormatException;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * The requests of a device that are being worked on outside, by id and oldest first.
 *
 * <p>Ids are never used twice, also not after a reset, so an answer that comes too late meets
 * nothing.
 */
final class InFlight<R> {
  private final LinkedHashMap<Long, R> requests = new LinkedHashMap<>();
  private long nextId = 1;

  /** Makes the output that asks for a request to be done. */
  @FunctionalInterface
  interface Asking<R> {
    Output output(long requestId, R request);
  }

  /** Adds a request and returns its id. */
  long add(R request) {
    requests.put(nextId, request);
    return nextId++;
  }

  /** Takes a request out; null if there is none of that id. */
  R remove(long requestId) {
    return requests.remove(requestId);
  }

  int count() {
    return requests.size();
  }

  Collection<R> all() {
    return requests.values();
  }

  void clear() {
    requests.clear();
  }

  /** Asks for all of them again. */
  void reissue(OutputSink to, Asking<R> asking) {
    // Emitted at the end: an output may be answered at once, which changes what is in flight.
    List<Output> outputs = new ArrayList<>();
    requests.forEach((requestId, request) -> outputs.add(asking.output(requestId, request)));
    outputs.forEach(to::emit);
  }

  void save(StateWriter out, BiConsumer<StateWriter, R> writer) {
    out.putLong(nextId).putInt(requests.size());
    requests.forEach(
        (requestId, request) -> {
          out.putLong(requestId);
          writer.accept(out, request);
        });
  }

  /**
   * Reads what {@link #save} wrote.
   *
   * @param most that there can be
   * @param plausible whether a device can have such a request
   * @param name of a request, for messages
   */
  void restore(
      StateReader in,
      int most,
      Function<StateReader, R> reader,
      Predicate<R> plausible,
      String name) {
    nextId = in.getLong();
    requests.clear();
    int n = in.getInt(0, most);
    long last = 0;
    for (int i = 0; i < n; i++) {
      long requestId = in.getLong();
      R request = reader.apply(in);
      if (requestId <= last || requestId >= nextId || !plausible.test(request)) {
        throw new StateFormatException(
            "saved state has an impossible %s request %d".formatted(name, requestId));
      }
      requests.put(requestId, request);
      last = requestId;
    }
  }
}
