/* The conformance program of the C interface, and tests for ownership, null pointers, invalid arguments and threads.
 *
 *   test VECTORS                      runs the tests of the C interface
 *   test VECTORS vectors FILE         runs all vectors and writes one line for each case to FILE
 *   test VECTORS seal FILE            seals messages of all kinds
 *   test VECTORS open FILE...         opens messages that were sealed in other languages
 */

#include <paytend.h>

#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTNER_ID "888666000100260"

static const char *vectors;

static void fail(const char *file, int line, const char *what) {
  fprintf(stderr, "%s:%d: %s\n", file, line, what);
  exit(1);
}

#define CHECK(condition) ((condition) ? (void)0 : fail(__FILE__, __LINE__, #condition))

static PaytendSlice slice(const char *text) { return (PaytendSlice){(const uint8_t *)text, strlen(text)}; }

static PaytendSlice of(PaytendBuffer buffer) { return (PaytendSlice){buffer.data, buffer.len}; }

static bool same(PaytendSlice slice, const char *text) {
  return slice.len == strlen(text) && (slice.len == 0 || memcmp(slice.data, text, slice.len) == 0);
}

static char *read_file(const char *folder, const char *name) {
  char path[4096];
  CHECK(snprintf(path, sizeof path, "%s%s%s", folder, *folder ? "/" : "", name) < (int)sizeof path);
  FILE *file = fopen(path, "rb");
  if (!file) fail(path, 0, "cannot read the file");
  CHECK(fseek(file, 0, SEEK_END) == 0);
  long size = ftell(file);
  CHECK(size >= 0 && fseek(file, 0, SEEK_SET) == 0);
  char *text = malloc((size_t)size + 1);
  CHECK(text && fread(text, 1, (size_t)size, file) == (size_t)size);
  text[size] = 0;
  fclose(file);
  return text;
}

static cJSON *read_json(const char *folder, const char *name) {
  char *text = read_file(folder, name);
  cJSON *json = cJSON_Parse(text);
  CHECK(json);
  free(text);
  return json;
}

static const char *text_of(const cJSON *object, const char *name) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
  return cJSON_IsString(value) ? value->valuestring : NULL;
}

/* Decodes standard base64. The input is not checked, since it comes from the test vectors. */
static PaytendBuffer decode(const char *base64) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t length = strlen(base64);
  uint8_t *out = malloc(length + 1);
  CHECK(out);
  size_t count = 0;
  uint32_t bits = 0;
  int held = 0;
  for (; *base64 && *base64 != '='; base64++) {
    const char *at = strchr(alphabet, *base64);
    CHECK(at);
    bits = bits << 6 | (uint32_t)(at - alphabet);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out[count++] = (uint8_t)(bits >> held);
    }
  }
  return (PaytendBuffer){out, count};
}

static cJSON *keys;

static PaytendPrivateKey *private_key(const char *name) {
  PaytendPrivateKey *key = NULL;
  const char *text = text_of(cJSON_GetObjectItemCaseSensitive(keys, name), "private");
  CHECK(text && paytend_private_key_load(slice(text), &key, NULL) == 0);
  return key;
}

static PaytendPublicKey *public_key(const char *name) {
  PaytendPublicKey *key = NULL;
  const char *text = text_of(cJSON_GetObjectItemCaseSensitive(keys, name), "public");
  CHECK(text && paytend_public_key_load(slice(text), &key, NULL) == 0);
  return key;
}

static PaytendKeyring *keyring(const char *own, const char *peer) {
  PaytendPrivateKey *mine = private_key(own);
  PaytendPublicKey *theirs = public_key(peer);
  PaytendKeyring *ring = NULL;
  const PaytendPrivateKey *owns[] = {mine};
  const PaytendPublicKey *peers[] = {theirs};
  CHECK(paytend_keyring_new(owns, 1, peers, 1, &ring, NULL) == 0);
  /* The keyring keeps its own copies of the keys. */
  paytend_private_key_free(mine);
  paytend_public_key_free(theirs);
  return ring;
}

static int32_t kind_of(const char *name) {
  if (!strcmp(name, "bizData") || !strcmp(name, "request")) return PAYTEND_KIND_REQUEST;
  if (!strcmp(name, "respData") || !strcmp(name, "response")) return PAYTEND_KIND_RESPONSE;
  CHECK(!strcmp(name, "content") || !strcmp(name, "notification"));
  return PAYTEND_KIND_NOTIFICATION;
}

static PaytendSlice partner(int32_t kind) { return slice(kind == PAYTEND_KIND_RESPONSE ? "" : PARTNER_ID); }

static const char *outcome(int32_t code, PaytendError *error) {
  static char name[64];
  if (code == 0) {
    CHECK(error == NULL);
    return "ok";
  }
  CHECK(error && paytend_error_code(error) == code && strlen(paytend_error_message(error)) > 0);
  snprintf(name, sizeof name, "%s", paytend_error_name(error));
  paytend_error_free(error);
  return name;
}

static void run_keys(FILE *out) {
  const cJSON *key;
  cJSON_ArrayForEach(key, keys) {
    if (!cJSON_IsObject(key)) continue;
    char fingerprint[128] = "";
    const char *forms[] = {"private", "private_pkcs1_pem", "private_pkcs8_pem", "public", "public_pkcs1_pem"};
    for (size_t at = 0; at < 5; at++) {
      PaytendBuffer info;
      CHECK(paytend_key_info(slice(text_of(key, forms[at])), &info, NULL) == 0);
      cJSON *parsed = cJSON_ParseWithLength((const char *)info.data, info.len);
      CHECK(parsed && cJSON_IsTrue(cJSON_GetObjectItem(parsed, "private")) == (at < 3));
      const char *found = text_of(parsed, "fingerprint");
      if (at == 0) snprintf(fingerprint, sizeof fingerprint, "%s", found);
      CHECK(!strcmp(found, fingerprint));
      cJSON_Delete(parsed);
      paytend_buffer_free(info);
    }
    fprintf(out, "keys/%s: %s\n", key->string, fingerprint);
  }
}

static void run_envelope(FILE *out) {
  cJSON *cases = read_json(vectors, "envelope.json");
  const cJSON *it;
  cJSON_ArrayForEach(it, cases) {
    int32_t kind = kind_of(text_of(it, "payload_field"));
    PaytendKeyring *ring = keyring(text_of(it, "receiver"), text_of(it, "sender"));
    bool is_signed = cJSON_IsTrue(cJSON_GetObjectItem(it, "sign_payload"));
    PaytendOpened *opened = NULL;
    PaytendError *error = NULL;
    int32_t code = paytend_open(ring, kind, partner(kind), slice(text_of(it, "wire")), is_signed, 0, &opened, &error);
    fprintf(out, "envelope/%s: %s\n", text_of(it, "name"), outcome(code, error));
    CHECK(code == 0);
    CHECK(same(paytend_opened_payload(opened), text_of(it, "payload")));
    CHECK(same(paytend_opened_canonical(opened), text_of(it, "canonical")));
    CHECK(paytend_opened_fields(opened).len > 2 && paytend_opened_verified_by(opened).len == 71);
    PaytendOpenedView view;
    CHECK(paytend_opened_view(opened, &view) && view.fields_len > 1 && view.fields[1].name.len > 0);
    CHECK(view.payload.data == paytend_opened_payload(opened).data && view.verified_by.len == 71);
    CHECK(view.canonical.len == paytend_opened_canonical(opened).len && view.decrypted_by.len == 71);
    CHECK(!paytend_opened_view(NULL, &view) && !paytend_opened_view(opened, NULL));
    paytend_opened_free(opened);
    paytend_keyring_free(ring);
  }
  cJSON_Delete(cases);
}

/* Builds the document of a test case that is too large to be stored in refuse.json. */
static PaytendBuffer made(const cJSON *cases, const char *name) {
  if (!strcmp(name, "json/deep nesting")) {
    uint8_t *data = malloc(100000);
    CHECK(data);
    memset(data, '[', 100000);
    return (PaytendBuffer){data, 100000};
  }
  CHECK(!strcmp(name, "randomKey/a million blocks"));
  const cJSON *it;
  cJSON_ArrayForEach(it, cases) {
    if (!strcmp(text_of(it, "name"), "signature/one bit")) {
      cJSON *document = cJSON_Parse(text_of(it, "wire"));
      /* The base64 encoding of 128,000,000 zero bytes. */
      size_t length = 170666668;
      char *zeros = malloc(length + 1);
      CHECK(zeros);
      memset(zeros, 'A', length);
      memcpy(zeros + length - 1, "=", 2);
      cJSON_ReplaceItemInObjectCaseSensitive(document, "randomKey", cJSON_CreateString(zeros));
      free(zeros);
      char *text = cJSON_PrintUnformatted(document);
      cJSON_Delete(document);
      return (PaytendBuffer){(uint8_t *)text, strlen(text)};
    }
  }
  fail(__FILE__, __LINE__, name);
  return (PaytendBuffer){NULL, 0};
}

static void run_refuse(FILE *out) {
  cJSON *cases = read_json(vectors, "refuse.json");
  PaytendKeyring *ring = keyring("partner", "paytend");
  const cJSON *it;
  cJSON_ArrayForEach(it, cases) {
    const char *name = text_of(it, "name"), *wire = text_of(it, "wire"), *base64 = text_of(it, "wire_base64");
    PaytendBuffer document;
    if (wire) {
      document = (PaytendBuffer){(uint8_t *)strdup(wire), strlen(wire)};
    } else {
      document = base64 ? decode(base64) : made(cases, name);
    }
    int32_t kind = kind_of(text_of(it, "kind"));
    PaytendOpened *opened = NULL;
    PaytendError *error = NULL;
    int32_t code = paytend_open(ring, kind, partner(kind), of(document), true, 0, &opened, &error);
    CHECK(code != 0 && opened == NULL);
    fprintf(out, "refuse/%s: %s\n", name, outcome(code, error));
    free(document.data);
  }
  paytend_keyring_free(ring);
  cJSON_Delete(cases);
}

static const PaytendLimits NO_LIMITS = {UINT64_MAX, UINT64_MAX};

static PaytendReceiver *detached_receiver(const char *provider) {
  PaytendPublicKey *key = public_key(provider);
  PaytendScheduledKey scheduled = {key, UINT64_MAX, UINT64_MAX, slice("")};
  PaytendReceiver *receiver = NULL;
  if (!strcmp(provider, "payby")) {
    CHECK(paytend_receiver_payby(&scheduled, 1, NO_LIMITS, &receiver, NULL) == 0);
  } else {
    scheduled.merchant = slice("P01010113842047");
    CHECK(paytend_receiver_payermax(&scheduled, 1, NO_LIMITS, &receiver, NULL) == 0);
  }
  paytend_public_key_free(key);
  return receiver;
}

static void run_detached(FILE *out) {
  cJSON *cases = read_json(vectors, "detached.json");
  const cJSON *it;
  cJSON_ArrayForEach(it, cases) {
    const char *provider = text_of(it, "key");
    PaytendReceiver *receiver = detached_receiver(provider);
    PaytendBuffer body = decode(text_of(it, "body_base64"));
    PaytendHeader header = {slice("Sign"), slice(text_of(it, "sign"))};
    uint64_t now = strcmp(provider, "payby") ? 1670837217628u : 1586849300000u;
    PaytendNotification *notification = NULL;
    PaytendProviderResponse *response = NULL;
    PaytendError *error = NULL;
    int32_t code = paytend_receive(receiver, &header, 1, of(body), now, &notification, &response, &error);
    bool valid = cJSON_IsTrue(cJSON_GetObjectItem(it, "valid"));
    CHECK((code == 0) == valid);
    if (valid) {
      PaytendSlice summary = paytend_notification_summary(notification);
      PaytendSlice content = paytend_notification_content(notification);
      CHECK(content.len == body.len && memcmp(content.data, body.data, body.len) == 0 && response == NULL);
      cJSON *parsed = cJSON_ParseWithLength((const char *)summary.data, summary.len);
      fprintf(out, "detached/%s: %s\n", text_of(it, "name"), text_of(parsed, "dedup_key"));
      cJSON_Delete(parsed);
    } else {
      CHECK(paytend_provider_response_status(response) == 400 && paytend_provider_response_body(response).len > 2);
      fprintf(out, "detached/%s: %s\n", text_of(it, "name"), outcome(code, error));
    }
    paytend_notification_free(notification);
    paytend_provider_response_free(response);
    paytend_receiver_free(receiver);
    free(body.data);
  }
  cJSON_Delete(cases);
}

static void run_blocks(FILE *out) {
  cJSON *cases = read_json(vectors, "rsa_blocks.json");
  const cJSON *it;
  cJSON_ArrayForEach(it, cases) {
    PaytendPrivateKey *key = private_key(text_of(it, "key"));
    PaytendBuffer wire = decode(text_of(it, "wire")), plain;
    CHECK(paytend_hazmat_decrypt_blocks(key, of(wire), &plain, NULL) == 0);
    CHECK(same(of(plain), text_of(it, "plain")));
    fprintf(out, "rsa_blocks/%s: ok\n", text_of(it, "name"));
    paytend_buffer_free(plain);
    paytend_private_key_free(key);
    free(wire.data);
  }
  cJSON_Delete(cases);
}

static void run_samples(FILE *out) {
  static const char *const FILES[] = {"baas", "funding", "issuing", "payby", "payermax"};
  char folder[4096];
  CHECK((size_t)snprintf(folder, sizeof folder, "%s/samples", vectors) < sizeof folder);
  PaytendKeyring *ours = keyring("partner", "paytend"), *theirs = keyring("paytend", "partner");
  PaytendSlice fields = slice("{\"partnerId\":\"" PARTNER_ID "\",\"requestId\":\"0123456789abcdef0123456789abcdef\"}");
  for (size_t at = 0; at < sizeof FILES / sizeof *FILES; at++) {
    char name[64];
    snprintf(name, sizeof name, "%s.json", FILES[at]);
    cJSON *file = read_json(folder, name);
    const cJSON *it;
    cJSON_ArrayForEach(it, cJSON_GetObjectItem(file, "samples")) {
      char *payload = cJSON_PrintUnformatted(cJSON_GetObjectItem(it, "sample"));
      PaytendBuffer document;
      PaytendOpened *opened = NULL;
      CHECK(paytend_seal(ours, PAYTEND_KIND_REQUEST, fields, slice(payload), true, &document, NULL) == 0);
      CHECK(paytend_open(theirs, PAYTEND_KIND_REQUEST, slice(PARTNER_ID), of(document), true, 0, &opened, NULL) == 0);
      CHECK(same(paytend_opened_payload(opened), payload));
      fprintf(out, "samples/%s/%s: ok\n", FILES[at], text_of(it, "name"));
      paytend_opened_free(opened);
      paytend_buffer_free(document);
      free(payload);
    }
    cJSON_Delete(file);
  }
  paytend_keyring_free(ours), paytend_keyring_free(theirs);
}

/* Invalid arguments are refused with the same code in every language. */
static void run_arguments(FILE *out) {
  PaytendKeyring *ring = keyring("partner", "paytend");
  PaytendPublicKey *key = public_key("payby");
  PaytendScheduledKey scheduled = {key, UINT64_MAX, UINT64_MAX, slice("")};
  PaytendLimits no_bytes = {0, UINT64_MAX}, no_age = {UINT64_MAX, 0};
  PaytendSlice empty = slice(""), document = slice("{}");
  PaytendSlice broken = slice("{\"partnerId\":\"\xff\"}"), fields = slice("{\"partnerId\":\"" PARTNER_ID "\"}");
  PaytendOpened *opened = NULL;
  PaytendReceiver *receiver = NULL;
  PaytendPrivateKey *made = NULL;
  PaytendBuffer sealed = {NULL, 0};
  PaytendError *error = NULL;
#define TRIED(name, call)                                              \
  do {                                                                 \
    int32_t code = call;                                               \
    fprintf(out, "arguments/%s: %s\n", name, outcome(code, error));    \
    error = NULL;                                                      \
  } while (0)
  TRIED("request without a partner",
        paytend_open(ring, PAYTEND_KIND_REQUEST, empty, document, true, 0, &opened, &error));
  /* C has no separate value for a missing partner ID, so this call is the same as the previous call. */
  TRIED("request with an empty partner",
        paytend_open(ring, PAYTEND_KIND_REQUEST, empty, document, true, 0, &opened, &error));
  TRIED("response with a partner",
        paytend_open(ring, PAYTEND_KIND_RESPONSE, slice(PARTNER_ID), document, true, 0, &opened, &error));
  TRIED("payload that is not Unicode",
        paytend_seal(ring, PAYTEND_KIND_REQUEST, fields, broken, true, &sealed, &error));
  TRIED("field that is not Unicode", paytend_seal(ring, PAYTEND_KIND_REQUEST, broken, empty, true, &sealed, &error));
  TRIED("receiver with an empty partner",
        paytend_receiver_paytend(slice("baas"), empty, ring, NO_LIMITS, &receiver, &error));
  TRIED("PayerMax without a merchant", paytend_receiver_payermax(&scheduled, 1, NO_LIMITS, &receiver, &error));
  TRIED("PayBy without a key", paytend_receiver_payby(NULL, 0, NO_LIMITS, &receiver, &error));
  TRIED("size limit of 0", paytend_receiver_payby(&scheduled, 1, no_bytes, &receiver, &error));
  TRIED("maximum age of 0", paytend_receiver_payby(&scheduled, 1, no_age, &receiver, &error));
  TRIED("512-bit key", paytend_private_key_generate(512, &made, &error));
#undef TRIED
  CHECK(!opened && !receiver && !made && !sealed.data);
  paytend_public_key_free(key), paytend_keyring_free(ring);
}

static const struct {
  const char *kind, *sender, *receiver, *fields;
} SENT[] = {
    {"request", "partner", "paytend",
     "{\"partnerId\":\"" PARTNER_ID "\",\"requestId\":\"0123456789abcdef0123456789abcdef\"}"},
    {"response", "paytend", "partner", "{\"respCode\":\"00\",\"respMsg\":\"got it & more\"}"},
    {"notification", "paytend_2048", "partner_2048", "{\"partnerId\":\"" PARTNER_ID "\",\"notifyType\":\"2\"}"},
};
static const struct {
  const char *payload;
  bool is_signed;
} PAYLOADS[] = {
    {"", true},
    {"{\"amount\":\"0.10\",\"name\":\"Žalgirio & Söhne 中文 💶\"}", true},
    {"{\"a\":1}", false},
};

static void seal_all(const char *file) {
  cJSON *sealed = cJSON_CreateArray();
  for (size_t kind = 0; kind < 3; kind++) {
    for (size_t payload = 0; payload < 3; payload++) {
      PaytendKeyring *ring = keyring(SENT[kind].sender, SENT[kind].receiver);
      PaytendBuffer document;
      CHECK(paytend_seal(ring, kind_of(SENT[kind].kind), slice(SENT[kind].fields), slice(PAYLOADS[payload].payload),
                         PAYLOADS[payload].is_signed, &document, NULL) == 0);
      cJSON *message = cJSON_CreateObject();
      cJSON_AddStringToObject(message, "kind", SENT[kind].kind);
      cJSON_AddStringToObject(message, "sender", SENT[kind].sender);
      cJSON_AddStringToObject(message, "receiver", SENT[kind].receiver);
      cJSON_AddStringToObject(message, "payload", PAYLOADS[payload].payload);
      cJSON_AddBoolToObject(message, "signed", PAYLOADS[payload].is_signed);
      char *text = strndup((const char *)document.data, document.len);
      cJSON_AddStringToObject(message, "document", text);
      free(text);
      cJSON_AddItemToArray(sealed, message);
      paytend_buffer_free(document);
      paytend_keyring_free(ring);
    }
  }
  char *text = cJSON_PrintUnformatted(sealed);
  FILE *out = fopen(file, "wb");
  CHECK(out && fputs(text, out) >= 0 && fclose(out) == 0);
  free(text);
  cJSON_Delete(sealed);
}

static void open_all(const char *file) {
  cJSON *sealed = read_json("", file);
  CHECK(cJSON_GetArraySize(sealed) == 9);
  const cJSON *it;
  cJSON_ArrayForEach(it, sealed) {
    int32_t kind = kind_of(text_of(it, "kind"));
    PaytendKeyring *ring = keyring(text_of(it, "receiver"), text_of(it, "sender"));
    PaytendOpened *opened = NULL;
    bool is_signed = cJSON_IsTrue(cJSON_GetObjectItem(it, "signed"));
    CHECK(paytend_open(ring, kind, partner(kind), slice(text_of(it, "document")), is_signed, 0, &opened, NULL) == 0);
    CHECK(same(paytend_opened_payload(opened), text_of(it, "payload")));
    paytend_opened_free(opened);
    paytend_keyring_free(ring);
  }
  cJSON_Delete(sealed);
}


/* If the output pointer is null, no result is created. valgrind and AddressSanitizer would report a leaked result. */
static void null_output_pointers_are_refused(void) {
  PaytendError *error = NULL;
  PaytendPrivateKey *key = NULL;
  PaytendKeyring *ring = keyring("partner", "paytend");
  CHECK(paytend_private_key_generate(1024, &key, NULL) == 0);
#define NO_OUTPUT(call) do { \
    CHECK((call) == PAYTEND_CODE_USAGE); \
    CHECK(error != NULL && !strcmp(paytend_error_message(error), "the output pointer is null")); \
    paytend_error_free(error), error = NULL; \
  } while (0)
  NO_OUTPUT(paytend_seal(ring, PAYTEND_KIND_RESPONSE, slice("{\"respCode\":\"00\"}"), slice("{}"), true, NULL, &error));
  NO_OUTPUT(paytend_seal(NULL, 7, slice("nothing"), slice(""), true, NULL, &error));
  NO_OUTPUT(paytend_open(ring, PAYTEND_KIND_RESPONSE, slice(""), slice("{}"), true, 0, NULL, &error));
  NO_OUTPUT(paytend_private_key_generate(1024, NULL, &error));
  NO_OUTPUT(paytend_private_key_write(key, slice("pkcs8-pem"), NULL, &error));
  NO_OUTPUT(paytend_private_key_public(key, NULL, &error));
  NO_OUTPUT(paytend_sign(key, slice("{}"), NULL, &error));
  NO_OUTPUT(paytend_request_id(NULL, &error));
  NO_OUTPUT(paytend_key_info(slice("no key"), NULL, &error));
  NO_OUTPUT(paytend_hazmat_decrypt_blocks(key, slice(""), NULL, &error));
  NO_OUTPUT(paytend_keyring_new(NULL, 0, NULL, 0, NULL, &error));
  NO_OUTPUT(paytend_receiver_paytend(slice("baas"), slice(PARTNER_ID), ring, NO_LIMITS, NULL, &error));
  CHECK(paytend_seal(ring, PAYTEND_KIND_RESPONSE, slice("{\"respCode\":\"00\"}"), slice("{}"), true, NULL,
                     NULL) == PAYTEND_CODE_USAGE);
  paytend_private_key_free(key), paytend_keyring_free(ring);
}

static void invalid_arguments_are_refused(void) {
  PaytendError *error = NULL;
  PaytendPrivateKey *key = NULL;
  PaytendBuffer buffer;
  PaytendKeyring *ring = keyring("partner", "paytend");
  PaytendOpened *opened = NULL;
  PaytendReceiver *receiver = NULL;
  const PaytendSlice broken = {NULL, 7}, huge = {(const uint8_t *)"x", SIZE_MAX}, binary = {(const uint8_t *)"\xff", 1};
#define IS(code, call)                                                                                       \
  do {                                                                                                       \
    CHECK((call) == PAYTEND_CODE_##code);                                                                    \
    CHECK(!strcmp(outcome(PAYTEND_CODE_##code, error), names[PAYTEND_CODE_##code]));                         \
    error = NULL;                                                                                            \
  } while (0)
  static const char *const names[] = {"",        "usage",            "not_authentic", "malformed",
                                      "payload", "unsigned_failure", "unsealable",    "key"};
  IS(KEY, paytend_private_key_load(slice("no key"), &key, &error));
  IS(USAGE, paytend_private_key_load(broken, &key, &error));
  IS(USAGE, paytend_private_key_load(huge, &key, &error));
  IS(USAGE, paytend_private_key_load(slice(text_of(cJSON_GetObjectItem(keys, "partner"), "private")), NULL, &error));
  IS(KEY, paytend_private_key_load(slice(text_of(cJSON_GetObjectItem(keys, "partner"), "public")), &key, &error));
  IS(KEY, paytend_private_key_load_file(slice("/nowhere/key.pem"), &key, &error));
  IS(KEY, paytend_private_key_generate(512, &key, &error));
  IS(USAGE, paytend_private_key_public(NULL, NULL, &error));
  IS(KEY, paytend_keyring_new(NULL, 0, NULL, 0, &ring, &error));
  IS(USAGE, paytend_keyring_new(NULL, 1, NULL, 0, &ring, &error));
  IS(USAGE, paytend_seal(ring, 7, slice("{}"), slice(""), true, &buffer, &error));
  IS(USAGE, paytend_seal(ring, 0, slice("[]"), slice(""), true, &buffer, &error));
  IS(USAGE, paytend_seal(ring, 0, slice("{\"a\":1}"), slice(""), true, &buffer, &error));
  IS(USAGE, paytend_seal(ring, 0, binary, slice(""), true, &buffer, &error));
  IS(UNSEALABLE, paytend_seal(ring, 0, slice("{}"), slice(""), true, &buffer, &error));
  IS(USAGE, paytend_open(ring, PAYTEND_KIND_NOTIFICATION, slice(""), slice("{}"), true, 0, &opened, &error));
  IS(USAGE, paytend_open(ring, PAYTEND_KIND_RESPONSE, slice("1"), slice("{}"), true, 0, &opened, &error));
  IS(USAGE, paytend_open(NULL, PAYTEND_KIND_RESPONSE, slice(""), slice("{}"), true, 0, &opened, &error));
  IS(MALFORMED, paytend_open(ring, PAYTEND_KIND_RESPONSE, slice(""), slice("{}"), true, 0, &opened, &error));
  IS(MALFORMED, paytend_open(ring, PAYTEND_KIND_RESPONSE, slice(""), slice("{ }"), true, 2, &opened, &error));
  IS(USAGE, paytend_receiver_paytend(slice("payout"), slice(PARTNER_ID), ring, NO_LIMITS, &receiver, &error));
  IS(USAGE, paytend_receiver_paytend(slice("baas"), slice(""), ring, NO_LIMITS, &receiver, &error));
  IS(KEY, paytend_receiver_payby(NULL, 0, NO_LIMITS, &receiver, &error));
  /* The contents of an unsigned error response are returned unchanged, even if an attacker wrote them. */
  CHECK(paytend_open(ring, PAYTEND_KIND_RESPONSE, slice(""), slice("{\"respCode\":\"99\",\"respMsg\":\"no\"}"), true, 0,
                     &opened, &error) == PAYTEND_CODE_UNSIGNED_FAILURE);
  CHECK(same(paytend_error_resp_code(error), "99") && same(paytend_error_resp_msg(error), "no"));
  paytend_error_free(error);
  /* The error pointer can be null, and freeing null does nothing. */
  CHECK(paytend_open(ring, PAYTEND_KIND_RESPONSE, slice(""), slice("{}"), true, 0, &opened, NULL) ==
        PAYTEND_CODE_MALFORMED);
  CHECK(opened == NULL && key == NULL && receiver == NULL);
  paytend_buffer_free((PaytendBuffer){NULL, 0});
  paytend_error_free(NULL), paytend_opened_free(NULL), paytend_keyring_free(NULL), paytend_receiver_free(NULL);
  paytend_provider_response_free(NULL), paytend_notification_free(NULL);
  paytend_private_key_free(NULL), paytend_public_key_free(NULL);
  CHECK(paytend_error_code(NULL) == 0 && paytend_provider_response_status(NULL) == 0);
  CHECK(paytend_opened_payload(NULL).len == 0);
  paytend_keyring_free(ring);
}

static void keys_are_generated_and_encoded(void) {
  PaytendPrivateKey *key = NULL, *again = NULL;
  PaytendPublicKey *public = NULL, *read = NULL;
  PaytendBuffer text, sign, by, id, other;
  CHECK(paytend_private_key_generate(1024, &key, NULL) == 0);
  const char *private_forms[] = {"pkcs8-pem", "pkcs8-base64", "pkcs1-der"};
  const char *public_forms[] = {"spki-pem", "spki-base64", "spki-der"};
  for (size_t at = 0; at < 3; at++) {
    CHECK(paytend_private_key_write(key, slice(private_forms[at]), &text, NULL) == 0);
    CHECK(paytend_private_key_load(of(text), &again, NULL) == 0);
    paytend_buffer_free(text);
    CHECK(paytend_private_key_public(again, &public, NULL) == 0);
    CHECK(paytend_public_key_write(public, slice(public_forms[at]), &text, NULL) == 0);
    CHECK(paytend_public_key_load(of(text), &read, NULL) == 0);
    paytend_buffer_free(text);
    CHECK(paytend_sign(key, slice("{}"), &sign, NULL) == 0);
    const PaytendPublicKey *one[] = {read};
    CHECK(paytend_verify(one, 1, slice("{}"), of(sign), &by, NULL) == 0 && by.len == 71);
    CHECK(paytend_verify(one, 1, slice("{}"), of(sign), NULL, NULL) == 0);
    CHECK(paytend_verify(one, 1, slice("{} "), of(sign), NULL, NULL) == PAYTEND_CODE_NOT_AUTHENTIC);
    CHECK(paytend_verify(one, 1, slice("{}"), (PaytendSlice){(const uint8_t *)"\xff", 1}, NULL, NULL) ==
          PAYTEND_CODE_NOT_AUTHENTIC);
    paytend_buffer_free(sign), paytend_buffer_free(by);
    paytend_private_key_free(again), paytend_public_key_free(public), paytend_public_key_free(read);
  }
  CHECK(paytend_private_key_write(key, slice("jwk"), &text, NULL) == PAYTEND_CODE_USAGE);
  CHECK(paytend_request_id(&id, NULL) == 0 && paytend_request_id(&other, NULL) == 0);
  CHECK(id.len == 32 && memcmp(id.data, other.data, 32) != 0);
  paytend_buffer_free(id), paytend_buffer_free(other), paytend_private_key_free(key);
}

static void notifications_are_received_and_acknowledged(void) {
  PaytendKeyring *paytend = keyring("paytend", "partner"), *own = keyring("partner", "paytend");
  PaytendBuffer document;
  PaytendSlice fields = slice("{\"partnerId\":\"" PARTNER_ID "\",\"notifyType\":\"2\"}");
  PaytendSlice payload = slice("{\"transactionId\":\"T1\",\"tradeStatus\":2}");
  CHECK(paytend_seal(paytend, PAYTEND_KIND_NOTIFICATION, fields, payload, true, &document, NULL) == 0);
  PaytendReceiver *receiver = NULL;
  CHECK(paytend_receiver_paytend(slice("baas"), slice(PARTNER_ID), own, NO_LIMITS, &receiver, NULL) == 0);
  PaytendNotification *notification = NULL;
  CHECK(paytend_receive(receiver, NULL, 0, of(document), UINT64_MAX, &notification, NULL, NULL) == 0);
  PaytendSlice summary = paytend_notification_summary(notification);
  cJSON *parsed = cJSON_ParseWithLength((const char *)summary.data, summary.len);
  const cJSON *about = cJSON_GetObjectItem(parsed, "business_key");
  CHECK(!strcmp(text_of(parsed, "provider"), "paytend") && !strcmp(text_of(parsed, "notify_type"), "2"));
  CHECK(!strcmp(text_of(about, "kind"), "deposit") && !strcmp(text_of(about, "id"), "T1"));
  CHECK(!strcmp(text_of(about, "state"), "2"));
  CHECK(same(paytend_notification_content(notification), "{\"transactionId\":\"T1\",\"tradeStatus\":2}"));
  cJSON_Delete(parsed);
  paytend_notification_free(notification);
  PaytendProviderResponse *response = NULL;
  PaytendHeader header;
  for (int32_t reply = 0; reply < 3; reply++) {
    CHECK(paytend_receiver_respond(receiver, reply, &response, NULL) == 0);
    CHECK(paytend_provider_response_status(response) == (reply == PAYTEND_REPLY_TRY_AGAIN_LATER ? 503 : 200));
    CHECK(paytend_provider_response_header(response, 0, &header));
    CHECK(same(header.name, "content-type") && same(header.value, "application/json"));
    CHECK(!paytend_provider_response_header(response, 9, &header));
    PaytendSlice sent = paytend_provider_response_body(response);
    if (reply == PAYTEND_REPLY_ACCEPTED) CHECK(same(sent, "{\"msg\":\"success\",\"status\":\"00\"}"));
    paytend_provider_response_free(response);
  }
  CHECK(paytend_receiver_respond(receiver, 3, &response, NULL) == PAYTEND_CODE_USAGE);
  /* Only one limit is set. The other limit keeps its default. */
  paytend_receiver_free(receiver);
  PaytendLimits limits = {10, UINT64_MAX};
  CHECK(paytend_receiver_paytend(slice("baas"), slice(PARTNER_ID), own, limits, &receiver, NULL) == 0);
  response = NULL;
  CHECK(paytend_receive(receiver, NULL, 0, of(document), UINT64_MAX, &notification, &response, NULL) ==
        PAYTEND_CODE_MALFORMED);
  CHECK(paytend_provider_response_status(response) == 413);
  paytend_provider_response_free(response), paytend_receiver_free(receiver), paytend_buffer_free(document);
  paytend_keyring_free(own), paytend_keyring_free(paytend);
}

struct shared {
  const PaytendKeyring *ring;
  PaytendSlice document;
};

static void *open_many(void *argument) {
  const struct shared *shared = argument;
  for (int n = 0; n < 25; n++) {
    PaytendOpened *opened = NULL;
    CHECK(paytend_open(shared->ring, PAYTEND_KIND_RESPONSE, slice(""), shared->document, true, 0, &opened, NULL) == 0);
    CHECK(same(paytend_opened_payload(opened), "{\"a\":1}"));
    paytend_opened_free(opened);
  }
  return NULL;
}

static void threads_share_handles(void) {
  PaytendKeyring *paytend = keyring("paytend", "partner"), *own = keyring("partner", "paytend");
  PaytendBuffer document;
  PaytendSlice fields = slice("{\"respCode\":\"00\",\"respMsg\":\"ok\"}");
  CHECK(paytend_seal(paytend, PAYTEND_KIND_RESPONSE, fields, slice("{\"a\":1}"), true, &document, NULL) == 0);
  struct shared shared = {own, of(document)};
  pthread_t threads[4];
  for (int n = 0; n < 4; n++) CHECK(pthread_create(&threads[n], NULL, open_many, &shared) == 0);
  for (int n = 0; n < 4; n++) CHECK(pthread_join(threads[n], NULL) == 0);
  paytend_buffer_free(document), paytend_keyring_free(own), paytend_keyring_free(paytend);
}

int main(int count, char **arguments) {
  CHECK(count >= 2);
  vectors = arguments[1];
  keys = read_json(vectors, "keys.json");
  if (count == 2) {
    invalid_arguments_are_refused();
    null_output_pointers_are_refused();
    keys_are_generated_and_encoded();
    notifications_are_received_and_acknowledged();
    threads_share_handles();
    puts("C: ownership, invalid arguments, keys, notifications and threads: passed");
  } else if (!strcmp(arguments[2], "vectors")) {
    FILE *out = fopen(arguments[3], "wb");
    CHECK(out);
    run_keys(out), run_envelope(out), run_refuse(out), run_detached(out), run_blocks(out);
    run_samples(out), run_arguments(out);
    CHECK(fclose(out) == 0);
  } else if (!strcmp(arguments[2], "seal")) {
    seal_all(arguments[3]);
  } else {
    for (int at = 3; at < count; at++) open_all(arguments[at]);
  }
  cJSON_Delete(keys);
  return 0;
}
