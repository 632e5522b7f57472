package io.lockstep.ft.storage;

/** The answer to the question for the newest epoch. */
public sealed interface NewestEpoch {
  /** It has an owner. */
  record Owned(EpochRecord owner) implements NewestEpoch {}

  /** No epoch has been claimed. */
  record NoneYet() implements NewestEpoch {}

  /**
   * The storage gave no answer.
   *
   * @param why a clause for a person
   */
  record Unreachable(String why) implements NewestEpoch {}
}
