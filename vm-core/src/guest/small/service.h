/* The service: one request a line, one reply a line (docs/small-guest.md). */
#pragma once

#include "lib.h"

#define SERVICE_PORT 7000
#define LINE_MAX 128
#define REPLY_MAX 512
#define SLEEP_MS_MAX 60000ul

struct reply {
  char text[REPLY_MAX];
  size_t length;
  uint64_t sleep_ms; /* to be sent that much later */
};

/* Carries out one request, given without its line end. */
void service_request(uint32_t client_ip, const char *line, size_t length, struct reply *reply);

/* Whether another request may come: its change fits the journal, its reply the queues. */
bool service_has_room(void);
/* Set by POWEROFF: when to switch off. NEVER before. */
uint64_t service_poweroff_at(void);
uint64_t service_requests(void);
void service_beat(void);
