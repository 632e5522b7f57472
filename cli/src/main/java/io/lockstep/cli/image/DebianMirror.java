package io.lockstep.cli.image;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The repositories that a guest's packages come from: the Debian mirrors the host's own apt uses,
 * with another suite.
 *
 * @param sources what to give to apt; the first entry is the main archive
 */
record DebianMirror(List<AptSource> sources) {
  static final String DEFAULT_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

  private static final Set<String> DEBIAN_SUITES =
      Set.of(
          "buster",
          "bullseye",
          "bookworm",
          "trixie",
          "forky",
          "duke",
          "sid",
          "unstable",
          "testing",
          "stable",
          "oldstable");
  private static final Set<String> WITHOUT_UPDATES = Set.of("sid", "unstable");

  /**
   * How paths of Debian's archives end, on every mirror: it is what tells them from others with the
   * same suite names.
   */
  private static final Pattern ARCHIVE_PATH = Pattern.compile(".*/debian/?");

  private static final Pattern SECURITY_PATH = Pattern.compile(".*/debian-security/?");

  DebianMirror {
    sources = List.copyOf(sources);
  }

  /** A mirror the user named, with the archive's own key ring. */
  static DebianMirror named(String uri, String suite) {
    return new DebianMirror(
        List.of(new AptSource(List.of(uri), List.of(suite), List.of("main"), DEFAULT_KEYRING)));
  }

  /**
   * Finds Debian among the host's sources and asks it for {@code suite}, with updates and security
   * fixes where the host has those of its own suite.
   */
  static DebianMirror ofHost(List<AptSource> hostSources, String suite) throws ImageException {
    // Where the configuration says which entries are Debian's, that is a better sign than an
    // address.
    boolean telling = hostSources.stream().anyMatch(DebianMirror::signedByArchive);
    var archives = new LinkedHashSet<AptSource>();
    var security = new LinkedHashSet<AptSource>();
    for (AptSource source : hostSources) {
      if (!source.components().contains("main") || (telling && !signedByArchive(source))) {
        continue;
      }
      for (String hostSuite : source.suites()) {
        if (isArchive(source, hostSuite)) {
          archives.add(
              guestSource(source, hostSuite.endsWith("-updates") ? suite + "-updates" : suite));
        } else if (isSecurity(source, hostSuite)) {
          security.add(guestSource(source, suite + "-security"));
        }
      }
    }
    if (archives.isEmpty()) {
      throw new ImageException(
          "The host's apt configuration names no Debian archive; name one with --mirror URL, for"
              + " example that of your provider.");
    }
    var all = new ArrayList<>(archives);
    all.addAll(security);
    if (WITHOUT_UPDATES.contains(suite)) {
      all.removeIf(source -> !source.suites().contains(suite));
    }
    return new DebianMirror(all);
  }

  private static boolean isArchive(AptSource source, String hostSuite) {
    String base =
        hostSuite.endsWith("-updates") ? hostSuite.substring(0, hostSuite.length() - 8) : hostSuite;
    return DEBIAN_SUITES.contains(base)
        && (signedByArchive(source)
            || source.uris().stream().anyMatch(uri -> ARCHIVE_PATH.matcher(uri).matches()));
  }

  private static boolean isSecurity(AptSource source, String hostSuite) {
    return hostSuite.endsWith("-security")
        && DEBIAN_SUITES.contains(hostSuite.substring(0, hostSuite.length() - 9))
        && (signedByArchive(source)
            || source.uris().stream().anyMatch(uri -> SECURITY_PATH.matcher(uri).matches()));
  }

  private static boolean signedByArchive(AptSource source) {
    return source.signedBy().contains("debian-archive-");
  }

  private static AptSource guestSource(AptSource host, String suite) {
    // An entry for one release may be signed by that release's key alone; the whole key ring has
    // the others' too.
    String signedBy =
        host.signedBy().isEmpty() || signedByArchive(host) ? DEFAULT_KEYRING : host.signedBy();
    return new AptSource(host.uris(), List.of(suite), List.of("main"), signedBy);
  }

  /** The deb822 text of these sources for one architecture. */
  String deb822(String architecture) {
    var text = new StringBuilder();
    for (AptSource source : sources) {
      text.append("Types: deb\n");
      text.append("URIs: ").append(String.join(" ", source.uris())).append('\n');
      text.append("Suites: ").append(String.join(" ", source.suites())).append('\n');
      text.append("Components: ").append(String.join(" ", source.components())).append('\n');
      text.append("Architectures: ").append(architecture).append('\n');
      text.append("Signed-By: ").append(source.signedBy()).append("\n\n");
    }
    return text.toString();
  }

  /** The suite itself, without updates and security fixes. */
  DebianMirror archiveOnly() {
    return new DebianMirror(List.of(sources.getFirst()));
  }

  /** Where the main archive is, for messages. */
  String address() {
    return sources.getFirst().uris().getFirst();
  }
}
