package io.lockstep.architecture;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.belongToAnyOf;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.lang.ArchRule;
import java.io.RandomAccessFile;
import java.time.Clock;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.Timer;
import java.util.WeakHashMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinTask;
import java.util.random.RandomGenerator;

/** What may use what, and the ways in which the machine could lose its determinism. */
final class ArchitectureRules {
  private static final String VM = "io.lockstep.vm..";
  private static final String REPLAY = "io.lockstep.replay..";
  private static final String FT = "io.lockstep.ft..";
  private static final String HOST = "io.lockstep.host..";
  private static final String CLI = "io.lockstep.cli..";
  private static final String BENCH = "io.lockstep.bench..";

  /** Methods whose result depends on something else than the machine's state, by class. */
  private static final Map<String, Set<String>> NON_DETERMINISTIC_METHODS =
      Map.ofEntries(
          Map.entry(
              "java.lang.System",
              Set.of("nanoTime", "currentTimeMillis", "identityHashCode", "getenv")),
          Map.entry("java.lang.Object", Set.of("hashCode")),
          Map.entry("java.lang.Math", Set.of("random")),
          Map.entry("java.lang.StrictMath", Set.of("random")),
          Map.entry("java.util.UUID", Set.of("randomUUID")),
          Map.entry("java.util.Collections", Set.of("shuffle")),
          Map.entry("java.time.Instant", Set.of("now")),
          Map.entry("java.time.LocalDate", Set.of("now")),
          Map.entry("java.time.LocalTime", Set.of("now")),
          Map.entry("java.time.LocalDateTime", Set.of("now")),
          Map.entry("java.time.OffsetDateTime", Set.of("now")),
          Map.entry("java.time.ZonedDateTime", Set.of("now")),
          Map.entry("java.util.Collection", Set.of("parallelStream")),
          Map.entry("java.util.List", Set.of("parallelStream")),
          Map.entry("java.util.stream.BaseStream", Set.of("parallel")));

  private ArchitectureRules() {}

  static List<ArchRule> all() {
    return List.of(
        vmCoreNeedsNothingButTheJdkAndSlf4j(),
        recordReplayDoesNotKnowWhatIsAboveIt(),
        ftLoggingDoesNotKnowWhatIsAboveIt(),
        hostAgentDoesNotKnowWhatIsAboveIt(),
        nothingDependsOnTheBenchmarks(),
        chronicleStaysInTheStore(),
        nettyStaysInTransportPackages(),
        bouncyCastleStaysWhereCertificatesAreMade(),
        theMachineReadsNoClockAndDrawsNoRandomNumber(),
        theMachineUsesNoSourceOfRandomnessOrTime(),
        theMachineStartsNoThread(),
        theMachineDoesNoInputOrOutput(),
        theMachineHasNoCollectionOrderedByIdentity());
  }

  static ArchRule vmCoreNeedsNothingButTheJdkAndSlf4j() {
    return classes()
        .that()
        .resideInAPackage(VM)
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(VM, "java..", "jdk..", "org.slf4j..")
        .allowEmptyShould(true);
  }

  static ArchRule recordReplayDoesNotKnowWhatIsAboveIt() {
    return mustNotDepend(REPLAY, FT, HOST, CLI);
  }

  static ArchRule ftLoggingDoesNotKnowWhatIsAboveIt() {
    return mustNotDepend(FT, HOST, CLI);
  }

  static ArchRule hostAgentDoesNotKnowWhatIsAboveIt() {
    return mustNotDepend(HOST, CLI);
  }

  static ArchRule nothingDependsOnTheBenchmarks() {
    return noClasses()
        .that()
        .resideInAnyPackage(VM, REPLAY, FT, HOST, CLI)
        .should()
        .dependOnClassesThat()
        .resideInAPackage(BENCH)
        .allowEmptyShould(true);
  }

  static ArchRule chronicleStaysInTheStore() {
    return noClasses()
        .that()
        .resideInAPackage("io.lockstep..")
        .and()
        .resideOutsideOfPackage("io.lockstep.replay.store..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("net.openhft..")
        .allowEmptyShould(true);
  }

  static ArchRule nettyStaysInTransportPackages() {
    return noClasses()
        .that()
        .resideInAPackage("io.lockstep..")
        .and()
        .resideOutsideOfPackages("..transport..", "io.lockstep.host.net..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("io.netty..")
        .allowEmptyShould(true);
  }

  static ArchRule bouncyCastleStaysWhereCertificatesAreMade() {
    return noClasses()
        .that()
        .resideInAPackage("io.lockstep..")
        .and()
        .resideOutsideOfPackage("io.lockstep.host.pki..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.bouncycastle..")
        .allowEmptyShould(true);
  }

  static ArchRule theMachineReadsNoClockAndDrawsNoRandomNumber() {
    return noClasses()
        .that()
        .resideInAPackage(VM)
        .should()
        .accessTargetWhere(targetIsNonDeterministic())
        .allowEmptyShould(true);
  }

  static ArchRule theMachineUsesNoSourceOfRandomnessOrTime() {
    return theMachineMustNotUse(assignableToAny(Random.class, RandomGenerator.class, Clock.class));
  }

  static ArchRule theMachineStartsNoThread() {
    return theMachineMustNotUse(
        assignableToAny(
                Thread.class,
                Thread.Builder.class,
                Executor.class,
                ForkJoinTask.class,
                CompletableFuture.class,
                Timer.class,
                Process.class,
                ProcessBuilder.class)
            .or(resideInAPackage("java.util.concurrent.locks..")));
  }

  static ArchRule theMachineDoesNoInputOrOutput() {
    return theMachineMustNotUse(
        resideInAnyPackage(
                "java.nio.file..", "java.nio.channels..", "java.net..", "java.sql..", "javax.net..")
            .or(
                assignableToAny(
                    java.io.File.class,
                    java.io.FileInputStream.class,
                    java.io.FileOutputStream.class,
                    java.io.FileReader.class,
                    java.io.FileWriter.class,
                    java.io.Console.class,
                    java.io.PrintStream.class,
                    RandomAccessFile.class)));
  }

  static ArchRule theMachineHasNoCollectionOrderedByIdentity() {
    return theMachineMustNotUse(belongToAnyOf(IdentityHashMap.class, WeakHashMap.class));
  }

  private static ArchRule mustNotDepend(String from, String... to) {
    return noClasses()
        .that()
        .resideInAPackage(from)
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(to)
        .allowEmptyShould(true);
  }

  private static ArchRule theMachineMustNotUse(DescribedPredicate<? super JavaClass> forbidden) {
    return noClasses()
        .that()
        .resideInAPackage(VM)
        .should()
        .dependOnClassesThat(forbidden)
        .allowEmptyShould(true);
  }

  private static DescribedPredicate<JavaAccess<?>> targetIsNonDeterministic() {
    return DescribedPredicate.describe(
        "the result does not follow from the machine's state",
        access ->
            NON_DETERMINISTIC_METHODS
                .getOrDefault(access.getTargetOwner().getName(), Set.of())
                .contains(access.getTarget().getName()));
  }

  private static DescribedPredicate<JavaClass> assignableToAny(Class<?>... types) {
    return DescribedPredicate.describe(
        "are assignable to any of " + List.of(types),
        candidate -> List.of(types).stream().anyMatch(candidate::isAssignableTo));
  }
}
