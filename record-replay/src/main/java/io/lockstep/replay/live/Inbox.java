package io.lockstep.replay.live;

import io.lockstep.vm.port.Input;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * What waits for the vCPU thread: inputs and commands, in the order in which they came. Any thread
 * adds without a lock; the vCPU thread takes all at once.
 *
 * <p>It is a stack whose top is swapped. Who adds to an empty one knows by that that the vCPU
 * thread may have to be told, and who finds something there knows that somebody else has told it.
 */
final class Inbox {
  /**
   * Frames that wait unheard; more are dropped, as a network card does when nobody empties its
   * ring.
   */
  static final int PACKETS_MAX = 4096;

  /** The same for their bytes: with segmentation left to the guest a frame may have 64 KB. */
  static final int PACKET_BYTES_MAX = 8 << 20;

  private static final VarHandle TOP;

  static {
    try {
      TOP = MethodHandles.lookup().findVarHandle(Inbox.class, "top", Node.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private static final Node CLOSED = new Node(null, null);

  private volatile Node top;

  /** An input or a command; the other is null. */
  static final class Node {
    final Input input;
    final Runnable command;
    Node next;

    /** Of this node and all that were there before it. */
    int depth;

    int packetBytes;

    Node(Input input, Runnable command) {
      this.input = input;
      this.command = command;
    }
  }

  /** What became of something that was to be added. */
  enum Added {
    /** It is the first: the vCPU thread has to be told. */
    FIRST,
    /** It is behind others. */
    BEHIND,
    /** It was not added: too many wait. */
    DROPPED,
    /** It was not added: the inbox is closed. */
    CLOSED
  }

  Added add(Node node) {
    while (true) {
      Node now = top;
      if (now == CLOSED) {
        return Added.CLOSED;
      }
      node.next = now;
      node.depth = now == null ? 1 : now.depth + 1;
      node.packetBytes = now == null ? 0 : now.packetBytes;
      if (node.input instanceof Input.PacketArrival packet) {
        node.packetBytes += packet.frame().length;
        if (node.depth > PACKETS_MAX || node.packetBytes > PACKET_BYTES_MAX) {
          return Added.DROPPED;
        }
      }
      if (TOP.compareAndSet(this, now, node)) {
        return now == null ? Added.FIRST : Added.BEHIND;
      }
    }
  }

  boolean isEmpty() {
    return top == null;
  }

  /** Takes all, the oldest first, linked by {@code next}; null if there are none. */
  Node takeAll() {
    return top == null ? null : oldestFirst((Node) TOP.getAndSet(this, null));
  }

  /** Takes all, and lets nothing in any more. */
  Node close() {
    Node rest = (Node) TOP.getAndSet(this, CLOSED);
    return rest == CLOSED ? null : oldestFirst(rest);
  }

  private static Node oldestFirst(Node newest) {
    Node result = null;
    for (Node node = newest; node != null; ) {
      Node next = node.next;
      node.next = result;
      result = node;
      node = next;
    }
    return result;
  }
}
