#include "blk.h"

#include "console.h"
#include "trap.h"
#include "virtio.h"

#define F_READ_ONLY (1ul << 5)
#define F_FLUSH (1ul << 9)
#define TYPE_IN 0
#define TYPE_OUT 1
#define TYPE_FLUSH 4
#define STATUS_OK 0

static struct virtio disk;
static struct virtq queue;
static struct {
  uint32_t type, reserved;
  uint64_t sector;
} header;
static volatile uint8_t status;
static bool busy;

bool blk_init(void) {
  if (!virtio_find(VIRTIO_BLOCK, &disk)) return false;
  if (!virtio_begin(&disk, F_READ_ONLY | F_FLUSH)) {
    say("disk ignored: it is not a modern virtio device");
    return false;
  }
  virtio_queue(&disk, 0, &queue);
  virtio_ready(&disk);
  return true;
}

uint64_t blk_sectors(void) { return (uint64_t)virtio_config32(&disk, 4) << 32 | virtio_config32(&disk, 0); }
bool blk_read_only(void) { return disk.features & F_READ_ONLY; }
bool blk_can_flush(void) { return disk.features & F_FLUSH; }

static void start(uint32_t type, uint64_t sector, void *data, size_t sectors) {
  header.type = type;
  header.sector = sector;
  status = 0xff;
  unsigned last = sectors ? 2 : 1;
  queue.descriptors[0] =
      (struct virtq_descriptor){(uint64_t)&header, sizeof header, VIRTQ_NEXT, 1};
  if (sectors)
    queue.descriptors[1] = (struct virtq_descriptor){
        (uint64_t)data, (uint32_t)(sectors * SECTOR), VIRTQ_NEXT | (type == TYPE_IN ? VIRTQ_WRITE : 0), 2};
  queue.descriptors[last] = (struct virtq_descriptor){(uint64_t)&status, 1, VIRTQ_WRITE, 0};
  busy = true;
  virtq_offer(&queue, 0);
  virtq_kick(&queue);
}

void blk_write(uint64_t sector, const void *data, size_t sectors) {
  start(TYPE_OUT, sector, (void *)data, sectors);
}

void blk_flush(void) { start(TYPE_FLUSH, 0, 0, 0); }

bool blk_busy(void) {
  uint16_t head;
  uint32_t length;
  if (busy && virtq_take(&queue, &head, &length)) {
    busy = false;
    if (status != STATUS_OK)
      panic("disk request type %u at sector %lu failed with status %u", header.type, header.sector, status);
  }
  return busy;
}

static void finish(void) {
  while (blk_busy()) wait_for_interrupt();
}

void blk_read_now(uint64_t sector, void *data, size_t sectors) {
  start(TYPE_IN, sector, data, sectors);
  finish();
}

void blk_write_now(uint64_t sector, const void *data, size_t sectors) {
  blk_write(sector, data, sectors);
  finish();
  if (blk_can_flush()) {
    blk_flush();
    finish();
  }
}
