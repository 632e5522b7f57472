#include "net.h"

#include "console.h"
#include "service.h"
#include "tcp.h"
#include "timer.h"
#include "trap.h"
#include "udp.h"
#include "virtio.h"

#define F_MAC (1ul << 5)
#define QUEUE_RECEIVE 0
#define QUEUE_SEND 1

#define VNET_HEADER 12
#define ETH_HEADER 14
#define IP_HEADER 20
#define FRAME_MIN 60
#define FRAME_MAX 1514
#define TYPE_IP 0x0800
#define TYPE_ARP 0x0806
#define ARP_LENGTH 28
#define ARP_REQUEST 1
#define ARP_REPLY 2
#define IP_PROTOCOL_ICMP 1
#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO 8
#define TTL 64
#define ANNOUNCEMENTS 3
#define ANNOUNCE_MS 1000

/* Laid out so that the IP header is at a multiple of 8. */
struct packet {
  uint8_t pad[6];
  uint8_t vnet[VNET_HEADER];
  uint8_t frame[FRAME_MAX];
} __attribute__((aligned(8)));

static struct virtio device;
static struct virtq receive, send;
static struct packet received[VIRTQ_SIZE_MAX] NOINIT, sending[VIRTQ_SIZE_MAX] NOINIT;
static uint16_t free_list[VIRTQ_SIZE_MAX];
static unsigned free_count;
static bool present, starved;
static uint8_t mac[6];
static uint32_t own_ip, netmask, gateway;
static uint8_t gateway_mac[6];
static bool gateway_known;
static uint16_t ip_id;
static unsigned announcements_left;
static uint64_t announce_at = NEVER;
static struct net_counters counters;

static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};
static const uint8_t unknown[6];

uint32_t net_ip(void) { return own_ip; }
const struct net_counters *net_counters(void) { return &counters; }
void net_count_bad(void) { counters.bad++; }
uint8_t *packet_payload(struct packet *p) { return p->frame + ETH_HEADER + IP_HEADER; }

static void reclaim(void) {
  uint16_t head;
  uint32_t length;
  while (virtq_take(&send, &head, &length)) free_list[free_count++] = head;
}

struct packet *net_new_packet(void) {
  if (!present) return 0;
  if (free_count == 0) reclaim();
  if (free_count == 0) {
    starved = true;
    counters.starved++;
    return 0;
  }
  return &sending[free_list[--free_count]];
}

static void send_frame(struct packet *p, const uint8_t *to, uint16_t type, size_t length) {
  memcpy(p->frame, to, 6);
  memcpy(p->frame + 6, mac, 6);
  put_be16(p->frame + 12, type);
  memset(p->vnet, 0, VNET_HEADER);
  size_t frame = ETH_HEADER + length;
  if (frame < FRAME_MIN) {
    memset(p->frame + frame, 0, FRAME_MIN - frame);
    frame = FRAME_MIN;
  }
  uint16_t index = (uint16_t)(p - sending);
  send.descriptors[index] =
      (struct virtq_descriptor){(uint64_t)p->vnet, (uint32_t)(VNET_HEADER + frame), 0, 0};
  virtq_offer(&send, index);
  counters.sent++;
}

/* RFC 1071; `sum` is carried on, in host byte order. */
static uint32_t sum_bytes(uint32_t sum, const uint8_t *p, size_t length) {
  uint64_t little = 0;
  size_t i = 0;
  if (((uintptr_t)p & 3) == 0) {
    for (; i + 4 <= length; i += 4) little += *(const uint32_t *)(p + i);
    little = (little & 0xffff) + (little >> 16 & 0xffff) + (little >> 32 & 0xffff);
    little = (little & 0xffff) + (little >> 16);
    little = (little & 0xffff) + (little >> 16);
    sum += (uint32_t)((little & 0xff) << 8 | little >> 8);
  }
  for (; i + 1 < length; i += 2) sum += be16(p + i);
  if (i < length) sum += (uint32_t)p[i] << 8;
  return sum;
}

static uint16_t fold(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

uint16_t net_checksum(uint32_t peer_ip, uint8_t protocol, const uint8_t *payload, size_t length) {
  uint32_t sum = (own_ip >> 16) + (own_ip & 0xffff) + (peer_ip >> 16) + (peer_ip & 0xffff);
  return fold(sum_bytes(sum + protocol + (uint32_t)length, payload, length));
}

void net_send(struct packet *p, const struct peer *to, uint8_t protocol, size_t length) {
  uint8_t *ip = p->frame + ETH_HEADER;
  memset(ip, 0, IP_HEADER);
  ip[0] = 0x45;
  put_be16(ip + 2, (uint32_t)(IP_HEADER + length));
  put_be16(ip + 4, ip_id++);
  ip[6] = 0x40; /* don't fragment */
  ip[8] = TTL;
  ip[9] = protocol;
  put_be32(ip + 12, own_ip);
  put_be32(ip + 16, to->ip);
  put_be16(ip + 10, fold(sum_bytes(0, ip, IP_HEADER)));
  bool through_gateway = gateway_known && ((to->ip ^ own_ip) & netmask);
  send_frame(p, through_gateway ? gateway_mac : to->mac, TYPE_IP, IP_HEADER + length);
}

static void send_arp(unsigned operation, const uint8_t *to_mac, const uint8_t *target_mac, uint32_t target_ip) {
  static const uint8_t ethernet_ipv4[6] = {0, 1, 8, 0, 6, 4};
  struct packet *p = net_new_packet();
  if (!p) return;
  uint8_t *arp = p->frame + ETH_HEADER;
  memcpy(arp, ethernet_ipv4, 6);
  put_be16(arp + 6, operation);
  memcpy(arp + 8, mac, 6);
  put_be32(arp + 14, own_ip);
  memcpy(arp + 18, target_mac, 6);
  put_be32(arp + 24, target_ip);
  send_frame(p, to_mac, TYPE_ARP, ARP_LENGTH);
}

static void receive_arp(const uint8_t *arp, size_t length) {
  if (length < ARP_LENGTH || be16(arp) != 1 || be16(arp + 2) != TYPE_IP || arp[4] != 6 || arp[5] != 4) {
    counters.bad++;
    return;
  }
  uint32_t sender_ip = be32(arp + 14);
  if (gateway && sender_ip == gateway) {
    memcpy(gateway_mac, arp + 8, 6);
    gateway_known = true;
  }
  if (be16(arp + 6) == ARP_REQUEST && be32(arp + 24) == own_ip && sender_ip != own_ip)
    send_arp(ARP_REPLY, arp + 8, arp + 8, sender_ip);
}

static void receive_icmp(const struct peer *from, const uint8_t *icmp, size_t length) {
  if (length < 8 || length > IP_PAYLOAD_MAX || fold(sum_bytes(0, icmp, length)) != 0) {
    counters.bad++;
    return;
  }
  if (icmp[0] != ICMP_ECHO || icmp[1] != 0) return;
  struct packet *p = net_new_packet();
  if (!p) return;
  uint8_t *reply = packet_payload(p);
  memcpy(reply, icmp, length);
  reply[0] = ICMP_ECHO_REPLY;
  put_be16(reply + 2, 0);
  put_be16(reply + 2, fold(sum_bytes(0, reply, length)));
  net_send(p, from, IP_PROTOCOL_ICMP, length);
}

static void receive_ip(const uint8_t *from_mac, const uint8_t *ip, size_t length) {
  size_t header = (size_t)(ip[0] & 15) * 4;
  if (length < IP_HEADER || ip[0] >> 4 != 4 || header < IP_HEADER || header > length) goto bad;
  size_t total = be16(ip + 2);
  if (total < header || total > length || fold(sum_bytes(0, ip, header)) != 0) goto bad;
  if (be32(ip + 16) != own_ip) return;
  if (be16(ip + 6) & 0x3fff) goto bad; /* fragments are not put together */
  struct peer from = {.ip = be32(ip + 12)};
  /* Nobody can be answered at our own address, nor at multicast, broadcast or loopback ones. */
  if (from.ip == own_ip || from.ip == 0 || from.ip >> 28 >= 14 || from.ip >> 24 == 127) goto bad;
  memcpy(from.mac, from_mac, 6);
  const uint8_t *payload = ip + header;
  size_t n = total - header;
  switch (ip[9]) {
    case IP_PROTOCOL_ICMP:
      receive_icmp(&from, payload, n);
      return;
    case IP_PROTOCOL_UDP:
      udp_receive(&from, payload, n);
      return;
    case IP_PROTOCOL_TCP:
      tcp_receive(&from, payload, n);
      return;
    default:
      return;
  }
bad:
  counters.bad++;
}

static void receive_frame(const uint8_t *frame, size_t length) {
  counters.received++;
  if (length < ETH_HEADER + 1) {
    counters.bad++;
    return;
  }
  bool to_all = memcmp(frame, broadcast, 6) == 0;
  if (!to_all && memcmp(frame, mac, 6) != 0) return;
  if (frame[6] & 1) { /* a group never sends */
    counters.bad++;
    return;
  }
  uint16_t type = be16(frame + 12);
  if (type == TYPE_ARP) {
    receive_arp(frame + ETH_HEADER, length - ETH_HEADER);
  } else if (type == TYPE_IP && !to_all) {
    receive_ip(frame + 6, frame + ETH_HEADER, length - ETH_HEADER);
  }
}

void net_receive(void) {
  uint16_t index;
  uint32_t length;
  if (!present) return;
  virtq_interrupts(&receive, false);
  while (service_has_room() && virtq_take(&receive, &index, &length)) {
    if (length > VNET_HEADER && length <= VNET_HEADER + FRAME_MAX) {
      receive_frame(received[index].frame, length - VNET_HEADER);
    } else {
      counters.bad++;
    }
    virtq_offer(&receive, index);
  }
}

void net_kick(void) {
  if (!present) return;
  virtq_kick(&receive);
  virtq_kick(&send);
}

static void announce(void) {
  send_arp(ARP_REQUEST, broadcast, unknown, own_ip);
  if (gateway && !gateway_known) send_arp(ARP_REQUEST, broadcast, unknown, gateway);
}

uint64_t net_timers(uint64_t at) {
  if (announce_at <= at) {
    announce();
    announce_at = --announcements_left ? at + ticks_of_ms(ANNOUNCE_MS) : NEVER;
  }
  return announce_at;
}

bool net_before_wait(void) {
  if (!present) return false;
  virtq_interrupts(&receive, service_has_room());
  virtq_interrupts(&send, starved);
  if (starved && virtq_has_used(&send)) {
    starved = false;
    return true;
  }
  return service_has_room() && virtq_has_used(&receive);
}

bool net_init(const struct options *o) {
  own_ip = o->ip;
  netmask = o->netmask;
  gateway = o->gateway;
  if (!virtio_find(VIRTIO_NET, &device)) return false;
  if (!virtio_begin(&device, F_MAC)) {
    say("network ignored: it is not a modern virtio device");
    return false;
  }
  static const uint8_t default_mac[6] = {0x02, 0, 0, 0, 0, 0x15};
  for (unsigned i = 0; i < 6; i++) mac[i] = device.features & F_MAC ? virtio_config8(&device, i) : default_mac[i];
  virtio_queue(&device, QUEUE_RECEIVE, &receive);
  virtio_queue(&device, QUEUE_SEND, &send);
  for (uint16_t i = 0; i < receive.size; i++) {
    receive.descriptors[i] = (struct virtq_descriptor){
        (uint64_t)received[i].vnet, VNET_HEADER + FRAME_MAX, VIRTQ_WRITE, 0};
    virtq_offer(&receive, i);
  }
  for (uint16_t i = 0; i < send.size; i++) free_list[free_count++] = i;
  virtio_ready(&device);
  present = true;
  announcements_left = ANNOUNCEMENTS;
  announce_at = 0;
  struct ip_text ip = ip_text(own_ip);
  say("network %s mac %02x:%02x:%02x:%02x:%02x:%02x port 7000 (tcp, udp)", ip.text, mac[0], mac[1], mac[2], mac[3],
      mac[4], mac[5]);
  return true;
}
