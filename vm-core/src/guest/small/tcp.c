#include "tcp.h"

#include "journal.h"
#include "service.h"
#include "timer.h"

#define CONNECTIONS 64
#define HEADER 20
#define FIN 1u
#define SYN 2u
#define RST 4u
#define PSH 8u
#define ACK 16u
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_MSS 2

#define RECEIVE_BYTES 4096u /* also the largest window offered */
#define SEND_BYTES 8192u    /* a power of two */
#define OWN_MSS 1460u
#define MSS_DEFAULT 536u
#define MSS_MIN 64u

#define RTO_FIRST_MS 1000
#define RTO_MAX_MS 10000
#define RETRIES_MAX 20
#define ACK_DELAY_MS 20
#define DUPLICATE_ACKS 3
#define EVICT_IDLE_MS 300000ul
#define SLEEP_REPLY_MAX 64

enum state { FREE, SYN_RECEIVED, ESTABLISHED, LAST_ACK };

/*
 * Sequence numbers as in RFC 9293 §3.3.1. What is to be sent is counted in bytes since the connection began:
 *
 *   acked        sent            released        written
 *   |-------------|---------------|---------------|
 *    in flight     may be sent     held until its batch is durable
 *
 * and byte n has the sequence number first_data + n.
 */
struct connection {
  enum state state;
  struct peer peer;
  uint64_t active_at;

  uint32_t snd_una, snd_nxt, snd_max; /* snd_max: beyond the newest ever sent */
  uint32_t snd_wnd, snd_wl1, snd_wl2;
  uint32_t first_data, written, released;
  struct {
    uint32_t end;
    uint64_t awaited;
  } holds[2]; /* a batch on its way and one that is being filled */
  unsigned hold_count;
  uint32_t mss, cwnd;
  unsigned duplicate_acks, retries;
  bool probe; /* one byte may be sent into a closed window */

  uint32_t rcv_nxt, rcv_edge; /* rcv_edge: right edge of the window as offered */
  uint32_t received;
  bool fin_received, skipping_line;
  unsigned unacked_segments;
  bool ack_now;
  uint64_t ack_at;

  uint64_t awake_at; /* no request is served until then, and then this reply comes first; 0: awake */
  char sleep_reply[SLEEP_REPLY_MAX];
  size_t sleep_reply_length;

  uint64_t rto_at, rto, srtt, rttvar;
  bool timing;
  uint32_t timed_seq;
  uint64_t timed_at;

  uint8_t *receive, *send;
};

static struct connection connections[CONNECTIONS];
static uint8_t receive_buffers[CONNECTIONS][RECEIVE_BYTES] NOINIT;
static uint8_t send_buffers[CONNECTIONS][SEND_BYTES] NOINIT;
static unsigned used_end; /* none in use from here on */
static uint64_t rto_min, isn_secret;
static uint64_t retransmits;

static bool before(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
static bool at_or_before(uint32_t a, uint32_t b) { return (int32_t)(a - b) <= 0; }

uint64_t tcp_retransmits(void) { return retransmits; }

unsigned tcp_connections(void) {
  unsigned n = 0;
  for (unsigned i = 0; i < used_end; i++) n += connections[i].state != FREE;
  return n;
}

void tcp_init(uint64_t rto_min_ms, uint64_t seed) {
  rto_min = ticks_of_ms(rto_min_ms ? rto_min_ms : 1);
  isn_secret = mix64(seed ^ now());
}

/* ---- segments out ---- */

static bool send_segment(const struct peer *to, unsigned flags, uint32_t seq, uint32_t ack, uint32_t window,
                         size_t options, struct packet *p, size_t length) {
  if (!p) p = net_new_packet();
  if (!p) return false;
  uint8_t *t = packet_payload(p);
  size_t header = HEADER + options;
  put_be16(t, SERVICE_PORT);
  put_be16(t + 2, to->port);
  put_be32(t + 4, seq);
  put_be32(t + 8, ack);
  t[12] = (uint8_t)(header / 4 << 4);
  t[13] = (uint8_t)flags;
  put_be16(t + 14, window);
  put_be32(t + 16, 0);
  if (options) put_be32(t + HEADER, OPTION_MSS << 24 | 4 << 16 | OWN_MSS);
  put_be16(t + 16, net_checksum(to->ip, IP_PROTOCOL_TCP, t, header + length));
  net_send(p, to, IP_PROTOCOL_TCP, header + length);
  return true;
}

/* RFC 9293 §3.10.7.1: the reset that fits a segment no connection wants. */
static void reset(const struct peer *to, unsigned flags, uint32_t seq, uint32_t ack, uint32_t length) {
  if (flags & RST) return;
  if (flags & ACK) {
    send_segment(to, RST, ack, 0, 0, 0, 0, 0);
  } else {
    send_segment(to, RST | ACK, 0, seq + length, 0, 0, 0, 0);
  }
}

static uint32_t window(const struct connection *c) { return RECEIVE_BYTES - c->received; }

/* An acknowledgement goes with everything that is sent. */
static bool transmit(struct connection *c, unsigned flags, uint32_t seq, struct packet *p, size_t length) {
  size_t options = flags & SYN ? 4 : 0;
  if (!send_segment(&c->peer, flags | ACK, seq, c->rcv_nxt, window(c), options, p, length)) return false;
  c->rcv_edge = c->rcv_nxt + window(c);
  c->ack_now = false;
  c->ack_at = NEVER;
  c->unacked_segments = 0;
  return true;
}

static void start_rto(struct connection *c) { c->rto_at = now() + c->rto; }

static void sent_up_to(struct connection *c, uint32_t seq) {
  if (before(c->snd_max, seq)) {
    /* Only what is sent for the first time is timed (Karn). */
    if (!c->timing) {
      c->timing = true;
      c->timed_seq = seq;
      c->timed_at = now();
    }
    c->snd_max = seq;
  } else {
    retransmits++;
  }
  c->snd_nxt = seq;
  if (c->rto_at == NEVER) start_rto(c);
}

static bool send_data(struct connection *c, uint32_t length) {
  struct packet *p = net_new_packet();
  if (!p) return false;
  uint8_t *data = packet_payload(p) + HEADER;
  uint32_t from = (c->snd_nxt - c->first_data) % SEND_BYTES;
  uint32_t piece = (uint32_t)min_u64(length, SEND_BYTES - from);
  memcpy(data, c->send + from, piece);
  memcpy(data + piece, c->send, length - piece);
  if (!transmit(c, PSH, c->snd_nxt, p, length)) return false;
  sent_up_to(c, c->snd_nxt + length);
  return true;
}

static void close_connection(struct connection *c) {
  c->state = FREE;
  while (used_end && connections[used_end - 1].state == FREE) used_end--;
}

static uint32_t end_of_data(const struct connection *c) { return c->first_data + c->written; }

static void release(struct connection *c) {
  unsigned n = 0;
  while (n < c->hold_count && c->holds[n].awaited <= journal_done()) c->released = c->holds[n++].end;
  for (unsigned i = n; i < c->hold_count; i++) c->holds[i - n] = c->holds[i];
  c->hold_count -= n;
}

static void hold(struct connection *c) {
  uint64_t awaited = journal_awaited();
  release(c);
  if (awaited <= journal_done()) {
    c->released = c->written;
    return;
  }
  if (c->hold_count == 0 || c->holds[c->hold_count - 1].awaited != awaited)
    c->holds[c->hold_count++].awaited = awaited;
  c->holds[c->hold_count - 1].end = c->written;
}

static void output(struct connection *c) {
  release(c);
  uint32_t limit = c->first_data + c->released;
  for (;;) {
    uint32_t allowed = (uint32_t)min_u64(c->snd_wnd, c->cwnd);
    if (c->probe && allowed == 0) allowed = 1;
    uint32_t in_flight = c->snd_nxt - c->snd_una;
    if (!before(c->snd_nxt, limit) || in_flight >= allowed) break;
    uint32_t length = (uint32_t)min_u64(min_u64(limit - c->snd_nxt, allowed - in_flight), c->mss);
    if (!send_data(c, length)) return;
  }
  c->probe = false;
  if (c->state == LAST_ACK && c->snd_nxt == end_of_data(c) && transmit(c, FIN, c->snd_nxt, 0, 0))
    sent_up_to(c, c->snd_nxt + 1);
  if (c->ack_now) transmit(c, 0, c->snd_nxt, 0, 0);
  /* Nothing in flight but something to send: the window is closed, and is probed when the timer ends. */
  if (c->rto_at == NEVER && before(c->snd_nxt, limit)) start_rto(c);
}

/* ---- requests ---- */

static void write_reply(struct connection *c, const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) c->send[(c->written + i) % SEND_BYTES] = (uint8_t)text[i];
  c->written += (uint32_t)length;
  hold(c);
}

static void fall_asleep(struct connection *c, const struct reply *reply) {
  c->awake_at = now() + ticks_of_ms(reply->sleep_ms);
  c->sleep_reply_length = min_u64(reply->length, SLEEP_REPLY_MAX);
  memcpy(c->sleep_reply, reply->text, c->sleep_reply_length);
}

static bool asleep(struct connection *c) {
  if (c->awake_at == 0) return false;
  if (now() < c->awake_at) return true;
  c->awake_at = 0;
  write_reply(c, c->sleep_reply, c->sleep_reply_length);
  return false;
}

static bool has_room_to_reply(const struct connection *c) {
  return c->written - (c->snd_una - c->first_data) + REPLY_MAX <= SEND_BYTES && journal_has_room(1);
}

static void drop_received(struct connection *c, size_t n) {
  c->received -= (uint32_t)n;
  memmove(c->receive, c->receive + n, c->received);
}

/* One line at the front of what was received; false if there is none. */
static bool serve_line(struct connection *c, size_t *at) {
  static struct reply reply;
  size_t end = *at;
  while (end < c->received && c->receive[end] != '\n') end++;
  if (end == c->received) return false;
  if (c->skipping_line) {
    c->skipping_line = false;
  } else {
    service_request(c->peer.ip, (const char *)c->receive + *at, end - *at, &reply);
    if (reply.sleep_ms) {
      fall_asleep(c, &reply);
    } else {
      write_reply(c, reply.text, reply.length);
    }
  }
  *at = end + 1;
  return true;
}

/* A line that doesn't end is answered once, and then skipped up to its end. */
static void skip_endless_line(struct connection *c) {
  static struct reply reply;
  if (c->received <= LINE_MAX + 1) return;
  if (!c->skipping_line) {
    service_request(c->peer.ip, (const char *)c->receive, c->received, &reply);
    write_reply(c, reply.text, reply.length);
  }
  c->skipping_line = true;
  c->received = 0;
}

static void serve(struct connection *c) {
  size_t at = 0;
  release(c);
  while (has_room_to_reply(c) && !asleep(c) && serve_line(c, &at)) {
  }
  if (at) drop_received(c, at);
  bool all_lines_served = has_room_to_reply(c) && !c->awake_at;
  if (all_lines_served) {
    bool line_left = false;
    for (uint32_t i = 0; i < c->received; i++) line_left |= c->receive[i] == '\n';
    if (!line_left) skip_endless_line(c);
    all_lines_served = !line_left;
  }
  if (c->state == ESTABLISHED && c->fin_received && all_lines_served && c->released == c->written)
    c->state = LAST_ACK;
  /* The window was so small that the sender may be waiting: tell it (RFC 9293 §3.8.6.2.2). */
  if (c->state == ESTABLISHED && !c->fin_received && c->rcv_nxt + window(c) - c->rcv_edge >= RECEIVE_BYTES / 2)
    c->ack_now = true;
}

/* ---- segments in ---- */

struct segment {
  uint32_t seq, ack, wnd;
  unsigned flags;
  const uint8_t *data;
  uint32_t length;
  uint32_t mss;
};

static uint32_t mss_option(const uint8_t *p, size_t length) {
  for (size_t i = 0; i < length && p[i] != OPTION_END;) {
    if (p[i] == OPTION_NOP) {
      i++;
      continue;
    }
    if (i + 1 >= length || p[i + 1] < 2 || i + p[i + 1] > length) break;
    if (p[i] == OPTION_MSS && p[i + 1] == 4) {
      uint32_t mss = be16(p + i + 2);
      return mss < MSS_MIN ? MSS_MIN : (uint32_t)min_u64(mss, OWN_MSS);
    }
    i += p[i + 1];
  }
  return MSS_DEFAULT;
}

static struct connection *find(const struct peer *from) {
  for (unsigned i = 0; i < used_end; i++) {
    struct connection *c = &connections[i];
    if (c->state != FREE && c->peer.ip == from->ip && c->peer.port == from->port) return c;
  }
  return 0;
}

/* A free one; when all are taken, the one that has been silent longest, if that is long. */
static struct connection *allocate(void) {
  struct connection *oldest = 0;
  for (unsigned i = 0; i < CONNECTIONS; i++) {
    struct connection *c = &connections[i];
    if (c->state == FREE) {
      if (i >= used_end) used_end = i + 1;
      return c;
    }
    if (!oldest || c->active_at < oldest->active_at) oldest = c;
  }
  uint64_t patience = oldest->state == SYN_RECEIVED ? RTO_FIRST_MS : EVICT_IDLE_MS;
  if (oldest->active_at + ticks_of_ms(patience) > now()) return 0;
  send_segment(&oldest->peer, RST | ACK, oldest->snd_nxt, oldest->rcv_nxt, 0, 0, 0, 0);
  return oldest;
}

/* RFC 6528: hard to guess, and going up with time. */
static uint32_t initial_sequence(const struct peer *from) {
  uint64_t tuple = (uint64_t)from->ip << 16 | from->port;
  return (uint32_t)(mix64(isn_secret ^ mix64(tuple)) + us_of_ticks(now()) / 4);
}

static void accept(const struct peer *from, const struct segment *s) {
  struct connection *c = allocate();
  if (!c) return;
  unsigned index = (unsigned)(c - connections);
  uint32_t iss = initial_sequence(from);
  *c = (struct connection){.state = SYN_RECEIVED,
                           .peer = *from,
                           .active_at = now(),
                           .snd_una = iss,
                           .snd_nxt = iss,
                           .snd_max = iss,
                           .snd_wnd = s->wnd,
                           .first_data = iss + 1,
                           .mss = s->mss,
                           .cwnd = SEND_BYTES,
                           .rcv_nxt = s->seq + 1,
                           .ack_at = NEVER,
                           .rto_at = NEVER,
                           .rto = ticks_of_ms(RTO_FIRST_MS),
                           .receive = receive_buffers[index],
                           .send = send_buffers[index]};
  if (transmit(c, SYN, iss, 0, 0)) sent_up_to(c, iss + 1);
}

/* RFC 6298 §2. */
static void measure(struct connection *c, uint32_t ack) {
  if (!c->timing || before(ack, c->timed_seq)) return;
  c->timing = false;
  uint64_t r = now() - c->timed_at;
  if (c->srtt == 0) {
    c->srtt = r;
    c->rttvar = r / 2;
  } else {
    uint64_t difference = c->srtt > r ? c->srtt - r : r - c->srtt;
    c->rttvar = (3 * c->rttvar + difference) / 4;
    c->srtt = (7 * c->srtt + r) / 8;
  }
}

/* Also ends a backoff. */
static void compute_rto(struct connection *c) {
  uint64_t rto = c->srtt ? c->srtt + 4 * c->rttvar : ticks_of_ms(RTO_FIRST_MS);
  if (rto < rto_min) rto = rto_min;
  c->rto = min_u64(rto, ticks_of_ms(RTO_MAX_MS));
}

static void update_window(struct connection *c, const struct segment *s) {
  if (before(s->seq, c->snd_wl1) || (s->seq == c->snd_wl1 && before(s->ack, c->snd_wl2))) return;
  /* What was sent into a closed window is lost: begin again. */
  if (c->snd_wnd == 0 && s->wnd) c->snd_nxt = c->snd_una;
  c->snd_wnd = s->wnd;
  c->snd_wl1 = s->seq;
  c->snd_wl2 = s->ack;
}

static void resend_from_una(struct connection *c) {
  c->snd_nxt = c->snd_una;
  c->cwnd = c->mss;
  c->timing = false;
}

/* False if the connection is gone, or the segment is not to be looked at any further. */
static bool take_ack(struct connection *c, const struct segment *s) {
  if (before(c->snd_max, s->ack)) {
    c->ack_now = true;
    return false;
  }
  if (before(c->snd_una, s->ack)) {
    measure(c, s->ack);
    compute_rto(c);
    c->snd_una = s->ack;
    if (before(c->snd_nxt, c->snd_una)) c->snd_nxt = c->snd_una;
    c->retries = c->duplicate_acks = 0;
    c->cwnd = (uint32_t)min_u64(c->cwnd + c->mss, SEND_BYTES);
    c->rto_at = NEVER;
    if (c->snd_una != c->snd_nxt) start_rto(c);
    if (c->state == LAST_ACK && c->snd_una == end_of_data(c) + 1) {
      close_connection(c);
      return false;
    }
  } else if (s->ack == c->snd_una && s->length == 0 && !(s->flags & FIN) && c->snd_una != c->snd_max) {
    if (c->snd_wnd == 0) {
      c->retries = 0; /* the answer to a probe */
    } else if (s->wnd == c->snd_wnd && ++c->duplicate_acks == DUPLICATE_ACKS) {
      resend_from_una(c);
    }
  }
  update_window(c, s);
  return true;
}

static void take_data(struct connection *c, const struct segment *s) {
  uint32_t skip = c->rcv_nxt - s->seq; /* had before; acceptable() has seen to it that it isn't negative */
  if (skip > s->length) return;
  uint32_t fresh = s->length - skip;
  uint32_t room = RECEIVE_BYTES - c->received;
  uint32_t taken = (uint32_t)min_u64(fresh, room);
  memcpy(c->receive + c->received, s->data + skip, taken);
  c->received += taken;
  c->rcv_nxt += taken;
  if (taken) {
    c->unacked_segments++;
    if (c->ack_at == NEVER) c->ack_at = now() + ticks_of_ms(ACK_DELAY_MS);
  }
  if (c->unacked_segments >= 2 || taken < fresh || skip) c->ack_now = true;
  if (taken == fresh && s->flags & FIN) {
    c->rcv_nxt++;
    c->fin_received = true;
    c->ack_now = true;
  }
}

static uint32_t segment_length(const struct segment *s) {
  return s->length + !!(s->flags & SYN) + !!(s->flags & FIN);
}

/* RFC 9293 §3.10.7.4, first step. */
static bool acceptable(const struct connection *c, const struct segment *s) {
  uint32_t end = s->seq + segment_length(s), edge = c->rcv_nxt + window(c);
  if (end == s->seq) return s->seq == c->rcv_nxt || (at_or_before(c->rcv_nxt, s->seq) && before(s->seq, edge));
  if (!before(c->rcv_nxt, end)) return false;
  /* A probe of a closed window: its acknowledgement counts, its data does not. */
  return s->seq == c->rcv_nxt || before(s->seq, edge);
}

static void receive_reset(struct connection *c, const struct segment *s) {
  if (s->seq == c->rcv_nxt) {
    close_connection(c);
  } else {
    c->ack_now = true;
  }
}

static void receive_on(struct connection *c, const struct peer *from, const struct segment *s) {
  memcpy(c->peer.mac, from->mac, sizeof c->peer.mac); /* it may have moved */
  c->active_at = now();
  if (c->state == SYN_RECEIVED && (s->flags & (SYN | ACK | RST)) == SYN && s->seq + 1 == c->rcv_nxt) {
    if (transmit(c, SYN, c->first_data - 1, 0, 0)) sent_up_to(c, c->first_data);
    return;
  }
  if (!acceptable(c, s)) {
    if (!(s->flags & RST)) c->ack_now = true;
    return;
  }
  if (s->flags & RST) {
    receive_reset(c, s);
    return;
  }
  if (s->flags & SYN) {
    c->ack_now = true;
    return;
  }
  if (!(s->flags & ACK)) return;
  if (c->state == SYN_RECEIVED) {
    if (s->ack != c->first_data) {
      reset(from, s->flags, s->seq, s->ack, segment_length(s));
      return;
    }
    c->state = ESTABLISHED;
    c->snd_wnd = s->wnd;
    c->snd_wl1 = s->seq;
    c->snd_wl2 = s->ack;
  }
  if (!take_ack(c, s)) return;
  if (s->length == 0 && !(s->flags & FIN)) return;
  if (before(c->rcv_nxt, s->seq)) {
    c->ack_now = true; /* a gap: what follows it is dropped, and this asks for what is missing */
  } else if (!c->fin_received) {
    take_data(c, s);
  }
}

void tcp_receive(const struct peer *from, const uint8_t *t, size_t length) {
  size_t header = length >= HEADER ? (size_t)(t[12] >> 4) * 4 : 0;
  if (header < HEADER || header > length || net_checksum(from->ip, IP_PROTOCOL_TCP, t, length) != 0) {
    net_count_bad();
    return;
  }
  struct peer peer = *from;
  peer.port = be16(t);
  struct segment s = {.seq = be32(t + 4),
                      .ack = be32(t + 8),
                      .wnd = be16(t + 14),
                      .flags = t[13],
                      .data = t + header,
                      .length = (uint32_t)(length - header),
                      .mss = mss_option(t + HEADER, header - HEADER)};
  bool to_service = be16(t + 2) == SERVICE_PORT;
  struct connection *c = to_service ? find(&peer) : 0;
  if (c) {
    receive_on(c, &peer, &s);
  } else if (to_service && (s.flags & (SYN | ACK | RST)) == SYN) {
    accept(&peer, &s);
  } else if (to_service) {
    reset(&peer, s.flags, s.seq, s.ack, segment_length(&s));
  }
}

/* ---- time ---- */

static void retransmission_due(struct connection *c) {
  if (++c->retries > RETRIES_MAX) {
    send_segment(&c->peer, RST | ACK, c->snd_nxt, c->rcv_nxt, 0, 0, 0, 0);
    close_connection(c);
    return;
  }
  c->rto = min_u64(c->rto * 2, ticks_of_ms(RTO_MAX_MS));
  resend_from_una(c);
  start_rto(c);
  if (c->state == SYN_RECEIVED) {
    if (transmit(c, SYN, c->snd_una, 0, 0)) sent_up_to(c, c->snd_una + 1);
  } else {
    c->probe = true;
  }
}

static uint64_t poll_connection(struct connection *c, uint64_t at) {
  if (c->rto_at <= at) retransmission_due(c);
  if (c->ack_at <= at) c->ack_now = true;
  if (c->state == ESTABLISHED) serve(c);
  if (c->state == ESTABLISHED || c->state == LAST_ACK) output(c);
  if (c->state == FREE) return NEVER;
  uint64_t next = min_u64(c->rto_at, c->ack_at);
  return c->awake_at ? min_u64(next, c->awake_at) : next;
}

uint64_t tcp_poll(uint64_t at) {
  uint64_t next = NEVER;
  for (unsigned i = 0; i < used_end; i++)
    if (connections[i].state != FREE) next = min_u64(next, poll_connection(&connections[i], at));
  return next;
}
