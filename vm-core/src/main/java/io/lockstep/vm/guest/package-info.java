/** The small guest: a program of our own for the machine, for the demo and for fast tests. */
package io.lockstep.vm.guest;
