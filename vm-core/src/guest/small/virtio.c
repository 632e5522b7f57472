#include "virtio.h"

#include "console.h"
#include "trap.h"

#define SLOT_FIRST 0x10001000ul
#define SLOT_SIZE 0x1000ul
#define SLOTS 8
#define SLOT_IRQ_FIRST 1

#define MAGIC 0x000
#define VERSION 0x004
#define DEVICE_ID 0x008
#define DEVICE_FEATURES 0x010
#define DEVICE_FEATURES_SEL 0x014
#define DRIVER_FEATURES 0x020
#define DRIVER_FEATURES_SEL 0x024
#define QUEUE_SEL 0x030
#define QUEUE_NUM_MAX 0x034
#define QUEUE_NUM 0x038
#define QUEUE_READY 0x044
#define QUEUE_NOTIFY 0x050
#define INTERRUPT_STATUS 0x060
#define INTERRUPT_ACK 0x064
#define STATUS 0x070
#define QUEUE_DESCRIPTORS 0x080
#define QUEUE_AVAILABLE 0x090
#define QUEUE_USED 0x0a0

#define MAGIC_VALUE 0x74726976
#define ACKNOWLEDGE 1u
#define DRIVER 2u
#define DRIVER_OK 4u
#define FEATURES_OK 8u
#define FAILED 128u
#define F_VERSION_1 (1ul << 32)

#define NO_INTERRUPT 1
#define NO_NOTIFY 1

bool virtio_find(uint32_t kind, struct virtio *device) {
  for (unsigned slot = 0; slot < SLOTS; slot++) {
    uint64_t at = SLOT_FIRST + slot * SLOT_SIZE;
    if (reg_read(at + MAGIC) != MAGIC_VALUE || reg_read(at + DEVICE_ID) != kind) continue;
    *device = (struct virtio){.registers = at, .irq = SLOT_IRQ_FIRST + slot};
    return true;
  }
  return false;
}

static void interrupted(void *device) {
  struct virtio *d = device;
  uint32_t status = reg_read(d->registers + INTERRUPT_STATUS);
  reg_write(d->registers + INTERRUPT_ACK, status);
}

/* The steps of virtio 1.2 §3.1.1. */
bool virtio_begin(struct virtio *d, uint64_t wanted) {
  uint64_t at = d->registers;
  if (reg_read(at + VERSION) != 2) return false;
  reg_write(at + STATUS, 0);
  reg_write(at + STATUS, ACKNOWLEDGE);
  reg_write(at + STATUS, ACKNOWLEDGE | DRIVER);
  reg_write(at + DEVICE_FEATURES_SEL, 0);
  uint64_t offered = reg_read(at + DEVICE_FEATURES);
  reg_write(at + DEVICE_FEATURES_SEL, 1);
  offered |= (uint64_t)reg_read(at + DEVICE_FEATURES) << 32;
  d->features = offered & (wanted | F_VERSION_1);
  reg_write(at + DRIVER_FEATURES_SEL, 0);
  reg_write(at + DRIVER_FEATURES, (uint32_t)d->features);
  reg_write(at + DRIVER_FEATURES_SEL, 1);
  reg_write(at + DRIVER_FEATURES, (uint32_t)(d->features >> 32));
  reg_write(at + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
  if (!(d->features & F_VERSION_1) || !(reg_read(at + STATUS) & FEATURES_OK)) {
    reg_write(at + STATUS, FAILED);
    return false;
  }
  return true;
}

static void write_address(uint64_t at, const volatile void *address) {
  reg_write(at, (uint32_t)(uint64_t)address);
  reg_write(at + 4, (uint32_t)((uint64_t)address >> 32));
}

void virtio_queue(struct virtio *d, unsigned number, struct virtq *q) {
  uint64_t at = d->registers;
  memset(q, 0, sizeof *q);
  reg_write(at + QUEUE_SEL, number);
  uint32_t max = reg_read(at + QUEUE_NUM_MAX);
  q->registers = at;
  q->number = (uint16_t)number;
  /* A split queue's size is a power of two (§2.7). */
  for (q->size = VIRTQ_SIZE_MAX; q->size > max; q->size /= 2) {
  }
  if (q->size < 4) panic("virtio device at 0x%lx has no queue %u", at, number);
  reg_write(at + QUEUE_NUM, q->size);
  write_address(at + QUEUE_DESCRIPTORS, q->descriptors);
  write_address(at + QUEUE_AVAILABLE, &q->available);
  write_address(at + QUEUE_USED, &q->used);
  reg_write(at + QUEUE_READY, 1);
}

void virtio_ready(struct virtio *d) {
  irq_enable(d->irq, interrupted, d);
  reg_write(d->registers + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
}

void virtq_offer(struct virtq *q, uint16_t head) {
  q->available.ring[q->available.index % q->size] = head;
  fence();
  *(volatile uint16_t *)&q->available.index = (uint16_t)(q->available.index + 1);
  q->dirty = true;
}

void virtq_kick(struct virtq *q) {
  if (!q->dirty) return;
  q->dirty = false;
  fence();
  if (!(q->used.flags & NO_NOTIFY)) reg_write(q->registers + QUEUE_NOTIFY, q->number);
}

bool virtq_take(struct virtq *q, uint16_t *head, uint32_t *length) {
  if (!virtq_has_used(q)) return false;
  fence();
  uint32_t id = q->used.ring[q->taken % q->size].id;
  *length = q->used.ring[q->taken % q->size].length;
  q->taken++;
  if (id >= q->size) panic("virtio device at 0x%lx returned descriptor %u of %u", q->registers, id, q->size);
  *head = (uint16_t)id;
  return true;
}

void virtq_interrupts(struct virtq *q, bool on) {
  *(volatile uint16_t *)&q->available.flags = on ? 0 : NO_INTERRUPT;
  fence();
}
