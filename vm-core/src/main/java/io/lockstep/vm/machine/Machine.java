package io.lockstep.vm.machine;

import io.lockstep.vm.bus.Bus;
import io.lockstep.vm.bus.MmioDevice;
import io.lockstep.vm.device.Clint;
import io.lockstep.vm.device.GoldfishRtc;
import io.lockstep.vm.device.Plic;
import io.lockstep.vm.device.PowerButton;
import io.lockstep.vm.device.SysconPower;
import io.lockstep.vm.device.Uart;
import io.lockstep.vm.digest.Hash64;
import io.lockstep.vm.digest.RamDigest;
import io.lockstep.vm.engine.Engine;
import io.lockstep.vm.engine.EngineOptions;
import io.lockstep.vm.engine.EngineStats;
import io.lockstep.vm.firmware.BootException;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.firmware.Sbi;
import io.lockstep.vm.firmware.SbiHart;
import io.lockstep.vm.firmware.VirtBoardTree;
import io.lockstep.vm.hart.Cause;
import io.lockstep.vm.hart.Hart;
import io.lockstep.vm.isa.Op;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.mmu.Pmp;
import io.lockstep.vm.port.DeviceId;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;
import io.lockstep.vm.snapshot.StateFormatException;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import io.lockstep.vm.virtio.VirtioConsole;
import io.lockstep.vm.virtio.VirtioMmio;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * QEMU's {@code virt} board with one RV64GC hart: everything wired together, and the loop that runs
 * it.
 */
public final class Machine implements VirtualMachine {
  /**
   * Version of everything guest-visible that the configuration does not say: instruction set,
   * translation cache geometry, device behaviour, snapshot layout. Raised with every change to any
   * of them.
   */
  public static final int DEFINITION_VERSION = 4;

  private static final byte[] NO_SEED = {};

  private final MachineConfig config;
  private final OutputSink sink;
  private final GuestRam ram;
  private final GuestClock clock = new GuestClock();
  private final Hart hart = new Hart(clock);
  private final Pmp pmp = new Pmp();
  private final Plic plic;
  private final Clint clint;
  private final Uart uart;
  private final GoldfishRtc rtc;
  private final PowerButton powerButton;
  private final VirtioMmio[] virtio = new VirtioMmio[DeviceId.VIRTIO_SLOTS];
  private final Sbi sbi;
  private final Engine engine;
  private final RamDigest ramDigest;

  /** Steps between two looks at the stop request: some tens of microseconds. */
  private final long slice;

  private final StateWriter digestBuffer = new StateWriter();
  private final AtomicBoolean stopRequested = new AtomicBoolean();
  private Power power = Power.ON;

  /**
   * Makes a machine with empty memory; {@link #boot} or {@link #restoreState} gives it something to
   * run.
   *
   * @param sink where its outputs go
   */
  public Machine(MachineConfig config, OutputSink sink) {
    this(config, sink, EngineOptions.standard());
  }

  /**
   * Makes a machine with empty memory and a choice of how it is executed, which makes no difference
   * to what it does.
   *
   * @param sink where its outputs go
   */
  public Machine(MachineConfig config, OutputSink sink, EngineOptions options) {
    this(config, sink, options, List.of());
  }

  /**
   * A device beside the board's, for experiments: without interrupt, in no snapshot and in no
   * digest.
   *
   * @param base guest physical address
   * @param length of its window in bytes
   */
  public record ExtraDevice(long base, long length, MmioDevice device) {}

  /**
   * Makes a machine with empty memory and devices that the board does not have.
   *
   * @param sink where its outputs go
   */
  public Machine(
      MachineConfig config, OutputSink sink, EngineOptions options, List<ExtraDevice> extra) {
    this.config = config;
    this.sink = sink;
    slice = options.mode().slice();
    ram = new GuestRam(config.memoryBytes());
    ramDigest = new RamDigest(ram);
    plic = new Plic(wire(Cause.MEI), wire(Cause.SEI));
    clint = new Clint(hart, wire(Cause.MSI), this::machineTimerChanged);
    powerButton = new PowerButton(plic);
    uart = new Uart(plic.source(Uart.IRQ), plic.requests(Uart.IRQ), sink);
    rtc = new GoldfishRtc(hart, config.rtcBaseNanos(), plic.source(GoldfishRtc.IRQ));
    Bus bus = new Bus();
    bus.map(SysconPower.BASE, SysconPower.LENGTH, new SysconPower(this::setPower));
    bus.map(GoldfishRtc.BASE, GoldfishRtc.LENGTH, new RtcWindow());
    bus.map(Clint.BASE, Clint.LENGTH, clint);
    bus.map(Plic.BASE, Plic.LENGTH, plic);
    bus.map(Uart.BASE, Uart.LENGTH, uart);
    for (int slot = 0; slot < virtio.length; slot++) {
      VirtioSlot what =
          slot < config.virtio().size() ? config.virtio().get(slot) : new VirtioSlot.Empty();
      virtio[slot] = VirtioMmio.create(what, slot, ram, plic.source(VirtioMmio.irq(slot)), sink);
      bus.map(VirtioMmio.base(slot), 0x1000, virtio[slot]);
    }
    for (ExtraDevice e : extra) {
      bus.map(e.base(), e.length(), e.device());
    }
    sbi = new Sbi(new SbiPort(), ram);
    engine = new Engine(hart, ram, bus, pmp, this::supervisorCall, options);
    if (config.clock() == ClockMode.INSTRUCTIONS) {
      clock.rebase(0, 0, (1L << 32) / MachineConfig.STEPS_PER_TICK, GuestClock.NEVER);
    }
  }

  private io.lockstep.vm.bus.IrqLine wire(int code) {
    return level -> {
      hart.setInterruptLine(code, level);
      if (level && engine != null) {
        engine.requestAttention();
      }
    };
  }

  private void machineTimerChanged() {
    hart.setMachineTimer(clint.mtimecmp());
    attention();
  }

  private void attention() {
    if (engine != null) {
      engine.requestAttention();
    }
  }

  private void setPower(Power next) {
    power = next;
    attention();
  }

  /** The RTC's registers: a write can arm an alarm that is due before the present slice ends. */
  private final class RtcWindow implements MmioDevice {
    @Override
    public long read(long offset, int size) {
      return rtc.read(offset, size);
    }

    @Override
    public void write(long offset, int size, long value) {
      rtc.write(offset, size, value);
      attention();
    }
  }

  private boolean supervisorCall() {
    if (config.firmware() != Firmware.BUILT_IN) {
      return false;
    }
    sbi.call();
    return true;
  }

  /** What the built-in firmware may do to the machine. */
  private final class SbiPort implements SbiHart {
    @Override
    public long getReg(int index) {
      return hart.x[index];
    }

    @Override
    public void setReg(int index, long value) {
      hart.x[index] = value;
    }

    @Override
    public void setTimer(long ticks) {
      hart.setSupervisorTimer(ticks);
    }

    @Override
    public void setSoftwareInterrupt(boolean pending) {
      hart.setPending(Cause.SSI, pending);
    }

    @Override
    public void flushTlb() {
      engine.mmu().flush();
    }

    @Override
    public void fenceI() {
      // Decoded code is never stale.
    }

    @Override
    public void power(Power state) {
      setPower(state);
    }

    @Override
    public void waitForInterrupt() {
      hart.waiting = !hart.wakeUpPending();
    }

    @Override
    public void consoleWrite(byte[] data) {
      sink.emit(new Output.ConsoleBytes(DeviceId.UART, data));
    }
  }

  /**
   * Loads what the machine starts from, and points the hart at it.
   *
   * @param images kernel, initrd, firmware
   * @param bootArgs the kernel's command line
   * @throws BootException if a file is not what it should be, or memory is too small
   */
  public void boot(KernelLoader.Images images, String bootArgs) throws BootException {
    KernelLoader.Plan plan = KernelLoader.plan(config.memoryBytes(), images);
    byte[] tree =
        VirtBoardTree.build(
            config,
            Isa.CPU,
            new VirtBoardTree.Chosen(bootArgs, plan.initrdStart(), plan.initrdEnd(), NO_SEED));
    KernelLoader.Entry entry = plan.place(ram, tree);
    if (config.firmware() == Firmware.BUILT_IN) {
      pmp.allowAll();
      hart.enterSupervisor(entry.pc(), entry.a0(), entry.a1());
    } else {
      hart.pc = entry.pc();
      hart.x[10] = entry.a0();
      hart.x[11] = entry.a1();
      hart.x[12] = entry.a2();
    }
  }

  @Override
  public long steps() {
    return hart.steps;
  }

  @Override
  public Stop run(long limit) {
    engine.clearAttention();
    while (true) {
      if (power != Power.ON) {
        return Stop.HALTED;
      }
      rtc.checkAlarm();
      if (hart.waiting && !leaveWaiting()) {
        return stopRequested.getAndSet(false) ? Stop.REQUESTED : Stop.IDLE;
      }
      if (hart.steps >= limit) {
        return Stop.LIMIT;
      }
      if (stopRequested.getPlain() && stopRequested.getAndSet(false)) {
        return Stop.REQUESTED;
      }
      runSlice(limit);
    }
  }

  /** Whether the hart has something to do again after WFI. */
  private boolean leaveWaiting() {
    // An alarm whose interrupt is masked wakes nobody: then the next timer is looked for.
    while (!hart.wakeUpPending()
        && config.clock() == ClockMode.INSTRUCTIONS
        && wakeTicks() != GuestClock.NEVER) {
      long slope = (1L << 32) / MachineConfig.STEPS_PER_TICK;
      clock.rebase(hart.steps, wakeTicks(), slope, GuestClock.NEVER);
      rtc.checkAlarm();
    }
    if (hart.wakeUpPending()) {
      hart.waiting = false;
    }
    return !hart.waiting;
  }

  private void runSlice(long limit) {
    int interrupt = hart.interruptToTake();
    if (interrupt >= 0) {
      hart.takeInterrupt(interrupt);
      return;
    }
    long before = hart.steps;
    long hard = Math.min(limit, timerStep());
    boolean soft = hard - before > slice;
    long end = soft ? before + slice : hard;
    engine.run(end - before, soft);
    if (hart.steps == before) {
      engine.runPart((int) (end - before));
    }
  }

  /** The step at which the next timer interrupt becomes pending, to be met exactly. */
  private long timerStep() {
    long ticks = wakeTicks();
    return ticks == GuestClock.NEVER ? GuestClock.NEVER : clock.stepOf(ticks);
  }

  @Override
  public void requestStop() {
    stopRequested.set(true);
  }

  @Override
  public void apply(Input input) {
    switch (input) {
      case Input.ClockReading c -> clock.rebase(hart.steps, c.ticks(), c.slopeQ32(), c.capTicks());
      case Input.ConsoleInput c -> {
        if (c.device() == DeviceId.UART) {
          uart.input(c.data());
        } else {
          toDevice(c.device(), c);
        }
      }
      case Input.BlockCompletion b -> toDevice(b.device(), b);
      case Input.PacketArrival p -> toDevice(p.device(), p);
      case Input.EntropyDelivery e -> toDevice(e.device(), e);
      case Input.Control c -> control(c.kind());
    }
  }

  private void toDevice(int device, Input input) {
    int slot = DeviceId.slot(device);
    if (slot >= 0 && slot < virtio.length) {
      virtio[slot].device().apply(input);
    }
  }

  private void control(Input.ControlKind kind) {
    switch (kind) {
      case POWER_BUTTON -> powerButton.press();
      case POWER_OFF -> power = Power.OFF;
      case FLUSH_TRANSLATIONS -> engine.mmu().flush();
    }
  }

  @Override
  public boolean isIdle() {
    return hart.waiting && !hart.wakeUpPending();
  }

  @Override
  public int consoleBacklog(int device) {
    if (device == DeviceId.UART) {
      return uart.backlog();
    }
    int slot = DeviceId.slot(device);
    return slot >= 0 && slot < virtio.length && virtio[slot].device() instanceof VirtioConsole c
        ? c.backlog()
        : 0;
  }

  @Override
  public long ticks() {
    return hart.ticks();
  }

  @Override
  public long wakeTicks() {
    return Math.min(hart.nextTimerTicks(), rtc.alarmTicks());
  }

  @Override
  public Power power() {
    return power;
  }

  @Override
  public void reissueOutstanding() {
    for (VirtioMmio v : virtio) {
      v.device().reissue(sink);
    }
  }

  @Override
  public long digest() {
    digestBuffer.clear();
    saveState(digestBuffer);
    long state = Hash64.of(digestBuffer.array(), digestBuffer.size(), 0);
    long memory = ramDigest.update();
    clearDirty(GuestRam.DIRTY_DIGEST);
    return Hash64.mix(state + Hash64.mix(memory));
  }

  @Override
  public boolean prepareDigest(int pagesMax) {
    if (ramDigest.isPrepared()) {
      return true;
    }
    boolean prepared = ramDigest.prepare(pagesMax);
    engine.mmu().dropFastStores();
    return prepared;
  }

  @Override
  public int digestPart(int pagesMax) {
    int looked = ramDigest.updatePart(pagesMax);
    engine.mmu().dropFastStores();
    return looked;
  }

  @Override
  public void saveState(StateWriter out) {
    out.section("machine").putInt(DEFINITION_VERSION).putByte(power.ordinal());
    hart.save(out);
    pmp.save(out);
    clock.save(out);
    engine.mmu().save(out);
    plic.save(out);
    clint.save(out);
    uart.save(out);
    rtc.save(out);
    for (VirtioMmio v : virtio) {
      v.save(out);
    }
    out.section("end");
  }

  @Override
  public void restoreState(StateReader in) {
    int version = in.section("machine").getInt();
    if (version != DEFINITION_VERSION) {
      throw new StateFormatException(
          "saved state is of machine definition %d, this is %d"
              .formatted(version, DEFINITION_VERSION));
    }
    int ordinal = in.getByte();
    if (ordinal >= Power.values().length) {
      throw new StateFormatException("saved state has an unknown power state");
    }
    power = Power.values()[ordinal];
    hart.restore(in);
    pmp.restore(in);
    clock.restore(in);
    engine.mmu().restore(in);
    plic.restore(in);
    clint.restore(in);
    uart.restore(in);
    rtc.restore(in);
    for (VirtioMmio v : virtio) {
      v.restore(in);
    }
    in.section("end");
    engine.clearAttention();
  }

  @Override
  public GuestRam ram() {
    return ram;
  }

  @Override
  public void clearDirty(byte dirtyBit) {
    byte[] flags = ram.flags();
    byte keep = (byte) ~(dirtyBit | GuestRam.FAST_STORE);
    for (int i = 0; i < flags.length; i++) {
      flags[i] &= keep;
    }
    engine.mmu().dropFastStores();
  }

  @Override
  public void dropCaches() {
    engine.dropCaches();
  }

  /** Page walks so far, for statistics. */
  public long pageWalks() {
    return engine.mmu().walks();
  }

  /** What the top execution tier has done so far. */
  public EngineStats engineStats() {
    return engine.stats();
  }

  /** Traps and interrupts so far. */
  public long traps() {
    return hart.nonRetired;
  }

  /** The address of the next instruction. */
  public long pc() {
    return hart.pc;
  }

  /** Integer register {@code index}, 0 to 31. */
  public long register(int index) {
    return hart.x[index & 31];
  }

  /** Bits of floating-point register {@code index}, 0 to 31. */
  public long floatRegister(int index) {
    return hart.x[Op.F0 + (index & 31)];
  }

  @Override
  public String definition() {
    StringBuilder text = new StringBuilder();
    text.append("definition=").append(DEFINITION_VERSION).append('\n');
    text.append("isa=").append(Isa.CPU.isa()).append('\n');
    text.append("memory=").append(config.memoryBytes()).append('\n');
    text.append("clock=").append(config.clock()).append('\n');
    text.append("firmware=").append(config.firmware()).append('\n');
    text.append("rtc=").append(config.rtcBaseNanos()).append('\n');
    for (int slot = 0; slot < config.virtio().size(); slot++) {
      text.append("virtio").append(slot).append('=').append(config.virtio().get(slot)).append('\n');
    }
    return text.toString();
  }
}
