package io.lockstep.cli.demo;

/**
 * What a replica says of itself.
 *
 * @param role its role in the pair
 * @param epoch the epoch that it acts in, or follows
 * @param turns grows as it works
 * @param lagMs how far the secondary is behind, as this replica sees it
 */
record Gears(String role, long epoch, long turns, double lagMs) {}
