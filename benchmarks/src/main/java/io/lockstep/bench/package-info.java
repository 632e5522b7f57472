/** Micro-benchmarks and comparisons with peers. */
package io.lockstep.bench;
