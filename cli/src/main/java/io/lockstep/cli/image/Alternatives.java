package io.lockstep.cli.image;

import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The links that packages ask update-alternatives for ({@code cc}, {@code awk}, {@code editor}),
 * read from their scripts. Of several candidates the one with the highest priority wins, as in its
 * automatic mode.
 */
final class Alternatives {
  private static final Pattern INSTALL =
      Pattern.compile("--install\\s+(/\\S+)\\s+(\\S+)\\s+(/\\S+)\\s+(\\d+)");
  private static final Pattern SLAVE = Pattern.compile("--slave\\s+(/\\S+)\\s+(\\S+)\\s+(/\\S+)");

  private record Choice(String target, int priority) {}

  private final Map<String, Choice> choices = new TreeMap<>();

  /** Adds what a maintainer script installs, as far as it is in the tree. */
  void readScript(String script, FileTree tree) {
    for (String command : script.replace("\\\n", " ").lines().toList()) {
      Matcher install = INSTALL.matcher(command);
      if (install.find() && tree.exists(install.group(3))) {
        int priority = Integer.parseInt(install.group(4));
        add(install.group(1), install.group(3), priority);
        Matcher slave = SLAVE.matcher(command);
        while (slave.find()) {
          if (tree.exists(slave.group(3))) {
            add(slave.group(1), slave.group(3), priority);
          }
        }
      }
    }
  }

  private void add(String link, String target, int priority) {
    choices.merge(
        link,
        new Choice(target, priority),
        (old, added) -> added.priority() > old.priority() ? added : old);
  }

  /** Makes the links where no package has a file of that name. */
  void apply(FileTree tree) {
    choices.forEach(
        (link, choice) -> {
          if (tree.at(link).isEmpty()) {
            tree.link(link, choice.target());
          }
        });
  }
}
