/**
 * Running a machine live: the loop on the vCPU thread, the inbox that backends fill, the clock
 * readings, and the interfaces of those who listen (journal) and hold back (gate).
 */
package io.lockstep.replay.live;
