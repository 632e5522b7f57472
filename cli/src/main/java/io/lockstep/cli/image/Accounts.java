package io.lockstep.cli.image;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The users and groups of an appliance: root, nobody, Debian's fixed groups that device nodes need,
 * and those that the packages ask for. Scripts are not run, so the requests are read from them:
 * {@code adduser --system} and sysusers.d(5).
 */
final class Accounts {
  private static final int FIRST_SYSTEM_ID = 100;

  /** Fixed numbers of Debian's base-passwd. */
  private static final Map<String, Integer> FIXED_GROUPS =
      Map.of(
          "root", 0, "daemon", 1, "tty", 5, "disk", 6, "dialout", 20, "utmp", 43, "shadow", 42,
          "nogroup", 65534);

  private static final Pattern ASSIGNMENT =
      Pattern.compile("(?m)^\\s*([A-Z_]+)=\"?([a-z_][a-z0-9_-]*)\"?\\s*$");
  private static final Pattern VARIABLE = Pattern.compile("\\$\\{?([A-Z_]+)}?");
  private static final Pattern ADDUSER =
      Pattern.compile("\\b(?:adduser|useradd)\\b([^\\n;|&>]*--system[^\\n;|&>]*)");
  private static final Pattern HOME = Pattern.compile("--home(?:-dir)?[ =](\\S+)");
  private static final Pattern USER_NAME = Pattern.compile("[a-z_][a-z0-9_-]{0,31}");
  private static final Pattern SYSUSERS =
      Pattern.compile(
          "(?m)^[ugr]!?\\s+(\\S+)\\s+(\\S+)(?:\\s+(?:\"[^\"]*\"|\\S+)(?:\\s+(\\S+))?)?");

  private record User(int id, String home) {}

  private final Map<String, User> users = new LinkedHashMap<>();
  private final Map<String, Integer> groups = new LinkedHashMap<>();
  private int nextId = FIRST_SYSTEM_ID;

  Accounts() {
    FIXED_GROUPS.entrySet().stream()
        .sorted(Map.Entry.comparingByValue())
        .forEach(group -> groups.put(group.getKey(), group.getValue()));
  }

  /** Adds the users that a maintainer script makes. */
  void readScript(String script) {
    String joined = script.replace("\\\n", " ");
    var variables = new LinkedHashMap<String, String>();
    Matcher assignments = ASSIGNMENT.matcher(joined);
    while (assignments.find()) {
      variables.putIfAbsent(assignments.group(1), assignments.group(2));
    }
    Matcher commands = ADDUSER.matcher(joined);
    while (commands.find()) {
      String arguments =
          VARIABLE
              .matcher(commands.group(1))
              .replaceAll(
                  use ->
                      Matcher.quoteReplacement(variables.getOrDefault(use.group(1), use.group())))
              .replace("\"", "")
              .replace("'", "")
              .strip();
      Matcher home = HOME.matcher(arguments);
      addUser(lastWord(arguments), home.find() ? home.group(1) : "/nonexistent");
    }
  }

  private static String lastWord(String text) {
    String[] words = text.split("\\s+");
    return words[words.length - 1];
  }

  /** Adds the users of a sysusers.d file. */
  void readSysusers(String text) {
    Matcher lines = SYSUSERS.matcher(text);
    while (lines.find()) {
      if (lines.group().startsWith("u")) {
        String home = lines.group(3);
        addUser(lines.group(1), home == null || home.equals("-") ? "/" : home);
      } else if (lines.group().startsWith("g") && USER_NAME.matcher(lines.group(1)).matches()) {
        groups.computeIfAbsent(lines.group(1), name -> nextId++);
      }
    }
  }

  private void addUser(String name, String home) {
    if (USER_NAME.matcher(name).matches()
        && !name.equals("root")
        && !name.equals("nobody")
        && !users.containsKey(name)) {
      int id = groups.computeIfAbsent(name, _ -> nextId++);
      users.put(name, new User(id, home));
    }
  }

  String passwd() {
    var text =
        new StringBuilder(
            "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n");
    users.forEach(
        (name, user) ->
            text.append(
                "%s:x:%d:%d::%s:/usr/sbin/nologin\n"
                    .formatted(name, user.id(), user.id(), user.home())));
    return text.append("nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n").toString();
  }

  String group() {
    var text = new StringBuilder();
    groups.forEach((name, id) -> text.append(name).append(":x:").append(id).append(":\n"));
    return text.toString();
  }

  /** Nobody has a password; root is on the console without one. */
  String shadow() {
    var text = new StringBuilder("root:*:::::::\ndaemon:*:::::::\n");
    users.keySet().forEach(name -> text.append(name).append(":!:::::::\n"));
    return text.append("nobody:*:::::::\n").toString();
  }
}
