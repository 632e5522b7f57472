package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** What every command's help must have, now and when commands are added. */
class HelpTest {
  static Stream<String> commands() {
    List<String> names = new ArrayList<>();
    collect(Main.commandLine(), names);
    return names.stream();
  }

  private static void collect(CommandLine command, List<String> names) {
    if (!command.getCommandSpec().usageMessage().hidden()) {
      names.add(command.getCommandSpec().qualifiedName());
      command.getSubcommands().values().forEach(sub -> collect(sub, names));
    }
  }

  private static CommandLine find(String name) {
    CommandLine at = Main.commandLine();
    for (String word : Arrays.asList(name.split(" ")).subList(1, name.split(" ").length)) {
      at = at.getSubcommands().get(word);
    }
    return at;
  }

  /** The lines of the examples, as written. */
  private static List<String> lines(CommandLine command) {
    List<String> lines = Arrays.asList(command.getCommandSpec().usageMessage().footer());
    int start = Math.max(lines.indexOf("Examples:"), lines.indexOf("Example:"));
    assertThat(start).as("'Examples:' in the help of " + command.getCommandName()).isNotNegative();
    return lines.subList(start + 1, lines.size());
  }

  /** The example lines, without the words of explanation behind them. */
  private static List<String> examples(CommandLine command) {
    return CommandText.logicalLines(lines(command)).stream()
        .filter(line -> !CommandText.lockstepArguments(line).isEmpty())
        .toList();
  }

  @ParameterizedTest
  @MethodSource("commands")
  void everyCommandHasExamplesAndTheyParse(String name) {
    CommandLine command = find(name);
    List<String> examples = examples(command);

    assertThat(examples).isNotEmpty();
    for (String example : examples) {
      for (List<String> arguments : CommandText.lockstepArguments(cutExplanation(example))) {
        assertThatCode(() -> Main.commandLine().parseArgs(arguments.toArray(String[]::new)))
            .as(example)
            .doesNotThrowAnyException();
      }
    }
    assertThat(lines(command)).allMatch(line -> line.length() <= 80, "fit on a terminal");
    assertThat(examples).anyMatch(example -> example.contains(name));
  }

  @ParameterizedTest
  @MethodSource("commands")
  void everyCommandAnswersToHelp(String name) {
    StringWriter said = new StringWriter();
    List<String> words = new ArrayList<>(Arrays.asList(name.split(" ")));
    words.removeFirst();
    words.add("--help");

    int status =
        Main.commandLine()
            .setOut(new PrintWriter(said, true))
            .execute(words.toArray(String[]::new));

    assertThat(status).isZero();
    assertThat(said.toString()).startsWith("Usage: " + name).contains("Example");
  }

  private static String cutExplanation(String example) {
    int gap = example.indexOf("    ");
    return gap < 0 ? example : example.substring(0, gap);
  }

  @ParameterizedTest
  @MethodSource("commands")
  void everyCommandAndOptionIsDescribed(String name) {
    CommandLine command = find(name);
    assertThat(command.getCommandSpec().usageMessage().description()).isNotEmpty();
    for (OptionSpec option : command.getCommandSpec().options()) {
      assertThat(option.description()).as(option.longestName()).isNotEmpty();
    }
  }

  @Test
  void anExampleThatNamesAnOptionThatDoesNotExistWouldBeFound() {
    List<String> arguments =
        CommandText.lockstepArguments("sudo lockstep run --no-such 1 | less").get(0);

    assertThat(arguments).containsExactly("run", "--no-such", "1");
    assertThatCode(() -> Main.commandLine().parseArgs(arguments.toArray(String[]::new)))
        .hasMessageContaining("--no-such");
  }
}
