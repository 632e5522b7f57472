#include "udp.h"

#include "journal.h"
#include "service.h"
#include "timer.h"

#define HEADER 8
#define REPLIES 256
#define REPLIES_ROOM_MIN 64
#define SLEEPERS 32

struct waiting {
  struct peer to;
  uint64_t due;     /* a time; 0 for none */
  uint64_t awaited; /* a batch of the journal */
  size_t length;
  char text[REPLY_MAX];
};

/* Replies in the order of their requests, and apart from them those that sleep. */
static struct waiting replies[REPLIES] NOINIT, sleepers[SLEEPERS] NOINIT;
static unsigned first, count;
static bool sleeping[SLEEPERS];

bool udp_has_room(void) { return count + REPLIES_ROOM_MIN <= REPLIES; }

static struct waiting *place_for(const struct reply *reply) {
  if (reply->sleep_ms == 0) return count < REPLIES ? &replies[(first + count++) % REPLIES] : 0;
  for (unsigned i = 0; i < SLEEPERS; i++)
    if (!sleeping[i]) {
      sleeping[i] = true;
      return &sleepers[i];
    }
  return 0;
}

static void request(const struct peer *from, const char *line, size_t length) {
  static struct reply reply;
  if (count == REPLIES || !journal_has_room(1)) return; /* lost, as datagrams may be */
  service_request(from->ip, line, length, &reply);
  struct waiting *w = place_for(&reply);
  if (!w) return;
  w->to = *from;
  w->due = reply.sleep_ms ? now() + ticks_of_ms(reply.sleep_ms) : 0;
  w->awaited = journal_awaited();
  w->length = reply.length;
  memcpy(w->text, reply.text, reply.length);
}

void udp_receive(const struct peer *from, const uint8_t *udp, size_t length) {
  if (length < HEADER || be16(udp + 4) < HEADER || be16(udp + 4) > length ||
      (be16(udp + 6) && net_checksum(from->ip, IP_PROTOCOL_UDP, udp, be16(udp + 4)) != 0)) {
    net_count_bad();
    return;
  }
  if (be16(udp + 2) != SERVICE_PORT) return;
  struct peer to = *from;
  to.port = be16(udp);
  const char *line = (const char *)udp + HEADER;
  const char *end = (const char *)udp + be16(udp + 4);
  while (line < end) {
    const char *stop = line;
    while (stop < end && *stop != '\n') stop++;
    request(&to, line, (size_t)(stop - line));
    line = stop + 1;
  }
}

static bool send_reply(const struct waiting *w) {
  struct packet *p = net_new_packet();
  if (!p) return false;
  uint8_t *udp = packet_payload(p);
  size_t length = HEADER + w->length;
  put_be16(udp, SERVICE_PORT);
  put_be16(udp + 2, w->to.port);
  put_be16(udp + 4, (uint32_t)length);
  put_be16(udp + 6, 0);
  memcpy(udp + HEADER, w->text, w->length);
  uint16_t sum = net_checksum(w->to.ip, IP_PROTOCOL_UDP, udp, length);
  put_be16(udp + 6, sum ? sum : 0xffff); /* 0 would say that there is none (RFC 768) */
  net_send(p, &w->to, IP_PROTOCOL_UDP, length);
  return true;
}

uint64_t udp_send_due(uint64_t at) {
  while (count && replies[first].awaited <= journal_done() && send_reply(&replies[first])) {
    first = (first + 1) % REPLIES;
    count--;
  }
  uint64_t next = NEVER;
  for (unsigned i = 0; i < SLEEPERS; i++) {
    if (!sleeping[i] || sleepers[i].awaited > journal_done()) continue;
    if (sleepers[i].due <= at && send_reply(&sleepers[i])) {
      sleeping[i] = false;
    } else if (sleepers[i].due > at) {
      next = min_u64(next, sleepers[i].due);
    }
  }
  return next;
}
