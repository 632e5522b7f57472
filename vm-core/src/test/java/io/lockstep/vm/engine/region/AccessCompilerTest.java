package io.lockstep.vm.engine.region;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.hart.Hart;
import io.lockstep.vm.isa.fp.Fp32;
import io.lockstep.vm.machine.GuestClock;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.mmu.Mmu;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Both ways to host memory: directly, and through memory segments. */
class AccessCompilerTest {
  private static final int BASE = Mmu.FAST_CONTEXT_STRIDE;
  private static final long VIRTUAL = 0x7fff_1234_5000L;
  private static final long SLOW_RESULT = 42;

  private final GuestRam ram = new GuestRam(1 << 20);
  private final long[] loads = new long[2 * Mmu.FAST_CONTEXT_STRIDE];
  private final long[] stores = new long[2 * Mmu.FAST_CONTEXT_STRIDE];
  private long slowAddress = -1;
  private Class<?> access;

  private void load(boolean direct) throws ClassNotFoundException {
    Arrays.fill(loads, -1);
    Arrays.fill(stores, -1);
    for (long[] fast : new long[][] {loads, stores}) {
      int entry = ((int) (VIRTUAL >>> 11) & Mmu.FAST_INDEX_MASK) + BASE;
      fast[entry] = VIRTUAL;
      fast[entry + 1] = ram.hostBase() - VIRTUAL;
    }
    SlowPath slow =
        new SlowPath() {
          @Override
          public long access(long address, long operand, long left, long info) {
            slowAddress = address;
            return SLOW_RESULT;
          }

          @Override
          public void leave(long page) {}
        };
    RegionContext context =
        new RegionContext(new Hart(new GuestClock()), loads, stores, BASE, slow);
    access = new RegionLoader(context, direct).loadClass(AccessCompiler.NAME);
  }

  private long load(String name, long address) throws ReflectiveOperationException {
    return (long)
        access.getMethod(name, long.class, long.class, long.class).invoke(null, address, 0L, 0L);
  }

  private void store(String name, long address, long value) throws ReflectiveOperationException {
    access
        .getMethod(name, long.class, long.class, long.class, long.class)
        .invoke(null, address, value, 0L, 0L);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void loadsExtendWhatTheyReadAsTheirNameSays(boolean direct) throws ReflectiveOperationException {
    load(direct);
    ram.putLong(GuestRam.BASE + 8, 0xfedc_ba98_8765_4321L);
    ram.putLong(GuestRam.BASE + 16, 0x0000_0000_90a0_b0c0L);

    assertThat(load("lb", VIRTUAL + 8)).isEqualTo(0x21);
    assertThat(load("lb", VIRTUAL + 15)).isEqualTo((byte) 0xfe);
    assertThat(load("lbu", VIRTUAL + 15)).isEqualTo(0xfe);
    assertThat(load("lh", VIRTUAL + 14)).isEqualTo((short) 0xfedc);
    assertThat(load("lhu", VIRTUAL + 14)).isEqualTo(0xfedc);
    assertThat(load("lw", VIRTUAL + 8)).isEqualTo(0x8765_4321);
    assertThat(load("lwu", VIRTUAL + 8)).isEqualTo(0x8765_4321L);
    assertThat(load("ld", VIRTUAL + 8)).isEqualTo(0xfedc_ba98_8765_4321L);
    assertThat(load("flw", VIRTUAL + 16)).isEqualTo(Fp32.box(0x90a0_b0c0));
    assertThat(slowAddress).isEqualTo(-1);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void storesWriteTheirWidthAndNoMore(boolean direct) throws ReflectiveOperationException {
    load(direct);
    ram.putLong(GuestRam.BASE + 32, -1);
    ram.putLong(GuestRam.BASE + 40, -1);

    store("sb", VIRTUAL + 32, 0x1111_1111_1111_1100L);
    store("sh", VIRTUAL + 34, 0x2222_2222_2222_0022L);
    store("sw", VIRTUAL + 36, 0x3333_3333_0033_3300L);
    assertThat(ram.getLong(GuestRam.BASE + 32)).isEqualTo(0x0033_3300_0022_ff00L);
    assertThat(ram.getLong(GuestRam.BASE + 40)).isEqualTo(-1);

    store("sd", VIRTUAL + 40, 0x0123_4567_89ab_cdefL);
    assertThat(ram.getLong(GuestRam.BASE + 40)).isEqualTo(0x0123_4567_89ab_cdefL);
    assertThat(slowAddress).isEqualTo(-1);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void whatIsMisalignedOrHasNoEntryGoesTheSlowWay(boolean direct)
      throws ReflectiveOperationException {
    load(direct);

    assertThat(load("lh", VIRTUAL + 1)).isEqualTo(SLOW_RESULT);
    assertThat(slowAddress).isEqualTo(VIRTUAL + 1);
    assertThat(load("ld", VIRTUAL + 4096)).isEqualTo(SLOW_RESULT);
    assertThat(slowAddress).isEqualTo(VIRTUAL + 4096);
    store("sd", VIRTUAL + 4, 1);
    assertThat(slowAddress).isEqualTo(VIRTUAL + 4);
    store("sb", VIRTUAL - 1, 1);
    assertThat(slowAddress).isEqualTo(VIRTUAL - 1);
  }
}
