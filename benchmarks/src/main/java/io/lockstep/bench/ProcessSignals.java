package io.lockstep.bench;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** Signals to processes, without starting one for it: {@code kill(2)}. */
final class ProcessSignals {
  private static final int SIGCONT = 18;
  private static final int SIGSTOP = 19;
  private static final MethodHandle KILL =
      Linker.nativeLinker()
          .downcallHandle(
              Linker.nativeLinker().defaultLookup().find("kill").orElseThrow(),
              FunctionDescriptor.of(
                  ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));

  private ProcessSignals() {}

  /** Makes a process stand still. */
  static void stop(long pid) {
    send(pid, SIGSTOP);
  }

  /** Lets it go on. */
  static void resume(long pid) {
    send(pid, SIGCONT);
  }

  /** A process that is not there any more is no error: it has ended by itself. */
  private static void send(long pid, int signal) {
    try {
      int _ = (int) KILL.invokeExact((int) pid, signal);
    } catch (Throwable e) {
      throw new IllegalStateException("cannot call kill(2)", e);
    }
  }
}
