package io.lockstep.vm.engine.x86;

import static io.lockstep.vm.memory.GuestRam.HOST;

import io.lockstep.vm.engine.region.Region;
import io.lockstep.vm.memory.ExecutableMemory;
import io.lockstep.vm.memory.GuestRam;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/**
 * The machine code of one machine: making units, finding them, entering them. Bounded: when it is
 * full all of it is forgotten. See {@link Layout}.
 */
public final class CodeSpace {
  /** A unit is made only where so much is free; several times what a region can take. */
  private static final int UNIT_BYTES_MAX = 256 << 10;

  private static final boolean POSSIBLE =
      System.getProperty("os.arch", "").equals("amd64")
          && ExecutableMemory.allocate(GuestRam.PAGE).isPresent();

  private final MemorySegment memory;
  private final long base;
  private final Stubs stubs;
  private final boolean fused;
  private final Sites sites = new Sites();
  private final MemorySegment enter;
  private final MemorySegment registers;
  private final MemorySegment loads;
  private final MemorySegment stores;

  /** Address of the table of each page of RAM, or 0. */
  private final long[] tables;

  private int tablesUsed;
  private long free;
  private int units;

  private CodeSpace(
      MemorySegment memory, long[] registers, long[] loads, long[] stores, GuestRam ram) {
    this.memory = memory;
    this.base = memory.address();
    this.registers = MemorySegment.ofArray(registers);
    this.loads = MemorySegment.ofArray(loads);
    this.stores = MemorySegment.ofArray(stores);
    this.tables = new long[ram.pages()];
    stubs = new Stubs(base);
    MemorySegment.copy(
        stubs.code, 0, memory, ValueLayout.JAVA_BYTE, Layout.CODE, stubs.code.length);
    enter = MemorySegment.ofAddress(stubs.enter);
    putInt(Layout.MXCSR_AT_START, Layout.MXCSR);
    putLong(Layout.TO_PHYSICAL, GuestRam.BASE - ram.hostBase());
    fused = Stubs.hasFused(Calls.features(stubs.features));
    clear();
  }

  /**
   * Makes an empty one; nothing if the host is of another kind, or allows no code to be made.
   *
   * @param registers the hart's
   * @param loads fast entries, see {@link io.lockstep.vm.mmu.Mmu#loadFast}
   * @param stores the same for stores
   */
  public static Optional<CodeSpace> create(
      long[] registers, long[] loads, long[] stores, GuestRam ram) {
    if (!POSSIBLE) {
      return Optional.empty();
    }
    return ExecutableMemory.allocate((long) Layout.CODE + Layout.CODE_BYTES)
        .map(memory -> new CodeSpace(memory, registers, loads, stores, ram));
  }

  /** Whether the host is of the right kind and allows code to be made. */
  public static boolean isPossible() {
    return POSSIBLE;
  }

  private void clear() {
    free = base + Layout.CODE + (stubs.code.length + 63 & -64);
    units = 0;
    sites.clear();
  }

  /** Forgets all units and all slots. */
  public void forgetAll() {
    memory.asSlice(Layout.SLOTS, Layout.TABLES - Layout.SLOTS).fill((byte) 0);
    memory.asSlice(Layout.TABLES, (long) tablesUsed * Layout.TABLE_BYTES).fill((byte) 0);
    java.util.Arrays.fill(tables, 0);
    tablesUsed = 0;
    clear();
  }

  /** Whether there is room for one more unit. */
  public boolean hasRoom() {
    return base + Layout.CODE + Layout.CODE_BYTES - free >= UNIT_BYTES_MAX
        && tablesUsed < Layout.TABLES_MAX;
  }

  /** How many units there are. */
  public int units() {
    return units;
  }

  /**
   * Makes a unit of a region, which from now on is found in its page. To be asked only with {@link
   * #hasRoom}.
   *
   * @param page index of the page in RAM
   */
  public void compile(Region region, int page) {
    long table = table(page);
    RegionEmitter.Places places = new RegionEmitter.Places(base, table, fused);
    byte[] code = new RegionEmitter(region, places, stubs, sites, free).emit();
    MemorySegment.copy(code, 0, memory, ValueLayout.JAVA_BYTE, free - base, code.length);
    int start = region.blocks[0].start();
    HOST.set(ValueLayout.JAVA_INT, table + 2L * start, (int) (free - base - Layout.CODE));
    free += code.length + 15 & -16;
    units++;
  }

  private long table(int page) {
    if (tables[page] == 0) {
      tables[page] = base + Layout.TABLES + (long) tablesUsed * Layout.TABLE_BYTES;
      tablesUsed++;
    }
    return tables[page];
  }

  /** The address of the unit that starts at an offset of a page of RAM; 0 if there is none. */
  public long unitAt(int page, int offset) {
    long table = tables[page];
    int unit = table == 0 ? 0 : HOST.get(ValueLayout.JAVA_INT, table + 2L * offset);
    return unit == 0 ? 0 : base + Layout.CODE + unit;
  }

  /** Forgets the units of a page of RAM. */
  public void forget(int page) {
    if (tables[page] != 0) {
      memory.asSlice(tables[page] - base, Layout.TABLE_BYTES).fill((byte) 0);
    }
  }

  /** The fetch slot leads to this page of RAM now. */
  public void useSlot(int slot, long virtualPage, int page) {
    long entry = base + Layout.SLOTS + (long) slot * Layout.SLOT_BYTES;
    HOST.set(ValueLayout.JAVA_LONG, entry, virtualPage | 1);
    HOST.set(ValueLayout.JAVA_LONG, entry + 8, table(page));
  }

  /** Whether the fetch slot leads to the page of an address. */
  public boolean hasSlot(int slot, long pc) {
    long entry = base + Layout.SLOTS + (long) slot * Layout.SLOT_BYTES;
    return HOST.get(ValueLayout.JAVA_LONG, entry) == (pc & -4096L | 1);
  }

  /** The fetch slot leads nowhere. */
  public void dropSlot(int slot) {
    HOST.set(ValueLayout.JAVA_LONG, base + Layout.SLOTS + (long) slot * Layout.SLOT_BYTES, 0L);
  }

  /**
   * Says in which context instructions are fetched, whether floating point is ready, and whether
   * the guest may zero blocks.
   */
  public void prepare(int fetchContext, boolean floatReady, boolean zeroAllowed) {
    putInt(Layout.ZERO_ALLOWED, zeroAllowed ? 1 : 0);
    putLong(
        Layout.SLOT_BASE,
        base + Layout.SLOTS + (long) fetchContext * Layout.SLOTS_PER_CONTEXT * Layout.SLOT_BYTES);
    putInt(Layout.FLOAT_READY, floatReady ? 1 : 0);
  }

  /**
   * Runs a unit and those that follow it.
   *
   * @param unit from {@link #unitAt}
   * @param page virtual address of its page
   * @param left fuel
   * @param dataContext context of loads and stores
   * @return why it came back, see {@link Layout}
   */
  public int run(long unit, long page, long left, int dataContext) {
    putLong(Layout.PAGE, page);
    return Calls.enter(this, unit, left, (long) dataContext * Layout.SLOTS_PER_CONTEXT * 16);
  }

  /** Goes on behind the site that asked. */
  public int resume(int site, long left, int dataContext) {
    putLong(Layout.CONTINUE, sites.continuation(site));
    return Calls.enter(
        this, sites.resume(site), left, (long) dataContext * Layout.SLOTS_PER_CONTEXT * 16);
  }

  /** Fuel left after a run. */
  public long left() {
    return getLong(Layout.LEFT);
  }

  /** Virtual address of the page that is executed. */
  public long page() {
    return getLong(Layout.PAGE);
  }

  /** Address of the next instruction, unless a site asks. */
  public long pc() {
    return getLong(Layout.PAGE) + getLong(Layout.OFFSET);
  }

  /** Tells of the hart's reservation. */
  public void setReservation(long physical) {
    putLong(Layout.RESERVATION, physical);
  }

  /** The reservation as it is now. */
  public long reservation() {
    return getLong(Layout.RESERVATION);
  }

  /** The site that asks. */
  public int site() {
    return getInt(Layout.SITE);
  }

  /** All sites. */
  public Sites sites() {
    return sites;
  }

  /** The address of the access of the site that asks, if it is one. */
  public long address() {
    return getLong(Layout.ADDRESS);
  }

  /** The floating-point flags that the last run has raised, as the guest knows them. */
  public int floatFlags() {
    int host = getInt(Layout.MXCSR_AT_END);
    // Host: invalid 1, denormal 2, by zero 4, overflow 8, underflow 16, inexact 32.
    return (host & 1) << 4 | (host & 4) << 1 | (host & 8) >> 1 | (host & 16) >> 3 | host >> 5 & 1;
  }

  private void putLong(int field, long value) {
    HOST.set(ValueLayout.JAVA_LONG, base + field, value);
  }

  private void putInt(int field, int value) {
    HOST.set(ValueLayout.JAVA_INT, base + field, value);
  }

  private long getLong(int field) {
    return HOST.get(ValueLayout.JAVA_LONG, base + field);
  }

  private int getInt(int field) {
    return HOST.get(ValueLayout.JAVA_INT, base + field);
  }

  /** Calls of code that is not a function of the system's. */
  private static final class Calls {
    /** The code is short and never waits, and it works on arrays of the heap. */
    private static final MethodHandle ENTER =
        Linker.nativeLinker()
            .downcallHandle(
                FunctionDescriptor.of(
                    ValueLayout.JAVA_LONG,
                    ValueLayout.ADDRESS,
                    ValueLayout.ADDRESS,
                    ValueLayout.ADDRESS,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG),
                Linker.Option.critical(true));

    private static final MethodHandle FEATURES =
        Linker.nativeLinker().downcallHandle(FunctionDescriptor.of(ValueLayout.JAVA_INT));

    static int enter(CodeSpace s, long unit, long left, long contextOffset) {
      try {
        return (int)
            (long)
                ENTER.invokeExact(
                    s.enter, s.registers, s.loads, s.stores, contextOffset, left, unit);
      } catch (Error e) {
        throw e;
      } catch (Throwable e) {
        throw new AssertionError("machine code has thrown", e);
      }
    }

    static int features(long address) {
      try {
        return (int) FEATURES.invokeExact(MemorySegment.ofAddress(address));
      } catch (Throwable e) {
        throw new AssertionError("machine code has thrown", e);
      }
    }
  }
}
