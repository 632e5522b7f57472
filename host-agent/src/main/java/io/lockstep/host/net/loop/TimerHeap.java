package io.lockstep.host.net.loop;

import java.util.Arrays;

/** A binary heap of timers that know their place in it, so that moving one costs a logarithm. */
final class TimerHeap {
  private Timer[] heap = new Timer[64];
  private int size;

  long earliest() {
    return size == 0 ? Long.MAX_VALUE : heap[0].deadline;
  }

  void fire(long now) {
    // Bounded, so that an action that sets its own timer to the past can't hold the loop.
    for (int n = size; n > 0 && size > 0 && heap[0].deadline <= now; n--) {
      Timer timer = heap[0];
      set(timer, Long.MAX_VALUE);
      timer.action.run();
    }
  }

  void set(Timer timer, long deadline) {
    if (timer.deadline == deadline) {
      return;
    }
    timer.deadline = deadline;
    if (deadline == Long.MAX_VALUE) {
      remove(timer);
    } else if (timer.index < 0) {
      if (size == heap.length) {
        heap = Arrays.copyOf(heap, size * 2);
      }
      place(timer, size++);
      up(timer);
    } else {
      up(timer);
      down(timer);
    }
  }

  private void remove(Timer timer) {
    int hole = timer.index;
    if (hole < 0) {
      return;
    }
    timer.index = -1;
    Timer last = heap[--size];
    heap[size] = null;
    if (last != timer) {
      place(last, hole);
      up(last);
      down(last);
    }
  }

  private void up(Timer timer) {
    while (timer.index > 0) {
      Timer parent = heap[(timer.index - 1) / 2];
      if (parent.deadline <= timer.deadline) {
        return;
      }
      int at = parent.index;
      place(parent, timer.index);
      place(timer, at);
    }
  }

  private void down(Timer timer) {
    while (true) {
      int child = 2 * timer.index + 1;
      if (child >= size) {
        return;
      }
      if (child + 1 < size && heap[child + 1].deadline < heap[child].deadline) {
        child++;
      }
      Timer smallest = heap[child];
      if (timer.deadline <= smallest.deadline) {
        return;
      }
      int at = smallest.index;
      place(smallest, timer.index);
      place(timer, at);
    }
  }

  private void place(Timer timer, int at) {
    heap[at] = timer;
    timer.index = at;
  }
}
