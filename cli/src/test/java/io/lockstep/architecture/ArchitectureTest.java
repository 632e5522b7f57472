package io.lockstep.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class ArchitectureTest {
  private static final JavaClasses PRODUCTION =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("io.lockstep");

  static List<ArchRule> rules() {
    return ArchitectureRules.all();
  }

  static Stream<Arguments> offenders() {
    return Stream.of(
        Arguments.of(
            ArchitectureRules.vmCoreNeedsNothingButTheJdkAndSlf4j(), "vm.fixture.UsesTheLogStore"),
        Arguments.of(
            ArchitectureRules.vmCoreNeedsNothingButTheJdkAndSlf4j(), "vm.fixture.KnowsTheHost"),
        Arguments.of(
            ArchitectureRules.recordReplayDoesNotKnowWhatIsAboveIt(),
            "replay.fixture.KnowsTheHost"),
        Arguments.of(
            ArchitectureRules.ftLoggingDoesNotKnowWhatIsAboveIt(), "ft.fixture.KnowsTheHost"),
        Arguments.of(
            ArchitectureRules.hostAgentDoesNotKnowWhatIsAboveIt(), "host.fixture.KnowsTheCommand"),
        Arguments.of(
            ArchitectureRules.nothingDependsOnTheBenchmarks(), "ft.fixture.KnowsTheBenchmarks"),
        Arguments.of(ArchitectureRules.chronicleStaysInTheStore(), "host.fixture.UsesTheLogStore"),
        Arguments.of(ArchitectureRules.nettyStaysInTransportPackages(), "host.fixture.UsesNetty"),
        Arguments.of(
            ArchitectureRules.bouncyCastleStaysWhereCertificatesAreMade(),
            "host.fixture.UsesBouncyCastle"),
        Arguments.of(
            ArchitectureRules.theMachineReadsNoClockAndDrawsNoRandomNumber(),
            "vm.fixture.ReadsAClock"),
        Arguments.of(
            ArchitectureRules.theMachineReadsNoClockAndDrawsNoRandomNumber(),
            "vm.fixture.HashesByIdentity"),
        Arguments.of(
            ArchitectureRules.theMachineUsesNoSourceOfRandomnessOrTime(),
            "vm.fixture.DrawsARandomNumber"),
        Arguments.of(ArchitectureRules.theMachineStartsNoThread(), "vm.fixture.StartsAThread"),
        Arguments.of(ArchitectureRules.theMachineStartsNoThread(), "vm.fixture.UsesAnExecutor"),
        Arguments.of(ArchitectureRules.theMachineDoesNoInputOrOutput(), "vm.fixture.OpensAFile"),
        Arguments.of(ArchitectureRules.theMachineDoesNoInputOrOutput(), "vm.fixture.OpensASocket"),
        Arguments.of(
            ArchitectureRules.theMachineHasNoCollectionOrderedByIdentity(),
            "vm.fixture.OrdersByIdentity"));
  }

  @ParameterizedTest
  @MethodSource("rules")
  void theProductKeepsTheRule(ArchRule rule) {
    rule.check(PRODUCTION);
  }

  @ParameterizedTest
  @MethodSource("offenders")
  void theRuleFindsAnOffender(ArchRule rule, String offender) throws ClassNotFoundException {
    JavaClasses fixture =
        new ClassFileImporter().importClasses(Class.forName("io.lockstep." + offender));

    assertThat(rule.evaluate(fixture).hasViolation()).isTrue();
  }

  @Test
  void everyRuleHasAnOffenderThatItFinds() {
    List<String> shownToFail =
        offenders().map(arguments -> ((ArchRule) arguments.get()[0]).getDescription()).toList();

    assertThat(ArchitectureRules.all())
        .extracting(ArchRule::getDescription)
        .allSatisfy(description -> assertThat(shownToFail).contains(description));
  }

  @Test
  void theRulesSeeTheClassesOfEveryModule() {
    assertThat(List.of("vm", "replay", "ft", "host", "cli"))
        .allSatisfy(
            module -> assertThat(PRODUCTION.containPackage("io.lockstep." + module)).isTrue());
  }
}
