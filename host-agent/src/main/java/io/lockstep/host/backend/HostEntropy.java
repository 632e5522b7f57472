package io.lockstep.host.backend;

import io.lockstep.replay.live.EntropyBackend;
import io.lockstep.replay.live.InputPort;
import io.lockstep.vm.port.Input;
import io.lockstep.vm.port.Output;
import java.security.SecureRandom;

/**
 * Random bytes from the host. Answers on the calling thread: the generator computes, it does not
 * wait for anything.
 */
public final class HostEntropy implements EntropyBackend {
  private final SecureRandom random = new SecureRandom();

  @Override
  public void request(Output.EntropyRequest request, InputPort deliveries) {
    byte[] bytes = new byte[request.length()];
    random.nextBytes(bytes);
    deliveries.offer(new Input.EntropyDelivery(request.device(), request.requestId(), bytes));
  }
}
