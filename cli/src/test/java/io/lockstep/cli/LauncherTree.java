package io.lockstep.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * A source tree in miniature around the real launcher script, with stand-ins for everything that it
 * starts: a JDK whose {@code java} prints its arguments, and a Maven that makes empty jars and
 * counts its runs. The launcher sees no program but these and the few tools that it may rely on.
 */
final class LauncherTree {
  /** What a POSIX system has; flock is optional and left to the tests. */
  private static final List<String> TOOLS =
      List.of(
          "sh",
          "cat",
          "cp",
          "cut",
          "date",
          "dirname",
          "find",
          "grep",
          "head",
          "ls",
          "mkdir",
          "mv",
          "readlink",
          "rm",
          "sleep",
          "tail",
          "tee",
          "touch");

  private static final List<String> MODULES =
      List.of("vm-core", "record-replay", "ft-logging", "host-agent", "cli");

  /** A library that {@link #buildMakes} makes, as the command's jar names it. */
  static final String LIBRARY = "lib/library.jar";

  /** How a run of the launcher ended. */
  record Outcome(int status, String out, String err) {}

  final Path root;
  final Path launcher;
  final Path bin;
  final Path jdk;
  private final Path scratch;

  LauncherTree(Path scratch, String name) throws IOException {
    this.scratch = scratch;
    root = scratch.resolve(name);
    launcher = root.resolve("cli/bin/lockstep");
    bin = Files.createDirectories(scratch.resolve("bin"));
    jdk = fakeJdk("jdk-25", "25.0.1");
    Files.createDirectories(launcher.getParent());
    Files.copy(realLauncher(), launcher);
    executable(launcher);
    Files.createDirectories(root.resolve(".mvn/launcher"));
    Files.writeString(root.resolve("pom.xml"), "<project/>");
    for (String module : MODULES) {
      Files.createDirectories(root.resolve(module).resolve("src/main/java"));
      Files.createDirectories(root.resolve(module).resolve("src/test/java"));
      Files.writeString(root.resolve(module).resolve("pom.xml"), "<project/>");
      Files.writeString(root.resolve(module).resolve("src/main/java/A.java"), "class A {}");
    }
    for (String tool : TOOLS) {
      provide(tool);
    }
    fakeMaven("touch cli/target/launcher/cli-0.1.0-SNAPSHOT.jar");
  }

  static Path realLauncher() {
    Path here = Path.of("").toAbsolutePath();
    Path inModule = here.resolve("bin/lockstep");
    return Files.exists(inModule) ? inModule : here.resolve("cli/bin/lockstep");
  }

  /** Makes a tool of this machine available to the launcher. */
  void provide(String tool) throws IOException {
    for (String directory : System.getenv("PATH").split(":", -1)) {
      Path candidate = Path.of(directory, tool);
      if (Files.isExecutable(candidate)) {
        // No link: the temporary directory is deleted with a warning for each link that leads out.
        script(bin.resolve(tool), "exec '" + candidate + "' \"$@\"\n");
        return;
      }
    }
    throw new IOException("this machine has no " + tool);
  }

  Path fakeJdk(String name, String version) throws IOException {
    Path home = Files.createDirectories(scratch.resolve("jdks").resolve(name));
    script(
        home.resolve("bin/java"),
        """
        case "$*" in
          *UpgradeClassFiles*) exit 0 ;;
          *AOTMode=record*) exit 0 ;;
          *AOTMode=create*)
            for argument in "$@"; do
              case $argument in -XX:AOTCache=*) cache=${argument#*=} ;; esac
            done
            for argument in "$@"; do echo "<$argument>"; done >"$cache"
            exit 0 ;;
        esac
        echo "%s"
        for argument in "$@"; do echo "<$argument>"; done
        exit "${FAKE_STATUS:-0}"
        """
            .formatted(name));
    script(home.resolve("bin/javac"), "exit 0\n");
    Files.writeString(
        home.resolve("release"), "IMPLEMENTOR=\"X\"\nJAVA_VERSION=\"" + version + "\"\n");
    return home;
  }

  /** Makes the build put these jars where that of the command and that of a library belong. */
  void buildMakes(Path command, Path library) throws IOException {
    fakeMaven(
        "cp '%s' cli/target/launcher/cli-0.1.0-SNAPSHOT.jar\ncp '%s' cli/target/launcher/%s"
            .formatted(command, library, LIBRARY));
  }

  private void fakeMaven(String makeJar) throws IOException {
    script(
        bin.resolve("mvn"),
        """
        echo run >>"$FAKE_LOG"
        sleep "${FAKE_SLEEP:-0}"
        if [ -n "${FAKE_ERROR:-}" ]; then
          echo "[ERROR] $FAKE_ERROR"
          exit 1
        fi
        echo "[INFO] Building Lockstep command 0.1.0-SNAPSHOT    [6/6]"
        mkdir -p cli/target/launcher/lib
        touch cli/target/launcher/lib/picocli-1.jar
        """
            + makeJar
            + "\n");
  }

  /** How often the tree was built. */
  int builds() throws IOException {
    Path log = scratch.resolve("maven-runs");
    return Files.exists(log) ? Files.readAllLines(log).size() : 0;
  }

  /** Changes a file, later than anything that was built up to now. */
  void change(String file) throws IOException {
    Path path = root.resolve(file);
    Files.writeString(path, "changed");
    Files.setLastModifiedTime(path, FileTime.from(Instant.now().plusSeconds(2)));
  }

  Process start(Path command, Map<String, String> environment, String... arguments)
      throws IOException {
    List<String> line = new ArrayList<>(List.of(command.toString()));
    line.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(line).directory(scratch.toFile());
    Map<String, String> variables = builder.environment();
    variables.clear();
    variables.put("PATH", bin.toString());
    variables.put("HOME", scratch.toString());
    variables.put("LOCKSTEP_JDK_DIRS", scratch.resolve("jdks") + "/*");
    variables.put("FAKE_LOG", scratch.resolve("maven-runs").toString());
    variables.putAll(environment);
    return builder.start();
  }

  Outcome run(Map<String, String> environment, String... arguments)
      throws IOException, InterruptedException {
    return finish(start(launcher, environment, arguments));
  }

  static Outcome finish(Process process) throws IOException, InterruptedException {
    process.getOutputStream().close();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    if (!process.waitFor(60, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new AssertionError("the launcher closed its output but does not end");
    }
    return new Outcome(process.exitValue(), out, err);
  }

  private static void script(Path file, String text) throws IOException {
    Files.createDirectories(file.getParent());
    Files.writeString(file, "#!/bin/sh\n" + text);
    executable(file);
  }

  private static void executable(Path file) throws IOException {
    if (!file.toFile().setExecutable(true)) {
      throw new IOException("cannot make " + file + " executable");
    }
  }
}
