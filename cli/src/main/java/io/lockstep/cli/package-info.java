/** The {@code lockstep} command. */
package io.lockstep.cli;
