#include "options.h"

#include "console.h"

#define BEAT_MS_MAX 3600000ul
#define DIRTY_KB_MAX (4ul << 20)
#define RTO_MIN_MS_MAX 10000ul

struct ip_text ip_text(uint32_t ip) {
  struct ip_text t;
  format(t.text, sizeof t.text, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
  return t;
}

static bool parse_up_to(const char *text, size_t length, uint64_t max, uint64_t *value) {
  uint64_t v;
  if (!parse_u64(text, length, &v) || v > max) return false;
  *value = v;
  return true;
}

static bool parse_flag(const char *text, size_t length, bool *flag) {
  uint64_t v;
  if (!parse_up_to(text, length, 1, &v)) return false;
  *flag = v;
  return true;
}

static bool parse_ip(const char *text, size_t length, uint32_t *ip) {
  uint32_t result = 0;
  for (int i = 0; i < 4; i++) {
    size_t n = 0;
    while (n < length && text[n] != '.') n++;
    uint64_t part;
    if (!parse_up_to(text, n, 255, &part) || (i < 3) != (n < length)) return false;
    result = result << 8 | (uint32_t)part;
    text += n + 1;
    length -= n < length ? n + 1 : n;
  }
  if (result == 0) return false;
  *ip = result;
  return true;
}

/* ADDRESS or ADDRESS/PREFIX */
static bool parse_address(const char *text, size_t length, struct options *o) {
  size_t n = 0;
  while (n < length && text[n] != '/') n++;
  uint64_t prefix = 24;
  uint32_t ip;
  if (!parse_ip(text, n, &ip)) return false;
  if (n < length && (!parse_up_to(text + n + 1, length - n - 1, 30, &prefix) || prefix == 0)) return false;
  o->ip = ip;
  o->netmask = ~0u << (32 - prefix);
  return true;
}

static bool parse_load(const char *text, size_t length, bool *load_cpu) {
  *load_cpu = length == 3 && memcmp(text, "cpu", 3) == 0;
  return *load_cpu || (length == 4 && memcmp(text, "none", 4) == 0);
}

static bool is(const char *word, size_t length, const char *name) {
  return length == strlen(name) && memcmp(word, name, length) == 0;
}

static bool parse_word(const char *word, size_t length, struct options *o) {
  size_t n = 0;
  while (n < length && word[n] != '=') n++;
  if (n == length) return false;
  const char *value = word + n + 1;
  size_t value_length = length - n - 1;
  if (is(word, n, "beat_ms")) return parse_up_to(value, value_length, BEAT_MS_MAX, &o->beat_ms);
  if (is(word, n, "ip")) return parse_address(value, value_length, o);
  if (is(word, n, "gw")) return parse_ip(value, value_length, &o->gateway);
  if (is(word, n, "load")) return parse_load(value, value_length, &o->load_cpu);
  if (is(word, n, "dirty_kb")) return parse_up_to(value, value_length, DIRTY_KB_MAX, &o->dirty_kb);
  if (is(word, n, "dirty_span_kb")) return parse_up_to(value, value_length, DIRTY_KB_MAX, &o->dirty_span_kb);
  if (is(word, n, "fsync")) return parse_flag(value, value_length, &o->fsync);
  if (is(word, n, "rto_min_ms")) return parse_up_to(value, value_length, RTO_MIN_MS_MAX, &o->rto_min_ms);
  return false;
}

void options_parse(const char *text, struct options *o) {
  *o = (struct options){
      .beat_ms = 1000, .ip = 0x0a00020f, .netmask = 0xffffff00, .fsync = true, .rto_min_ms = 200};
  while (*text) {
    size_t n = 0;
    while (text[n] && text[n] != ' ') n++;
    if (n && !parse_word(text, n, o)) {
      char word[64];
      size_t shown = min_u64(n, sizeof word - 1);
      memcpy(word, text, shown);
      word[shown] = 0;
      say("option not understood: %s", word);
    }
    text += n;
    while (*text == ' ') text++;
  }
}
