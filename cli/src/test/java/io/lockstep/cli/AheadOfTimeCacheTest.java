package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.cli.LauncherTree.Outcome;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The launcher with a real JDK: a cache that does not fit is ignored by the JVM without a word. */
class AheadOfTimeCacheTest {
  @TempDir private Path scratch;

  /** What the launcher starts in place of the command. */
  static final class Started {
    private Started() {}

    public static void main(String[] args) {
      System.out.println(FromLibrary.greeting(String.join(" ", args)));
    }
  }

  /** What it needs of a library. */
  static final class FromLibrary {
    private FromLibrary() {}

    static String greeting(String whom) {
      return "started " + whom;
    }
  }

  @Test
  void theCommandIsLoadedFromTheCacheWhereverItIsStarted() throws Exception {
    LauncherTree tree = new LauncherTree(scratch, "a tree with spaces");
    Files.copy(
        LauncherTree.realLauncher().resolveSibling("jvm-options"),
        tree.launcher.resolveSibling("jvm-options"));
    tree.buildMakes(jar(Started.class), jar(FromLibrary.class));

    Outcome outcome =
        tree.run(
            Map.of(
                "JAVA_HOME",
                System.getProperty("java.home"),
                "LOCKSTEP_JAVA_OPTS",
                "-Xlog:class+load"),
            "run");

    assertThat(outcome.status()).isZero();
    assertThat(outcome.out()).contains("started run");
    assertThat(outcome.out().lines().filter(line -> line.contains(getClass().getName() + "$")))
        .hasSize(2)
        .allMatch(line -> line.contains("source: shared objects file"));
  }

  private Path jar(Class<?> content) throws IOException {
    Manifest manifest = new Manifest();
    manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
    manifest.getMainAttributes().put(Attributes.Name.MAIN_CLASS, Started.class.getName());
    manifest.getMainAttributes().put(Attributes.Name.CLASS_PATH, LauncherTree.LIBRARY);
    String name = content.getName().replace('.', '/') + ".class";
    Path jar = scratch.resolve(content.getSimpleName() + ".jar");
    try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar), manifest);
        InputStream in = content.getClassLoader().getResourceAsStream(name)) {
      out.putNextEntry(new JarEntry(name));
      in.transferTo(out);
    }
    return jar;
  }
}
