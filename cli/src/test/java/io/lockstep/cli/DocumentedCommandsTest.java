package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;

/**
 * README and docs do not lie: every {@code lockstep} command in them is one that exists, with
 * options that exist; and the blocks that begin with <code>```sh run</code> are really run, in the
 * order in which they stand there.
 */
class DocumentedCommandsTest {
  private static final Pattern BLOCK = Pattern.compile("(?ms)^```(\\S*)( run)?\\n(.*?)^```$");
  private static final Pattern INLINE = Pattern.compile("(?<!`)`(lockstep [^`]+)`(?!`)");
  private static final Pattern LINK = Pattern.compile("\\]\\(([^)#:]+)(#[^)]*)?\\)");

  @TempDir Path dir;

  static Path root() {
    Path here = Path.of("").toAbsolutePath();
    return Files.exists(here.resolve("docs")) ? here : here.getParent();
  }

  static Stream<Path> documents() throws IOException {
    try (Stream<Path> docs = Files.walk(root().resolve("docs"))) {
      List<Path> all =
          new ArrayList<>(docs.filter(f -> f.toString().endsWith(".md")).sorted().toList());
      all.add(root().resolve("README.md"));
      all.add(root().resolve("benchmarks/README.md"));
      return all.stream();
    }
  }

  static Stream<Path> guides() {
    return Stream.of(root().resolve("README.md"), root().resolve("docs/user-guide.md"));
  }

  private static List<String> shellBlocks(String text, boolean toRun) {
    List<String> blocks = new ArrayList<>();
    for (Matcher m = BLOCK.matcher(text); m.find(); ) {
      if (m.group(1).equals("sh") && (!toRun || m.group(2) != null)) {
        blocks.add(m.group(3));
      } else if (m.group(1).isEmpty() && m.group(3).strip().startsWith("lockstep ") && !toRun) {
        blocks.add(m.group(3));
      }
    }
    return blocks;
  }

  /** What stands there as a form ("lockstep log dump|verify", "lockstep run ...") is no command. */
  private static boolean isCommand(String line) {
    return !line.contains("...") && !line.matches(".*[a-z]\\|[a-z].*") && !line.contains("COMMAND");
  }

  private static void parse(List<String> arguments) {
    Main.commandLine().parseArgs(arguments.toArray(String[]::new));
  }

  /** In the text a command may be named without all that it needs. */
  private static void parseMention(List<String> arguments) {
    try {
      parse(arguments);
    } catch (CommandLine.MissingParameterException e) {
      // The rest of it is right.
    }
  }

  @ParameterizedTest
  @MethodSource("documents")
  void everyCommandInADocumentParses(Path document) throws IOException {
    String text = Files.readString(document);
    for (String block : shellBlocks(text, false)) {
      for (String line : CommandText.logicalLines(block.lines().toList())) {
        for (List<String> arguments : CommandText.lockstepArguments(line)) {
          if (isCommand(line)) {
            assertThatCode(() -> parse(arguments))
                .as("%s: %s", document.getFileName(), line)
                .doesNotThrowAnyException();
          }
        }
      }
    }
    for (Matcher m = INLINE.matcher(text); m.find(); ) {
      String line = m.group(1).replace('\n', ' ');
      for (List<String> arguments : CommandText.lockstepArguments(line)) {
        if (isCommand(line)) {
          assertThatCode(() -> parseMention(arguments))
              .as("%s: %s", document.getFileName(), line)
              .doesNotThrowAnyException();
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("documents")
  void everyLinkInADocumentLeadsToAFile(Path document) throws IOException {
    for (Matcher m = LINK.matcher(Files.readString(document)); m.find(); ) {
      assertThat(document.resolveSibling(m.group(1))).as(document.toString()).exists();
    }
  }

  @ParameterizedTest
  @MethodSource("guides")
  @Timeout(300)
  void theCommandsOfAGuideWorkInTheirOrder(Path guide) throws Exception {
    List<String> blocks = shellBlocks(Files.readString(guide), true);
    assertThat(blocks).isNotEmpty();
    try (Terminals terminals = new Terminals(dir)) {
      for (String block : blocks) {
        for (String line : CommandText.logicalLines(block.lines().toList())) {
          terminals.run(line);
        }
      }
    }
  }
}
