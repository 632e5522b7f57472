package io.lockstep.vm.memory;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Locale;
import java.util.Optional;

/**
 * Zeroed memory that costs the host only what is touched of it. What the JDK offers for memory
 * outside the heap writes zeroes to all of it at once, and counts against a limit that has nothing
 * to do with the host's memory.
 */
final class HostMemory {
  /** Below this, looking up the system's functions costs more than writing zeroes. */
  private static final long SMALL = 64L << 20;

  private static final int READ_WRITE = 3;
  private static final int READ_WRITE_EXECUTE = 7;
  private static final int PRIVATE = 2;
  private static final int HUGE_PAGES = 14;
  private static final long FAILED = -1;

  private HostMemory() {}

  /**
   * Memory that is given back when neither the segment nor a slice of it is reachable.
   *
   * @param size bytes, a positive multiple of 4096
   * @throws OutOfMemoryError if the host has not that much
   */
  static MemorySegment allocate(long size) {
    if (size < SMALL || !Mapping.AVAILABLE) {
      return Arena.ofAuto().allocate(size, GuestRam.PAGE);
    }
    return Mapping.map(size);
  }

  /** The same for code; nothing where it cannot be had. */
  static Optional<MemorySegment> executable(long size) {
    return Mapping.LINUX ? Mapping.mapExecutable(size) : Optional.empty();
  }

  /** The system's functions, looked up when they are first needed. */
  private static final class Mapping {
    private static final String OS = System.getProperty("os.name", "").toLowerCase(Locale.ROOT);
    private static final boolean LINUX = OS.startsWith("linux");

    /** Other systems have other names or other values of the constants. */
    static final boolean AVAILABLE = LINUX || OS.startsWith("mac");

    private static final int ANONYMOUS = LINUX ? 0x20 : 0x1000;

    /** Linux only. */
    private static final int NO_RESERVE = 0x4000;

    private static final MethodHandle MMAP =
        function(
            "mmap",
            FunctionDescriptor.of(
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG));

    private static final MethodHandle MUNMAP =
        function(
            "munmap",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));

    private static final MethodHandle MADVISE =
        function(
            "madvise",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT));

    private static MethodHandle function(String name, FunctionDescriptor type) {
      Linker linker = Linker.nativeLinker();
      SymbolLookup library = linker.defaultLookup();
      return linker.downcallHandle(library.findOrThrow(name), type);
    }

    static MemorySegment map(long size) {
      long address = mmap(size, READ_WRITE, PRIVATE | ANONYMOUS);
      if (address == FAILED) {
        throw new OutOfMemoryError("the host has no " + size + " bytes of memory to give");
      }
      if (LINUX) {
        askForHugePages(address, size);
      }
      return segment(address, size);
    }

    static Optional<MemorySegment> mapExecutable(long size) {
      long address = mmap(size, READ_WRITE_EXECUTE, PRIVATE | ANONYMOUS | NO_RESERVE);
      return address == FAILED ? Optional.empty() : Optional.of(segment(address, size));
    }

    private static MemorySegment segment(long address, long size) {
      return MemorySegment.ofAddress(address)
          .reinterpret(size, Arena.ofAuto(), gone -> munmap(gone.address(), size));
    }

    /**
     * Fewer misses in the host's TLB; and the memory of a process that was killed is given back
     * sooner, which matters because its connections are closed only after that.
     */
    private static void askForHugePages(long address, long size) {
      try {
        // What it returns says whether the host can; without it all works as well.
        int unused = (int) MADVISE.invokeExact(address, size, HUGE_PAGES);
        assert unused <= 0;
      } catch (Throwable e) {
        throw new AssertionError("madvise has thrown", e);
      }
    }

    private static long mmap(long size, int protection, int flags) {
      try {
        return (long) MMAP.invokeExact(0L, size, protection, flags, -1, 0L);
      } catch (Throwable e) {
        throw new AssertionError("mmap has thrown", e);
      }
    }

    private static void munmap(long address, long size) {
      try {
        int failed = (int) MUNMAP.invokeExact(address, size);
        if (failed != 0) {
          throw new AssertionError("munmap refuses memory that mmap gave");
        }
      } catch (Error e) {
        throw e;
      } catch (Throwable e) {
        throw new AssertionError("munmap has thrown", e);
      }
    }
  }
}
