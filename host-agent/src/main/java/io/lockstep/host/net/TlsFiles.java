package io.lockstep.host.net;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
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
  private static final Pattern PRIVATE_KEY =
      Pattern.compile("-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\\s]+)-----END PRIVATE KEY-----");

  /**
   * Loads the files.
   *
   * @throws IOException with a sentence for the user
   */
  public SSLContext load() throws IOException {
    try {
      CertificateFactory factory = CertificateFactory.getInstance("X.509");
      Certificate[] chain = certificates(factory, certificate).toArray(new Certificate[0]);
      KeyStore own = KeyStore.getInstance("PKCS12");
      own.load(null, null);
      own.setKeyEntry("own", privateKey(), new char[0], chain);
      KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
      keys.init(own, new char[0]);

      KeyStore trusted = KeyStore.getInstance("PKCS12");
      trusted.load(null, null);
      int n = 0;
      for (Certificate c : certificates(factory, authority)) {
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

  private static Collection<? extends Certificate> certificates(
      CertificateFactory factory, Path file) throws IOException, GeneralSecurityException {
    Collection<? extends Certificate> all =
        factory.generateCertificates(new ByteArrayInputStream(read(file)));
    if (all.isEmpty()) {
      throw new IOException(file + " holds no certificate; it must be a PEM file");
    }
    return all;
  }

  private PrivateKey privateKey() throws IOException {
    Matcher pem = PRIVATE_KEY.matcher(new String(read(key), StandardCharsets.US_ASCII));
    if (!pem.find()) {
      throw new IOException(
          key + " holds no private key; it must be PKCS #8 in PEM, without a password");
    }
    PKCS8EncodedKeySpec spec =
        new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(pem.group(1)));
    for (String algorithm : List.of("EC", "RSA", "Ed25519")) {
      try {
        return KeyFactory.getInstance(algorithm).generatePrivate(spec);
      } catch (GeneralSecurityException e) {
        // it is of another kind
      }
    }
    throw new IOException(key + " holds a private key of an unknown kind; use EC, RSA or Ed25519");
  }

  private static byte[] read(Path file) throws IOException {
    try {
      return Files.readAllBytes(file);
    } catch (NoSuchFileException e) {
      throw new IOException("there is no file " + file, e);
    }
  }
}
