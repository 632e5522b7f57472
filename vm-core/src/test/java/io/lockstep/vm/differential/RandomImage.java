package io.lockstep.vm.differential;

import static io.lockstep.vm.differential.Layout.*;

import io.lockstep.vm.asm.Assembler;
import io.lockstep.vm.differential.RandomBlock.Kind;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/** An image for one run: harness, page tables, random blocks, data, and the records. */
final class RandomImage {
  private static final int RECORDS_PER_BLOCK = 8;
  private static final int ITEMS = 110;
  private static final int BLOCK_BYTES_MAX = 3000;

  private final Random random;
  private final RareValues values;
  private final ByteBuffer bytes;
  final int records;

  /** Address of each record's block. */
  final long[] blockStarts;

  /**
   * Makes an image.
   *
   * @param blocks how many blocks; each is run from 8 records
   */
  RandomImage(long seed, int blocks, Templates templates) {
    random = new Random(seed);
    values = new RareValues(random);
    records = blocks * RECORDS_PER_BLOCK;
    blockStarts = new long[records];
    bytes = ByteBuffer.allocate(MEMORY).order(ByteOrder.LITTLE_ENDIAN);
    put(BASE, Harness.code(records));
    put(STUB, Harness.stub());
    put(TABLES, PageTables.make(random));
    for (long at = DATA; at < DATA + DATA_LENGTH; at += 8) {
      putLong(at, random.nextBoolean() ? values.floating() : values.integer());
    }
    Assembler code = new Assembler(CODE, CODE_LENGTH);
    for (int i = 0; i < blocks; i++) {
      if (random.nextBoolean()) {
        code.half(1);
      }
      long start = code.here();
      if (start + BLOCK_BYTES_MAX > CODE + CODE_LENGTH) {
        throw new IllegalArgumentException("too many blocks: " + blocks);
      }
      Kind kind =
          switch (random.nextInt(6)) {
            case 0, 1 -> Kind.MACHINE;
            case 2 -> Kind.MACHINE_AS_OTHER;
            default -> Kind.LOWER;
          };
      RandomBlock block = new RandomBlock(random, templates, code, kind, i + ":");
      block.emit(ITEMS);
      for (int k = 0; k < RECORDS_PER_BLOCK; k++) {
        int record = i * RECORDS_PER_BLOCK + k;
        blockStarts[record] = start;
        new RecordWriter(record, block).write(start);
      }
    }
    put(CODE, code.bytes());
  }

  /** The bytes from the start of RAM to the end of the results. */
  byte[] image() {
    byte[] image = new byte[(int) (result(records, records) - BASE)];
    bytes.get(0, image);
    return image;
  }

  private void put(long address, byte[] what) {
    bytes.put((int) (address - BASE), what);
  }

  private void putLong(long address, long value) {
    bytes.putLong((int) (address - BASE), value);
  }

  /** Writes one record. */
  private final class RecordWriter {
    private final int index;
    private final RandomBlock block;
    private final boolean machine;
    private final boolean supervisor = random.nextBoolean();
    private final int satpMode = new int[] {0, 8, 8, 9}[random.nextInt(4)];
    private final boolean otherPrivilege;
    private final boolean protect;

    RecordWriter(int index, RandomBlock block) {
      this.index = index;
      this.block = block;
      machine = block.kind() != Kind.LOWER;
      otherPrivilege = block.kind() == Kind.MACHINE_AS_OTHER && random.nextBoolean();
      protect = block.aligned && random.nextBoolean();
    }

    private void set(int word, long value) {
      putLong(record(index) + word * 8L, value);
    }

    void write(long start) {
      boolean user = !machine && !supervisor && satpMode != 0;
      set(VIRTUAL_OFFSET, user ? USER_OFFSET : 0);
      set(ENTRY, start + (user ? USER_OFFSET : 0));
      set(RESULT, result(index, records));
      for (int i = 0; i < CSRS_SET.length; i++) {
        set(CSRS + i, csr(CSRS_SET[i], start));
      }
      for (int i = 1; i < 32; i++) {
        set(X + i, values.integer());
      }
      for (int i = 0; i < 32; i++) {
        set(F + i, values.floating());
      }
      set(X + RandomBlock.COUNTER, 0); // a jump may lead into a loop
      set(X + RandomBlock.SP, pointer());
      set(X + RandomBlock.POINTER_A, pointer());
      set(X + RandomBlock.POINTER_B, pointer());
      set(X + RandomBlock.POINTER_ATOMIC, atomicPointer());
    }

    private long csr(int csr, long start) {
      return switch (csr) {
        case 0x180 -> satp();
        case 0x302 -> random.nextInt(3) == 0 ? 0 : delegation();
        case 0x303 -> random.nextInt(0x1000) & 0x222;
        case 0x304 -> random.nextInt(3) == 0 ? 2L << 4 * random.nextInt(3) : 0;
        case 0x344 -> random.nextInt(4) == 0 ? random.nextInt(0x1000) & 0x222 : 0;
        case 0x105 -> STUB | random.nextInt(2);
        case 0x140 -> values.integer();
        case 0x141 -> start;
        case 0x3b0, 0x3b1, 0x3b2 -> protectedPages();
        case 0x3a0 -> pmpConfig();
        case 0x003 ->
            (random.nextInt(8) == 0 ? random.nextInt(8) : random.nextInt(5)) << 5 | flags();
        case 0x300 -> mstatus();
        default -> 0;
      };
    }

    private long delegation() {
      return random.nextInt(0x10000) & 0xb05f | (random.nextBoolean() ? 0xa0 : 0);
    }

    private int flags() {
      return random.nextInt(3) == 0 ? 0 : random.nextInt(32);
    }

    private long satp() {
      return switch (satpMode) {
        case 8 -> 8L << 60 | PageTables.ROOT_39 >>> 12;
        case 9 -> 9L << 60 | PageTables.ROOT_48 >>> 12;
        default -> 0;
      };
    }

    private long mstatus() {
      long status = random.nextInt(24) == 0 ? 0 : 3 << 13;
      status |= random.nextInt() & 0x4c_01a2; // TSR, MXR, SUM, SPP, all interrupt enables but MIE
      status |= random.nextInt(4) == 0 ? 1 << 20 : 0; // TVM
      status |= block.hasWfi || random.nextInt(4) == 0 ? 1 << 21 : 0; // TW
      if (machine) {
        return status | 3 << 11 | (otherPrivilege ? 1 << 17 : 0);
      }
      return status | (supervisor ? 1 << 11 : 0);
    }

    /** A NAPOT region among the first pages of data. */
    private long protectedPages() {
      long length = 4096L << random.nextInt(3);
      return (DATA + random.nextInt(3) * 16384L + (length == 16384 ? 0 : random.nextInt(2) * length)
              | length / 2 - 1)
          >> 2;
    }

    /** Entries 3 to 6: code, data, page tables, stub. */
    private long pmpConfig() {
      long config = 0x1d_1b_1b_1dL << 24;
      for (int i = 0; i < 3 && protect; i++) {
        int permission = new int[] {0, 1, 3, 4, 5, 7}[random.nextInt(6)];
        config |= (random.nextInt(4) == 0 ? 0 : 0x18L | permission) << 8 * i;
      }
      return config;
    }

    private boolean physical() {
      return satpMode == 0 || machine && !otherPrivilege;
    }

    private long pointer() {
      long room = DATA_LENGTH - 4096 - 4200;
      long offset = 2100 + (random.nextInt(3) == 0 ? edge() : random.nextLong(room));
      if (block.aligned || random.nextInt(3) != 0) {
        offset &= -8;
      }
      if (physical()) {
        return DATA + offset;
      }
      boolean user = machine || !supervisor;
      int page = random.nextInt(4) == 0 ? 128 + random.nextInt(380) : 1 + random.nextInt(60);
      page += user && page < 128 ? 64 : 0;
      int superpage = random.nextInt(4) == 0 ? 32 + random.nextInt(480) : user ? 17 : 1;
      return switch (random.nextInt(16)) {
        case 0 -> GIGAPAGES + ((user ? 1L : 0) << 30) + DATA - BASE + offset;
        case 1 -> GIGAPAGES + ((long) random.nextInt(3) << 30) + DATA - BASE + offset;
        case 2 -> TERAPAGE + DATA + offset;
        // In M-mode without MPRV this is a physical address: one where there is nothing.
        case 3 -> values.integer() & (block.aligned ? -8 : -1) | (machine ? 1L << 62 : 0);
        case 4, 5, 6, 7 -> WINDOWS + ((long) superpage << 21) + offset;
        case 8, 9 -> UPPER_WINDOWS + page * 4096L + (offset & 4095);
        default -> WINDOWS + page * 4096L + (offset & 4095);
      };
    }

    /** Close to the end of a page. */
    private long edge() {
      return random.nextInt(1, 14) * 4096L - 2100 - 12 + random.nextInt(24);
    }

    private long atomicPointer() {
      long offset = random.nextInt(256) * 8L;
      if (physical()) {
        return DATA + (DATA_PAGES - 1) * 4096L + offset;
      }
      return WINDOWS + (machine || !supervisor ? 64 * 4096L : 0) + offset;
    }
  }
}
