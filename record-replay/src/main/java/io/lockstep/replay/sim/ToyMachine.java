package io.lockstep.replay.sim;

import io.lockstep.vm.machine.GuestClock;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.Output.BlockOp;
import io.lockstep.vm.port.OutputSink;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/**
 * A machine whose every step stirs a 64-bit state, and now and then writes RAM, reads its clock,
 * sends a packet, prints, starts a disk request or waits for its timer. What it does depends on all
 * that it was ever given, so that any input that comes a step too early, too late, changed or not
 * at all shows in the digest within a few steps. Like the real one it stops cheaply only at some
 * points (steps that are a multiple of {@value #BLOCK}).
 *
 * <p>Its program is in RAM: the seed in the first 8 bytes and in the next 8 the step at which it
 * powers off, 0 for never; see {@link #load}.
 */
public final class ToyMachine implements VirtualMachine {
  /** Steps in a block. */
  public static final int BLOCK = 8;

  /** The device ids that it uses. */
  public static final int CONSOLE = 0;

  /** Its disk, of {@link #SECTORS} sectors. */
  public static final int DISK = 1;

  /** Its network card. */
  public static final int NET = 2;

  /** Its entropy device. */
  public static final int ENTROPY = 3;

  /** The size of its disk in sectors. */
  public static final long SECTORS = 2048;

  private static final int ACTION_BITS = 12;

  private final MachineConfig config;
  private final OutputSink sink;
  private final GuestRam ram;
  private final GuestClock clock = new GuestClock();
  private final Map<Long, Output> inFlight = new TreeMap<>();
  private final long[] pageHashes;
  private final StateWriter digestState = new StateWriter();
  private final Quirk quirk;

  private long steps;
  private long x;
  private long haltAt;
  private boolean started;
  private boolean waiting;
  private long timerTicks = GuestClock.NEVER;
  private long nextRequest = 1;
  private long skippedTicks;
  private Power power = Power.ON;
  private volatile boolean stopRequested;

  /** A fault to plant: called before every step. */
  @FunctionalInterface
  public interface Quirk {
    /** No fault. */
    Quirk NONE = step -> 0;

    /** What is added to the machine's state before this step; 0 for a sound machine. */
    long before(long step);
  }

  /** A sound machine. */
  public ToyMachine(MachineConfig config, OutputSink sink) {
    this(config, sink, Quirk.NONE);
  }

  /** A machine with a planted fault. */
  public ToyMachine(MachineConfig config, OutputSink sink, Quirk quirk) {
    this.config = config;
    this.sink = sink;
    this.quirk = quirk;
    this.ram = new GuestRam(config.memoryBytes());
    this.pageHashes = new long[ram.pages()];
    // Of RAM that was never written, which is never marked either.
    Arrays.fill(pageHashes, hash(ram.page(0)));
    clock.rebase(0, 0, 1L << 28, GuestClock.NEVER);
  }

  /** A configuration with 1 MiB of RAM. */
  public static MachineConfig config(ClockMode mode) {
    return new MachineConfig(
        MachineConfig.MEMORY_MIN, mode, MachineConfig.Firmware.BUILT_IN, 0, java.util.List.of());
  }

  /** Puts a program into RAM, before the first run. */
  public void load(long seed, long haltAtStep) {
    ram.putLong(GuestRam.BASE, seed);
    ram.putLong(GuestRam.BASE + 8, haltAtStep);
  }

  @Override
  public long steps() {
    return steps;
  }

  @Override
  public Stop run(long limit) {
    if (!started) {
      started = true;
      x = ram.getLong(GuestRam.BASE);
      haltAt = ram.getLong(GuestRam.BASE + 8);
    }
    while (power == Power.ON) {
      if (waiting && !wakeUp()) {
        return Stop.IDLE;
      }
      if (steps == limit) {
        return Stop.LIMIT;
      }
      if (stopRequested && steps % BLOCK == 0) {
        stopRequested = false;
        return Stop.REQUESTED;
      }
      step();
    }
    return Stop.HALTED;
  }

  private boolean wakeUp() {
    if (config.clock() == ClockMode.INSTRUCTIONS && timerTicks != GuestClock.NEVER) {
      skippedTicks += Math.max(0, timerTicks - ticks());
    }
    if (ticks() < timerTicks) {
      return false;
    }
    timerTicks = GuestClock.NEVER;
    waiting = false;
    x += 0x1234567;
    return true;
  }

  private void step() {
    x += quirk.before(steps);
    x = (x ^ x >>> 29) * 0xbf58476d1ce4e5b9L + 0x9e3779b97f4a7c15L;
    if (timerTicks <= ticks()) {
      timerTicks = GuestClock.NEVER;
      x ^= 0x7f4a7c15;
    }
    int action = (int) (x >>> 64 - ACTION_BITS);
    if (action < 64) {
      act(action);
    }
    steps++;
    if (haltAt != 0 && steps >= haltAt) {
      power = Power.OFF;
    }
  }

  private void act(int action) {
    switch (action) {
      case 0 ->
          sink.emit(
              new Output.ConsoleBytes(
                  CONSOLE,
                  "abcdefgh"
                      .substring((int) (x & 7))
                      .getBytes(java.nio.charset.StandardCharsets.US_ASCII)));
      case 1 -> sink.emit(new Output.PacketSent(NET, bytes((int) (x & 127) + 40)));
      case 2 -> request(BlockOp.READ);
      case 3 -> request(BlockOp.WRITE);
      case 4 -> request(BlockOp.FLUSH);
      case 5 -> {
        var request = new Output.EntropyRequest(ENTROPY, nextRequest++, 1 + (int) (x & 63));
        inFlight.put(request.requestId(), request);
        sink.emit(request);
      }
      case 6 -> timerTicks = ticks() + (x >>> 20 & 0x3fff);
      case 7 -> {
        if (timerTicks == GuestClock.NEVER) {
          timerTicks = ticks() + 1 + (x >>> 20 & 0x3fff);
        }
        waiting = true;
      }
      case 8 -> x ^= ticks();
      default -> ram.putLong(GuestRam.BASE + 16 + ((x & Long.MAX_VALUE) % (ram.size() - 24)), x);
    }
  }

  private void request(BlockOp op) {
    if (inFlight.size() >= 8) {
      return;
    }
    long sectors = op == BlockOp.FLUSH ? 0 : 1 + (x & 15);
    byte[] data = op == BlockOp.WRITE ? bytes((int) sectors * 512) : new byte[0];
    var request =
        new Output.BlockRequest(DISK, nextRequest++, op, (x >>> 8 & 1023), sectors * 512, data);
    inFlight.put(request.requestId(), request);
    sink.emit(request);
  }

  private byte[] bytes(int length) {
    byte[] out = new byte[length];
    long v = x;
    for (int i = 0; i < length; i++) {
      v = v * 6364136223846793005L + 1;
      out[i] = (byte) (v >>> 56);
    }
    return out;
  }

  @Override
  public void requestStop() {
    stopRequested = true;
  }

  @Override
  public void apply(Input input) {
    switch (input) {
      case Input.ClockReading i -> clock.rebase(steps, i.ticks(), i.slopeQ32(), i.capTicks());
      case Input.ConsoleInput i -> take(1, i.data());
      case Input.BlockCompletion i -> {
        if (inFlight.remove(i.requestId()) != null) {
          take(2 + i.requestId(), i.data());
        }
      }
      case Input.PacketArrival i -> take(3, i.frame());
      case Input.EntropyDelivery i -> {
        if (inFlight.remove(i.requestId()) != null) {
          take(4, i.data());
        }
      }
      case Input.Control i -> {
        x += i.kind().ordinal();
        if (i.kind() == Input.ControlKind.POWER_OFF) {
          power = Power.OFF;
        }
      }
    }
  }

  private void take(long kind, byte[] data) {
    waiting = false;
    x = x * 31 + kind;
    for (byte b : data) {
      x = x * 31 + b;
    }
    int length = Math.min(data.length, 8192);
    ram.write(GuestRam.BASE + 16 + (x >>> 33) % (ram.size() - 16 - length), data, 0, length);
  }

  @Override
  public boolean isIdle() {
    return waiting && ticks() < timerTicks && power == Power.ON;
  }

  @Override
  public long ticks() {
    return config.clock() == ClockMode.HOST
        ? clock.ticksAt(steps)
        : steps / MachineConfig.STEPS_PER_TICK + skippedTicks;
  }

  @Override
  public long wakeTicks() {
    return timerTicks;
  }

  @Override
  public Power power() {
    return power;
  }

  @Override
  public void reissueOutstanding() {
    for (Output output : inFlight.values()) {
      sink.emit(output);
    }
  }

  @Override
  public long digest() {
    for (int page = 0; page < pageHashes.length; page++) {
      if ((ram.flags()[page] & GuestRam.DIRTY_DIGEST) != 0) {
        ram.flags()[page] &= ~GuestRam.DIRTY_DIGEST;
        pageHashes[page] = hash(ram.page(page));
      }
    }
    digestState.clear();
    saveState(digestState);
    digestState.putLongs(pageHashes);
    return hash(java.lang.foreign.MemorySegment.ofArray(digestState.toByteArray()));
  }

  private static long hash(java.lang.foreign.MemorySegment bytes) {
    long h = bytes.byteSize();
    long at = 0;
    for (; at + 8 <= bytes.byteSize(); at += 8) {
      h = (h ^ bytes.get(ValueLayout.JAVA_LONG_UNALIGNED, at)) * 0x9e3779b97f4a7c15L;
      h ^= h >>> 32;
    }
    for (; at < bytes.byteSize(); at++) {
      h = (h ^ bytes.get(ValueLayout.JAVA_BYTE, at)) * 0x9e3779b97f4a7c15L;
    }
    return h ^ h >>> 29;
  }

  @Override
  public void saveState(StateWriter out) {
    out.section("toy").putLong(steps).putLong(x).putLong(haltAt).putBoolean(started);
    out.putBoolean(waiting).putLong(timerTicks).putLong(nextRequest).putLong(skippedTicks);
    out.putByte(power.ordinal());
    clock.save(out);
    out.section("requests").putInt(inFlight.size());
    for (Output output : inFlight.values()) {
      switch (output) {
        case Output.BlockRequest r -> {
          out.putByte(0).putLong(r.requestId()).putByte(r.op().ordinal());
          out.putLong(r.sector()).putLong(r.length()).putBytes(r.data());
        }
        case Output.EntropyRequest r -> out.putByte(1).putLong(r.requestId()).putInt(r.length());
        case Output.ConsoleBytes r -> throw new IllegalStateException("not a request: " + r);
        case Output.PacketSent r -> throw new IllegalStateException("not a request: " + r);
      }
    }
  }

  @Override
  public void restoreState(StateReader in) {
    in.section("toy");
    steps = in.getLong();
    x = in.getLong();
    haltAt = in.getLong();
    started = in.getBoolean();
    waiting = in.getBoolean();
    timerTicks = in.getLong();
    nextRequest = in.getLong();
    skippedTicks = in.getLong();
    power = Power.values()[in.getByte()];
    clock.restore(in);
    in.section("requests");
    inFlight.clear();
    for (int n = in.getInt(0, 1000); n > 0; n--) {
      boolean block = in.getByte() == 0;
      long id = in.getLong();
      if (block) {
        BlockOp op = BlockOp.values()[in.getByte()];
        inFlight.put(
            id,
            new Output.BlockRequest(
                DISK, id, op, in.getLong(), in.getLong(), in.getBytes(1 << 20)));
      } else {
        inFlight.put(id, new Output.EntropyRequest(ENTROPY, id, in.getInt()));
      }
    }
  }

  @Override
  public GuestRam ram() {
    return ram;
  }

  @Override
  public void clearDirty(byte dirtyBit) {
    byte[] flags = ram.flags();
    for (int i = 0; i < flags.length; i++) {
      flags[i] &= (byte) ~dirtyBit;
    }
  }

  @Override
  public String definition() {
    return "machine=toy 1\nmemory=%d\nclock=%s\n".formatted(config.memoryBytes(), config.clock());
  }
}
