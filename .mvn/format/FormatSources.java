import com.google.googlejavaformat.java.Formatter;
import com.google.googlejavaformat.java.FormatterException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Checks or corrects the formatting of every Java source below a directory with google-java-format.
 *
 * <p>A program of its own because the formatter parses with the compiler of the JVM that it runs
 * in: inside a Maven that runs on JDK 17 it cannot read Java 25. The build starts this with the JDK
 * of the toolchain. Contents that were found in order are remembered by their hash, so that a build
 * without changes parses nothing.
 *
 * <p>Arguments: {@code check} or {@code apply}, the directory, the file for the hashes, and what
 * identifies the formatter (its version; another one forgets the hashes).
 */
public final class FormatSources {
  private final Formatter formatter = new Formatter();
  private final Set<String> known;
  private final Set<String> inOrder = new TreeSet<>();
  private final boolean apply;

  private FormatSources(boolean apply, Set<String> known) {
    this.apply = apply;
    this.known = known;
  }

  public static void main(String[] args) throws IOException {
    boolean apply = args[0].equals("apply");
    Path root = Path.of(args[1]).toRealPath();
    Path memory = Path.of(args[2]);
    FormatSources run = new FormatSources(apply, readMemory(memory, args[3]));
    List<Path> sources = sourcesBelow(root);
    List<Path> wrong = sources.stream().filter(source -> !run.process(source)).toList();
    writeMemory(memory, args[3], run.inOrder);
    if (wrong.isEmpty()) {
      return;
    }
    for (Path source : wrong) {
      System.out.println((apply ? "formatted " : "not formatted: ") + root.relativize(source));
    }
    if (!apply) {
      System.out.println(
          "%d of %d sources are not formatted. Run this to correct them: mvn -q -N verify -Dformat=apply"
              .formatted(wrong.size(), sources.size()));
      System.exit(1);
    }
  }

  /** Whether the source was in order already. */
  private boolean process(Path source) {
    try {
      String text = Files.readString(source);
      if (known.contains(hash(text))) {
        inOrder.add(hash(text));
        return true;
      }
      String formatted = formatter.formatSourceAndFixImports(text);
      if (apply && !formatted.equals(text)) {
        Files.writeString(source, formatted);
      }
      if (apply || formatted.equals(text)) {
        inOrder.add(hash(formatted));
      }
      return formatted.equals(text);
    } catch (FormatterException e) {
      System.out.println(source + ": cannot be parsed: " + e.getMessage());
      return false;
    } catch (IOException e) {
      System.out.println(source + ": cannot be read or written: " + e.getMessage());
      return false;
    }
  }

  private static List<Path> sourcesBelow(Path root) throws IOException {
    List<Path> sources = new ArrayList<>();
    Files.walkFileTree(
        root,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path dir, BasicFileAttributes attributes) {
            String name = dir.getFileName().toString();
            boolean skip = name.equals("target") || name.equals(".git");
            return skip && !dir.equals(root)
                ? FileVisitResult.SKIP_SUBTREE
                : FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            if (file.getFileName().toString().endsWith(".java")) {
              sources.add(file);
            }
            return FileVisitResult.CONTINUE;
          }
        });
    sources.sort(null);
    return sources;
  }

  private static Set<String> readMemory(Path memory, String formatterId) throws IOException {
    if (!Files.exists(memory)) {
      return Set.of();
    }
    List<String> lines = Files.readAllLines(memory);
    return !lines.isEmpty() && lines.getFirst().equals(formatterId)
        ? new HashSet<>(lines)
        : Set.of();
  }

  private static void writeMemory(Path memory, String formatterId, Set<String> hashes)
      throws IOException {
    List<String> lines = new ArrayList<>();
    lines.add(formatterId);
    lines.addAll(hashes);
    Files.createDirectories(memory.toAbsolutePath().getParent());
    Files.write(memory, lines);
  }

  private static String hash(String text) {
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      return HexFormat.of().formatHex(sha.digest(text.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }
}
