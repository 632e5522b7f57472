package io.lockstep.host.net;

import io.lockstep.host.pki.PemFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManagerFactory;

/**
 * A certificate, its key and the authority that both sides trust, as PEM files.
 *
 * @param certificate this side's certificate, with intermediate ones after it
 * @param key its private key, PKCS #8 without a password
 * @param authority certificates that the other side's must lead to
 */
public record TlsFiles(Path certificate, Path key, Path authority) {
  /**
   * Loads the files.
   *
   * @throws IOException with a sentence for the user
   */
  public SSLContext load() throws IOException {
    try {
      Certificate[] chain = PemFiles.certificates(certificate).toArray(new Certificate[0]);
      KeyStore own = KeyStore.getInstance("PKCS12");
      own.load(null, null);
      own.setKeyEntry("own", PemFiles.privateKey(key), new char[0], chain);
      KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
      keys.init(own, new char[0]);

      KeyStore trusted = KeyStore.getInstance("PKCS12");
      trusted.load(null, null);
      int n = 0;
      for (Certificate c : PemFiles.certificates(authority)) {
        trusted.setCertificateEntry("authority" + n++, c);
      }
      TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
      trust.init(trusted);

      SSLContext context = SSLContext.getInstance("TLSv1.3");
      context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IOException(
          "the certificate "
              + certificate
              + ", its key "
              + key
              + " and the authority "
              + authority
              + " cannot be used together: "
              + e.getMessage(),
          e);
    }
  }

  /** An engine that speaks TLS 1.3 only and, as a server, wants the client's certificate. */
  static SSLEngine engine(SSLContext context, boolean client) {
    SSLEngine engine = context.createSSLEngine();
    engine.setUseClientMode(client);
    SSLParameters parameters = engine.getSSLParameters();
    parameters.setProtocols(new String[] {"TLSv1.3"});
    if (!client) {
      parameters.setNeedClientAuth(true);
    }
    engine.setSSLParameters(parameters);
    return engine;
  }
}
