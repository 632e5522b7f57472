/** Questions and commands between the processes of one user on one host. */
package io.lockstep.host.control;
