package io.lockstep.vm.snapshot;

/**
 * The owner of a piece of machine state. {@code save} followed by {@code restore} into a freshly
 * made object of the same configuration gives an object that behaves the same for ever. The digest
 * hashes what {@code save} writes, so it must be a pure function of the architectural state: caches
 * are not written and iteration orders are fixed.
 */
public interface Stateful {
  /** Writes all mutable state. */
  void save(StateWriter out);

  /**
   * Reads back what {@link #save} wrote.
   *
   * @throws StateFormatException if the bytes are not a state of this object; the object is then
   *     unusable
   */
  void restore(StateReader in);
}
