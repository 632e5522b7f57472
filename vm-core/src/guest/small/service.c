#include "service.h"

#include "console.h"
#include "journal.h"
#include "net.h"
#include "options.h"
#include "paging.h"
#include "store.h"
#include "tcp.h"
#include "timer.h"
#include "udp.h"
#include "work.h"

#define WORDS_MAX 4
#define TAG_MAX 16
#define POWEROFF_MS 100
#define CHANGES_ROOM_MIN 64

struct word {
  const char *text;
  size_t length;
};

struct request {
  uint32_t client_ip;
  struct word words[WORDS_MAX];
  unsigned count;
  struct reply *reply;
};

static uint64_t requests, beats;
static uint64_t poweroff_at = NEVER;
static unsigned tables_pages_used;

uint64_t service_poweroff_at(void) { return poweroff_at; }
uint64_t service_requests(void) { return requests; }
bool service_has_room(void) { return journal_has_room(CHANGES_ROOM_MIN) && udp_has_room(); }

void service_beat(void) {
  beats++;
  tables_pages_used = paging_age();
  say("beat %lu requests %lu", beats, requests);
}

/* ---- replies ---- */

static void reply_format(struct request *r, const char *pattern, ...) {
  struct reply *reply = r->reply;
  __builtin_va_list list;
  __builtin_va_start(list, pattern);
  reply->length += format_list(reply->text + reply->length, REPLY_MAX - 1 - reply->length, pattern, list);
  __builtin_va_end(list);
}

static void ok(struct request *r, uint64_t seq, uint64_t value) { reply_format(r, "OK %lu %lu", seq, value); }
static void error(struct request *r, const char *reason) { reply_format(r, "ERR %s", reason); }

/* ---- arguments ---- */

/* 1 to 16 printable characters; the splitting has taken care that there are no spaces. */
static bool name_of(const struct word *word, struct name *name) {
  if (word->length == 0 || word->length > NAME_MAX) return false;
  memset(name, 0, sizeof *name);
  for (size_t i = 0; i < word->length; i++) {
    if (word->text[i] <= ' ' || word->text[i] > '~') return false;
    name->text[i] = word->text[i];
  }
  return true;
}

static bool key_argument(struct request *r, struct name *key) {
  if (name_of(&r->words[1], key)) return true;
  error(r, "bad-name");
  return false;
}

static bool number_argument(struct request *r, unsigned index, uint64_t *value) {
  if (parse_u64(r->words[index].text, r->words[index].length, value)) return true;
  error(r, "bad-number");
  return false;
}

/* The one named, or else the address it asks from. */
static bool client_argument(struct request *r, unsigned index, struct name *client) {
  if (r->count > index) {
    if (name_of(&r->words[index], client)) return true;
    error(r, "bad-name");
    return false;
  }
  struct ip_text ip = ip_text(r->client_ip);
  memset(client, 0, sizeof *client);
  memcpy(client->text, ip.text, strlen(ip.text));
  return true;
}

static uint64_t commit(uint32_t kind, const struct name *name, uint64_t value) {
  struct change change = {.name = *name, .value = value, .kind = kind};
  uint64_t seq = store_apply(&change);
  journal_add(&change, seq);
  return seq;
}

/* ---- commands ---- */

static void set_key(struct request *r, const struct name *key, uint64_t value) {
  if (!store_has_key_room(key)) {
    error(r, "full");
    return;
  }
  ok(r, commit(CHANGE_KEY, key, value), value);
}

static void do_set(struct request *r) {
  struct name key;
  uint64_t value;
  if (key_argument(r, &key) && number_argument(r, 2, &value)) set_key(r, &key, value);
}

static void do_add(struct request *r) {
  struct name key;
  uint64_t value;
  if (!key_argument(r, &key) || !number_argument(r, 2, &value)) return;
  const struct key_entry *e = store_key(&key);
  set_key(r, &key, (e ? e->value : 0) + value);
}

static void do_get(struct request *r) {
  struct name key;
  if (!key_argument(r, &key)) return;
  const struct key_entry *e = store_key(&key);
  if (e) {
    ok(r, store_seq(), e->value);
  } else {
    error(r, "no-such-key");
  }
}

/* A value that is the newest already is not recorded again: so a client may repeat a request whose reply it missed. */
static void do_append(struct request *r) {
  struct name client;
  uint64_t value;
  if (!number_argument(r, 1, &value) || !client_argument(r, 2, &client)) return;
  const struct ledger *l = store_ledger(&client);
  if (l && value == l->last) {
    ok(r, l->last_seq, value);
  } else if (l && value < l->last) {
    reply_format(r, "ERR not-increasing %lu", l->last);
  } else if (!store_has_ledger_room(&client)) {
    error(r, "full");
  } else {
    ok(r, commit(CHANGE_LEDGER, &client, value), value);
  }
}

static void do_ledger(struct request *r) {
  struct name client;
  if (!client_argument(r, 1, &client)) return;
  const struct ledger *l = store_ledger(&client);
  if (l) {
    reply_format(r, "OK %lu %lu count=%lu sum=%lu", store_seq(), l->last, l->count, l->sum);
  } else {
    error(r, "no-such-ledger");
  }
}

static void do_ping(struct request *r) { ok(r, store_seq(), us_of_ticks(now())); }

static void do_sleep(struct request *r) {
  uint64_t ms;
  if (!number_argument(r, 1, &ms)) return;
  if (ms > SLEEP_MS_MAX) {
    error(r, "too-long");
    return;
  }
  r->reply->sleep_ms = ms;
  ok(r, store_seq(), ms);
}

static void do_poweroff(struct request *r) {
  poweroff_at = now() + ticks_of_ms(POWEROFF_MS);
  ok(r, store_seq(), 0);
}

static void do_stat(struct request *r) {
  const struct net_counters *net = net_counters();
  const struct journal_counters *journal = journal_counters();
  reply_format(r, "OK %lu %lu beats=%lu uptime_us=%lu durable=%lu keys=%u ledgers=%u connections=%u", store_seq(),
               requests, beats, us_of_ticks(now()), journal_durable_seq(), store_keys(), store_ledgers(),
               tcp_connections());
  reply_format(r, " boot=%u batches=%lu checkpoints=%lu retransmits=%lu received=%lu sent=%lu bad=%lu starved=%lu",
               journal_boot(), journal->batches, journal->checkpoints, tcp_retransmits(), net->received, net->sent,
               net->bad, net->starved);
  reply_format(r, " page_faults=%lu pages_used=%u rounds=%lu checksum=%lu dirtied=%lu", paging_faults(),
               tables_pages_used, work_rounds(), work_checksum(), work_dirtied());
}

static const struct command {
  const char *name;
  unsigned arguments_min, arguments_max;
  void (*run)(struct request *r);
} commands[] = {
    {"GET", 1, 1, do_get},     {"SET", 2, 2, do_set},       {"ADD", 2, 2, do_add},
    {"APPEND", 1, 2, do_append}, {"LEDGER", 0, 1, do_ledger}, {"PING", 0, 0, do_ping},
    {"STAT", 0, 0, do_stat},   {"SLEEP", 1, 1, do_sleep},   {"POWEROFF", 0, 0, do_poweroff},
};

static void run(struct request *r) {
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    const struct command *c = &commands[i];
    if (r->words[0].length != strlen(c->name) || memcmp(r->words[0].text, c->name, r->words[0].length)) continue;
    if (r->count - 1 < c->arguments_min || r->count - 1 > c->arguments_max) {
      error(r, "bad-arguments");
    } else {
      c->run(r);
    }
    return;
  }
  error(r, "unknown-command");
}

/* Words are separated by one space or more. False: too many. */
static bool split(const char *line, size_t length, struct request *r) {
  for (size_t i = 0; i < length;) {
    if (line[i] == ' ') {
      i++;
      continue;
    }
    size_t begin = i;
    while (i < length && line[i] != ' ') i++;
    if (r->count == WORDS_MAX) return false;
    r->words[r->count++] = (struct word){line + begin, i - begin};
  }
  return true;
}

/* "#tag " before a request comes back before its reply. */
static size_t take_tag(const char *line, size_t length, struct reply *reply) {
  size_t n = 0;
  if (length == 0 || line[0] != '#') return 0;
  while (n < length && line[n] != ' ') {
    if (n > TAG_MAX || line[n] < ' ' || line[n] > '~') return 0;
    n++;
  }
  memcpy(reply->text, line, n);
  reply->text[n] = ' ';
  reply->length = n + 1;
  return n;
}

void service_request(uint32_t client_ip, const char *line, size_t length, struct reply *reply) {
  reply->length = 0;
  reply->sleep_ms = 0;
  requests++;
  if (length && line[length - 1] == '\r') length--;
  struct request r = {.client_ip = client_ip, .reply = reply};
  if (length > LINE_MAX) {
    error(&r, "too-long");
  } else {
    size_t tag = take_tag(line, length, reply);
    if (!split(line + tag, length - tag, &r)) {
      error(&r, "bad-arguments");
    } else if (r.count == 0) {
      error(&r, "unknown-command");
    } else {
      run(&r);
    }
  }
  reply->text[reply->length++] = '\n';
}
