package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.cli.LauncherTree.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The launcher script against stand-ins for the JDK and Maven. */
class LauncherTest {
  private static final Map<String, String> PLAIN = Map.of();

  @TempDir private Path scratch;
  private LauncherTree tree;

  @BeforeEach
  void makeTree() throws IOException {
    tree = new LauncherTree(scratch, "a tree with spaces");
  }

  @Test
  void itRunsFromAnotherDirectoryAndHandsTheArgumentsOn() throws Exception {
    Outcome outcome = tree.run(PLAIN, "run", "two words", "", "*");

    assertThat(outcome.status()).isZero();
    assertThat(outcome.out()).contains("<-jar>").endsWith("<run>\n<two words>\n<>\n<*>\n");
  }

  @Test
  void theAheadOfTimeCacheIsMadeForTheJarUnderTheVeryNameThatItIsStartedBy() throws Exception {
    String started = tree.run(PLAIN, "x").out();

    Path apps = tree.root.resolve("cli/target/launcher/app");
    try (Stream<Path> app = Files.list(apps)) {
      String made = Files.readString(app.findFirst().orElseThrow().resolve("lockstep.aot"));
      assertThat(jarOf(made)).isEqualTo(jarOf(started)).startsWith("<" + apps);
    }
  }

  private static String jarOf(String arguments) {
    return arguments
        .lines()
        .dropWhile(line -> !line.equals("<-jar>"))
        .skip(1)
        .findFirst()
        .orElse("");
  }

  @Test
  void itRunsThroughAChainOfSymbolicLinks() throws Exception {
    Path links = Files.createDirectories(scratch.resolve("links"));
    Path absolute = Files.createSymbolicLink(links.resolve("absolute"), tree.launcher);
    Path relative =
        Files.createSymbolicLink(links.resolve("relative"), Path.of("../links", "absolute"));

    assertThat(absolute).exists();
    Outcome outcome = LauncherTree.finish(tree.start(relative, PLAIN, "--version"));

    assertThat(outcome.status()).isZero();
    assertThat(outcome.out()).endsWith("<--version>\n");
  }

  @Test
  void theExitStatusOfTheCommandIsPassedOn() throws Exception {
    assertThat(tree.run(Map.of("FAKE_STATUS", "2"), "x").status()).isEqualTo(2);
  }

  @Test
  void aJavaHomeOfTheUsersWinsOverEveryOtherJdk() throws Exception {
    Path chosen = tree.fakeJdk("zz-chosen", "26-ea");

    Outcome outcome = tree.run(Map.of("JAVA_HOME", chosen.toString()), "x");

    assertThat(outcome.out()).startsWith("zz-chosen\n");
  }

  @ParameterizedTest
  @ValueSource(strings = {"17.0.2", "1.8.0_402", "24", "unknown", ""})
  void aJavaHomeWithAnUnsuitableJdkIsPassedOver(String version) throws Exception {
    Path unsuitable = tree.fakeJdk("aa-unsuitable", version);

    Outcome outcome = tree.run(Map.of("JAVA_HOME", unsuitable.toString()), "x");

    assertThat(outcome.status()).isZero();
    assertThat(outcome.out()).startsWith("jdk-25\n");
  }

  @Test
  void aJavaHomeThatIsNoJdkIsPassedOver() throws Exception {
    Outcome outcome = tree.run(Map.of("JAVA_HOME", scratch.toString()), "x");

    assertThat(outcome.out()).startsWith("jdk-25\n");
  }

  @Test
  void theJdkOfTheJavaOnThePathIsFoundThroughItsLinks() throws Exception {
    Path onPath = tree.fakeJdk("zz-on-path", "25");
    Files.createSymbolicLink(tree.bin.resolve("java"), onPath.resolve("bin/java"));

    assertThat(tree.run(PLAIN, "x").out()).startsWith("zz-on-path\n");
  }

  @Test
  void withoutASuitableJdkItSaysInOneSentenceWhatToDo() throws Exception {
    Outcome outcome = tree.run(Map.of("LOCKSTEP_JDK_DIRS", "/nonexistent"), "x");

    assertThat(outcome.status()).isEqualTo(1);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.err().lines()).singleElement().asString().contains("JDK 25", "JAVA_HOME");
  }

  @Test
  void withoutMavenItSaysInOneSentenceWhatToDo() throws Exception {
    Files.delete(tree.bin.resolve("mvn"));

    Outcome outcome = tree.run(PLAIN, "x");

    assertThat(outcome.status()).isEqualTo(1);
    assertThat(outcome.err().lines()).singleElement().asString().contains("Maven", "install");
  }

  @Test
  void itBuildsOnFirstUseSaysSoAndKeepsStdoutClean() throws Exception {
    Outcome first = tree.run(PLAIN, "x");
    Outcome second = tree.run(PLAIN, "x");

    assertThat(tree.builds()).isEqualTo(1);
    assertThat(first.err()).contains("building", "[6/6]  Lockstep command");
    assertThat(first.out()).doesNotContain("building");
    assertThat(second.err()).isEmpty();
    assertThat(second.out()).isEqualTo(first.out());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "pom.xml",
        "ft-logging/pom.xml",
        "vm-core/src/main/java/A.java",
        "cli/src/main/java/New.java"
      })
  void aChangeOfWhatIsBuiltMakesItBuildAgain(String changed) throws Exception {
    tree.run(PLAIN, "x");
    tree.change(changed);

    assertThat(tree.run(PLAIN, "x").err()).contains("the sources have changed");
    assertThat(tree.builds()).isEqualTo(2);
  }

  @Test
  void aDeletedSourceMakesItBuildAgain() throws Exception {
    tree.run(PLAIN, "x");
    Path sources = tree.root.resolve("vm-core/src/main/java");
    Files.delete(sources.resolve("A.java"));
    Files.setLastModifiedTime(sources, FileTime.from(Instant.now().plusSeconds(2)));

    tree.run(PLAIN, "x");

    assertThat(tree.builds()).isEqualTo(2);
  }

  @Test
  void aChangeOfATestDoesNotMakeItBuildAgain() throws Exception {
    tree.run(PLAIN, "x");
    tree.change("vm-core/src/test/java/ATest.java");

    assertThat(tree.run(PLAIN, "x").err()).isEmpty();
    assertThat(tree.builds()).isEqualTo(1);
  }

  @Test
  void aFailedBuildShowsItsErrorAndItsLogAndIsTriedAgain() throws Exception {
    Outcome failed = tree.run(Map.of("FAKE_ERROR", "A.java:[1,1] ';' expected"), "x");
    Outcome repeated = tree.run(PLAIN, "x");

    assertThat(failed.status()).isEqualTo(1);
    assertThat(failed.out()).isEmpty();
    assertThat(failed.err()).contains("';' expected", "build.log");
    assertThat(repeated.status()).isZero();
    assertThat(tree.builds()).isEqualTo(2);
  }

  @Test
  void aRunningProcessKeepsTheJarsThatItWasStartedWith() throws Exception {
    Outcome first = tree.run(PLAIN, "x");
    tree.change("pom.xml");
    Outcome second = tree.run(PLAIN, "x");

    assertThat(jarOf(second)).isNotEqualTo(jarOf(first)).exists();
    assertThat(jarOf(first)).exists();
  }

  @Test
  void buildsThatNobodyNeedsAreRemoved() throws Exception {
    for (int i = 0; i < 8; i++) {
      tree.change("pom.xml");
      tree.run(PLAIN, "x");
    }

    try (Stream<Path> builds = Files.list(tree.root.resolve("cli/target/launcher/app"))) {
      assertThat(builds).hasSizeLessThan(8);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void invocationsAtTheSameTimeBuildOnce(boolean flock) throws Exception {
    if (flock) {
      tree.provide("flock");
    }
    Map<String, String> slow = Map.of("FAKE_SLEEP", "1");
    Process one = tree.start(tree.launcher, slow, "x");
    Process two = tree.start(tree.launcher, slow, "x");

    assertThat(LauncherTree.finish(one).status()).isZero();
    assertThat(LauncherTree.finish(two).status()).isZero();
    assertThat(tree.builds()).isEqualTo(1);
  }

  @Test
  void aLockThatAKilledBuildLeftBehindDoesNotStopTheNext() throws Exception {
    Path lock = Files.createDirectories(tree.root.resolve("cli/target/launcher/lock.d"));
    Process dead = new ProcessBuilder("true").start();
    dead.waitFor();
    Files.writeString(lock.resolve("pid"), Long.toString(dead.pid()));

    assertThat(tree.run(PLAIN, "x").status()).isZero();
  }

  private static Path jarOf(Outcome outcome) {
    String line =
        outcome.out().lines().filter(text -> text.endsWith(".jar>")).findFirst().orElseThrow();
    return Path.of(line.substring(1, line.length() - 1));
  }
}
