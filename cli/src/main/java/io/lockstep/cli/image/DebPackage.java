package io.lockstep.cli.image;

import java.nio.file.Path;

/**
 * A binary package in the cache, its checksum verified against the signed index.
 *
 * @param file the {@code .deb}
 * @param size of the file in bytes
 * @param sha256 as in the index, lower-case hexadecimal
 */
record DebPackage(
    String name, String version, String architecture, Path file, long size, String sha256) {}
