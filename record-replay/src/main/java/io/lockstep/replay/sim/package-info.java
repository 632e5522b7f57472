/**
 * Simulated stand-ins for tests: a small deterministic machine behind the same interface as the
 * real one. Nothing in a product path uses this package.
 */
package io.lockstep.replay.sim;
