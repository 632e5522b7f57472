import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassElement;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFileVersion;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassModel;
import java.lang.classfile.CodeModel;
import java.lang.classfile.MethodModel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Collections;
import java.util.Optional;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/**
 * Rewrites the classes of a jar that are older than Java 6 as Java 17 classes, with stack maps.
 *
 * <p>The JVM keeps classes without stack maps out of its ahead-of-time cache and verifies them the
 * slow way. Picocli is compiled for Java 5, and without this two thirds of the start-up time of
 * {@code lockstep --help} goes into loading it. A class whose rewritten form does not verify is
 * left as it is.
 */
public final class UpgradeClassFiles {
  private static final int FIRST_VERSION_WITH_STACK_MAPS = 50;

  private final ClassFile classFile;

  private UpgradeClassFiles(ZipFile jar) {
    ClassHierarchyResolver ownClasses =
        ClassHierarchyResolver.ofResourceParsing(
            description -> {
              String name = description.descriptorString();
              ZipEntry entry = jar.getEntry(name.substring(1, name.length() - 1) + ".class");
              try {
                return entry == null ? null : jar.getInputStream(entry);
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
    classFile =
        ClassFile.of(
            ClassFile.StackMapsOption.GENERATE_STACK_MAPS,
            ClassFile.ClassHierarchyResolverOption.of(
                ownClasses.orElse(ClassHierarchyResolver.defaultResolver())));
  }

  public static void main(String[] args) throws IOException {
    for (String arg : args) {
      Path jar = Path.of(arg);
      Path upgraded = Path.of(arg + ".new");
      try (ZipFile from = new ZipFile(jar.toFile());
          ZipOutputStream to = new ZipOutputStream(Files.newOutputStream(upgraded))) {
        UpgradeClassFiles upgrade = new UpgradeClassFiles(from);
        for (ZipEntry entry : Collections.list(from.entries())) {
          byte[] content = from.getInputStream(entry).readAllBytes();
          to.putNextEntry(new ZipEntry(entry.getName()));
          to.write(
              entry.getName().endsWith(".class")
                  ? upgrade.upgraded(content).orElse(content)
                  : content);
          to.closeEntry();
        }
      }
      Files.move(upgraded, jar, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  private Optional<byte[]> upgraded(byte[] content) {
    ClassModel model = classFile.parse(content);
    if (model.majorVersion() >= FIRST_VERSION_WITH_STACK_MAPS) {
      return Optional.empty();
    }
    try {
      byte[] result = classFile.transformClass(model, UpgradeClassFiles::upgrade);
      return classFile.verify(result).isEmpty() ? Optional.of(result) : Optional.empty();
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  private static void upgrade(ClassBuilder builder, ClassElement element) {
    switch (element) {
      case ClassFileVersion _ -> builder.with(ClassFileVersion.of(ClassFile.JAVA_17_VERSION, 0));
      case MethodModel method ->
          builder.withMethod(
              method.methodName(),
              method.methodType(),
              method.flags().flagsMask(),
              to ->
                  method.forEach(
                      part -> {
                        // Element by element: a body that is passed on whole is copied without
                        // maps.
                        if (part instanceof CodeModel body) {
                          to.withCode(code -> body.forEach(code::with));
                        } else {
                          to.with(part);
                        }
                      }));
      default -> builder.with(element);
    }
  }
}
