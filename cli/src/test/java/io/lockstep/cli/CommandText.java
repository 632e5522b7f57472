package io.lockstep.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** {@code lockstep} commands as they stand in help texts and documents, for a shell. */
final class CommandText {
  /** The command's name, at the beginning or behind something that runs it. */
  private static final Pattern LOCKSTEP = Pattern.compile("(^|[\\s(])(cli/bin/)?lockstep(\\s|$)");

  private CommandText() {}

  /** Joins lines that end in a backslash with the next one. */
  static List<String> logicalLines(List<String> lines) {
    List<String> joined = new ArrayList<>();
    StringBuilder line = new StringBuilder();
    for (String part : lines) {
      String text = part.stripTrailing();
      if (text.endsWith("\\")) {
        line.append(text, 0, text.length() - 1).append(' ');
      } else {
        joined.add(line.append(text).toString().strip());
        line.setLength(0);
      }
    }
    if (!line.isEmpty()) {
      joined.add(line.toString().strip());
    }
    return joined;
  }

  /**
   * The arguments of each {@code lockstep} in a line of shell: up to a comment, a pipe, a
   * redirection, or the end of a substitution.
   */
  static List<List<String>> lockstepArguments(String line) {
    List<List<String>> all = new ArrayList<>();
    Matcher matcher = LOCKSTEP.matcher(line);
    while (matcher.find()) {
      all.add(words(line.substring(matcher.end())));
    }
    return all;
  }

  private static List<String> words(String text) {
    List<String> words = new ArrayList<>();
    StringBuilder word = null;
    char quote = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (quote != 0) {
        if (c == quote) {
          quote = 0;
        } else {
          word.append(c);
        }
      } else if (c == '\'' || c == '"') {
        quote = c;
        word = word == null ? new StringBuilder() : word;
      } else if (Character.isWhitespace(c)) {
        if (word != null) {
          words.add(word.toString());
          word = null;
        }
      } else if ("|&;<>)".indexOf(c) >= 0 || c == '#' && word == null) {
        // A number before a redirection belongs to it.
        word = c == '>' && word != null && word.toString().equals("2") ? null : word;
        break;
      } else {
        word = (word == null ? new StringBuilder() : word).append(c);
      }
    }
    if (word != null) {
      words.add(word.toString());
    }
    return words;
  }
}
