package io.lockstep.cli.image;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The modules of a kernel package, of which an appliance takes a few with what they depend on. The
 * package has no {@code modules.dep} (it is made when the package is configured), so dependencies
 * are read from the modules.
 */
final class KernelModules {
  private static final Pattern FILE_NAME =
      Pattern.compile("(?:.*/)?([^/]+)\\.ko(?:\\.(xz|zst|gz))?");

  /** Software that a soft dependency names by what it offers and not by its module. */
  private static final Map<String, List<String>> PROVIDERS =
      Map.of(
          "crypto_crc32c", List.of("crc32c_generic", "crc32c_cryptoapi"),
          "crc32c", List.of("crc32c_generic", "crc32c_cryptoapi"),
          "crypto_crc32", List.of("crc32_generic"));

  /** A module that goes into an image. */
  record Module(String name, String path, byte[] bytes, ModuleInfo info) {}

  private final Map<String, String> pathOf = new TreeMap<>();
  private final Map<String, FileTree.Regular> files;
  private final Set<String> builtIn;

  /**
   * @param files the package's modules by path relative to the kernel's module directory
   * @param modulesBuiltin the text of its {@code modules.builtin}
   */
  KernelModules(Map<String, FileTree.Regular> files, String modulesBuiltin) {
    this.files = files;
    for (String path : files.keySet()) {
      nameOf(path).ifPresent(name -> pathOf.put(name, path));
    }
    builtIn = new TreeSet<>();
    modulesBuiltin.lines().forEach(path -> nameOf(path).ifPresent(builtIn::add));
  }

  /** A module's name as the kernel has it: hyphens and underscores are the same. */
  static String canonical(String name) {
    return name.replace('-', '_');
  }

  private static Optional<String> nameOf(String path) {
    Matcher matcher = FILE_NAME.matcher(path);
    return matcher.matches() ? Optional.of(canonical(matcher.group(1))) : Optional.empty();
  }

  /**
   * The modules named and what they need, decompressed, each after those it depends on. What is
   * built into the kernel needs no module.
   */
  List<Module> closure(List<String> names) throws ImageException, IOException {
    var chosen = new LinkedHashMap<String, Module>();
    for (String name : names) {
      String canonical = canonical(name);
      if (!pathOf.containsKey(canonical) && !builtIn.contains(canonical)) {
        throw new ImageException(
            "The kernel has no module " + name + "; check its spelling or leave it out.");
      }
      add(canonical, chosen, new LinkedHashSet<>());
    }
    return List.copyOf(chosen.values());
  }

  private void add(String name, Map<String, Module> chosen, Set<String> above)
      throws ImageException, IOException {
    String path = pathOf.get(name);
    if (path == null || chosen.containsKey(name) || !above.add(name)) {
      return;
    }
    Module module = read(name, path);
    for (String needed : needs(module)) {
      add(needed, chosen, above);
    }
    above.remove(name);
    chosen.put(name, module);
  }

  private List<String> needs(Module module) {
    var needed = new ArrayList<>(module.info().dependencies());
    for (String soft : module.info().softDependencies()) {
      if (pathOf.containsKey(soft)) {
        needed.add(soft);
      } else {
        PROVIDERS.getOrDefault(soft, List.of()).stream()
            .filter(pathOf::containsKey)
            .forEach(needed::add);
      }
    }
    return needed;
  }

  private Module read(String name, String path) throws ImageException, IOException {
    Matcher matcher = FILE_NAME.matcher(path);
    String format = matcher.matches() && matcher.group(2) != null ? matcher.group(2) : "";
    byte[] bytes = Decompressor.decompress(files.get(path).content().bytes(), format);
    ModuleInfo info =
        ModuleInfo.of(bytes)
            .orElseThrow(() -> new ImageException("The kernel module " + path + " is damaged."));
    String plain = format.isEmpty() ? path : path.substring(0, path.length() - format.length() - 1);
    return new Module(name, plain, bytes, info);
  }

  /**
   * The {@code modules.dep} of a closure: for each module its direct and indirect dependencies, in
   * the order opposite to that of loading (modules.dep(5)).
   */
  String dependencyFile(List<Module> closure) {
    var text = new StringBuilder();
    var byName = new TreeMap<String, Module>();
    closure.forEach(module -> byName.put(module.name(), module));
    for (Module module : closure) {
      var reached = new LinkedHashSet<String>();
      reach(module, byName, reached);
      reached.remove(module.name());
      text.append(module.path()).append(':');
      for (Module candidate : closure.reversed()) {
        if (reached.contains(candidate.name())) {
          text.append(' ').append(candidate.path());
        }
      }
      text.append('\n');
    }
    return text.toString();
  }

  private void reach(Module module, Map<String, Module> byName, Set<String> reached) {
    if (reached.add(module.name())) {
      for (String needed : needs(module)) {
        if (byName.containsKey(needed)) {
          reach(byName.get(needed), byName, reached);
        }
      }
    }
  }
}
