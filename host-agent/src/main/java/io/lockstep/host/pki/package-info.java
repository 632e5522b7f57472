/** A cluster's certificates: its own small authority, and one certificate a host. */
package io.lockstep.host.pki;
