package io.lockstep.ft.pair;

import io.lockstep.ft.protocol.Ending;
import io.lockstep.ft.protocol.Epoch;
import io.lockstep.replay.live.InputPort;
import io.lockstep.replay.live.OutputRelay;
import io.lockstep.vm.machine.MachineConfig;
import io.lockstep.vm.machine.VirtualMachine;
import io.lockstep.vm.port.Output;
import java.io.IOException;
import java.util.List;

/** What a replica needs of the program that it runs in. */
public interface ReplicaHost {
  /** What a replica's machine is made of: travels to the secondary as it is. */
  byte[] describeMachine();

  /** A machine with empty memory, on the secondary's side. */
  record NewMachine(VirtualMachine machine, MachineConfig.ClockMode clock) {}

  /**
   * Makes the machine that {@link #describeMachine} of the primary's host describes.
   *
   * @param relay the machine's sink
   * @throws IOException with a sentence for the user
   */
  NewMachine makeMachine(byte[] description, OutputRelay relay) throws IOException;

  /**
   * Opens disks and network under an epoch that this replica has won. When it returns, older owners
   * can do no more harm.
   *
   * @param rewrite completed disk writes that the shared storage may have lost; they are done
   *     before any other request, and need not be answered
   * @throws IOException with a sentence for the user
   */
  LiveDevices openDevices(Epoch epoch, InputPort inputs, List<Output.BlockRequest> rewrite)
      throws IOException;

  /** A line for the operator. */
  void notice(String text);

  /** The replica has stopped for good. Called once, on a thread of its own. */
  void ended(Ending ending, String why);
}
