/**
 * Guest images: a stock Debian riscv64 kernel with an appliance in its initial RAM file system, or
 * a complete Debian on a disk, made from Debian's own packages.
 *
 * <p>Packages come through the host's {@code apt}, with a state of our own, so signatures are
 * checked the way the host checks them and no privilege is needed. They are only ever unpacked:
 * nothing made for the guest runs on the host.
 */
package io.lockstep.cli.image;
