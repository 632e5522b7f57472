package io.lockstep.host.net;

import java.io.IOException;
import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;

/**
 * A TAP device of Linux, whole Ethernet frames without a packet information header, opened through
 * libc: the user needs CAP_NET_ADMIN, or a device that was made for him ({@code ip tuntap add NAME
 * mode tap user USER}).
 */
public final class Tap implements AutoCloseable {
  private static final int O_RDWR = 2;
  private static final int O_CLOEXEC = 0x80000;
  private static final int TUNSETIFF = 0x400454ca;
  private static final short IFF_TAP = 2;
  private static final short IFF_NO_PI = 0x1000;
  private static final int IFREQ_SIZE = 40;
  private static final int NAME_MAX = 15;
  private static final int FRAME_MAX = 65_550;
  private static final short POLLIN = 1;
  private static final int EPERM = 1;
  private static final int ENOENT = 2;
  private static final int EINTR = 4;
  private static final int EACCES = 13;
  private static final int EBUSY = 16;
  private static final int POLL_MS = 200;

  private static final AddressLayout POINTER = ValueLayout.ADDRESS;
  private static final StructLayout CAPTURED = Linker.Option.captureStateLayout();
  private static final VarHandle ERRNO =
      CAPTURED.varHandle(MemoryLayout.PathElement.groupElement("errno"));

  /** The handful of functions of libc that are needed. */
  private static final class Libc {
    static final MethodHandle OPEN =
        function("open", 2, ValueLayout.JAVA_INT, POINTER, ValueLayout.JAVA_INT);
    static final MethodHandle IOCTL =
        function(
            "ioctl", 2, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, POINTER);
    static final MethodHandle READ =
        function(
            "read",
            -1,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_INT,
            POINTER,
            ValueLayout.JAVA_LONG);
    static final MethodHandle WRITE =
        function(
            "write",
            -1,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_INT,
            POINTER,
            ValueLayout.JAVA_LONG);
    static final MethodHandle POLL =
        function(
            "poll", -1, ValueLayout.JAVA_INT, POINTER, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT);
    static final MethodHandle CLOSE =
        function("close", -1, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);

    private static MethodHandle function(
        String name, int firstVariadic, MemoryLayout result, MemoryLayout... arguments) {
      Linker linker = Linker.nativeLinker();
      FunctionDescriptor type = FunctionDescriptor.of(result, arguments);
      MemorySegment address = linker.defaultLookup().find(name).orElseThrow();
      Linker.Option errno = Linker.Option.captureCallState("errno");
      return firstVariadic < 0
          ? linker.downcallHandle(address, type, errno)
          : linker.downcallHandle(
              address,
              type,
              errno,
              Linker.Option.firstVariadicArg(Math.min(firstVariadic, arguments.length)));
    }
  }

  private final String name;
  private final int fd;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment readBuffer = arena.allocate(FRAME_MAX);
  private final MemorySegment writeBuffer = arena.allocate(FRAME_MAX);
  private final MemorySegment readState = arena.allocate(CAPTURED);
  private final MemorySegment writeState = arena.allocate(CAPTURED);
  private final MemorySegment pollFd = arena.allocate(8, 4);
  private volatile boolean closed;

  private Tap(String name, int fd) {
    this.name = name;
    this.fd = fd;
    pollFd.set(ValueLayout.JAVA_INT, 0, fd);
    pollFd.set(ValueLayout.JAVA_SHORT, 4, POLLIN);
  }

  /**
   * Opens a device, making it if it doesn't exist.
   *
   * @throws IOException with a sentence for the user
   */
  public static Tap open(String name) throws IOException {
    byte[] bytes = name.getBytes(StandardCharsets.US_ASCII);
    if (bytes.length == 0 || bytes.length > NAME_MAX || !name.matches("[A-Za-z0-9_.-]+")) {
      throw new IOException(
          "'" + name + "' is no name for a network device (1 to 15 letters and digits)");
    }
    if (!System.getProperty("os.name").equals("Linux")) {
      throw new IOException("--tap works on Linux only");
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment state = arena.allocate(CAPTURED);
      int fd =
          (int)
              Libc.OPEN.invokeExact(state, arena.allocateFrom("/dev/net/tun"), O_RDWR | O_CLOEXEC);
      if (fd < 0) {
        throw new IOException(explain(name, (int) ERRNO.get(state, 0L)));
      }
      MemorySegment request = arena.allocate(IFREQ_SIZE, 8);
      MemorySegment.copy(bytes, 0, request, ValueLayout.JAVA_BYTE, 0, bytes.length);
      request.set(ValueLayout.JAVA_SHORT, 16, (short) (IFF_TAP | IFF_NO_PI));
      int result = (int) Libc.IOCTL.invokeExact(state, fd, (long) TUNSETIFF, request);
      if (result < 0) {
        int errno = (int) ERRNO.get(state, 0L);
        int ignored = (int) Libc.CLOSE.invokeExact(state, fd);
        throw new IOException(explain(name, errno));
      }
      return new Tap(name, fd);
    } catch (IOException | RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IOException("opening the TAP device " + name + " failed: " + e, e);
    }
  }

  private static String explain(String name, int errno) {
    return switch (errno) {
      case EPERM, EACCES ->
          "the TAP device "
              + name
              + " needs CAP_NET_ADMIN; run as root, or once as root: ip tuntap add "
              + name
              + " mode tap user $USER && ip link set "
              + name
              + " up";
      case ENOENT -> "there is no /dev/net/tun on this machine; load the kernel module tun";
      case EBUSY -> "the TAP device " + name + " is used by another process";
      default -> "the TAP device " + name + " cannot be opened (errno " + errno + ")";
    };
  }

  public String name() {
    return name;
  }

  /**
   * Waits for a frame. By one thread at a time.
   *
   * @return its length, or -1 once the device is closed or gone
   */
  public int read(byte[] target) {
    try {
      while (!closed) {
        pollFd.set(ValueLayout.JAVA_SHORT, 6, (short) 0);
        int ready = (int) Libc.POLL.invokeExact(readState, pollFd, 1L, POLL_MS);
        if (ready == 0 || ready < 0 && (int) ERRNO.get(readState, 0L) == EINTR) {
          continue;
        }
        long count =
            ready < 0
                ? -1
                : (long)
                    Libc.READ.invokeExact(
                        readState, fd, readBuffer, (long) Math.min(FRAME_MAX, target.length));
        if (count < 0) {
          return -1;
        }
        MemorySegment.copy(readBuffer, ValueLayout.JAVA_BYTE, 0, target, 0, (int) count);
        return (int) count;
      }
      return -1;
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  /** Sends a frame; false if the device didn't take it. By one thread at a time. */
  public boolean write(byte[] frame, int offset, int length) {
    if (length > FRAME_MAX || closed) {
      return false;
    }
    try {
      MemorySegment.copy(frame, offset, writeBuffer, ValueLayout.JAVA_BYTE, 0, length);
      return (long) Libc.WRITE.invokeExact(writeState, fd, writeBuffer, (long) length) == length;
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  /** Makes {@link #read} end. The thread that reads calls {@link #release} when it is out. */
  @Override
  public void close() {
    closed = true;
  }

  /** Closes the descriptor, when nobody reads or writes any more. */
  void release() {
    closed = true;
    try {
      int ignored = (int) Libc.CLOSE.invokeExact(readState, fd);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
    arena.close();
  }
}
