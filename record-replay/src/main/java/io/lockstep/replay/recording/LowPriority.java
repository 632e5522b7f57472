package io.lockstep.replay.recording;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Threads that give way to the guest and to the compilers of its code: on Linux, where a thread has
 * a nice value of its own, {@code setpriority(2)}; elsewhere nothing.
 */
final class LowPriority {
  /** About a third of the processor when another thread wants it, too. */
  private static final int NICE = 5;

  private static final boolean LINUX = System.getProperty("os.name").equals("Linux");

  private LowPriority() {}

  /** Makes a daemon thread that gives way. */
  static Thread thread(String name, Runnable task) {
    return Thread.ofPlatform()
        .daemon()
        .name(name)
        .unstarted(
            () -> {
              if (LINUX) {
                Calls.lower();
              }
              task.run();
            });
  }

  /** Looked up where there is such a function. */
  private static final class Calls {
    private static final int PRIO_PROCESS = 0;
    private static final int CALLING_THREAD = 0;
    private static final MethodHandle SETPRIORITY =
        Linker.nativeLinker()
            .downcallHandle(
                Linker.nativeLinker().defaultLookup().findOrThrow("setpriority"),
                FunctionDescriptor.of(
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT));

    /** A host that refuses it has its reasons; all works as well without. */
    static void lower() {
      try {
        int unused = (int) SETPRIORITY.invokeExact(PRIO_PROCESS, CALLING_THREAD, NICE);
        assert unused <= 0;
      } catch (Throwable e) {
        throw new AssertionError("setpriority has thrown", e);
      }
    }
  }
}
