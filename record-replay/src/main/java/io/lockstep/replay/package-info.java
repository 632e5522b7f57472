/**
 * Log entries, their codec and store, and the recorder and replayer that stand at the machine's
 * ports.
 */
package io.lockstep.replay;
