package io.lockstep.ft.protocol;

/**
 * The number of the current ownership of a virtual machine.
 *
 * @param number 1 for the first owner; 0 stands for "nobody yet"
 */
public record Epoch(long number) implements Comparable<Epoch> {
  /** Before the first owner. */
  public static final Epoch NONE = new Epoch(0);

  /** Checks. */
  public Epoch {
    if (number < 0) {
      throw new IllegalArgumentException("epoch " + number + " is negative");
    }
  }

  /** The one after this. */
  public Epoch next() {
    return new Epoch(number + 1);
  }

  @Override
  public int compareTo(Epoch other) {
    return Long.compare(number, other.number);
  }
}
