/* Tests that error messages name the file, field or argument, and contain no personal data. */

#include <paytend.h>
#include <unistd.h>

#include "check.h"

#define PARTNER_ID "888666000100260"
#define NOW 1796083200000u /* 2026-12-01T00:00:00Z */

static PaytendSlice slice(const char *text) { return (PaytendSlice){(const uint8_t *)text, strlen(text)}; }

/* Checks an error's code, and that its message contains `part`. Frees the error. */
static void says(int32_t expected, const char *part, int32_t code, PaytendError **error) {
  CHECK(code == expected && *error);
  const char *message = paytend_error_message(*error);
  if (!strstr(message, part) || strstr(message, "CANARY") || strstr(message, "BEGIN")) {
    fprintf(stderr, "expected \"%s\" in \"%s\"\n", part, message);
    exit(1);
  }
  paytend_error_free(*error);
  *error = NULL;
}

static void key_file_is_named(const PaytendPrivateKey *own) {
  PaytendError *error = NULL;
  PaytendPrivateKey *key = NULL;
  PaytendPublicKey *public = NULL;
  PaytendSlice absent = slice("/nowhere/absent.pem");
  const char *missing = "cannot read the key file /nowhere/absent.pem: ";
  says(PAYTEND_CODE_KEY, missing, paytend_private_key_load_file(absent, &key, &error), &error);
  says(PAYTEND_CODE_KEY, missing, paytend_public_key_load_file(absent, &public, &error), &error);
  PaytendBuffer text;
  CHECK(paytend_private_key_write(own, slice("pkcs8-pem"), &text, NULL) == 0);
  char *folder = new_folder(), *path = write_file(folder, "private.pem", text, 0644);
  paytend_buffer_free(text);
  const char *parts[] = {path, "644", "0600"};
  for (size_t at = 0; at < 3; at++) {
    says(PAYTEND_CODE_KEY, parts[at], paytend_private_key_load_file(slice(path), &key, &error), &error);
  }
  CHECK(unlink(path) == 0 && rmdir(folder) == 0);
  free(path), free(folder);
}

static void rejection_has_the_full_message(const PaytendPrivateKey *own, const PaytendPublicKey *public) {
  PaytendError *error = NULL;
  PaytendReceiver *receiver = NULL, *later = NULL;
  PaytendNotification *notification = NULL;
  PaytendBuffer sign, other;
  PaytendSlice body = slice("{\"notify_timestamp\":1796083200000,\"name\":\"CANARY\"}");
  PaytendScheduledKey key = {public, UINT64_MAX, UINT64_MAX, slice("")};
  PaytendScheduledKey early = {public, NOW + 1, UINT64_MAX, slice("")};
  CHECK(paytend_receiver_payby(&key, 1, (PaytendLimits){UINT64_MAX, 60000}, &receiver, NULL) == 0);
  CHECK(paytend_receiver_payby(&early, 1, (PaytendLimits){UINT64_MAX, UINT64_MAX}, &later, NULL) == 0);
  CHECK(paytend_sign(own, body, &sign, NULL) == 0 && paytend_sign(own, slice("{}"), &other, NULL) == 0);
  PaytendHeader header = {slice("sign"), borrowed(sign)}, wrong = {slice("sign"), borrowed(other)};
  says(PAYTEND_CODE_REJECTED, "the notification was sent 2 h ago; `max_age` is 1 min",
       paytend_receive(receiver, &header, 1, body, NOW + 7200000, &notification, NULL, &error), &error);
  says(PAYTEND_CODE_NOT_AUTHENTIC, "rejected: the message is not authentic",
       paytend_receive(receiver, &wrong, 1, body, NOW, &notification, NULL, &error), &error);
  says(PAYTEND_CODE_KEY, "cannot verify now: ",
       paytend_receive(later, &header, 1, body, NOW, &notification, NULL, &error), &error);
  paytend_buffer_free(sign), paytend_buffer_free(other);
  paytend_receiver_free(receiver), paytend_receiver_free(later);
}

static void invalid_field_or_argument_is_named(const PaytendKeyring *ring) {
  PaytendError *error = NULL;
  PaytendBuffer document;
  PaytendOpened *opened = NULL;
  PaytendReceiver *receiver = NULL;
  PaytendPrivateKey *key = NULL;
  PaytendLimits limits = {UINT64_MAX, UINT64_MAX};
  PaytendSlice none = slice(""), broken = {NULL, 7}, binary = {(const uint8_t *)"\xff", 1};
  const struct {
    int32_t code;
    const char *fields, *said;
  } rows[] = {
      {PAYTEND_CODE_UNSEALABLE, "{}", "`partnerId`"},
      {PAYTEND_CODE_UNSEALABLE, "{\"partnerId\":\"" PARTNER_ID "\",\"note\":\"CANARY&x=y\"}", "`note`"},
      {PAYTEND_CODE_USAGE, "{\"partnerId\":4711}", "field `partnerId` must be a JSON string"},
      {PAYTEND_CODE_USAGE, "CANARY", "fields is not a JSON object"},
  };
  for (size_t at = 0; at < sizeof rows / sizeof *rows; at++) {
    int32_t code = paytend_seal(ring, PAYTEND_KIND_REQUEST, slice(rows[at].fields), none, true, &document, &error);
    says(rows[at].code, rows[at].said, code, &error);
  }
  says(PAYTEND_CODE_USAGE, "fields is not valid UTF-8",
       paytend_seal(ring, 0, binary, none, true, &document, &error), &error);
  says(PAYTEND_CODE_USAGE, "keyring is null", paytend_seal(NULL, 0, slice("{}"), none, true, &document, &error),
       &error);
  says(PAYTEND_CODE_USAGE, "kind is 7", paytend_seal(ring, 7, slice("{}"), none, true, &document, &error), &error);
  says(PAYTEND_CODE_USAGE, "partner ID", paytend_open(ring, 0, none, slice("{}"), true, 0, &opened, &error), &error);
  says(PAYTEND_CODE_USAGE, "data has a null pointer", paytend_private_key_load(broken, &key, &error), &error);
  says(PAYTEND_CODE_USAGE, "`product`",
       paytend_receiver_paytend(slice("payout"), slice(PARTNER_ID), ring, limits, &receiver, &error), &error);
  says(PAYTEND_CODE_USAGE, "`max_bytes` is 0",
       paytend_receiver_paytend(slice("baas"), slice(PARTNER_ID), ring, (PaytendLimits){0, UINT64_MAX}, &receiver,
                                &error), &error);
}

int main(void) {
  PaytendPrivateKey *own = NULL;
  PaytendPublicKey *public = NULL;
  PaytendKeyring *ring = NULL;
  CHECK(paytend_private_key_generate(1024, &own, NULL) == 0 && paytend_private_key_public(own, &public, NULL) == 0);
  CHECK(paytend_keyring_new((const PaytendPrivateKey *[]){own}, 1, (const PaytendPublicKey *[]){public}, 1, &ring,
                            NULL) == 0);
  key_file_is_named(own);
  rejection_has_the_full_message(own, public);
  invalid_field_or_argument_is_named(ring);
  paytend_keyring_free(ring), paytend_private_key_free(own), paytend_public_key_free(public);
  puts("C: errors name the file, field or argument");
  return 0;
}
