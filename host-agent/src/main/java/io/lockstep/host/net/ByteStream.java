package io.lockstep.host.net;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/** A non-blocking connection, encrypted or not. Calls are not concurrent. */
interface ByteStream {
  /** Bytes read, 0 if there are none now, -1 at the end. */
  int read(ByteBuffer target) throws IOException;

  /**
   * Writes what can be written.
   *
   * @return false if the channel must become writable before there is more to do
   */
  boolean write(ByteBuffer source) throws IOException;

  /** Says goodbye where the protocol has a word for it, if that is possible without waiting. */
  void shutdown();

  /** The connection as it is. */
  record Plain(SocketChannel channel) implements ByteStream {
    @Override
    public int read(ByteBuffer target) throws IOException {
      return channel.read(target);
    }

    @Override
    public boolean write(ByteBuffer source) throws IOException {
      if (source.hasRemaining()) {
        channel.write(source);
      }
      return !source.hasRemaining();
    }

    @Override
    public void shutdown() {}
  }
}
