package io.lockstep.cli.image;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.IdentityHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * Writes a tree as an initramfs: cpio in the "new ASCII" format, uncompressed (kernel
 * documentation, driver-api/early-userspace/buffer-format). The same tree always gives the same
 * bytes.
 */
final class CpioWriter {
  private static final String MAGIC = "070701";
  private static final String TRAILER = "TRAILER!!!";

  private static final int DIRECTORY = 0040000;
  private static final int REGULAR = 0100000;
  private static final int SYMBOLIC_LINK = 0120000;
  private static final int CHARACTER_DEVICE = 0020000;

  /** The format has eight hexadecimal digits for a size. */
  private static final long SIZE_LIMIT = 0xffff_ffffL;

  private final OutputStream out;
  private final IdentityHashMap<FileTree.Regular, Integer> linkCounts = new IdentityHashMap<>();
  private final IdentityHashMap<FileTree.Regular, Integer> inodes = new IdentityHashMap<>();
  private int nextInode = 1;
  private long written;

  private CpioWriter(OutputStream out) {
    this.out = out;
  }

  /** Writes the whole tree with its trailer. */
  static void write(FileTree tree, OutputStream out) throws IOException {
    var writer = new CpioWriter(out);
    for (FileTree.Node node : tree.nodes().values()) {
      if (node instanceof FileTree.Regular file) {
        writer.linkCounts.merge(file, 1, Integer::sum);
      }
    }
    for (Map.Entry<String, FileTree.Node> entry : tree.nodes().entrySet()) {
      if (!entry.getKey().isEmpty()) {
        writer.write(entry.getKey(), entry.getValue());
      }
    }
    writer.member(TRAILER, new Header(0, 0, FileTree.Owner.ROOT, 1, 0, 0, 0, 0), Content.of(""));
  }

  private record Header(
      int inode,
      int mode,
      FileTree.Owner owner,
      int links,
      long time,
      long size,
      int major,
      int minor) {}

  private void write(String path, FileTree.Node node) throws IOException {
    switch (node) {
      case FileTree.Directory d ->
          member(path, header(d, DIRECTORY, nextInode++, 2, 0), Content.of(""));
      case FileTree.SymbolicLink link -> {
        Content target = Content.of(link.target());
        member(path, header(link, SYMBOLIC_LINK, nextInode++, 1, target.size()), target);
      }
      case FileTree.CharacterDevice d ->
          member(
              path,
              new Header(
                  nextInode++,
                  CHARACTER_DEVICE | d.mode(),
                  d.owner(),
                  1,
                  d.time(),
                  0,
                  d.major(),
                  d.minor()),
              Content.of(""));
      case FileTree.Regular file -> {
        // The kernel takes the data of hard links from whichever member has some: only the first
        // one here.
        Integer known = inodes.putIfAbsent(file, nextInode);
        int inode = known == null ? nextInode++ : known;
        Content content = known == null ? file.content() : Content.of("");
        member(path, header(file, REGULAR, inode, linkCounts.get(file), content.size()), content);
      }
    }
  }

  private static Header header(FileTree.Node node, int type, int inode, int links, long size) {
    return new Header(inode, type | node.mode(), node.owner(), links, node.time(), size, 0, 0);
  }

  private void member(String path, Header header, Content content) throws IOException {
    if (header.size() > SIZE_LIMIT) {
      throw new IOException("file " + path + " is too large for an initramfs");
    }
    byte[] name = path.getBytes(StandardCharsets.UTF_8);
    String fields =
        String.format(
            Locale.ROOT,
            "%s%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
            MAGIC,
            header.inode(),
            header.mode(),
            header.owner().uid(),
            header.owner().gid(),
            header.links(),
            header.time() & 0xffff_ffffL,
            header.size(),
            0,
            0,
            header.major(),
            header.minor(),
            name.length + 1,
            0);
    put(fields.getBytes(StandardCharsets.US_ASCII));
    put(name);
    put(new byte[] {0});
    pad();
    content.writeTo(out);
    written += content.size();
    pad();
  }

  private void put(byte[] bytes) throws IOException {
    out.write(bytes);
    written += bytes.length;
  }

  private void pad() throws IOException {
    put(new byte[(int) (-written & 3)]);
  }
}
