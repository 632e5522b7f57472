package io.lockstep.vm.engine.region;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_byte;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_short;
import static java.lang.constant.ConstantDescs.CD_void;

import io.lockstep.vm.isa.fp.Fp32;
import io.lockstep.vm.mmu.Mmu;
import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.nio.ByteOrder;

/**
 * Emits the loads and stores that emitted code calls, one static method each:
 *
 * <pre>
 *   e = (int) (address >>> 11) & mask + base of the context
 *   if (FAST[e] == (address & (page mask | size - 1))) access host memory at address + FAST[e + 1]
 *   else take the slow path
 * </pre>
 *
 * <p>Implementation notes. They are small methods, not code emitted inline, for three reasons:
 * HotSpot inlines them where they are hot and calls them where they are not, which saves
 * compilation; their branch profile is that of all accesses, so the slow path is never taken for
 * dead and recompiled later; and a region that HotSpot has not compiled yet calls compiled methods.
 *
 * <p>They are emitted because of what they call: {@code jdk.internal.misc.Unsafe}, if the JVM was
 * started with this package exported, takes HotSpot a fifth less time to compile over a whole boot
 * than a {@link java.lang.foreign.MemorySegment}, whose accesses are ten calls deep until they are
 * inlined. Without the export memory segments do the same.
 */
final class AccessCompiler {
  /** Name of the emitted class. */
  static final String NAME = AccessCompiler.class.getPackageName() + ".RegionAccess";

  private static final ClassDesc SELF = ClassDesc.of(NAME);
  private static final ClassDesc MEMORY = ClassDesc.of(RegionMemory.class.getName());
  private static final ClassDesc SINGLE = ClassDesc.of(Fp32.class.getName());
  private static final String DIRECT_PACKAGE = "jdk.internal.misc";
  private static final ClassDesc DIRECT = ClassDesc.of(DIRECT_PACKAGE, "Unsafe");
  private static final ClassDesc FAST = CD_long.arrayType();
  private static final MethodTypeDesc LOAD = MethodTypeDesc.of(CD_long, CD_long, CD_long, CD_long);
  private static final MethodTypeDesc STORE =
      MethodTypeDesc.of(CD_void, CD_long, CD_long, CD_long, CD_long);
  private static final MethodTypeDesc BOX = MethodTypeDesc.of(CD_long, CD_int);

  // Local variables: the address is at 0, then come a store's value, the fuel, and the constant.
  private static final int VALUE = 2;
  private static final int LOAD_ENTRY = 6;
  private static final int STORE_ENTRY = 8;

  private final int base;
  private final boolean direct;

  private AccessCompiler(int base, boolean direct) {
    this.base = base;
    this.direct = direct;
  }

  /** Host memory of one width. */
  private enum Width {
    BYTE(1, CD_byte, "Byte"),
    SHORT(2, CD_short, "Short"),
    INT(4, CD_int, "Int"),
    LONG(8, CD_long, "Long");

    private final int size;
    private final ClassDesc type;
    private final String suffix;

    Width(int size, ClassDesc type, String suffix) {
      this.size = size;
      this.type = type;
      this.suffix = suffix;
    }
  }

  /** What becomes of the value read. */
  private enum Extension {
    SIGN,
    ZERO,
    BOX
  }

  /** Whether classes of a loader may reach host memory directly, and would find it as expected. */
  static boolean canBeDirect(ClassLoader loader) {
    return Object.class.getModule().isExported(DIRECT_PACKAGE, loader.getUnnamedModule())
        && ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;
  }

  /**
   * The class file for a context.
   *
   * @param base index of the context's first entry in the fast-path arrays
   * @param direct whether to use {@code Unsafe}; see {@link #canBeDirect}
   */
  static byte[] compile(int base, boolean direct) {
    return new AccessCompiler(base, direct).emit();
  }

  private byte[] emit() {
    return ClassFile.of()
        .build(
            SELF,
            c -> {
              c.withFlags(ClassFile.ACC_PUBLIC | ClassFile.ACC_FINAL);
              int constant = ClassFile.ACC_STATIC | ClassFile.ACC_FINAL;
              c.withField("LOADS", FAST, constant).withField("STORES", FAST, constant);
              if (direct) {
                c.withField("HOST", DIRECT, constant);
              }
              c.withMethodBody(
                  ConstantDescs.CLASS_INIT_NAME,
                  ConstantDescs.MTD_void,
                  ClassFile.ACC_STATIC,
                  this::initialize);
              load(c, "lb", Width.BYTE, Extension.SIGN);
              load(c, "lh", Width.SHORT, Extension.SIGN);
              load(c, "lw", Width.INT, Extension.SIGN);
              load(c, "ld", Width.LONG, Extension.SIGN);
              load(c, "lbu", Width.BYTE, Extension.ZERO);
              load(c, "lhu", Width.SHORT, Extension.ZERO);
              load(c, "lwu", Width.INT, Extension.ZERO);
              load(c, "flw", Width.INT, Extension.BOX);
              store(c, "sb", Width.BYTE);
              store(c, "sh", Width.SHORT);
              store(c, "sw", Width.INT);
              store(c, "sd", Width.LONG);
            });
  }

  private void initialize(CodeBuilder b) {
    b.getstatic(MEMORY, "LOADS", FAST).putstatic(SELF, "LOADS", FAST);
    b.getstatic(MEMORY, "STORES", FAST).putstatic(SELF, "STORES", FAST);
    if (direct) {
      b.invokestatic(DIRECT, "getUnsafe", MethodTypeDesc.of(DIRECT))
          .putstatic(SELF, "HOST", DIRECT);
    }
    b.return_();
  }

  private void load(ClassBuilder c, String name, Width width, Extension extension) {
    int flags = ClassFile.ACC_PUBLIC | ClassFile.ACC_STATIC;
    c.withMethodBody(
        name,
        LOAD,
        flags,
        b -> {
          Label miss = b.newLabel();
          lookUp(b, "LOADS", LOAD_ENTRY, width, miss);
          host(b);
          hostAddress(b, "LOADS", LOAD_ENTRY);
          callHost(b, "get" + width.suffix, width.type, CD_long);
          extend(b, width, extension);
          b.lreturn();
          b.labelBinding(miss);
          b.lload(0).lload(2).lload(4).invokestatic(MEMORY, "slowLoad", LOAD).lreturn();
        });
  }

  private void extend(CodeBuilder b, Width width, Extension extension) {
    if (extension == Extension.BOX) {
      b.invokestatic(SINGLE, "box", BOX);
      return;
    }
    if (width == Width.LONG) {
      return;
    }
    b.i2l();
    if (extension == Extension.ZERO) {
      b.loadConstant((1L << 8 * width.size) - 1).land();
    }
  }

  private void store(ClassBuilder c, String name, Width width) {
    int flags = ClassFile.ACC_PUBLIC | ClassFile.ACC_STATIC;
    c.withMethodBody(
        name,
        STORE,
        flags,
        b -> {
          Label miss = b.newLabel();
          lookUp(b, "STORES", STORE_ENTRY, width, miss);
          host(b);
          hostAddress(b, "STORES", STORE_ENTRY);
          b.lload(VALUE);
          switch (width) {
            case BYTE -> b.l2i().i2b();
            case SHORT -> b.l2i().i2s();
            case INT -> b.l2i();
            case LONG -> {}
          }
          callHost(b, "put" + width.suffix, CD_void, CD_long, width.type);
          b.return_();
          b.labelBinding(miss);
          b.lload(0).lload(VALUE).lload(4).lload(6);
          b.invokestatic(MEMORY, "slowStore", STORE).return_();
        });
  }

  /** Finds the fast entry's index, keeps it, and compares the tag. */
  private void lookUp(CodeBuilder b, String array, int entry, Width width, Label miss) {
    b.lload(0).loadConstant(11).lushr().l2i().loadConstant(Mmu.FAST_INDEX_MASK).iand();
    if (base != 0) {
      b.loadConstant(base).iadd();
    }
    b.istore(entry);
    b.getstatic(SELF, array, FAST).iload(entry).laload();
    b.lload(0).loadConstant(-4096L | width.size - 1).land().lcmp().ifne(miss);
  }

  private void host(CodeBuilder b) {
    if (direct) {
      b.getstatic(SELF, "HOST", DIRECT).aconst_null();
    }
  }

  private static void hostAddress(CodeBuilder b, String array, int entry) {
    b.lload(0).getstatic(SELF, array, FAST).iload(entry).iconst_1().iadd().laload().ladd();
  }

  private void callHost(CodeBuilder b, String name, ClassDesc result, ClassDesc... arguments) {
    MethodTypeDesc type = MethodTypeDesc.of(result, arguments);
    if (direct) {
      b.invokevirtual(DIRECT, name, type.insertParameterTypes(0, CD_Object));
    } else {
      b.invokestatic(MEMORY, name, type);
    }
  }
}
