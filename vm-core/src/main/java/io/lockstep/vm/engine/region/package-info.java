/**
 * Guest code as JVM bytecode: what a region is, how it is emitted, and what the emitted code calls.
 * Which code is worth it, and when, is decided in {@link io.lockstep.vm.engine}.
 */
package io.lockstep.vm.engine.region;
