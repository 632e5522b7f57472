/** What happens before and below the kernel: device tree, loading, and the built-in SBI. */
package io.lockstep.vm.firmware;
