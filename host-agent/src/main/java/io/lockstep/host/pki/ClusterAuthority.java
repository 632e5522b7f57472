package io.lockstep.host.pki;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.regex.Pattern;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x500.X500NameBuilder;
import org.bouncycastle.asn1.x500.style.BCStyle;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/**
 * The authority of one cluster, in a directory: {@code ca.crt} and {@code ca.key}, and beside them
 * {@code HOST.crt} and {@code HOST.key} for each host. Certificates name the cluster (as the
 * organization) and the host (as the common name and a subject alternative name), and are good for
 * both ends of a connection. Keys are EC on P-256. All files are readable by their owner only, and
 * none is ever overwritten.
 */
public final class ClusterAuthority {
  /** A cluster's or host's name: also a file name, so nothing that could leave the directory. */
  private static final Pattern NAME =
      Pattern.compile("[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?");

  private static final Pattern IP_V4 = Pattern.compile("\\d{1,3}(\\.\\d{1,3}){3}");
  private static final String SIGNATURE = "SHA256withECDSA";
  private static final Duration AUTHORITY_LIFE = Duration.ofDays(3650);

  /** The clocks of two hosts may differ: a new certificate is valid a little earlier. */
  private static final Duration CLOCK_SKEW = Duration.ofHours(1);

  private static final int SERIAL_BITS = 127;
  private static final SecureRandom RANDOM = new SecureRandom();

  private final Path directory;
  private final X509Certificate certificate;
  private final PrivateKey key;

  /**
   * A host's new files.
   *
   * @param certificate what it shows to others
   * @param key what proves that the certificate is its own
   * @param authority what it trusts
   * @param until when the certificate expires
   */
  public record HostFiles(Path certificate, Path key, Path authority, Instant until) {}

  private ClusterAuthority(Path directory, X509Certificate certificate, PrivateKey key) {
    this.directory = directory;
    this.certificate = certificate;
    this.key = key;
  }

  /**
   * Makes a new authority.
   *
   * @param directory made if it is not there
   * @param cluster its name
   * @throws IOException with a sentence for the user
   */
  public static ClusterAuthority create(Path directory, String cluster) throws IOException {
    requireName("cluster", cluster);
    Path certificateFile = directory.resolve("ca.crt");
    Path keyFile = directory.resolve("ca.key");
    makeDirectory(directory);
    requireAbsent(certificateFile, keyFile);
    try {
      KeyPair keys = newKeys();
      X500Name name = name(cluster, "Lockstep authority of " + cluster);
      Instant now = Instant.now();
      X509v3CertificateBuilder builder =
          new JcaX509v3CertificateBuilder(
              name,
              newSerial(),
              Date.from(now.minus(CLOCK_SKEW)),
              Date.from(now.plus(AUTHORITY_LIFE)),
              name,
              keys.getPublic());
      JcaX509ExtensionUtils identifiers = new JcaX509ExtensionUtils();
      builder
          .addExtension(Extension.basicConstraints, true, new BasicConstraints(0))
          .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign))
          .addExtension(
              Extension.subjectKeyIdentifier,
              false,
              identifiers.createSubjectKeyIdentifier(keys.getPublic()));
      byte[] der = sign(builder, keys.getPrivate());
      writeBoth(keyFile, keys.getPrivate(), certificateFile, der);
      return open(directory);
    } catch (GeneralSecurityException | OperatorCreationException e) {
      throw new IOException("No certificate can be made: %s.".formatted(e.getMessage()), e);
    }
  }

  /**
   * Opens an authority that {@link #create} made.
   *
   * @throws IOException with a sentence for the user
   */
  public static ClusterAuthority open(Path directory) throws IOException {
    Path certificateFile = directory.resolve("ca.crt");
    if (!Files.exists(certificateFile)) {
      throw new IOException(
          "There is no authority in %s; make one with 'lockstep pki init %s'."
              .formatted(directory, directory));
    }
    return new ClusterAuthority(
        directory,
        PemFiles.certificates(certificateFile).getFirst(),
        PemFiles.privateKey(directory.resolve("ca.key")));
  }

  /** The cluster's name. */
  public String cluster() {
    X500Name subject = X500Name.getInstance(certificate.getSubjectX500Principal().getEncoded());
    return subject.getRDNs(BCStyle.O)[0].getFirst().getValue().toString();
  }

  /** Where the authority's certificate is, which every host trusts. */
  public Path certificateFile() {
    return directory.resolve("ca.crt");
  }

  /**
   * Issues a host's certificate.
   *
   * @param host its name, which names the files
   * @param addresses more names or IP addresses that the host is known by
   * @param life how long it is valid; never longer than the authority itself
   * @throws IOException with a sentence for the user
   */
  public HostFiles issue(String host, List<String> addresses, Duration life) throws IOException {
    requireName("host", host);
    Path certificateFile = directory.resolve(host + ".crt");
    Path keyFile = directory.resolve(host + ".key");
    requireAbsent(certificateFile, keyFile);
    Instant now = Instant.now();
    Instant authorityEnd = certificate.getNotAfter().toInstant();
    if (now.isAfter(authorityEnd)) {
      throw new IOException(
          "The authority in %s has expired; make a new one with 'lockstep pki init' and issue all"
                  .formatted(directory)
              + " hosts' certificates again.");
    }
    Instant until = now.plus(life).isBefore(authorityEnd) ? now.plus(life) : authorityEnd;
    try {
      KeyPair keys = newKeys();
      byte[] der = sign(hostCertificate(host, addresses, now, until, keys), key);
      writeBoth(keyFile, keys.getPrivate(), certificateFile, der);
    } catch (GeneralSecurityException | OperatorCreationException e) {
      throw new IOException("No certificate can be made: %s.".formatted(e.getMessage()), e);
    }
    return new HostFiles(certificateFile, keyFile, certificateFile(), until);
  }

  private X509v3CertificateBuilder hostCertificate(
      String host, List<String> addresses, Instant from, Instant until, KeyPair keys)
      throws IOException, GeneralSecurityException {
    List<GeneralName> names = new ArrayList<>();
    names.add(generalName(host));
    for (String address : addresses) {
      requireAddress(address);
      names.add(generalName(address));
    }
    X500Principal issuer = certificate.getSubjectX500Principal();
    JcaX509ExtensionUtils identifiers = new JcaX509ExtensionUtils();
    return new JcaX509v3CertificateBuilder(
            X500Name.getInstance(issuer.getEncoded()),
            newSerial(),
            Date.from(from.minus(CLOCK_SKEW)),
            Date.from(until),
            name(cluster(), host),
            keys.getPublic())
        .addExtension(Extension.basicConstraints, true, new BasicConstraints(false))
        .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature))
        .addExtension(
            Extension.extendedKeyUsage,
            false,
            new ExtendedKeyUsage(
                new KeyPurposeId[] {KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth}))
        .addExtension(
            Extension.subjectAlternativeName,
            false,
            new GeneralNames(names.toArray(GeneralName[]::new)))
        .addExtension(
            Extension.subjectKeyIdentifier,
            false,
            identifiers.createSubjectKeyIdentifier(keys.getPublic()))
        .addExtension(
            Extension.authorityKeyIdentifier,
            false,
            identifiers.createAuthorityKeyIdentifier(certificate));
  }

  private static GeneralName generalName(String text) {
    boolean address = IP_V4.matcher(text).matches() || text.indexOf(':') >= 0;
    return new GeneralName(address ? GeneralName.iPAddress : GeneralName.dNSName, text);
  }

  private static X500Name name(String cluster, String common) {
    return new X500NameBuilder().addRDN(BCStyle.O, cluster).addRDN(BCStyle.CN, common).build();
  }

  private static byte[] sign(X509v3CertificateBuilder builder, PrivateKey key)
      throws IOException, OperatorCreationException {
    return builder.build(new JcaContentSignerBuilder(SIGNATURE).build(key)).getEncoded();
  }

  private static KeyPair newKeys() throws GeneralSecurityException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"), RANDOM);
    return generator.generateKeyPair();
  }

  private static BigInteger newSerial() {
    return new BigInteger(SERIAL_BITS, RANDOM).add(BigInteger.ONE);
  }

  private static void requireName(String what, String name) throws IOException {
    if (!NAME.matcher(name).matches()) {
      throw new IOException(
          "'%s' is no name for a %s; use letters, digits, dots and hyphens, 63 at most."
              .formatted(name, what));
    }
  }

  private static void requireAddress(String address) throws IOException {
    if (!NAME.matcher(address).matches() && !address.matches("[0-9A-Fa-f:.]{2,45}")) {
      throw new IOException("'%s' is neither a host name nor an IP address.".formatted(address));
    }
    try {
      var _ = generalName(address);
    } catch (IllegalArgumentException e) {
      throw new IOException("'%s' is no IP address.".formatted(address), e);
    }
  }

  private static void requireAbsent(Path... files) throws IOException {
    for (Path file : files) {
      if (Files.exists(file, java.nio.file.LinkOption.NOFOLLOW_LINKS)) {
        throw PemFiles.exists(file, new FileAlreadyExistsException(file.toString()));
      }
    }
  }

  private static void makeDirectory(Path directory) throws IOException {
    if (Files.isDirectory(directory)) {
      return;
    }
    try {
      Path parent = directory.toAbsolutePath().getParent();
      if (parent != null) {
        Files.createDirectories(parent);
      }
      Files.createDirectory(
          directory,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    } catch (IOException e) {
      throw new IOException(
          "The directory %s cannot be made; choose another place.".formatted(directory), e);
    }
  }

  private static void writeBoth(Path keyFile, PrivateKey key, Path certificateFile, byte[] der)
      throws IOException {
    PemFiles.write(keyFile, "PRIVATE KEY", key.getEncoded());
    boolean done = false;
    try {
      PemFiles.write(certificateFile, "CERTIFICATE", der);
      done = true;
    } finally {
      if (!done) {
        Files.deleteIfExists(keyFile);
      }
    }
  }
}
