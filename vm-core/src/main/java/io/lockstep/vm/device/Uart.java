package io.lockstep.vm.device;

import io.lockstep.vm.bus.IrqLine;
import io.lockstep.vm.bus.MmioDevice;
import io.lockstep.vm.port.DeviceId;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.OutputSink;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import io.lockstep.vm.snapshot.Stateful;

/**
 * A 16550A serial port with byte-wide registers (PC16550D data sheet).
 *
 * <p>A line has no speed here: what is written is sent before the store retires, so the transmitter
 * is always empty, and the character timeout is over as soon as a byte waits. What is typed faster
 * than the guest reads waits in a backlog behind the FIFO, so there is no overrun (only loopback
 * can cause one); beyond {@link #BACKLOG_MAX} bytes it is lost. The modem lines say that somebody
 * is there and never change.
 */
public final class Uart implements MmioDevice, Stateful {
  /** Guest physical address of the window. */
  public static final long BASE = 0x1000_0000L;

  /** Bytes of the window. */
  public static final long LENGTH = 0x100L;

  /** Interrupt source at the PLIC. */
  public static final int IRQ = 10;

  /** The most bytes that wait behind the FIFO. */
  public static final int BACKLOG_MAX = 64 << 10;

  private static final int FIFO_SIZE = 16;
  private static final int[] TRIGGERS = {1, 4, 8, 14};

  private static final int RBR_THR = 0;
  private static final int IER = 1;
  private static final int IIR_FCR = 2;
  private static final int LCR = 3;
  private static final int MCR = 4;
  private static final int LSR = 5;
  private static final int MSR = 6;
  private static final int SCR = 7;

  private static final int IER_RECEIVED = 1;
  private static final int IER_EMPTY = 2;
  private static final int IER_LINE = 4;
  private static final int IER_MASK = 0x0f;

  private static final int IIR_NONE = 0x01;
  private static final int IIR_EMPTY = 0x02;
  private static final int IIR_RECEIVED = 0x04;
  private static final int IIR_LINE = 0x06;
  private static final int IIR_TIMEOUT = 0x0c;
  private static final int IIR_FIFOS = 0xc0;

  private static final int FCR_ENABLE = 0x01;
  private static final int FCR_CLEAR_RECEIVER = 0x02;
  private static final int FCR_KEPT = 0xc9;

  private static final int LCR_DLAB = 0x80;
  private static final int MCR_LOOP = 0x10;
  private static final int MCR_MASK = 0x1f;

  private static final int LSR_READY = 0x01;
  private static final int LSR_OVERRUN = 0x02;
  private static final int LSR_TRANSMITTER_EMPTY = 0x60;

  /** Carrier, data set ready, clear to send. */
  private static final int MSR_CONNECTED = 0xb0;

  private final IrqLine irq;
  private final IrqLine emptied;
  private final OutputSink sink;
  private final ByteQueue fifo = new ByteQueue("uart-fifo", FIFO_SIZE);
  private final ByteQueue backlog = new ByteQueue("uart-backlog", BACKLOG_MAX);
  private int ier;
  private int fcr;
  private int lcr;
  private int mcr = 0x08;
  private int scratch;
  private int divisor = 12;
  private boolean overrun;
  private boolean emptyPending;

  /**
   * Makes a port in its reset state.
   *
   * @param irq the wire to the PLIC, high as long as there is something to read
   * @param emptied raised each time the transmitter becomes empty; a request, not a level: drivers
   *     exist that neither read IIR nor write THR, and for which one interrupt must be enough
   * @param sink takes what the guest sends, as {@link Output.ConsoleBytes} of {@link DeviceId#UART}
   */
  public Uart(IrqLine irq, IrqLine emptied, OutputSink sink) {
    this.irq = irq;
    this.emptied = emptied;
    this.sink = sink;
  }

  /** Receives bytes from the line. */
  public void input(byte[] data) {
    backlog.add(data, 0, data.length);
    refill();
    update();
  }

  /** Bytes that the guest has not read yet. */
  public int backlog() {
    return fifo.size() + backlog.size();
  }

  @Override
  public long read(long offset, int size) {
    boolean dlab = (lcr & LCR_DLAB) != 0;
    return switch ((int) offset) {
      case RBR_THR -> dlab ? divisor & 0xff : receive();
      case IER -> dlab ? divisor >>> 8 : ier;
      case IIR_FCR -> identify();
      case LCR -> lcr;
      case MCR -> mcr;
      case LSR -> lineStatus();
      case MSR -> modemStatus();
      case SCR -> scratch;
      default -> 0;
    };
  }

  @Override
  public void write(long offset, int size, long value) {
    int v = (int) value & 0xff;
    boolean dlab = (lcr & LCR_DLAB) != 0;
    switch ((int) offset) {
      case RBR_THR -> {
        if (dlab) {
          divisor = divisor & 0xff00 | v;
        } else {
          transmit(v);
        }
      }
      case IER -> {
        if (dlab) {
          divisor = divisor & 0x00ff | v << 8;
        } else {
          setInterruptEnable(v & IER_MASK);
        }
      }
      case IIR_FCR -> setFifoControl(v);
      case LCR -> lcr = v;
      case MCR -> {
        mcr = v & MCR_MASK;
        refill();
        update();
      }
      case SCR -> scratch = v;
      default -> {
        // LSR and MSR are read-only.
      }
    }
  }

  private int receive() {
    int b = fifo.poll();
    refill();
    update();
    return Math.max(b, 0);
  }

  private void transmit(int b) {
    if ((mcr & MCR_LOOP) != 0) {
      loopBack((byte) b);
    } else {
      sink.emit(new Output.ConsoleBytes(DeviceId.UART, new byte[] {(byte) b}));
    }
    setEmptyPending(true);
    update();
  }

  private void setEmptyPending(boolean pending) {
    emptyPending = pending;
    if (!pending || (ier & IER_EMPTY) != 0) {
      emptied.set(pending);
    }
  }

  private void loopBack(byte b) {
    if (fifo.size() < depth()) {
      fifo.add(new byte[] {b}, 0, 1);
    } else {
      overrun = true;
    }
  }

  private void setInterruptEnable(int v) {
    // Enabling the interrupt while the transmitter is empty raises it, also the second time:
    // drivers probe for that.
    boolean enabled = (v & ~ier & IER_EMPTY) != 0;
    ier = v;
    if (enabled) {
      setEmptyPending(true);
    } else if ((v & IER_EMPTY) == 0) {
      setEmptyPending(false);
    }
    update();
  }

  private void setFifoControl(int v) {
    if (((v ^ fcr) & FCR_ENABLE) != 0 || (v & FCR_CLEAR_RECEIVER) != 0) {
      fifo.clear();
    }
    fcr = (v & FCR_ENABLE) != 0 ? v & FCR_KEPT : 0;
    refill();
    update();
  }

  private int identify() {
    int source = pendingInterrupt();
    if (source == IIR_EMPTY) {
      setEmptyPending(false);
    }
    return source | (fifosEnabled() ? IIR_FIFOS : 0);
  }

  private int lineStatus() {
    int v = LSR_TRANSMITTER_EMPTY | (fifo.isEmpty() ? 0 : LSR_READY) | (overrun ? LSR_OVERRUN : 0);
    if (overrun) {
      overrun = false;
      update();
    }
    return v;
  }

  /**
   * In loopback the modem outputs appear at the modem inputs: RTS as CTS, DTR as DSR, OUT1 as RI,
   * OUT2 as DCD.
   */
  private int modemStatus() {
    if ((mcr & MCR_LOOP) == 0) {
      return MSR_CONNECTED;
    }
    return (mcr & 2) << 3 | (mcr & 1) << 5 | (mcr & 4) << 4 | (mcr & 8) << 4;
  }

  private int pendingInterrupt() {
    if ((ier & IER_LINE) != 0 && overrun) {
      return IIR_LINE;
    }
    if ((ier & IER_RECEIVED) != 0 && !fifo.isEmpty()) {
      return fifo.size() >= trigger() ? IIR_RECEIVED : IIR_TIMEOUT;
    }
    if ((ier & IER_EMPTY) != 0 && emptyPending) {
      return IIR_EMPTY;
    }
    return IIR_NONE;
  }

  private boolean fifosEnabled() {
    return (fcr & FCR_ENABLE) != 0;
  }

  private int depth() {
    return fifosEnabled() ? FIFO_SIZE : 1;
  }

  private int trigger() {
    return fifosEnabled() ? TRIGGERS[fcr >>> 6] : 1;
  }

  /** Moves what waits behind the FIFO into it. In loopback the line is cut off. */
  private void refill() {
    if ((mcr & MCR_LOOP) != 0) {
      return;
    }
    int room = depth() - fifo.size();
    if (room > 0 && !backlog.isEmpty()) {
      byte[] more = backlog.poll(room);
      fifo.add(more, 0, more.length);
    }
  }

  private void update() {
    int source = pendingInterrupt();
    irq.set(source != IIR_NONE && source != IIR_EMPTY);
  }

  @Override
  public void save(StateWriter out) {
    out.section("uart").putByte(ier).putByte(fcr).putByte(lcr).putByte(mcr).putByte(scratch);
    out.putInt(divisor).putBoolean(overrun).putBoolean(emptyPending);
    fifo.save(out);
    backlog.save(out);
  }

  @Override
  public void restore(StateReader in) {
    in.section("uart");
    ier = in.getByte() & IER_MASK;
    fcr = in.getByte() & FCR_KEPT;
    lcr = in.getByte();
    mcr = in.getByte() & MCR_MASK;
    scratch = in.getByte();
    divisor = in.getInt(0, 0xffff);
    overrun = in.getBoolean();
    emptyPending = in.getBoolean();
    fifo.restore(in);
    backlog.restore(in);
    update();
  }
}
