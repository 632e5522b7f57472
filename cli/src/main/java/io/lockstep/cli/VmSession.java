package io.lockstep.cli;

import io.lockstep.cli.console.ConsoleSession;
import io.lockstep.cli.console.EscapeKeys;
import io.lockstep.host.net.gateway.Forward;
import io.lockstep.host.vm.HostFiles;
import io.lockstep.host.vm.LiveVm;
import io.lockstep.host.vm.NetSpec;
import io.lockstep.host.vm.SetupException;
import io.lockstep.host.vm.VmParts;
import io.lockstep.host.vm.VmSpec;
import io.lockstep.replay.live.VcpuEnd;
import io.lockstep.vm.port.Input;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A virtual machine in this process and its user: console on the terminal, escape keys, signals.
 * However the process ends, the machine is stopped, its disks are brought up to date, and the
 * terminal is given back; all but a kill -9 and a crash of the JVM, after which interactive shells
 * reset the terminal themselves.
 */
final class VmSession implements AutoCloseable {
  private final PrintWriter messages;
  private final ConsoleSession console;
  private final VmParts parts;
  private final EndBySignal onSignal;

  // Guarded by this.
  private LiveVm current;
  private boolean started;
  private boolean ending;

  private VmSession(PrintWriter messages, ConsoleSession console, VmParts parts) {
    this.messages = messages;
    this.console = console;
    this.parts = parts;
    this.onSignal = new EndBySignal("vm-shutdown", this::stop, console);
  }

  /**
   * Opens all that the machine needs.
   *
   * @param consoleLog gets a copy of the console's output; null for none
   * @param messages where to write to the user
   */
  static VmSession open(VmSpec spec, Path consoleLog, PrintWriter messages) throws SetupException {
    return open(spec, VmParts.DiskOpener.FILES, consoleLog, messages);
  }

  /** The same with disks that are opened in another way. */
  static VmSession open(
      VmSpec spec, VmParts.DiskOpener disks, Path consoleLog, PrintWriter messages)
      throws SetupException {
    ConsoleSession console = new ConsoleSession(openLog(consoleLog));
    boolean done = false;
    try {
      VmParts parts = VmParts.open(spec, disks, VmParts.NetOpener.CABLES, console.console());
      VmSession session = new VmSession(messages, console, parts);
      session.onSignal.arm();
      done = true;
      return session;
    } finally {
      if (!done) {
        console.close();
      }
    }
  }

  private static OutputStream openLog(Path file) throws SetupException {
    if (file == null) {
      return null;
    }
    try {
      return Files.newOutputStream(file);
    } catch (IOException e) {
      throw new SetupException(
          "The console log %s cannot be written: %s.".formatted(file, HostFiles.reason(e)), e);
    }
  }

  /** What the machine holds of its host. */
  VmParts parts() {
    return parts;
  }

  /** Runs one life of the machine on the calling thread. */
  VcpuEnd run(LiveVm vm) {
    boolean first;
    synchronized (this) {
      if (ending) {
        return new VcpuEnd.Stopped(vm.machine().steps());
      }
      current = vm;
      first = !started;
      started = true;
    }
    if (first) {
      if (console.isInteractive()) {
        tell("Ctrl-A x stops the machine, Ctrl-A h shows the other keys.");
      }
      tellForwards();
      console.console().whenBroken(this::stop);
      console.start(device -> current().consoleBacklog(device), this::obey);
    }
    return vm.run();
  }

  /** Tells the numbers of the ports that the user left open. */
  private void tellForwards() {
    if (parts.spec().net().isPresent()
        && parts.spec().net().get().cable() instanceof NetSpec.Cable.ToGateway to) {
      List<Forward> open = parts.net().orElseThrow().forwards();
      for (int i = 0; i < open.size(); i++) {
        if (to.forwards().get(i).hostPort() == 0) {
          tell("forward " + open.get(i));
        }
      }
    }
  }

  private synchronized LiveVm current() {
    return current;
  }

  private void obey(EscapeKeys.Command key) {
    switch (key) {
      case QUIT -> stop();
      case POWER_BUTTON ->
          current().loop().offer(new Input.Control(Input.ControlKind.POWER_BUTTON));
      case STATS -> tell(RunStats.of(current()));
      case HELP -> tell(EscapeKeys.HELP);
    }
  }

  /** Ends the machine between two steps; {@link #run} returns soon, or will as soon as called. */
  void stop() {
    synchronized (this) {
      ending = true;
    }
    LiveVm vm = current();
    if (vm != null) {
      vm.loop().stop(null);
    }
  }

  /** Writes a line to the user. */
  void tell(String line) {
    messages.println("lockstep: " + line);
    messages.flush();
  }

  /** Ends all I/O and gives the terminal back. */
  @Override
  public void close() {
    parts.close();
    console.close();
    onSignal.close();
  }
}
