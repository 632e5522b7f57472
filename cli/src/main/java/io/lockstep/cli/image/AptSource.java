package io.lockstep.cli.image;

import java.util.List;

/**
 * One repository of an apt configuration: what a {@code deb} line or a deb822 stanza names.
 *
 * @param uris where it is; never empty
 * @param suites code names or suites as written, for example {@code bookworm-updates}
 * @param components for example {@code main}
 * @param signedBy key ring file, key fingerprints or an inline key block, as written; empty if
 *     apt's default applies
 */
record AptSource(List<String> uris, List<String> suites, List<String> components, String signedBy) {
  AptSource {
    uris = List.copyOf(uris);
    suites = List.copyOf(suites);
    components = List.copyOf(components);
  }
}
