/* Ethernet, ARP, IPv4 and ICMP echo over virtio-net (virtio 1.2 §5.1), without offloads. */
#pragma once

#include "lib.h"
#include "options.h"

#define IP_PROTOCOL_TCP 6
#define IP_PROTOCOL_UDP 17

/* Who sent a packet. Replies go back the way it came: no cache of neighbours that could be out of date. */
struct peer {
  uint32_t ip;
  uint16_t port;
  uint8_t mac[6];
};

/* A frame being built: IP payload of at most IP_PAYLOAD_MAX bytes. */
#define IP_PAYLOAD_MAX 1480
struct packet;
uint8_t *packet_payload(struct packet *packet);

struct net_counters {
  uint64_t received, sent, bad, starved;
};

/* False if there is no network device. */
bool net_init(const struct options *options);
/* Handles frames that have arrived while the service has room for what they may ask. */
void net_receive(void);
/* Hands what was sent to the device: once per turn of the main loop. */
void net_kick(void);
/* Announcements on the network; returns when it wants to be called again. */
uint64_t net_timers(uint64_t at);
/* Whether there is something to do; switches the interrupts on that will tell otherwise. */
bool net_before_wait(void);

/* Null if all frames are on their way; the interrupt for a returned one then ends the next wait. */
struct packet *net_new_packet(void);
void net_send(struct packet *packet, const struct peer *to, uint8_t protocol, size_t length);
/* One's complement sum over pseudo header and payload, folded and inverted; 0 for a good received packet. */
uint16_t net_checksum(uint32_t peer_ip, uint8_t protocol, const uint8_t *payload, size_t length);

uint32_t net_ip(void);
const struct net_counters *net_counters(void);
void net_count_bad(void);
