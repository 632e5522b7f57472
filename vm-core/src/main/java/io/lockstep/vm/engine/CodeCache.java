package io.lockstep.vm.engine;

import io.lockstep.vm.isa.Decoder;
import io.lockstep.vm.isa.Op;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.mmu.Mmu;

/**
 * All decoded code, keyed by physical page. A page that holds decoded code carries {@link
 * GuestRam#CODE}, and every write to it passes here first; so decoded code is never stale, and
 * dropping it is invisible.
 */
final class CodeCache implements GuestRam.CodeObserver {
  private final GuestRam ram;
  private final CodePage[] pages;

  /** What the fetch slots of the MMU lead to, once used. */
  private final CodePage[] bySlot = new CodePage[Mmu.fetchSlots()];

  private Mmu mmu;
  private Follower follower = Follower.NONE;
  private boolean written;

  /** Keeps something of its own that is derived from pages and slots. */
  interface Follower {
    /** Follows nothing. */
    Follower NONE =
        new Follower() {
          @Override
          public void pageDropped(int page) {}

          @Override
          public void slotChanged(int slot) {}
        };

    /** Decoded code of this page (index in RAM) is stale. */
    void pageDropped(int page);

    /** The fetch slot leads to nothing any more, or elsewhere. */
    void slotChanged(int slot);
  }

  CodeCache(GuestRam ram) {
    this.ram = ram;
    this.pages = new CodePage[ram.pages()];
    ram.setCodeObserver(this);
  }

  void attach(Mmu theMmu) {
    mmu = theMmu;
  }

  void setFollower(Follower next) {
    follower = next;
  }

  /** What each fetch slot leads to; an entry may be null, or a page that has died. */
  CodePage[] bySlot() {
    return bySlot;
  }

  void onFetchSlotChanged(int slot) {
    bySlot[slot] = null;
    follower.slotChanged(slot);
  }

  /** The page for a physical address in RAM, made if need be, also entered for the slot. */
  CodePage pageFor(long physical, int slot) {
    int index = (int) ((physical - GuestRam.BASE) / GuestRam.PAGE);
    CodePage page = pages[index];
    if (page == null) {
      page = new CodePage(index);
      pages[index] = page;
      ram.flags()[index] |= GuestRam.CODE;
      mmu.dropFastStores(index);
    }
    bySlot[slot] = page;
    return page;
  }

  /**
   * The page for a physical address in RAM, for one use: nothing decoded from it is found again.
   */
  CodePage pageOnce(long physical) {
    return new CodePage((int) ((physical - GuestRam.BASE) / GuestRam.PAGE));
  }

  /** Called by the engine before a store of its own to a page with {@link GuestRam#CODE}. */
  void beforeStore(long physical, int length) {
    int index = (int) ((physical - GuestRam.BASE) / GuestRam.PAGE);
    CodePage page = pages[index];
    if (page != null && page.covers((int) physical & 4095, length)) {
      drop(index);
    }
  }

  @Override
  public void onCodePageWritten(int index) {
    drop(index);
  }

  private void drop(int index) {
    CodePage page = pages[index];
    written = true;
    if (page != null) {
      page.die();
      pages[index] = null;
      follower.pageDropped(index);
    }
    ram.flags()[index] &= (byte) ~GuestRam.CODE;
  }

  /** Whether decoded code has been dropped since the last call. */
  boolean takeWritten() {
    boolean w = written;
    written = false;
    return w;
  }

  void clearWritten() {
    written = false;
  }

  /** Drops everything. Invisible to the guest. */
  void dropAll() {
    for (int i = 0; i < pages.length; i++) {
      if (pages[i] != null) {
        drop(i);
      }
    }
    java.util.Arrays.fill(bySlot, null);
  }

  /**
   * Decodes the block at {@code offset} and keeps it. The first instruction must not cross into the
   * next page.
   */
  Block decode(CodePage page, int offset) {
    Block block = decode(page, offset, Block.LENGTH_MAX);
    page.cover(offset, block.end());
    page.blocks[offset >> 1] = block;
    return block;
  }

  /** Decodes at most {@code countMax} instructions without keeping them. */
  Block decode(CodePage page, int offset, int countMax) {
    long base = GuestRam.BASE + (long) page.index * GuestRam.PAGE;
    long[] ops = new long[countMax + 1];
    short[] offsets = new short[countMax + 1];
    int count = 0;
    int at = offset;
    boolean ended = false;
    while (count < countMax && at < GuestRam.PAGE && !ended) {
      int low = ram.getShort(base + at);
      boolean compressed = Decoder.isCompressed(low);
      if (!compressed && at == GuestRam.PAGE - 2) {
        break;
      }
      int bits = compressed ? low : low | ram.getShort(base + at + 2) << 16;
      ops[count] = Decoder.decode(bits, at);
      offsets[count] = (short) at;
      ended = Op.endsBlock(Op.code(ops[count]));
      count++;
      at += compressed ? 2 : 4;
    }
    offsets[count] = (short) at;
    int length = count;
    if (!ended) {
      ops[length++] = Op.of(Op.FALL, 0, 0, 0, 0);
    }
    return new Block(
        page,
        java.util.Arrays.copyOf(ops, length),
        java.util.Arrays.copyOf(offsets, count + 1),
        count,
        null);
  }

  /** Whether the instruction at {@code offset} continues in the next page. */
  boolean crosses(CodePage page, int offset) {
    return offset == GuestRam.PAGE - 2 && !isCompressed(page, offset);
  }

  /** Whether the instruction at {@code offset} is 2 bytes long. */
  boolean isCompressed(CodePage page, int offset) {
    return Decoder.isCompressed(
        ram.getShort(GuestRam.BASE + (long) page.index * GuestRam.PAGE + offset));
  }

  /**
   * The block of the one instruction that starts in the last two bytes of {@code page} and ends in
   * {@code into}.
   */
  Block decodeCrossing(CodePage page, CodePage into) {
    int offset = GuestRam.PAGE - 2;
    Block known = page.blocks[offset >> 1];
    if (known != null && known.crossedInto == into) {
      return known;
    }
    int low = ram.getShort(GuestRam.BASE + (long) page.index * GuestRam.PAGE + offset);
    int high = ram.getShort(GuestRam.BASE + (long) into.index * GuestRam.PAGE);
    long op = Decoder.decode(low | high << 16, offset);
    boolean ends = Op.endsBlock(Op.code(op));
    long[] ops = ends ? new long[] {op} : new long[] {op, Op.of(Op.FALL, 0, 0, 0, 0)};
    Block block = new Block(page, ops, new short[] {(short) offset, (short) (offset + 4)}, 1, into);
    page.cover(offset, offset + 2);
    into.cover(0, 2);
    page.blocks[offset >> 1] = block;
    return block;
  }
}
