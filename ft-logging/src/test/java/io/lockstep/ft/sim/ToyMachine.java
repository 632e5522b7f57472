package io.lockstep.ft.sim;

import io.lockstep.vm.machine.GuestClock;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32C;

/**
 * A small deterministic machine with the interface of the real one. Its guest is a ledger: PUT and
 * GET of 64-bit values arrive as packets; a PUT is written to memory and to disk, sometimes
 * flushed, and answered when the disk is done; every second GET compares disk with memory. Between
 * requests it scribbles over its memory, so that a page that was not copied, or an input applied at
 * another step, changes its digest.
 */
class ToyMachine implements VirtualMachine {
  static final int PAGES = 20;
  static final int KEYS = 4;
  static final int DISK = 1;
  static final int NET = 2;
  static final int REQUEST_BYTES = 40;
  static final int REPLY_BYTES = 40;

  /** Reply flags. */
  static final long OK = 0;

  static final long DISK_DIFFERS = 1;

  private record Pending(
      long id, int op, long client, long seq, long key, long value, long order) {}

  private record Answer(long seq, long order, long value, boolean given) {}

  static final int WRITE = 0;
  static final int FLUSH = 1;
  static final int READ = 2;

  private final GuestRam ram = new GuestRam((long) PAGES * GuestRam.PAGE);
  private final OutputSink sink;
  protected final GuestClock clock = new GuestClock();
  private long steps;
  private long acc = 42;
  private long orders;
  private long nextRequest;
  private long outputs;
  private final ArrayDeque<byte[]> queue = new ArrayDeque<>();
  private final TreeMap<Long, Pending> pending = new TreeMap<>();
  private final TreeMap<Long, Answer> answers = new TreeMap<>();

  ToyMachine(OutputSink sink) {
    this.sink = sink;
  }

  /** How many outputs the guest has made since reset; re-issued ones do not count. */
  long outputs() {
    return outputs;
  }

  @Override
  public long steps() {
    return steps;
  }

  @Override
  public Stop run(long limit) {
    while (steps < limit) {
      step();
      steps++;
    }
    return Stop.LIMIT;
  }

  private void step() {
    acc = (acc ^ steps) * 0x9E3779B97F4A7C15L;
    acc ^= acc >>> 29;
    if ((acc & 3) == 0) {
      int page = KEYS + (int) ((acc >>> 8 & 0xffff) % (PAGES - KEYS));
      ram.putLong(address(page, acc >>> 40 & 0x1f8), acc);
    }
    if ((steps & 1) == 0 && !queue.isEmpty()) {
      serve(ByteBuffer.wrap(queue.peek()));
    }
  }

  private void serve(ByteBuffer request) {
    long kind = request.getLong();
    long client = request.getLong();
    long seq = request.getLong();
    long key = request.getLong();
    long value = request.getLong();
    Answer last = answers.get(client);
    if (last != null && last.seq() >= seq) {
      queue.remove();
      if (last.seq() == seq && last.given()) {
        reply(client, last, OK);
      }
      return;
    }
    if (pending.values().stream().anyMatch(p -> p.key() == key)) {
      return;
    }
    queue.remove();
    long order = ++orders;
    long page = key;
    if (kind == 0) {
      ram.putLong(address((int) page, 0), value);
      ram.putLong(address((int) page, 8), order);
      answers.put(client, new Answer(seq, order, value, false));
      disk(new Pending(nextRequest++, WRITE, client, seq, key, value, order));
    } else {
      long found = ram.getLong(address((int) page, 0));
      Answer answer = new Answer(seq, order, found, (order & 1) == 0);
      answers.put(client, answer);
      if (answer.given()) {
        reply(client, answer, OK);
      } else {
        disk(new Pending(nextRequest++, READ, client, seq, key, found, order));
      }
    }
  }

  private void disk(Pending p) {
    pending.put(p.id(), p);
    outputs++;
    issue(p);
  }

  private void issue(Pending p) {
    byte[] none = new byte[0];
    sink.emit(
        switch (p.op()) {
          case WRITE ->
              new Output.BlockRequest(
                  DISK, p.id(), Output.BlockOp.WRITE, p.key(), 512, sector(p.value()));
          case FLUSH -> new Output.BlockRequest(DISK, p.id(), Output.BlockOp.FLUSH, 0, 0, none);
          default -> new Output.BlockRequest(DISK, p.id(), Output.BlockOp.READ, p.key(), 512, none);
        });
  }

  static byte[] sector(long value) {
    return ByteBuffer.allocate(512).putLong(value).array();
  }

  private void reply(long client, Answer a, long flag) {
    outputs++;
    sink.emit(
        new Output.PacketSent(
            NET,
            ByteBuffer.allocate(REPLY_BYTES + 8)
                .putLong(client)
                .putLong(a.seq())
                .putLong(a.order())
                .putLong(a.value())
                .putLong(ticks())
                .putLong(flag)
                .array()));
  }

  @Override
  public void apply(Input input) {
    switch (input) {
      case Input.ClockReading r -> setClock(r);
      case Input.PacketArrival p -> {
        if (queue.size() < 16) {
          queue.add(p.frame());
        }
      }
      case Input.BlockCompletion c -> complete(c);
      case Input.ConsoleInput c -> {}
      case Input.EntropyDelivery e -> {}
      case Input.Control c -> {}
    }
  }

  protected void setClock(Input.ClockReading r) {
    clock.rebase(steps, r.ticks(), r.slopeQ32(), r.capTicks());
  }

  private void complete(Input.BlockCompletion c) {
    Pending p = pending.remove(c.requestId());
    if (p == null) {
      return;
    }
    if (p.op() == WRITE && p.order() % 3 == 0) {
      disk(new Pending(nextRequest++, FLUSH, p.client(), p.seq(), p.key(), p.value(), p.order()));
      return;
    }
    boolean differs =
        p.op() == READ && c.data().length >= 8 && ByteBuffer.wrap(c.data()).getLong() != p.value();
    Answer answer = new Answer(p.seq(), p.order(), p.value(), true);
    answers.put(p.client(), answer);
    reply(p.client(), answer, differs ? DISK_DIFFERS : OK);
  }

  @Override
  public void reissueOutstanding() {
    pending.values().forEach(this::issue);
  }

  @Override
  public void saveState(StateWriter out) {
    out.section("toy")
        .putLong(steps)
        .putLong(acc)
        .putLong(orders)
        .putLong(nextRequest)
        .putLong(outputs);
    clock.save(out);
    out.putInt(queue.size());
    queue.forEach(out::putBytes);
    out.putInt(pending.size());
    for (Pending p : pending.values()) {
      out.putLongs(new long[] {p.id(), p.op(), p.client(), p.seq(), p.key(), p.value(), p.order()});
    }
    out.putInt(answers.size());
    for (Map.Entry<Long, Answer> e : answers.entrySet()) {
      Answer a = e.getValue();
      out.putLongs(new long[] {e.getKey(), a.seq(), a.order(), a.value(), a.given() ? 1 : 0});
    }
  }

  @Override
  public void restoreState(StateReader in) {
    in.section("toy");
    steps = in.getLong();
    acc = in.getLong();
    orders = in.getLong();
    nextRequest = in.getLong();
    outputs = in.getLong();
    clock.restore(in);
    queue.clear();
    for (int n = in.getInt(); n > 0; n--) {
      queue.add(in.getBytes(4096));
    }
    pending.clear();
    for (int n = in.getInt(); n > 0; n--) {
      long[] v = new long[7];
      in.getLongs(v);
      pending.put(v[0], new Pending(v[0], (int) v[1], v[2], v[3], v[4], v[5], v[6]));
    }
    answers.clear();
    for (int n = in.getInt(); n > 0; n--) {
      long[] v = new long[5];
      in.getLongs(v);
      answers.put(v[0], new Answer(v[1], v[2], v[3], v[4] == 1));
    }
  }

  @Override
  public long digest() {
    StateWriter state = new StateWriter();
    saveState(state);
    CRC32C crc = new CRC32C();
    crc.update(state.array(), 0, state.size());
    for (int page = 0; page < PAGES; page++) {
      crc.update(ram.page(page).asByteBuffer());
    }
    return crc.getValue();
  }

  /** Flips a bit behind everybody's back. */
  void corrupt() {
    long at = address(PAGES - 1, 4000);
    ram.putLong(at, ~ram.getLong(at));
  }

  private static long address(int page, long offset) {
    return GuestRam.BASE + (long) page * GuestRam.PAGE + offset;
  }

  @Override
  public void clearDirty(byte dirtyBit) {
    byte[] flags = ram.flags();
    for (int i = 0; i < flags.length; i++) {
      flags[i] &= (byte) ~dirtyBit;
    }
  }

  @Override
  public GuestRam ram() {
    return ram;
  }

  @Override
  public long ticks() {
    return clock.ticksAt(steps);
  }

  @Override
  public void requestStop() {}

  @Override
  public boolean isIdle() {
    return false;
  }

  @Override
  public long wakeTicks() {
    return GuestClock.NEVER;
  }

  @Override
  public Power power() {
    return Power.ON;
  }

  @Override
  public String definition() {
    return "toy=1";
  }
}
