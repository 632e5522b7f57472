package io.lockstep.host.net;

import io.lockstep.ft.transport.TlsTrouble;
import io.lockstep.host.net.wire.Bytes;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;

/** One question to a switch, on a connection of its own, with waiting. */
final class StatusQuery {
  private StatusQuery() {}

  static String ask(SwitchAddress address, Optional<SSLContext> tls) throws IOException {
    SocketAddress at = address.resolveFor(tls);
    try {
      if (tls.isPresent() && address instanceof SwitchAddress.Tcp tcp) {
        try (SSLSocket socket =
            (SSLSocket) tls.get().getSocketFactory().createSocket(tcp.host(), tcp.port())) {
          return ask(socket.getInputStream(), socket.getOutputStream());
        }
      }
      boolean unix = address instanceof SwitchAddress.Unix;
      try (SocketChannel channel =
          unix ? SocketChannel.open(StandardProtocolFamily.UNIX) : SocketChannel.open()) {
        channel.connect(at);
        return ask(Channels.newInputStream(channel), Channels.newOutputStream(channel));
      }
    } catch (EOFException e) {
      throw new IOException("what listens at " + address + " is no lockstep switch", e);
    } catch (IOException e) {
      Optional<String> distrust = TlsTrouble.sentence("the switch at " + address, e);
      if (distrust.isPresent()) {
        throw new IOException(distrust.get(), e);
      }
      throw new IOException("no switch answers at " + address + ": " + e.getMessage(), e);
    }
  }

  private static String ask(InputStream in, OutputStream out) throws IOException {
    out.write(ControlMessage.encode(new ControlMessage.StatusRequest()));
    out.flush();
    DataInputStream data = new DataInputStream(in);
    byte[] word = new byte[4];
    data.readFully(word);
    int length = Bytes.i32(word, 0) & ~ControlMessage.CONTROL_BIT;
    if (Bytes.i32(word, 0) >= 0 || length > ControlMessage.REPLY_MAX) {
      throw new EOFException();
    }
    byte[] body = new byte[length];
    data.readFully(body);
    if (ControlMessage.decode(body, 0, length).orElse(null) instanceof ControlMessage.Status s) {
      return s.json();
    }
    throw new EOFException();
  }
}
