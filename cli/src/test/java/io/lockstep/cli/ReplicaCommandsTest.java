package io.lockstep.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.lockstep.host.control.ControlClient;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.jr.ob.JSON;

/** The commands that speak to replicas, with real processes and the built-in small guest. */
@Timeout(300)
class ReplicaCommandsTest {
  @TempDir Path dir;
  private final List<RunProcess> processes = new ArrayList<>();

  @AfterEach
  void endAll() {
    processes.forEach(RunProcess::close);
  }

  private RunProcess start(String... arguments) throws IOException {
    List<String> command = RunProcess.command();
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    // Other machines of this user are none of this test's business.
    builder.environment().put("LOCKSTEP_RUNTIME_DIR", dir.resolve("runtime").toString());
    RunProcess process = RunProcess.start(builder);
    processes.add(process);
    return process;
  }

  private RunProcess run(int status, String... arguments) throws Exception {
    RunProcess process = start(arguments).endInput();
    assertThat(process.status()).as("%s %s", process.out(), process.err()).isEqualTo(status);
    return process;
  }

  private static Map<String, Object> ready(RunProcess replica) throws Exception {
    replica.awaitErr("\"event\":\"ready\"").awaitErr("}");
    String line =
        replica.err().lines().filter(l -> l.contains("\"ready\"")).findFirst().orElseThrow();
    return JSON.std.mapFrom(line);
  }

  private RunProcess primary(String name, String... more) throws IOException {
    List<String> arguments =
        new ArrayList<>(List.of("run", "--protect-listen", "127.0.0.1:0", "--name", name));
    arguments.addAll(List.of("--storage", dir.resolve(name).toString()));
    arguments.addAll(List.of(more));
    return start(arguments.toArray(String[]::new));
  }

  private RunProcess secondary(String name, RunProcess primary, String... more) throws Exception {
    List<String> arguments =
        new ArrayList<>(List.of("secondary", "--join", ready(primary).get("listen").toString()));
    arguments.addAll(List.of("--name", name, "--storage", dir.resolve(name).toString()));
    arguments.addAll(List.of(more));
    return start(arguments.toArray(String[]::new));
  }

  private void awaitRole(Object pid, String role) throws Exception {
    String wanted = "\"role\":\"%s\"".formatted(role);
    String said = "";
    for (int i = 0; i < 6_000 && !said.contains(wanted); i++) {
      said =
          ControlClient.ask(dir.resolve("runtime"), ((Number) pid).longValue(), "status")
              .orElse("gone");
      Thread.sleep(10);
    }
    assertThat(said).contains(wanted);
  }

  @Test
  void rolesAreExchangedTheSecondaryDetachedAndTheMachineStopped() throws Exception {
    assertThat(run(ExitStatus.FAILURE, "stop").err())
        .contains("No machine of yours runs on this host");

    RunProcess a = primary("shop");
    Object pidA = ready(a).get("pid");
    assertThat(run(ExitStatus.FAILURE, "switch-over").err()).contains("has no secondary");
    assertThat(run(ExitStatus.FAILURE, "detach").err()).contains("nothing to detach");
    assertThat(run(ExitStatus.FAILURE, "detach", "no-such").err())
        .contains("There is no replica 'no-such'");

    RunProcess b = secondary("shop", a);
    Object pidB = ready(b).get("pid");
    awaitRole(pidA, "protected");
    assertThat(run(ExitStatus.OK, "status").out())
        .containsPattern(pidA + " +shop +protected")
        .containsPattern(pidB + " +shop +following");
    assertThat(run(ExitStatus.FAILURE, "switch-over", pidB.toString()).err())
        .contains("is the secondary of 'shop'; ask its primary");

    assertThat(run(ExitStatus.OK, "switch-over", "shop").out())
        .contains("now runs on the other side; process " + pidA + " is its secondary");
    awaitRole(pidB, "protected");

    assertThat(run(ExitStatus.OK, "detach").out()).contains("runs on alone in process " + pidB);
    assertThat(a.status()).isEqualTo(ExitStatus.FAILURE);
    assertThat(a.err()).contains("the operator");

    RunProcess other = primary("other");
    ready(other);
    assertThat(run(ExitStatus.FAILURE, "stop").err())
        .contains("Several machines run on this host (other, shop): say which");
    assertThat(run(ExitStatus.OK, "stop", "shop").out()).contains("'shop' is stopped");
    assertThat(b.status()).isEqualTo(ExitStatus.OK);
    assertThat(run(ExitStatus.OK, "stop").out()).contains("'other' is stopped");
    assertThat(other.status()).isEqualTo(ExitStatus.OK);
  }

  @Test
  void aSecondaryThatIsStoppedLeavesTheMachineRunningAndTheMachineTakesItsSecondaryWithIt()
      throws Exception {
    RunProcess a = primary("vm");
    Object pidA = ready(a).get("pid");
    RunProcess b = secondary("vm", a);
    Object pidB = ready(b).get("pid");
    awaitRole(pidA, "protected");

    assertThat(run(ExitStatus.OK, "stop", pidB.toString()).out())
        .contains("The secondary of 'vm' is stopped");
    assertThat(b.status()).isEqualTo(ExitStatus.OK);
    awaitRole(pidA, "solo");

    RunProcess c = secondary("vm", a);
    ready(c);
    awaitRole(pidA, "protected");
    assertThat(run(ExitStatus.OK, "stop").out()).contains("'vm' is stopped");
    assertThat(a.status()).isEqualTo(ExitStatus.OK);
    c.status();
    assertThat(run(ExitStatus.OK, "status").out()).contains("No protected machine");
  }

  @Test
  void aStoppedProcessDoesNotKeepStatusFromAnswering() throws Exception {
    RunProcess a = primary("a");
    RunProcess b = primary("b");
    Object pidA = ready(a).get("pid");
    ready(b);
    a.signal("STOP");

    RunProcess status = run(ExitStatus.OK, "status");

    assertThat(status.err()).contains("Process " + pidA + " does not answer; is it stopped?");
    assertThat(status.out()).containsPattern("b +solo");
  }

  @Test
  void withIssuedCertificatesAPairFormsAndAnotherClusterReadsWhyItMayNot() throws Exception {
    for (String cluster : List.of("ours", "theirs")) {
      run(ExitStatus.OK, "pki", "init", dir.resolve(cluster + "-pki").toString());
      run(ExitStatus.OK, "pki", "issue", dir.resolve(cluster + "-pki").toString(), "--host", "h");
    }
    RunProcess a = primary("vm", tls("ours"));
    RunProcess stranger = secondary("vm", a, tls("theirs"));
    stranger.awaitErr("belongs to another cluster");
    a.awaitErr("refuses this host's certificate");
    stranger.close();

    secondary("vm", a, tls("ours"));
    awaitRole(ready(a).get("pid"), "protected");
  }

  private String[] tls(String cluster) {
    Path pki = dir.resolve(cluster + "-pki");
    return new String[] {
      "--tls-cert", pki.resolve("h.crt").toString(),
      "--tls-key", pki.resolve("h.key").toString(),
      "--tls-ca", pki.resolve("ca.crt").toString()
    };
  }
}
