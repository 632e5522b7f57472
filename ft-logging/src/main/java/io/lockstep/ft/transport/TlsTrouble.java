package io.lockstep.ft.transport;

import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.util.Locale;
import java.util.Optional;
import javax.net.ssl.SSLException;

/** Says in a sentence why two hosts did not come to trust each other. */
public final class TlsTrouble {
  private static final String ISSUE =
      "use certificates that 'lockstep pki issue' made for both hosts with the same authority";
  private static final int CAUSES_MAX = 16;

  private TlsTrouble() {}

  /**
   * The sentence for the operator.
   *
   * @param peer the other side, as it is called in the middle of a sentence
   * @param failure what ended the connection
   * @return empty if that has nothing to do with TLS
   */
  public static Optional<String> sentence(String peer, Throwable failure) {
    Throwable tls = find(failure, SSLException.class);
    if (tls == null) {
      return Optional.empty();
    }
    if (find(failure, CertificateExpiredException.class) != null) {
      return Optional.of(
          "The certificate of %s has expired; issue a new one with 'lockstep pki issue'."
              .formatted(peer));
    }
    if (find(failure, CertificateNotYetValidException.class) != null) {
      return Optional.of(
          "The certificate of %s is not valid yet; set both hosts' clocks.".formatted(peer));
    }
    if (find(failure, CertPathValidatorException.class) != null
        || find(failure, java.security.cert.CertPathBuilderException.class) != null) {
      return Optional.of(
          "The certificate of %s belongs to another cluster: our authority has not signed it; %s."
              .formatted(peer, ISSUE));
    }
    return Optional.of(byText(peer, tls));
  }

  /** The JDK tells these apart by their text only. */
  private static String byText(String peer, Throwable tls) {
    String text = String.valueOf(tls.getMessage()).toLowerCase(Locale.ROOT);
    if (text.contains("empty client certificate chain")) {
      return "%s has no certificate of this cluster; %s.".formatted(capital(peer), ISSUE);
    }
    if (text.contains("received") && text.contains("alert")) {
      return "%s refuses this host's certificate; %s.".formatted(capital(peer), ISSUE);
    }
    if (text.contains("not an ssl/tls record") || text.contains("plaintext connection")) {
      return "%s does not speak TLS; give it --tls-cert, --tls-key and --tls-ca too."
          .formatted(capital(peer));
    }
    return "No TLS connection with %s: %s.".formatted(peer, tls.getMessage());
  }

  private static String capital(String text) {
    return Character.toUpperCase(text.charAt(0)) + text.substring(1);
  }

  private static Throwable find(Throwable failure, Class<? extends Throwable> kind) {
    Throwable at = failure;
    for (int i = 0; at != null && i < CAUSES_MAX; i++) {
      if (kind.isInstance(at)) {
        return at;
      }
      at = at.getCause();
    }
    return null;
  }
}
