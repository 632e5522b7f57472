package io.lockstep.vm.engine.region;

import java.io.IOException;
import java.io.InputStream;

/**
 * Defines a copy of {@link RegionMemory} whose static finals are one machine's, so that HotSpot
 * takes them for the constants they are; the accesses of {@link AccessCompiler}; and, as hidden
 * classes beside them, the emitted code.
 */
public final class RegionLoader extends ClassLoader {
  private static final String MEMORY = RegionMemory.class.getName();

  private final RegionContext context;
  private final boolean direct;

  /** Makes a loader for one machine and data context. */
  public RegionLoader(RegionContext context) {
    this(context, true);
  }

  /** The same; {@code preferDirect} is whether accesses may go round memory segments. */
  RegionLoader(RegionContext context, boolean preferDirect) {
    super(RegionLoader.class.getClassLoader());
    this.context = context;
    this.direct = preferDirect && AccessCompiler.canBeDirect(this);
    try {
      Class.forName(MEMORY, true, this);
    } catch (ClassNotFoundException e) {
      throw new IllegalStateException("the class file of " + MEMORY + " cannot be read", e);
    }
  }

  /** What the code works on. */
  public RegionContext context() {
    return context;
  }

  @Override
  protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
    boolean memory = name.equals(MEMORY);
    if (!memory && !name.equals(AccessCompiler.NAME)) {
      return super.loadClass(name, resolve);
    }
    Class<?> known = findLoadedClass(name);
    if (known != null) {
      return known;
    }
    return memory ? defineMemory() : defineAccess();
  }

  private Class<?> defineAccess() {
    byte[] bytes = AccessCompiler.compile(context.base, direct);
    return defineClass(AccessCompiler.NAME, bytes, 0, bytes.length);
  }

  private Class<?> defineMemory() throws ClassNotFoundException {
    try (InputStream in = RegionMemory.class.getResourceAsStream("RegionMemory.class")) {
      if (in == null) {
        throw new ClassNotFoundException(MEMORY);
      }
      byte[] bytes = in.readAllBytes();
      return defineClass(MEMORY, bytes, 0, bytes.length);
    } catch (IOException e) {
      throw new ClassNotFoundException(MEMORY, e);
    }
  }

  /** Defines emitted code. It goes when nothing refers to it any more. */
  public RegionCode define(byte[] classFile) {
    try {
      context.lookup.defineHiddenClass(classFile, true);
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    }
    RegionCode code = context.delivered;
    context.delivered = null;
    return code;
  }
}
