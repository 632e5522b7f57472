package io.lockstep.cli.image;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads both formats of sources.list(5). What it cannot make sense of it leaves out: apt itself
 * will complain about it.
 */
final class AptSourcesParser {
  private static final Pattern ONE_LINE =
      Pattern.compile(
          "deb\\s+(?:\\[(?<options>[^\\]]*)]\\s*)?(?<uri>\\S+)\\s+(?<suite>\\S+)(?<components>(\\s+\\S+)*)");
  private static final Pattern BLANKS = Pattern.compile("\\s+");

  private AptSourcesParser() {}

  /** The {@code deb} entries of a {@code .list} file. */
  static List<AptSource> oneLine(String text) {
    var sources = new ArrayList<AptSource>();
    for (String line : text.lines().toList()) {
      int comment = line.indexOf('#');
      String entry = (comment < 0 ? line : line.substring(0, comment)).strip();
      Matcher matcher = ONE_LINE.matcher(entry);
      if (matcher.matches()) {
        sources.add(
            new AptSource(
                List.of(matcher.group("uri")),
                List.of(matcher.group("suite")),
                words(matcher.group("components")),
                option(matcher.group("options"), "signed-by").orElse("")));
      }
    }
    return sources;
  }

  private static Optional<String> option(String options, String name) {
    return words(options == null ? "" : options).stream()
        .filter(option -> option.toLowerCase(Locale.ROOT).startsWith(name + "="))
        .map(option -> option.substring(name.length() + 1))
        .findFirst();
  }

  /** The enabled stanzas with {@code Types: deb} of a {@code .sources} file. */
  static List<AptSource> deb822(String text) {
    var sources = new ArrayList<AptSource>();
    for (Map<String, String> stanza : stanzas(text)) {
      boolean enabled = !stanza.getOrDefault("enabled", "yes").strip().equalsIgnoreCase("no");
      List<String> uris = words(stanza.getOrDefault("uris", ""));
      if (enabled && words(stanza.getOrDefault("types", "")).contains("deb") && !uris.isEmpty()) {
        sources.add(
            new AptSource(
                uris,
                words(stanza.getOrDefault("suites", "")),
                words(stanza.getOrDefault("components", "")),
                stanza.getOrDefault("signed-by", "").strip()));
      }
    }
    return sources;
  }

  /**
   * The stanzas of a deb822 text (deb822(5)). Field names are in lower case; a value keeps its line
   * breaks and the blank that continues it, because an inline key needs them.
   */
  static List<Map<String, String>> stanzas(String text) {
    var stanzas = new ArrayList<Map<String, String>>();
    Map<String, String> current = new LinkedHashMap<>();
    String field = null;
    for (String line : text.lines().toList()) {
      if (line.startsWith("#")) {
        continue;
      }
      if (line.isBlank()) {
        if (!current.isEmpty()) {
          stanzas.add(current);
        }
        current = new LinkedHashMap<>();
        field = null;
      } else if (Character.isWhitespace(line.charAt(0))) {
        if (field != null) {
          current.merge(field, line, (value, more) -> value + "\n" + more);
        }
      } else {
        int colon = line.indexOf(':');
        field = colon < 0 ? null : line.substring(0, colon).strip().toLowerCase(Locale.ROOT);
        if (field != null) {
          current.put(field, line.substring(colon + 1).strip());
        }
      }
    }
    if (!current.isEmpty()) {
      stanzas.add(current);
    }
    return stanzas;
  }

  private static List<String> words(String text) {
    String stripped = text.strip();
    return stripped.isEmpty() ? List.of() : List.of(BLANKS.split(stripped));
  }
}
