/** Finds where two machines that should be the same begin to differ. */
package io.lockstep.replay.divergence;
