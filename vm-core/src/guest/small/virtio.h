/* Modern virtio over memory-mapped registers (virtio 1.2 §4.2), split virtqueues (§2.7), one buffer per descriptor. */
#pragma once

#include "lib.h"

#define VIRTQ_SIZE_MAX 128
#define VIRTIO_NET 1
#define VIRTIO_BLOCK 2

#define VIRTQ_NEXT 1
#define VIRTQ_WRITE 2 /* the device writes it */

struct virtq_descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags, next;
};

struct virtq {
  struct virtq_descriptor descriptors[VIRTQ_SIZE_MAX] __attribute__((aligned(16)));
  struct {
    uint16_t flags, index, ring[VIRTQ_SIZE_MAX], unused;
  } available __attribute__((aligned(4)));
  volatile struct {
    uint16_t flags, index;
    struct {
      uint32_t id, length;
    } ring[VIRTQ_SIZE_MAX];
    uint16_t unused;
  } used __attribute__((aligned(4)));
  uint64_t registers;
  uint16_t number, size, taken;
  bool dirty; /* offered since the last kick */
};

struct virtio {
  uint64_t registers;
  unsigned irq;
  uint64_t features; /* agreed */
};

/* Finds the first device of that kind. False if there is none. */
bool virtio_find(uint32_t kind, struct virtio *device);
/* Resets it and agrees on what both know of `wanted`. False, with the device left alone, if it is not modern. */
bool virtio_begin(struct virtio *device, uint64_t wanted);
void virtio_queue(struct virtio *device, unsigned number, struct virtq *queue);
void virtio_ready(struct virtio *device);

static inline uint8_t virtio_config8(struct virtio *d, unsigned at) {
  return *(volatile uint8_t *)(d->registers + 0x100 + at);
}
static inline uint32_t virtio_config32(struct virtio *d, unsigned at) {
  return reg_read(d->registers + 0x100 + at);
}

/* Makes the chain that begins at this descriptor available; the device is told at the next virtq_kick. */
void virtq_offer(struct virtq *queue, uint16_t head);
void virtq_kick(struct virtq *queue);
/* One buffer the device is done with. */
bool virtq_take(struct virtq *queue, uint16_t *head, uint32_t *length);
static inline bool virtq_has_used(const struct virtq *q) { return q->used.index != q->taken; }
/* Whether the device should interrupt when it is done with a buffer. */
void virtq_interrupts(struct virtq *queue, bool on);
