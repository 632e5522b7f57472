package io.lockstep.cli.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class AptSourcesParserTest {
  @Test
  void aOneLineEntryWithOptionsIsRead() {
    List<AptSource> sources =
        AptSourcesParser.oneLine(
            """
            # a comment
            deb-src http://mirror.example/debian bookworm main
            deb [ arch=amd64 signed-by=/keys/d.gpg ] http://mirror.example/debian bookworm main contrib # more
            deb http://other.example/x ./
            """);
    assertThat(sources)
        .containsExactly(
            new AptSource(
                List.of("http://mirror.example/debian"),
                List.of("bookworm"),
                List.of("main", "contrib"),
                "/keys/d.gpg"),
            new AptSource(List.of("http://other.example/x"), List.of("./"), List.of(), ""));
  }

  @Test
  void aStanzaMayNameSeveralSuitesAndHaveCommentsInside() {
    List<AptSource> sources =
        AptSourcesParser.deb822(
            """
            Types: deb deb-src
            # snapshot of some day
            URIs: http://a.example/debian
             http://b.example/debian
            Suites: bookworm bookworm-updates
            Components: main
            Signed-By: /keys/d.gpg
            """);
    assertThat(sources)
        .containsExactly(
            new AptSource(
                List.of("http://a.example/debian", "http://b.example/debian"),
                List.of("bookworm", "bookworm-updates"),
                List.of("main"),
                "/keys/d.gpg"));
  }

  @Test
  void disabledStanzasAndPureSourceStanzasAreLeftOut() {
    assertThat(
            AptSourcesParser.deb822(
                """
                Types: deb
                URIs: http://a.example/debian
                Suites: sid
                Enabled: no

                Types: deb-src
                URIs: http://a.example/debian
                Suites: sid
                """))
        .isEmpty();
  }

  @Test
  void anInlineKeyKeepsItsLines() {
    AptSource source =
        AptSourcesParser.deb822(
                """
                Types: deb
                URIs: http://a.example/debian
                Suites: sid
                Signed-By:
                 -----BEGIN PGP PUBLIC KEY BLOCK-----
                 .
                 mQINBF
                """)
            .getFirst();
    assertThat(source.signedBy()).isEqualTo("-----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF");
  }

  @Test
  void stanzasAreSeparatedByBlankLinesAndFieldNamesIgnoreCase() {
    assertThat(AptSourcesParser.stanzas("PACKAGE: a\nVersion: 1\n\n\nPackage: b\n"))
        .containsExactly(Map.of("package", "a", "version", "1"), Map.of("package", "b"));
  }

  @Test
  void nonsenseIsNoSource() {
    assertThat(AptSourcesParser.oneLine("deb\ndeb [x\nrpm http://a b c\n")).isEmpty();
    assertThat(AptSourcesParser.deb822(" lost\n:\nno colon\n")).isEmpty();
  }
}
