/* Measures how long it takes to open messages in C. Usage: `bench FILE`; see examples/bench.rs in paytend-bindings. */
#include <cjson/cJSON.h>
#include <paytend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PARTNER_ID "888666000100260"

static void require(int holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
  }
}

static PaytendSlice slice(const char *text) { return (PaytendSlice){(const uint8_t *)text, strlen(text)}; }

static PaytendSlice text(const cJSON *job, const char *name) {
  return slice(cJSON_GetStringValue(cJSON_GetObjectItem(job, name)));
}

static PaytendKeyring *keyring(const cJSON *job) {
  PaytendPrivateKey *own = NULL;
  PaytendPublicKey *peer = NULL;
  PaytendKeyring *ring = NULL;
  require(paytend_private_key_load(text(job, "private"), &own, NULL) == 0, "private");
  require(paytend_public_key_load(text(job, "public"), &peer, NULL) == 0, "public");
  const PaytendPrivateKey *owns[] = {own};
  const PaytendPublicKey *peers[] = {peer};
  require(paytend_keyring_new(owns, 1, peers, 1, &ring, NULL) == 0, "keyring");
  paytend_private_key_free(own), paytend_public_key_free(peer);
  return ring;
}

int main(int count, char **arguments) {
  require(count == 2, "usage: bench FILE");
  FILE *file = fopen(arguments[1], "rb");
  static char read[1 << 16];
  require(file && fread(read, 1, sizeof read - 1, file) > 0, arguments[1]);
  cJSON *jobs = cJSON_Parse(read);
  PaytendKeyring *rings[] = {keyring(cJSON_GetObjectItem(jobs, "1024")), keyring(cJSON_GetObjectItem(jobs, "2048"))};
  char way[8], bits[8];
  long times;
  while (scanf("%7s %7s %ld", way, bits, &times) == 3) {
    PaytendKeyring *ring = rings[!strcmp(bits, "2048")];
    const cJSON *job = cJSON_GetObjectItem(jobs, bits);
    PaytendSlice document = text(job, "document"), payload = text(job, "payload");
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long n = 0; n < times; n++) {
      PaytendOpened *opened = NULL;
      int32_t code = paytend_open(ring, PAYTEND_KIND_NOTIFICATION, slice(PARTNER_ID), document, true, 0, &opened, NULL);
      require(code == 0 && paytend_opened_payload(opened).len == payload.len, "the opened payload is wrong");
      paytend_opened_free(opened);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%lld\n", (end.tv_sec - start.tv_sec) * 1000000000ll + (end.tv_nsec - start.tv_nsec));
    fflush(stdout);
  }
  paytend_keyring_free(rings[0]), paytend_keyring_free(rings[1]);
  cJSON_Delete(jobs);
  fclose(file);
  return 0;
}
