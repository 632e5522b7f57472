package io.lockstep.vm.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.vm.engine.EngineOptions.Mode;
import io.lockstep.vm.engine.region.Region;
import io.lockstep.vm.engine.region.RegionCompiler;
import io.lockstep.vm.firmware.BootException;
import io.lockstep.vm.firmware.KernelLoader;
import io.lockstep.vm.machine.Machine;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.MachineConfig.ClockMode;
import io.lockstep.vm.machine.MachineConfig.Firmware;
import io.lockstep.vm.memory.GuestRam;
import io.lockstep.vm.port.OutputSink;
import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.Attributes;
import java.lang.classfile.ClassFile;
import java.lang.management.ClassLoadingMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class RegionsTest {
  private static final int PROGRAMS = 12;
  private static final int STEPS = 60_000;

  private static Machine machine(RandomProgram program, EngineOptions options)
      throws BootException {
    Machine machine = machine(options, program.image());
    program.writeTables(machine.ram());
    return machine;
  }

  private static Machine machine(EngineOptions options, byte[] image) throws BootException {
    MachineConfig config =
        new MachineConfig(4 << 20, ClockMode.INSTRUCTIONS, Firmware.GUEST, 0, List.of());
    Machine machine = new Machine(config, OutputSink.NONE, options);
    machine.boot(new KernelLoader.Images(new byte[0], new byte[0], image), "");
    return machine;
  }

  @ParameterizedTest
  @CsvSource({
    "BYTECODE,1",
    "BYTECODE,5",
    "BYTECODE,40",
    "REGIONS,1",
    "REGIONS,5",
    "REGIONS,40",
  })
  void allTiersDoTheSameAtEveryPointOfARandomProgram(Mode mode, int threshold)
      throws BootException {
    long firstSeed = 1000L * threshold;
    long inRegions = 0;
    for (long seed = firstSeed; seed < firstSeed + PROGRAMS; seed++) {
      RandomProgram program = new RandomProgram(seed);
      Random random = new Random(seed);
      Machine interpreted = machine(program, EngineOptions.INTERPRETER);
      Machine compiled = machine(program, EngineOptions.eager(mode, threshold, 30));
      while (interpreted.steps() < STEPS) {
        long to = interpreted.steps() + 1 + random.nextInt(random.nextBoolean() ? 20 : 20_000);
        interpreted.run(to);
        compiled.run(to);
        assertThat(compiled.pc())
            .as("pc at step %d, seed %d", to, seed)
            .isEqualTo(interpreted.pc());
        assertThat(compiled.digest())
            .as("digest at step %d, seed %d", to, seed)
            .isEqualTo(interpreted.digest());
        if (random.nextInt(10) == 0) {
          compiled.dropCaches();
        }
      }
      inRegions += compiled.engineStats().stepsInRegions();
    }
    assertThat(inRegions).as("steps in regions").isGreaterThan((long) PROGRAMS * STEPS / 10);
  }

  @ParameterizedTest
  @EnumSource(names = {"BYTECODE", "REGIONS"})
  void aRegionIsNotEnteredWhereThePageLeadsElsewhereNow(Mode mode) throws BootException {
    int[] loop = {
      0x00001097, // auipc ra, 1
      0x000080e7, // jalr ra: the second page
      0x00150513, // addi a0, a0, 1
      0x00f57593, // andi a1, a0, 15
      0xfe0598e3, // bnez a1, -16
      0x000b8293, // mv t0, x23
      0x000c0b93, // mv x23, x24
      0x00028c13, // mv x24, t0
      0x017b3023, // sd x23, (x22): the other page from now on
      0x00000073, // ecall
      0xfd9ff06f, // j to the start
    };
    int[] one = {0x00160613, 0x00008067}; // addi a2, a2, 1; ret
    int[] other = {0x00260613, 0x00008067}; // addi a2, a2, 2; ret
    RandomProgram program = new RandomProgram(loop, one, other);
    Machine interpreted = machine(program, EngineOptions.INTERPRETER);
    Machine compiled = machine(program, EngineOptions.eager(mode, 2, 30));
    for (int to = 1000; to <= STEPS; to += 1000) {
      interpreted.run(to);
      compiled.run(to);
      assertThat(compiled.digest()).as("step %d", to).isEqualTo(interpreted.digest());
    }
    assertThat(compiled.engineStats().stepsInRegions()).isGreaterThan(STEPS / 2);
  }

  @Test
  void noMethodOfARegionIsTooLargeForHotSpotToCompile() throws BootException {
    int largest = 0;
    for (long seed = 1; seed <= 40; seed++) {
      RandomProgram program = new RandomProgram(seed);
      GuestRam ram = new GuestRam(1 << 20);
      byte[] image = program.image();
      ram.write(GuestRam.BASE, image, 0, image.length);
      CodeCache code = new CodeCache(ram);
      for (int index = 2; index < 3; index++) {
        CodePage page = new CodePage(index);
        for (int offset = 0; offset < GuestRam.PAGE; offset += 4) {
          code.decode(page, offset);
        }
        for (int offset = 0; offset < GuestRam.PAGE; offset += 4) {
          Region region = RegionPlanner.plan(page.blocks[offset >> 1], false);
          if (region != null) {
            assertThat(region.instructions()).isLessThanOrEqualTo(200);
            largest = Math.max(largest, runMethodSize(RegionCompiler.compile(region)));
          }
        }
      }
    }
    assertThat(largest).isBetween(1000, 7999);
  }

  private static int runMethodSize(byte[] classFile) {
    return ClassFile.of().parse(classFile).methods().stream()
        .filter(m -> m.methodName().equalsString("run"))
        .mapToInt(m -> m.findAttribute(Attributes.code()).orElseThrow().codeLength())
        .findFirst()
        .orElseThrow();
  }

  @Test
  void theInterpretersLoopIsSmallEnoughForHotSpotToCompile() throws IOException {
    try (InputStream in = Interpreter.class.getResourceAsStream("Interpreter.class")) {
      assertThat(in).isNotNull();
      assertThat(ClassFile.of().parse(in.readAllBytes()).methods())
          .allSatisfy(
              m ->
                  assertThat(m.findAttribute(Attributes.code()).orElseThrow().codeLength())
                      .as(m.methodName().stringValue())
                      .isLessThan(8000));
    }
  }

  /** A loop that runs 50 times, then rewrites one of its own instructions, for ever. */
  private static byte[] selfModifyingLoop() {
    int[] words = {
      0x00000517, // auipc a0, 0
      0x00000593, // li a1, 0
      0x03200613, // li a2, 50
      0x00158593, // addi a1, a1, 1
      0xfec5cee3, // blt a1, a2, -4
      0x00c52683, // lw a3, 12(a0)
      0x00d52623, // sw a3, 12(a0)
      0xfe9ff06f, // j to li a1
    };
    ByteBuffer image = ByteBuffer.allocate(words.length * 4).order(ByteOrder.LITTLE_ENDIAN);
    for (int word : words) {
      image.putInt(word);
    }
    return image.array();
  }

  @Test
  void aGuestThatKeepsGeneratingCodeDoesNotFillTheSpaceForMachineCode() throws BootException {
    EngineOptions few = EngineOptions.eager(Mode.REGIONS, 3, 20);
    Machine machine = machine(few, selfModifyingLoop());
    int most = 0;
    for (int round = 0; round < 100 && machine.engineStats().units() < 1000; round++) {
      machine.run(machine.steps() + 20_000);
      most = Math.max(most, machine.engineStats().unitsNow());
    }
    assertThat(machine.engineStats().units()).isGreaterThanOrEqualTo(1000);
    assertThat(machine.engineStats().evicted()).isGreaterThan(500);
    assertThat(most).isLessThanOrEqualTo(20);
  }

  @Test
  void aGuestThatKeepsGeneratingCodeFillsNeitherTheCacheNorTheClassSpace() throws BootException {
    Machine machine = machine(EngineOptions.eager(Mode.BYTECODE, 3, 20), selfModifyingLoop());
    ClassLoadingMXBean classes = ManagementFactory.getClassLoadingMXBean();
    int rounds = 0;
    while (rounds < 100 && machine.engineStats().units() < 200) {
      machine.run(machine.steps() + 20_000);
      rounds++;
    }
    System.gc();
    machine.run(machine.steps() + 20_000);

    assertThat(machine.engineStats().units()).isGreaterThanOrEqualTo(200);
    assertThat(machine.engineStats().unitsNow()).isLessThanOrEqualTo(20);
    assertThat(classes.getUnloadedClassCount()).isGreaterThan(100);
  }
}
