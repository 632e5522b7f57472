/** The user's terminal: raw mode, and the keys that are not for the guest. */
package io.lockstep.cli.console;
