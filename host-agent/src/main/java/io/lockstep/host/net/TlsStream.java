package io.lockstep.host.net;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;

/**
 * TLS over a non-blocking channel. The handshake's expensive steps run on a thread of their own,
 * after which {@code resume} is called; until then reads give nothing and writes take nothing.
 */
final class TlsStream implements ByteStream {
  private final SocketChannel channel;
  private final SSLEngine engine;
  private final Runnable resume;
  private final ByteBuffer plain;
  private final ByteBuffer cipherIn;
  private final ByteBuffer cipherOut;
  private volatile boolean computing;
  private boolean ended;
  private SSLException failure;

  /**
   * @param alreadyRead cipher text that was taken from the channel before, ready to be read
   * @param resume called on any thread when the stream is to be read and written again
   */
  TlsStream(SocketChannel channel, SSLEngine engine, ByteBuffer alreadyRead, Runnable resume)
      throws IOException {
    this.channel = channel;
    this.engine = engine;
    this.resume = resume;
    int packet = engine.getSession().getPacketBufferSize();
    this.plain = ByteBuffer.allocate(engine.getSession().getApplicationBufferSize()).limit(0);
    this.cipherIn = ByteBuffer.allocate(packet * 4 + alreadyRead.remaining()).put(alreadyRead);
    this.cipherOut = ByteBuffer.allocateDirect(packet * 4).limit(0);
    engine.beginHandshake();
  }

  @Override
  public int read(ByteBuffer target) throws IOException {
    if (!advanceHandshake()) {
      return ended ? -1 : 0;
    }
    while (!plain.hasRemaining()) {
      if (ended) {
        return -1;
      }
      if (!unwrap()) {
        return ended ? -1 : 0;
      }
      if (!advanceHandshake()) {
        return 0;
      }
    }
    int count = Math.min(plain.remaining(), target.remaining());
    target.put(plain.slice(plain.position(), count));
    plain.position(plain.position() + count);
    return count;
  }

  @Override
  public boolean write(ByteBuffer source) throws IOException {
    while (true) {
      if (!advanceHandshake()) {
        return !cipherOut.hasRemaining();
      }
      if (!drainCipherOut() || !source.hasRemaining()) {
        break;
      }
      wrap(source);
    }
    return !source.hasRemaining() && !cipherOut.hasRemaining();
  }

  @Override
  public void shutdown() {
    if (computing) {
      return;
    }
    try {
      engine.closeOutbound();
      if (drainCipherOut()) {
        cipherOut.clear();
        engine.wrap(ByteBuffer.allocate(0), cipherOut);
        cipherOut.flip();
        drainCipherOut();
      }
    } catch (IOException e) {
      cipherOut.clear().limit(0);
    }
  }

  /** True once application data can flow. */
  private boolean advanceHandshake() throws IOException {
    while (true) {
      if (computing) {
        return false;
      }
      HandshakeStatus status = engine.getHandshakeStatus();
      switch (status) {
        case FINISHED, NOT_HANDSHAKING -> {
          return true;
        }
        case NEED_TASK -> {
          compute();
          return false;
        }
        case NEED_WRAP -> {
          if (!drainCipherOut()) {
            return false;
          }
          wrap(ByteBuffer.allocate(0));
          drainCipherOut();
        }
        case NEED_UNWRAP, NEED_UNWRAP_AGAIN -> {
          drainCipherOut();
          if (!unwrap()) {
            return false;
          }
        }
      }
    }
  }

  private void compute() {
    computing = true;
    Thread.ofVirtual()
        .start(
            () -> {
              for (Runnable task = engine.getDelegatedTask();
                  task != null;
                  task = engine.getDelegatedTask()) {
                task.run();
              }
              computing = false;
              resume.run();
            });
  }

  private boolean drainCipherOut() throws IOException {
    if (cipherOut.hasRemaining()) {
      channel.write(cipherOut);
    }
    return !cipherOut.hasRemaining();
  }

  private void wrap(ByteBuffer source) throws IOException {
    cipherOut.clear();
    SSLEngineResult result;
    try {
      result = engine.wrap(source, cipherOut);
    } catch (SSLException e) {
      throw remember(e);
    } finally {
      cipherOut.flip();
    }
    if (result.getStatus() == SSLEngineResult.Status.CLOSED) {
      ended = true;
      throw failure != null ? failure : new IOException("the connection was closed");
    }
  }

  /** The engine says only once why it failed; who asks later must hear the same. */
  private SSLException remember(SSLException e) {
    if (failure == null) {
      failure = e;
    }
    return failure;
  }

  /** Decrypts one record; false if none is there. */
  private boolean unwrap() throws IOException {
    while (true) {
      cipherIn.flip();
      plain.clear();
      SSLEngineResult result;
      try {
        result = engine.unwrap(cipherIn, plain);
      } catch (SSLException e) {
        throw remember(e);
      } finally {
        plain.flip();
        cipherIn.compact();
      }
      switch (result.getStatus()) {
        case OK -> {
          return true;
        }
        case CLOSED -> {
          ended = true;
          return false;
        }
        case BUFFER_OVERFLOW -> throw new IOException("a TLS record is too long");
        case BUFFER_UNDERFLOW -> {
          int count = channel.read(cipherIn);
          if (count < 0) {
            ended = true;
          }
          if (count <= 0) {
            return false;
          }
        }
      }
    }
  }
}
