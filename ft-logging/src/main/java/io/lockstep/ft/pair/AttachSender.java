package io.lockstep.ft.pair;

import io.lockstep.ft.protocol.Message;
import io.lockstep.ft.transport.PairTransport;
import io.lockstep.replay.live.VcpuLoop;
import io.lockstep.vm.machine.VirtualMachine;
import java.util.concurrent.ExecutionException;
import java.util.function.IntConsumer;

/**
 * Sends a machine's memory to a secondary, each round on a thread of its own, at the speed of the
 * connection.
 */
final class AttachSender {
  private static final long CONGESTED_MILLIS = 1;
  private static final int DIGEST_PAGES = 512;
  private static final long DIGEST_PAUSE_MILLIS = 1;

  private final PairTransport transport;
  private final VcpuLoop vcpu;
  private final VirtualMachine machine;
  private final AttachCopier copier;
  private final long conn;
  private final long attachId;
  private volatile boolean ended;

  AttachSender(PairTransport transport, VcpuLoop vcpu, long conn, long attachId) {
    this.transport = transport;
    this.vcpu = vcpu;
    this.machine = vcpu.machine();
    this.copier = new AttachCopier(machine);
    this.conn = conn;
    this.attachId = attachId;
  }

  /**
   * Begins a round.
   *
   * @param done told how many pages were written since, unless the attach ended
   */
  void round(int number, IntConsumer done) {
    Thread.ofVirtual().name("attach").start(() -> copy(number, done));
  }

  private void copy(int number, IntConsumer done) {
    try {
      int[] pages =
          vcpu.execute(() -> number == 0 ? copier.firstRound() : copier.nextRound()).get();
      for (int from = 0; from < pages.length && !ended; from += AttachCopier.BATCH_PAGES) {
        send(pages, from);
        while (transport.isCongested(conn) && !ended) {
          Thread.sleep(CONGESTED_MILLIS);
        }
      }
      prepareDigest();
      int dirty = vcpu.execute(copier::dirtyCount).get();
      if (!ended) {
        done.accept(dirty);
      }
    } catch (ExecutionException e) {
      // The machine has stopped; the protocol hears of that by itself.
      end();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Keeps the digest of the final stop short: what is hashed now need not be then. In parts,
   * between which the guest runs on.
   */
  private void prepareDigest() throws InterruptedException, ExecutionException {
    int parts = 2 * machine.ram().pages() / DIGEST_PAGES + 1;
    for (int part = 0; part < parts && !ended; part++) {
      if (vcpu.execute(() -> machine.digestPart(DIGEST_PAGES)).get() < DIGEST_PAGES) {
        return;
      }
      Thread.sleep(DIGEST_PAUSE_MILLIS);
    }
  }

  /** On the vCPU thread: sends all that is left. */
  void last() {
    int[] pages = copier.nextRound();
    for (int from = 0; from < pages.length; from += AttachCopier.BATCH_PAGES) {
      send(pages, from);
    }
  }

  private void send(int[] pages, int from) {
    int to = Math.min(pages.length, from + AttachCopier.BATCH_PAGES);
    transport.send(
        conn, new Message.Pages(attachId, AttachCopier.encode(machine.ram(), pages, from, to)));
  }

  long conn() {
    return conn;
  }

  boolean isEnded() {
    return ended;
  }

  void end() {
    ended = true;
  }
}
