/*
 * A TCP server for the service (RFC 9293): passive open, in-order receive, retransmission with backoff (RFC 6298), slow start after
 * a loss, fast retransmit, zero-window probes, challenge acks (RFC 5961). It closes when the client has. No options but MSS.
 */
#pragma once

#include "net.h"

void tcp_init(uint64_t rto_min_ms, uint64_t seed);
void tcp_receive(const struct peer *from, const uint8_t *segment, size_t length);
/* Goes on with requests that had to wait, sends what may be sent, runs the timers; returns when it wants to be called again. */
uint64_t tcp_poll(uint64_t at);

unsigned tcp_connections(void);
uint64_t tcp_retransmits(void);
