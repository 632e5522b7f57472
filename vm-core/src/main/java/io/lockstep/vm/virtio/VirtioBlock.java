package io.lockstep.vm.virtio;

import io.lockstep.vm.machine.MachineConfig.VirtioSlot;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Input.BlockStatus;
import io.lockstep.vm.port.Output;
import io.lockstep.vm.port.Output.BlockOp;
import io.lockstep.vm.port.OutputSink;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * A virtio disk (virtio 1.2 §5.2) with one queue.
 *
 * <p>A driver's request becomes one {@link Output.BlockRequest} after the other of at most {@link
 * #CHUNK_MAX} bytes, each with an id of its own, and is finished after the last. While more than
 * {@link #IN_FLIGHT_MAX} bytes are under way no further request is taken from the ring: whatever
 * the guest asks for, that much host memory is enough.
 */
public final class VirtioBlock extends VirtioDevice {
  /** The most bytes in one request to the host. */
  public static final int CHUNK_MAX = 1 << 20;

  /** Bytes under way above which the ring waits. */
  public static final int IN_FLIGHT_MAX = 8 << 20;

  private static final int QUEUE_SIZE = 256;
  private static final int SECTOR = 512;

  /** The ring without header and status, as Linux would find out by itself. */
  private static final int SEGMENTS_MAX = QUEUE_SIZE - 2;

  /** 1 GiB: what one discard or zeroing covers at most. */
  private static final int RANGE_SECTORS_MAX = 1 << 21;

  private static final long F_SEG_MAX = 1L << 2;
  private static final long F_RO = 1L << 5;
  private static final long F_BLK_SIZE = 1L << 6;
  private static final long F_FLUSH = 1L << 9;
  private static final long F_DISCARD = 1L << 13;
  private static final long F_WRITE_ZEROES = 1L << 14;

  private static final int TYPE_IN = 0;
  private static final int TYPE_OUT = 1;
  private static final int TYPE_FLUSH = 4;
  private static final int TYPE_GET_ID = 8;
  private static final int TYPE_DISCARD = 11;
  private static final int TYPE_WRITE_ZEROES = 13;

  private static final int HEADER = 16;
  private static final int RANGE = 16;
  private static final int ID_LENGTH = 20;

  private static final int STATUS_OK = 0;
  private static final int STATUS_IO_ERROR = 1;
  private static final int STATUS_UNSUPPORTED = 2;

  private final int id;
  private final VirtioSlot.Block slot;
  private final OutputSink sink;

  /** A request that goes on with its next chunk moves to the end with a new id. */
  private final InFlight<Request> inFlight = new InFlight<>();

  /**
   * A request of the driver that is under way; {@code done} bytes are, and the next {@link #chunk}
   * bytes are being worked on.
   */
  private record Request(
      int head,
      BlockOp op,
      long sector,
      long length,
      long done,
      long statusAddress,
      BufferList data) {

    long chunk() {
      return op == BlockOp.READ || op == BlockOp.WRITE
          ? Math.min(CHUNK_MAX, length - done)
          : length - done;
    }

    /** What is held in host memory while the chunk is under way. */
    long weight() {
      return op == BlockOp.READ || op == BlockOp.WRITE ? chunk() : 0;
    }

    Request advanced() {
      return new Request(head, op, sector, length, done + chunk(), statusAddress, data);
    }
  }

  /**
   * Makes a disk.
   *
   * @param id its {@link io.lockstep.vm.port.DeviceId}
   * @param sink takes its {@link Output.BlockRequest}s
   */
  public VirtioBlock(int id, VirtioSlot.Block slot, OutputSink sink) {
    super(QUEUE_SIZE);
    this.id = id;
    this.slot = slot;
    this.sink = sink;
  }

  @Override
  int type() {
    return 2;
  }

  @Override
  long features() {
    return F_SEG_MAX | F_BLK_SIZE | F_FLUSH | (slot.readOnly() ? F_RO : F_DISCARD | F_WRITE_ZEROES);
  }

  /** {@code struct virtio_blk_config}, §5.2.4. */
  @Override
  byte[] config() {
    ByteBuffer c = ByteBuffer.allocate(60).order(ByteOrder.LITTLE_ENDIAN);
    c.putLong(0, slot.sectors());
    c.putInt(12, SEGMENTS_MAX);
    c.putInt(20, SECTOR);
    c.putShort(34, (short) 1);
    c.putInt(36, RANGE_SECTORS_MAX).putInt(40, 1).putInt(44, 1);
    c.putInt(48, RANGE_SECTORS_MAX).putInt(52, 1).put(56, (byte) 1);
    return c.array();
  }

  @Override
  void notified(int queue) {
    takeRequests();
    signal(0);
  }

  private void takeRequests() {
    Virtqueue ring = queue(0);
    for (int i = 0; i < ring.size() && inFlight.count() < ring.size(); i++) {
      if (bytesInFlight() >= IN_FLIGHT_MAX) {
        return;
      }
      DescriptorChain chain = poll(0);
      if (chain == null) {
        break;
      }
      begin(chain);
    }
    ring.wantNotification();
  }

  private long bytesInFlight() {
    long sum = 0;
    for (Request r : inFlight.all()) {
      sum += r.weight();
    }
    return sum;
  }

  private void begin(DescriptorChain chain) {
    BufferList out = chain.readable();
    BufferList in = chain.writable();
    if (out.length() < HEADER || in.length() < 1) {
      fail();
      return;
    }
    byte[] header = new byte[HEADER];
    out.read(ram(), 0, header, 0, HEADER);
    ByteBuffer h = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
    long sector = h.getLong(8);
    long statusAt = in.length() - 1;
    long status = in.addressOf(statusAt);
    int head = chain.head();
    switch (h.getInt(0)) {
      case TYPE_IN -> transfer(head, BlockOp.READ, sector, status, in.slice(0, statusAt));
      case TYPE_OUT ->
          transfer(head, BlockOp.WRITE, sector, status, out.slice(HEADER, out.length() - HEADER));
      case TYPE_FLUSH -> issue(new Request(head, BlockOp.FLUSH, 0, 0, 0, status, new BufferList()));
      case TYPE_GET_ID -> getId(head, status, in.slice(0, statusAt));
      case TYPE_DISCARD -> range(chain, BlockOp.DISCARD, status);
      case TYPE_WRITE_ZEROES -> range(chain, BlockOp.WRITE_ZEROES, status);
      default -> finish(head, status, STATUS_UNSUPPORTED, 0);
    }
  }

  private void transfer(int head, BlockOp op, long sector, long status, BufferList data) {
    long length = data.length();
    if (length % SECTOR != 0
        || !isOnDisk(sector, length / SECTOR)
        || (op == BlockOp.WRITE && slot.readOnly())) {
      finish(head, status, STATUS_IO_ERROR, 0);
    } else if (length == 0) {
      finish(head, status, STATUS_OK, 0);
    } else {
      issue(new Request(head, op, sector, length, 0, status, data));
    }
  }

  /**
   * §5.2.6: one segment of sector, number of sectors and flags; a zeroing may unmap, a discard has
   * no flags.
   */
  private void range(DescriptorChain chain, BlockOp op, long status) {
    int head = chain.head();
    if (slot.readOnly() || chain.readable().length() != HEADER + RANGE) {
      finish(head, status, slot.readOnly() ? STATUS_IO_ERROR : STATUS_UNSUPPORTED, 0);
      return;
    }
    byte[] bytes = new byte[RANGE];
    chain.readable().read(ram(), HEADER, bytes, 0, RANGE);
    ByteBuffer b = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    long sector = b.getLong(0);
    long sectors = b.getInt(8) & 0xffff_ffffL;
    int allowed = op == BlockOp.WRITE_ZEROES ? 1 : 0;
    if ((b.getInt(12) & ~allowed) != 0) {
      finish(head, status, STATUS_UNSUPPORTED, 0);
    } else if (sectors > RANGE_SECTORS_MAX || !isOnDisk(sector, sectors)) {
      finish(head, status, STATUS_IO_ERROR, 0);
    } else if (sectors == 0) {
      finish(head, status, STATUS_OK, 0);
    } else {
      issue(new Request(head, op, sector, sectors * SECTOR, 0, status, new BufferList()));
    }
  }

  private void getId(int head, long status, BufferList into) {
    byte[] serial = new byte[ID_LENGTH];
    byte[] ascii = slot.serial().getBytes(StandardCharsets.US_ASCII);
    System.arraycopy(ascii, 0, serial, 0, Math.min(ascii.length, ID_LENGTH));
    int n = into.write(ram(), 0, serial, 0, ID_LENGTH);
    finish(head, status, STATUS_OK, n);
  }

  private boolean isOnDisk(long sector, long sectors) {
    return sector >= 0 && sector <= slot.sectors() && sectors <= slot.sectors() - sector;
  }

  private void issue(Request request) {
    sink.emit(output(inFlight.add(request), request));
  }

  private Output.BlockRequest output(long requestId, Request r) {
    byte[] data = new byte[r.op() == BlockOp.WRITE ? (int) r.chunk() : 0];
    r.data().read(ram(), r.done(), data, 0, data.length);
    return new Output.BlockRequest(
        id, requestId, r.op(), r.sector() + r.done() / SECTOR, r.chunk(), data);
  }

  private void finish(int head, long statusAddress, int status, long dataWritten) {
    ram().write(statusAddress, new byte[] {(byte) status}, 0, 1);
    queue(0).push(head, dataWritten + 1);
  }

  @Override
  public void apply(Input input) {
    if (input instanceof Input.BlockCompletion completion) {
      complete(completion);
    }
  }

  private void complete(Input.BlockCompletion completion) {
    Request request = inFlight.remove(completion.requestId());
    if (request == null || !isRunning()) {
      return;
    }
    BlockStatus status = completion.status();
    boolean read = request.op() == BlockOp.READ;
    if (status == BlockStatus.OK && read && completion.data().length != request.chunk()) {
      status = BlockStatus.IO_ERROR;
    }
    if (status == BlockStatus.OK) {
      if (read) {
        request.data().write(ram(), request.done(), completion.data(), 0, completion.data().length);
      }
      Request rest = request.advanced();
      if (rest.done() < rest.length()) {
        issue(rest);
        return;
      }
    }
    long written = read && status == BlockStatus.OK ? request.length() : 0;
    finish(request.head(), request.statusAddress(), code(status), written);
    takeRequests();
    signal(0);
  }

  private static int code(BlockStatus status) {
    return switch (status) {
      case OK -> STATUS_OK;
      case IO_ERROR -> STATUS_IO_ERROR;
      case UNSUPPORTED -> STATUS_UNSUPPORTED;
    };
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
    out.section("block");
    inFlight.save(
        out,
        (to, r) -> {
          to.putInt(r.head()).putInt(r.op().ordinal());
          to.putLong(r.sector()).putLong(r.length()).putLong(r.done()).putLong(r.statusAddress());
          r.data().save(to);
        });
  }

  @Override
  public void restore(StateReader in) {
    in.section("block");
    inFlight.restore(in, QUEUE_SIZE, this::restoreRequest, this::isPlausible, "disk");
  }

  private Request restoreRequest(StateReader in) {
    int head = in.getInt();
    BlockOp op = BlockOp.values()[in.getInt(0, BlockOp.values().length - 1)];
    long sector = in.getLong();
    long length = in.getLong();
    long done = in.getLong();
    long status = in.getLong();
    return new Request(head, op, sector, length, done, status, BufferList.restore(in, ram()));
  }

  private boolean isPlausible(Request r) {
    boolean transfer = r.op() == BlockOp.READ || r.op() == BlockOp.WRITE;
    return ram().contains(r.statusAddress(), 1)
        && r.length() >= 0
        && r.done() >= 0
        && r.done() <= r.length()
        && isOnDisk(r.sector(), r.length() / SECTOR)
        && r.data().length() == (transfer ? r.length() : 0);
  }
}
