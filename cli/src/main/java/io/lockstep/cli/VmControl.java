package io.lockstep.cli;

import io.lockstep.host.control.ControlServer;
import io.lockstep.host.vm.LiveVm;
import io.lockstep.replay.live.VcpuStats;
import io.lockstep.replay.recording.PeriodicSnapshots;
import io.lockstep.replay.recording.Recorder;
import io.lockstep.replay.store.SyncPolicy;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletionException;
import tools.jackson.core.JacksonException;
import tools.jackson.jr.ob.JSON;

/**
 * Answers what other processes of the user ask an unprotected machine, and records it while it runs
 * when they want that.
 *
 * <p>Requests are {@code status}, {@code stop}, {@code record OBJECT} with an object as {@link
 * Start} writes it, and {@code record-stop}; each reply is one JSON object, with a member {@code
 * error}, a sentence, if the request was not obeyed.
 */
final class VmControl implements AutoCloseable {
  /** The role of an unprotected machine in its status. */
  static final String ROLE = "unprotected";

  private static final String RECORD = "record ";

  private final VmSession session;
  private final String name;
  private final ControlServer server;

  // Guarded by this.
  private LiveVm vm;
  private Recorder recorder;
  private PeriodicSnapshots snapshots;
  private boolean recordedFromTheStart;

  /**
   * How a recording of a running machine is asked for.
   *
   * @param out where it goes, absolute
   * @param snapshotSeconds between snapshots, 0 for none
   * @param sync when the log is forced to the disk
   */
  record Start(Path out, int snapshotSeconds, SyncPolicy sync) {
    String toRequest() {
      Map<String, Object> fields = new LinkedHashMap<>();
      fields.put("out", out.toString());
      fields.put("snapshotSeconds", snapshotSeconds);
      fields.put("sync", sync.name());
      return RECORD + JSON.std.asString(fields);
    }

    static Start of(String text) {
      Map<String, Object> fields = JSON.std.mapFrom(text);
      return new Start(
          Path.of(fields.get("out").toString()),
          ((Number) fields.get("snapshotSeconds")).intValue(),
          SyncPolicy.valueOf(fields.get("sync").toString()));
    }
  }

  private VmControl(VmSession session, String name) {
    this.session = session;
    this.name = name;
    ControlServer started = null;
    try {
      started = ControlServer.start(this::answer);
    } catch (IOException e) {
      // The machine is what the user wants; that it cannot be asked is said by those who ask.
    }
    this.server = started;
  }

  /** Begins to answer for the machines of a session. */
  static VmControl start(VmSession session, String name) {
    return new VmControl(session, name);
  }

  /** Says which machine runs from now on, and whether somebody records it already. */
  synchronized void runs(LiveVm next, boolean recorded) {
    vm = next;
    recordedFromTheStart = recorded;
  }

  private String answer(String request) {
    return JSON.std.asString(reply(request));
  }

  private Map<String, Object> reply(String request) {
    if (request.startsWith(RECORD)) {
      return startRecording(request.substring(RECORD.length()));
    }
    return switch (request) {
      case "status" -> status();
      case "record-stop" -> stopRecording();
      case "stop" -> {
        session.stop();
        yield Map.of("ok", true);
      }
      default -> error("An unprotected machine has no answer to this.");
    };
  }

  private static Map<String, Object> error(String sentence) {
    return Map.of("error", sentence);
  }

  /** The members that a protected machine's status has, and what is recorded. */
  private synchronized Map<String, Object> status() {
    Map<String, Object> out = new LinkedHashMap<>();
    out.put("pid", ProcessHandle.current().pid());
    out.put("name", name);
    out.put("role", ROLE);
    out.put("epoch", 0);
    out.put("protected", false);
    out.put("lag_ms", 0);
    out.put("lag_entries", 0);
    out.put("throttle", 0);
    out.put("held_outputs", 0);
    out.put("held_bytes", 0);
    out.put("log_bytes", 0);
    out.put("log_lsn", recorder == null ? 0 : recorder.entriesWritten());
    out.put("listen", "-");
    if (vm != null) {
      VcpuStats stats = vm.loop().stats();
      out.put("point", stats.point());
      out.put("run_ms", stats.runTicks() / 10_000);
      out.put("idle_ms", stats.idleTicks() / 10_000);
    }
    if (recorder != null) {
      out.put("recording", recorder.directory().toString());
    }
    return out;
  }

  private synchronized Map<String, Object> startRecording(String text) {
    if (vm == null) {
      return error("The machine has not started yet.");
    }
    if (recordedFromTheStart) {
      return error("This machine is recorded from its start on already.");
    }
    if (recorder != null) {
      return error(
          "The machine is being recorded into %s already; end that with --stop first."
              .formatted(recorder.directory()));
    }
    try {
      return startRecording(Start.of(text));
    } catch (JacksonException
        | IllegalArgumentException
        | NullPointerException
        | ClassCastException e) {
      return error(
          e instanceof InvalidPathException
              ? "This is no name for a directory: %s.".formatted(e.getMessage())
              : "The request to record is not understood; is it of another version?");
    }
  }

  private Map<String, Object> startRecording(Start start) {
    Map<String, String> notes = DiskNotes.of(session.parts().spec().disks(), true);
    try {
      recorder =
          Recorder.attach(
                  vm.loop(),
                  start.out(),
                  session.parts().machineConfig(),
                  new SecureRandom().nextLong(),
                  notes,
                  start.sync(),
                  failure -> RecordCommand.tellEarlyEnd(session, failure))
              .join();
    } catch (CompletionException e) {
      return error("The recording cannot begin: %s.".formatted(e.getCause().getMessage()));
    }
    snapshots = new PeriodicSnapshots(recorder, vm.loop(), start.snapshotSeconds(), session::tell);
    Map<String, Object> out = new LinkedHashMap<>();
    out.put("pid", ProcessHandle.current().pid());
    out.put("point", recorder.startPoint());
    out.put("stood_ms", Math.round(recorder.stoodNanos() / 1e4) / 100.0);
    return out;
  }

  private synchronized Map<String, Object> stopRecording() {
    if (recorder == null) {
      return error(
          recordedFromTheStart
              ? "This machine was started by 'lockstep record'; its recording ends with it."
              : "The machine is not being recorded.");
    }
    Recorder ending = recorder;
    snapshots.close();
    try {
      ending.detach(vm.loop()).join();
    } catch (CompletionException e) {
      // The machine has stopped just now; its recording is closed all the same.
    }
    return closed(ending);
  }

  private Map<String, Object> closed(Recorder ending) {
    recorder = null;
    Map<String, Object> out = new LinkedHashMap<>();
    out.put("out", ending.directory().toString());
    try {
      ending.close();
    } catch (IOException e) {
      return error("The recording is incomplete: %s.".formatted(e.getMessage()));
    }
    out.put("start", ending.startPoint());
    out.put("entries", ending.entriesWritten());
    return out;
  }

  /** The machine has ended, and so does its recording. On the thread that ran it. */
  synchronized void ended() {
    vm = null;
    if (recorder != null) {
      snapshots.close();
      Object error = closed(recorder).get("error");
      if (error != null) {
        session.tell(error.toString());
      }
    }
  }

  @Override
  public void close() {
    if (server != null) {
      server.close();
    }
  }
}
