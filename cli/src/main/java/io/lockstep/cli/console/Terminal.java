package io.lockstep.cli.console;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/**
 * The terminal on standard input, in raw mode: every key goes to the program, also Ctrl-C. Output
 * processing stays on, so that messages of ours start at the left margin.
 *
 * <p>Calls the C library through {@code java.lang.foreign}. Only two fields of {@code struct
 * termios} are touched by hand, and only {@code c_oflag}'s place differs between systems; {@code
 * cfmakeraw} knows the rest.
 */
public final class Terminal {
  private static final int STDIN = 0;
  private static final int TCSANOW = 0;

  /** Larger than any {@code struct termios}: 60 bytes on Linux, 72 on macOS. */
  private static final long TERMIOS_BYTES = 256;

  private static final boolean MAC = System.getProperty("os.name").startsWith("Mac");

  private final MemorySegment cooked;
  private final MemorySegment raw;

  private Terminal(MemorySegment cooked, MemorySegment raw) {
    this.cooked = cooked;
    this.raw = raw;
  }

  /** The functions of the C library; looked up when first needed. */
  private static final class Libc {
    static final MethodHandle ISATTY =
        function("isatty", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
    static final MethodHandle TCGETATTR =
        function(
            "tcgetattr",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.ADDRESS));
    static final MethodHandle TCSETATTR =
        function(
            "tcsetattr",
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS));
    static final MethodHandle CFMAKERAW =
        function("cfmakeraw", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));

    private static MethodHandle function(String name, FunctionDescriptor type) {
      Linker linker = Linker.nativeLinker();
      return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type);
    }
  }

  /** The terminal on standard input; empty if that is a file or a pipe. */
  public static Optional<Terminal> ofStandardInput() {
    try {
      if ((int) Libc.ISATTY.invokeExact(STDIN) == 0) {
        return Optional.empty();
      }
      // Never freed: a shutdown hook may need it at the very end.
      MemorySegment cooked = Arena.global().allocate(TERMIOS_BYTES, Long.BYTES);
      MemorySegment raw = Arena.global().allocate(TERMIOS_BYTES, Long.BYTES);
      if ((int) Libc.TCGETATTR.invokeExact(STDIN, cooked) != 0) {
        return Optional.empty();
      }
      raw.copyFrom(cooked);
      Libc.CFMAKERAW.invokeExact(raw);
      copyOutputFlags(cooked, raw);
      return Optional.of(new Terminal(cooked, raw));
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** {@code c_oflag} is the second field, of type {@code unsigned int} or {@code unsigned long}. */
  private static void copyOutputFlags(MemorySegment from, MemorySegment to) {
    long size = MAC ? Long.BYTES : Integer.BYTES;
    MemorySegment.copy(from, size, to, size, size);
  }

  /** Every key goes to the program from now on. */
  public void enterRawMode() {
    set(raw);
  }

  /** As it was when the program began. */
  public void restore() {
    set(cooked);
  }

  private static void set(MemorySegment termios) {
    try {
      // A terminal that has gone away needs no modes.
      int _ = (int) Libc.TCSETATTR.invokeExact(STDIN, TCSANOW, termios);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  private static RuntimeException unexpected(Throwable e) {
    if (e instanceof Error error) {
      throw error;
    }
    return e instanceof RuntimeException r ? r : new IllegalStateException(e);
  }
}
