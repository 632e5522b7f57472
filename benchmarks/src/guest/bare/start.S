# Bare-metal start for QEMU's virt board: M-mode, FPU on, stack, main(), power off.
    .section .text.start
    .globl _start
_start:
    la sp, stack_top
    li t0, 0x6000
    csrs mstatus, t0
    call main
    li t0, 0x100000
    li t1, 0x5555
    sw t1, 0(t0)
1:  j 1b
    .section .bss
    .align 12
    .space 1 << 20
stack_top:
