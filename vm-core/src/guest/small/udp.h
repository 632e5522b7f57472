/* The service over UDP: lines in datagrams, each reply a datagram of its own. */
#pragma once

#include "net.h"

void udp_receive(const struct peer *from, const uint8_t *datagram, size_t length);
bool udp_has_room(void);
/* Sends the replies that nothing holds back any more; returns when the next one is due by time. */
uint64_t udp_send_due(uint64_t at);
