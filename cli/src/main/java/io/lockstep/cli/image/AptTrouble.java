package io.lockstep.cli.image;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What went wrong in apt, told in one sentence.
 *
 * @param sentence for the user
 */
record AptTrouble(Kind kind, String sentence) {
  enum Kind {
    NETWORK,
    MIRROR_CHANGING,
    SIGNATURE,
    NO_SUCH_PACKAGE,
    NO_SUCH_SUITE,
    DEPENDENCIES,
    DISK,
    OTHER
  }

  private static final Pattern UNKNOWN_PACKAGE =
      Pattern.compile(
          "(?:Unable to locate package|No packages found matching|Unable to find a source package"
              + " for) (\\S+)");
  private static final Pattern NO_CANDIDATE =
      Pattern.compile("Package '?([^' ]+)'? has no installation candidate");
  private static final Pattern NO_VERSION =
      Pattern.compile("Version '[^']*' for '([^']+)' was not found");
  private static final List<String> SIGNATURE_SIGNS =
      List.of(
          "NO_PUBKEY",
          "EXPKEYSIG",
          "REVKEYSIG",
          "BADSIG",
          "is not signed",
          "Missing key",
          "OpenPGP signature",
          "gpgv",
          "sqv");
  private static final List<String> NETWORK_SIGNS =
      List.of(
          "Temporary failure resolving",
          "Could not resolve",
          "Could not connect",
          "Connection failed",
          "Connection timed out",
          "Cannot initiate the connection",
          "Network is unreachable",
          "Failed to fetch",
          "Unable to connect");

  /** Finds the trouble in what apt printed to standard error. */
  static AptTrouble in(String errors, String suite, String mirror) {
    for (Pattern pattern : List.of(UNKNOWN_PACKAGE, NO_CANDIDATE, NO_VERSION)) {
      Matcher matcher = pattern.matcher(errors);
      if (matcher.find()) {
        return new AptTrouble(
            Kind.NO_SUCH_PACKAGE,
            "Debian "
                + suite
                + " has no package "
                + matcher.group(1)
                + " for "
                + AptWorkspace.ARCHITECTURE
                + "; check its spelling or choose another --suite.");
      }
    }
    if (errors.contains("No space left on device") || errors.contains("enough free space")) {
      return new AptTrouble(
          Kind.DISK,
          "The disk of the download cache is full; free some space or set XDG_CACHE_HOME to another"
              + " disk.");
    }
    if (errors.contains("Mirror sync in progress")) {
      return new AptTrouble(
          Kind.MIRROR_CHANGING,
          "The mirror "
              + mirror
              + " is being updated; try again later or choose another --mirror.");
    }
    if (SIGNATURE_SIGNS.stream().anyMatch(errors::contains)) {
      return new AptTrouble(
          Kind.SIGNATURE,
          "The signature of Debian "
              + suite
              + " at "
              + mirror
              + " could not be verified ("
              + first(errors)
              + "); install the current package debian-archive-keyring.");
    }
    if (errors.contains("does not have a Release file")) {
      // apt says the same for a mirror that it cannot reach and for one without that suite.
      boolean missing =
          errors.contains("404") || !NETWORK_SIGNS.stream().limit(6).anyMatch(errors::contains);
      if (missing) {
        return new AptTrouble(
            Kind.NO_SUCH_SUITE,
            "The mirror "
                + mirror
                + " has no suite "
                + suite
                + "; choose another --suite or --mirror.");
      }
    }
    if (NETWORK_SIGNS.stream().anyMatch(errors::contains)) {
      return new AptTrouble(
          Kind.NETWORK,
          "The Debian mirror "
              + mirror
              + " cannot be reached ("
              + first(errors)
              + "); check the network and the proxy in apt's configuration.");
    }
    if (errors.contains("unmet dependencies") || errors.contains("Unable to correct problems")) {
      return new AptTrouble(
          Kind.DEPENDENCIES,
          "The packages cannot be installed together in Debian "
              + suite
              + " ("
              + first(errors)
              + "); leave one out.");
    }
    return new AptTrouble(Kind.OTHER, "apt failed: " + first(errors) + ".");
  }

  /** The first thing apt complained about, without its prefix and without a full stop. */
  private static String first(String errors) {
    String line =
        errors
            .lines()
            .filter(text -> text.startsWith("E: "))
            .findFirst()
            .orElseGet(
                () ->
                    errors
                        .lines()
                        .filter(text -> !text.isBlank())
                        .findFirst()
                        .orElse("no reason given"));
    String text = line.replaceFirst("^E: ", "").strip().replaceAll("\\s+", " ");
    return text.endsWith(".") ? text.substring(0, text.length() - 1) : text;
  }
}
