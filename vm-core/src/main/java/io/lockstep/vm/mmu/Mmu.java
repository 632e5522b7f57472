package io.lockstep.vm.mmu;

import io.lockstep.vm.hart.Cause;
import io.lockstep.vm.hart.Hart;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.snapshot.StateReader;
import io.lockstep.vm.snapshot.StateWriter;
import io.lockstep.vm.snapshot.Stateful;
import java.util.Arrays;

/**
 * Translation of virtual to physical addresses: Sv39, Sv48 and none, with PMP (RISC-V Priv. §4.4,
 * §4.5, §3.7).
 *
 * <p>Two things are kept apart. The {@linkplain TranslationCache guest-visible translations} decide
 * when a page walk happens; they are machine state. The <em>fast path</em> is the engine's: for
 * each slot of the load and store caches a pair {@code (tag, addend)} such that an access whose
 * {@code address & (page mask | size - 1)} equals the tag is at host address {@code address +
 * addend}. A fast entry exists only for a slot that holds the same translation, and may go at any
 * time (code pages, dirty tracking) without the guest being able to tell.
 *
 * <p>PMP is checked with the privilege in force when a translation is filled. A page for which PMP
 * has no single answer never gets a fast entry and is checked at each access.
 */
public final class Mmu implements Stateful {
  /**
   * Kinds of access: an index into tables, and 1 shifted by it is PTE and PMP permission order
   * read, write, execute.
   */
  public static final int LOAD = 0, STORE = 1, FETCH = 2;

  /** Longs per context in {@link #loadFast} and {@link #storeFast}. */
  public static final int FAST_CONTEXT_STRIDE = TranslationCache.ENTRIES * 2;

  /**
   * {@code (int) (address >>> 11) & FAST_INDEX_MASK} is an address's index within its context:
   * even, the tag; the addend follows.
   */
  public static final int FAST_INDEX_MASK = (TranslationCache.ENTRIES - 1) * 2;

  private static final long NO_TAG = -1;
  private static final long PTE_V = 1,
      PTE_R = 2,
      PTE_W = 4,
      PTE_X = 8,
      PTE_U = 16,
      PTE_A = 64,
      PTE_D = 128;
  private static final long PTE_RESERVED = 0xffc0_0000_0000_0000L;
  private static final long PTE_PPN = (1L << 44) - 1;
  private static final int[] PAGE_FAULT = {Cause.LOAD_PAGE, Cause.STORE_PAGE, Cause.FETCH_PAGE};
  private static final int[] ACCESS_FAULT = {
    Cause.LOAD_ACCESS, Cause.STORE_ACCESS, Cause.FETCH_ACCESS
  };
  private static final int SUPER_BUCKETS = 512;
  private static final int[] SUPERPAGE_SHIFTS = {21, 30, 39};
  private static final int MODE_M = 3;

  /** Fast entries of loads: tag, addend, tag, addend, ... */
  public final long[] loadFast = new long[FAST_CONTEXT_STRIDE * TranslationCache.CONTEXTS];

  /** Fast entries of stores. */
  public final long[] storeFast = new long[FAST_CONTEXT_STRIDE * TranslationCache.CONTEXTS];

  private final TranslationCache loads = new TranslationCache();
  private final TranslationCache stores = new TranslationCache();
  private final TranslationCache fetches = new TranslationCache();
  private final TranslationCache[] caches = {loads, stores, fetches};

  /**
   * Whether a part of a superpage in this hash bucket of 2 MiB (and 1 GiB, 512 GiB) regions may be
   * cached: then a fence for one address drops all.
   */
  private final byte[] superpages = new byte[SUPER_BUCKETS];

  private final Hart hart;
  private final GuestRam ram;
  private final Pmp pmp;
  private final FetchListener fetchListener;
  private final int ramPages;

  private int faultCause;
  private long walks;

  /**
   * Told when a fetch translation goes, by slot, so that what the engine derived from it goes too.
   */
  @FunctionalInterface
  public interface FetchListener {
    /** The slot, {@link #fetchSlot}, holds no translation or another one now. */
    void onFetchSlotChanged(int slot);
  }

  /** Makes an empty MMU. */
  public Mmu(Hart hart, GuestRam ram, Pmp pmp, FetchListener fetchListener) {
    this.hart = hart;
    this.ram = ram;
    this.pmp = pmp;
    this.fetchListener = fetchListener;
    this.ramPages = ram.pages();
    dropFastPaths();
  }

  /** The number of slots {@link #fetchSlot} can give. */
  public static int fetchSlots() {
    return TranslationCache.ENTRIES * TranslationCache.CONTEXTS;
  }

  /** The slot of an instruction address in a fetch context. */
  public static int fetchSlot(long virtual, int context) {
    return TranslationCache.slot(virtual, context);
  }

  /**
   * The tag of each fetch slot: virtual page address | 1, or 0. For the engine's lookup; read only.
   */
  public long[] fetchTags() {
    return fetches.tags;
  }

  /** Page walks so far, for statistics. */
  public long walks() {
    return walks;
  }

  /** The cause of the last translation that failed. */
  public int faultCause() {
    return faultCause;
  }

  /**
   * Translates the address of an access that does not cross a page.
   *
   * @return the physical address, or -1 with {@link #faultCause} set
   */
  public long translate(long virtual, int kind) {
    int context = kind == FETCH ? hart.fetchContext : hart.dataContext;
    int slot = TranslationCache.slot(virtual, context);
    TranslationCache cache = caches[kind];
    if (!cache.hits(slot, virtual)) {
      long frame = walk(virtual, kind, context);
      if (frame < 0) {
        return -1;
      }
      dropFast(kind, slot);
      cache.fill(slot, virtual, frame);
    }
    return cache.frames[slot] | virtual & 4095;
  }

  /**
   * Whether PMP allows an access to a translated address, where the page as a whole has no single
   * answer.
   */
  public boolean pmpAllows(long physical, int length, int kind) {
    int context = kind == FETCH ? hart.fetchContext : hart.dataContext;
    if (pmp.uniform(physical & -4096L)) {
      return true;
    }
    faultCause = ACCESS_FAULT[kind];
    return pmp.allows(physical, length, 1 << kind, context == MODE_M);
  }

  /** Whether PMP has one answer for all fetches from the page of a physical address. */
  public boolean fetchesAlike(long physical) {
    return pmp.uniform(physical & -4096L);
  }

  /**
   * Makes the fast entry of an address that {@link #translate} has just translated, if its page
   * allows one.
   */
  public void makeFast(long virtual, long physical, int kind) {
    long page = physical - GuestRam.BASE >>> 12;
    if (page >= ramPages || !pmp.uniform(physical & -4096L)) {
      return;
    }
    if (kind == STORE) {
      byte f = ram.flags()[(int) page];
      if ((f & (GuestRam.CODE | GuestRam.DIRTY_ALL)) != GuestRam.DIRTY_ALL) {
        return;
      }
      ram.flags()[(int) page] = (byte) (f | GuestRam.FAST_STORE);
    }
    long[] fast = kind == STORE ? storeFast : loadFast;
    int slot = TranslationCache.slot(virtual, hart.dataContext) * 2;
    fast[slot + 1] = ram.hostBase() + (physical - GuestRam.BASE) - virtual;
    fast[slot] = virtual & -4096L;
  }

  /** Drops every fast entry. Invisible to the guest. */
  public void dropFastPaths() {
    Arrays.fill(loadFast, NO_TAG);
    dropFastStores();
  }

  /** Drops every fast store entry. Invisible to the guest. */
  public void dropFastStores() {
    Arrays.fill(storeFast, NO_TAG);
  }

  /** Drops the fast store entries that lead to a page of RAM, by index. */
  public void dropFastStores(int page) {
    byte[] flags = ram.flags();
    if ((flags[page] & GuestRam.FAST_STORE) == 0) {
      return;
    }
    flags[page] &= (byte) ~GuestRam.FAST_STORE;
    long frame = GuestRam.BASE + (long) page * GuestRam.PAGE;
    for (int slot = 0; slot < stores.tags.length; slot++) {
      if (stores.frames[slot] == frame) {
        storeFast[slot * 2] = NO_TAG;
      }
    }
  }

  /** SFENCE.VMA for all addresses, and whatever else ends all translations. */
  public void flush() {
    loads.flush(slot -> loadFast[slot * 2] = NO_TAG);
    stores.flush(slot -> storeFast[slot * 2] = NO_TAG);
    fetches.flush(fetchListener::onFetchSlotChanged);
    Arrays.fill(superpages, (byte) 0);
  }

  /**
   * SFENCE.VMA for one address (RISC-V Priv. §4.2.1): the leaf entry's whole page goes, also if it
   * is a superpage.
   */
  public void flush(long virtual) {
    for (int shift : SUPERPAGE_SHIFTS) {
      if (superpages[bucket(virtual, shift)] != 0) {
        flush();
        return;
      }
    }
    loads.flush(virtual, slot -> loadFast[slot * 2] = NO_TAG);
    stores.flush(virtual, slot -> storeFast[slot * 2] = NO_TAG);
    fetches.flush(virtual, fetchListener::onFetchSlotChanged);
  }

  private static int bucket(long virtual, int shift) {
    long hash = (virtual >>> shift) * 0x9e37_79b9_7f4a_7c15L + shift;
    return (int) (hash >>> 40) & SUPER_BUCKETS - 1;
  }

  private void dropFast(int kind, int slot) {
    switch (kind) {
      case LOAD -> loadFast[slot * 2] = NO_TAG;
      case STORE -> storeFast[slot * 2] = NO_TAG;
      default -> fetchListener.onFetchSlotChanged(slot);
    }
  }

  private long walk(long virtual, int kind, int context) {
    walks++;
    int mode = (int) (hart.satp() >>> 60);
    long frame =
        context == MODE_M || mode == 0
            ? bare(virtual, kind)
            : walkTable(virtual, kind, context, mode == 8 ? 3 : 4);
    if (frame < 0) {
      return -1;
    }
    boolean allowed =
        !pmp.uniform(frame) || pmp.allows(frame, GuestRam.PAGE, 1 << kind, context == MODE_M);
    return allowed ? frame : fault(ACCESS_FAULT[kind]);
  }

  private long bare(long virtual, int kind) {
    // Physical addresses have 56 bits.
    return virtual >>> 56 != 0 ? fault(ACCESS_FAULT[kind]) : virtual & -4096L;
  }

  private long fault(int cause) {
    faultCause = cause;
    return -1;
  }

  private long walkTable(long virtual, int kind, int context, int levels) {
    int unused = 64 - (12 + 9 * levels);
    if (virtual << unused >> unused != virtual) {
      return fault(PAGE_FAULT[kind]);
    }
    long table = (hart.satp() & PTE_PPN) << 12;
    for (int level = levels - 1; level >= 0; level--) {
      long entryAddress = table + (virtual >>> 12 + 9 * level & 511) * 8;
      if (!ram.contains(entryAddress, 8) || !pmp.allows(entryAddress, 8, Pmp.READ, false)) {
        return fault(ACCESS_FAULT[kind]);
      }
      long pte = ram.getLong(entryAddress);
      if ((pte & PTE_V) == 0 || (pte & (PTE_R | PTE_W)) == PTE_W || (pte & PTE_RESERVED) != 0) {
        return fault(PAGE_FAULT[kind]);
      }
      if ((pte & (PTE_R | PTE_X)) != 0) {
        return leaf(virtual, kind, context, level, entryAddress, pte);
      }
      if ((pte & (PTE_A | PTE_D | PTE_U)) != 0) {
        return fault(PAGE_FAULT[kind]);
      }
      table = (pte >>> 10 & PTE_PPN) << 12;
    }
    return fault(PAGE_FAULT[kind]);
  }

  private long leaf(long virtual, int kind, int context, int level, long entryAddress, long pte) {
    long offsetMask = (1L << 9 * level) - 1;
    long ppn = pte >>> 10 & PTE_PPN;
    if (!permits(pte, kind, context) || (ppn & offsetMask) != 0) {
      return fault(PAGE_FAULT[kind]);
    }
    long wanted = kind == STORE ? PTE_A | PTE_D : PTE_A;
    if ((pte & wanted) != wanted) {
      if (!hart.hardwareAccessedDirty()) {
        return fault(PAGE_FAULT[kind]);
      }
      if (!pmp.allows(entryAddress, 8, Pmp.WRITE, false)) {
        return fault(ACCESS_FAULT[kind]);
      }
      ram.putLong(entryAddress, pte | wanted);
    }
    if (level > 0) {
      superpages[bucket(virtual, SUPERPAGE_SHIFTS[level - 1])] = 1;
    }
    return (ppn | virtual >>> 12 & offsetMask) << 12;
  }

  private boolean permits(long pte, int kind, int context) {
    boolean user = (pte & PTE_U) != 0;
    if (context == 0 ? !user : user && (context == 1 || kind == FETCH)) {
      return false;
    }
    return switch (kind) {
      case LOAD -> (pte & PTE_R) != 0 || (pte & PTE_X) != 0 && hart.makeExecutableReadable();
      case STORE -> (pte & PTE_W) != 0;
      default -> (pte & PTE_X) != 0;
    };
  }

  @Override
  public void save(StateWriter out) {
    out.section("mmu");
    for (byte b : superpages) {
      out.putByte(b);
    }
    loads.save(out);
    stores.save(out);
    fetches.save(out);
  }

  @Override
  public void restore(StateReader in) {
    in.section("mmu");
    for (int i = 0; i < superpages.length; i++) {
      superpages[i] = (byte) in.getByte();
    }
    loads.restore(in);
    stores.restore(in);
    fetches.restore(in);
    dropFastPaths();
    for (int slot = 0; slot < fetchSlots(); slot++) {
      fetchListener.onFetchSlotChanged(slot);
    }
  }
}
