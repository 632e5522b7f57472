package io.lockstep.ft.storage;

import java.io.IOException;
import java.util.List;

/** The directory with the layers of one disk, and its base image. */
interface LayerFiles {
  /** The names that are there; empty if there is no directory. */
  List<String> list() throws IOException;

  /**
   * Makes a new file, sparse and of the given size.
   *
   * @throws java.nio.file.FileAlreadyExistsException if it is there
   */
  BlockFile create(String name, long size) throws IOException;

  /**
   * Opens a file.
   *
   * @throws java.nio.file.NoSuchFileException if it is not there
   */
  BlockFile open(String name, boolean writable) throws IOException;

  boolean exists(String name) throws IOException;

  /** Deletes a file; that it is gone already is no error. */
  void delete(String name) throws IOException;

  /** Waits until names and their absence are stable. */
  void force() throws IOException;

  /** Whether a living process has the file's lock; false if there is no such file. */
  boolean isLocked(String name) throws IOException;

  /** Opens the raw image beneath all layers. */
  BlockFile openBase(boolean writable) throws IOException;

  /** The size of the raw image in bytes. */
  long baseSize() throws IOException;

  /** For messages. */
  String describe(String name);

  /** For messages. */
  String describeBase();
}
