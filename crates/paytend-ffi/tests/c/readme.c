/* Tests the code in README.md. `cargo xtask bindings test c` checks that the marked regions are identical to the
 * code blocks of README.md. */

/* README: begin */
#include <paytend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static PaytendSlice slice(const char *text) { return (PaytendSlice){(const uint8_t *)text, strlen(text)}; }

/* Ends the program if a call failed. */
static void check(int32_t code, PaytendError **error) {
  if (code == 0) return;
  fprintf(stderr, "%s: %s\n", paytend_error_name(*error), paytend_error_message(*error));
  paytend_error_free(*error);
  exit(1);
}

static PaytendKeyring *load_keyring(const char *private_file, const char *public_file) {
  PaytendError *error = NULL;
  PaytendPrivateKey *own = NULL;
  PaytendPublicKey *paytend = NULL;
  PaytendKeyring *keyring = NULL;
  check(paytend_private_key_load_file(slice(private_file), &own, &error), &error); /* mode 0600 */
  check(paytend_public_key_load_file(slice(public_file), &paytend, &error), &error);
  check(paytend_keyring_new((const PaytendPrivateKey *[]){own}, 1, (const PaytendPublicKey *[]){paytend}, 1, &keyring,
                            &error), &error);
  paytend_private_key_free(own); /* the keyring has its own copies */
  paytend_public_key_free(paytend);
  return keyring;
}

/* Free the result with paytend_buffer_free. */
static PaytendBuffer seal_request(const PaytendKeyring *keyring) {
  PaytendError *error = NULL;
  PaytendBuffer document;
  PaytendSlice fields = slice("{\"partnerId\":\"888666000100260\"}");
  PaytendSlice payload = slice("{\"orderNo\":\"A-1001\",\"amount\":\"12.50\"}");
  check(paytend_seal(keyring, PAYTEND_KIND_REQUEST, fields, payload, true, &document, &error), &error);
  return document;
}
/* README: end */

#include <unistd.h>

#include "check.h"

/* Implementations of the functions that the README's handler calls. */
static char summary[4096], content[4096], logged[4096];
static bool durable = true;

static bool store(PaytendSlice given, PaytendSlice signed_bytes) {
  CHECK(given.len < sizeof summary && signed_bytes.len < sizeof content);
  snprintf(summary, sizeof summary, "%.*s", (int)given.len, (const char *)given.data);
  snprintf(content, sizeof content, "%.*s", (int)signed_bytes.len, (const char *)signed_bytes.data);
  return durable;
}

static void log_warning(const char *what, const char *why) { snprintf(logged, sizeof logged, "%s: %s", what, why); }

/* README: begin */
static PaytendReceiver *new_receiver(const PaytendKeyring *keyring) {
  PaytendError *error = NULL;
  PaytendReceiver *receiver = NULL;
  PaytendLimits defaults = {UINT64_MAX, UINT64_MAX};
  check(paytend_receiver_paytend(slice("baas"), slice("888666000100260"), keyring, defaults, &receiver, &error),
        &error);
  return receiver;
}

/* Returns the response to send, or NULL if an argument is invalid. Free it with paytend_provider_response_free. */
static PaytendProviderResponse *handle(const PaytendReceiver *receiver, PaytendSlice body) {
  PaytendError *error = NULL;
  PaytendNotification *notification = NULL;
  PaytendProviderResponse *response = NULL;
  if (paytend_receive(receiver, NULL, 0, body, UINT64_MAX, &notification, &response, &error) == 0) {
    /* store commits the dedup key and the effect in one transaction. */
    bool stored = store(paytend_notification_summary(notification), paytend_notification_content(notification));
    int32_t reply = stored ? PAYTEND_REPLY_ACCEPTED : PAYTEND_REPLY_TRY_AGAIN_LATER;
    check(paytend_receiver_respond(receiver, reply, &response, &error), &error);
  } else {
    log_warning("notification rejected", paytend_error_message(error));
    paytend_error_free(error);
  }
  paytend_notification_free(notification);
  return response;
}
/* README: end */

#define PARTNER "\"partnerId\":\"888666000100260\""

static PaytendBuffer sealed(const PaytendKeyring *keyring, int32_t kind, const char *fields, const char *payload) {
  PaytendError *error = NULL;
  PaytendBuffer document;
  check(paytend_seal(keyring, kind, slice(fields), slice(payload), true, &document, &error), &error);
  return document;
}

/* Copies the `requestId` of a document to `out`. */
static void request_id(PaytendBuffer document, char out[33]) {
  const char *name = "\"requestId\":\"";
  char *text = strndup((const char *)document.data, document.len);
  char *at = strstr(text, name);
  CHECK(at && strlen(at) > strlen(name) + 33 && at[strlen(name) + 32] == '"');
  snprintf(out, 33, "%s", at + strlen(name));
  free(text);
}

static void seal_sets_a_request_id(const PaytendKeyring *own, const PaytendKeyring *paytend) {
  char first[33], second[33], kept[33], fields[200];
  PaytendBuffer document = seal_request(own);
  request_id(document, first);
  PaytendOpened *opened = NULL;
  CHECK(paytend_open(paytend, PAYTEND_KIND_REQUEST, slice("888666000100260"), borrowed(document), true, 0, &opened,
                     NULL) == 0);
  CHECK(holds(paytend_opened_fields(opened), first));
  CHECK(holds(paytend_opened_payload(opened), "{\"orderNo\":\"A-1001\",\"amount\":\"12.50\"}"));
  paytend_opened_free(opened), paytend_buffer_free(document);
  document = seal_request(own);
  request_id(document, second);
  CHECK(strcmp(first, second) != 0);
  paytend_buffer_free(document);
  snprintf(fields, sizeof fields, "{" PARTNER ",\"requestId\":\"%s\"}", first);
  document = sealed(own, PAYTEND_KIND_REQUEST, fields, "");
  request_id(document, kept);
  CHECK(strcmp(first, kept) == 0);
  paytend_buffer_free(document);
  PaytendError *error = NULL;
  CHECK(paytend_seal(own, PAYTEND_KIND_REQUEST, slice("{" PARTNER ",\"requestId\":\"\"}"), slice(""), true, &document,
                     &error) == PAYTEND_CODE_UNSEALABLE);
  CHECK(strstr(paytend_error_message(error), "`requestId`"));
  paytend_error_free(error);
  document = sealed(paytend, PAYTEND_KIND_NOTIFICATION, "{" PARTNER ",\"notifyType\":\"2\"}", "");
  CHECK(!holds(borrowed(document), "requestId"));
  paytend_buffer_free(document);
}

/* Passes a notification to the README's handler and returns the status of the response. */
static uint16_t handled(const PaytendReceiver *receiver, const PaytendKeyring *paytend, const char *type,
                        const char *payload) {
  char fields[200];
  snprintf(fields, sizeof fields, "{" PARTNER ",\"notifyType\":\"%s\"}", type);
  PaytendBuffer document = sealed(paytend, PAYTEND_KIND_NOTIFICATION, fields, payload);
  *summary = *content = *logged = 0;
  PaytendProviderResponse *response = handle(receiver, borrowed(document));
  uint16_t status = paytend_provider_response_status(response);
  if (status == 200) CHECK(holds(paytend_provider_response_body(response), "{\"msg\":\"success\",\"status\":\"00\"}"));
  paytend_provider_response_free(response), paytend_buffer_free(document);
  return status;
}

static void notifications_are_stored_and_acknowledged(const PaytendReceiver *receiver, const PaytendKeyring *paytend) {
  char first[sizeof summary];
  CHECK(handled(receiver, paytend, "2", "{\"transactionId\":\"T1\",\"tradeStatus\":2}") == 200);
  snprintf(first, sizeof first, "%s", summary);
  const char *parts[] = {"\"dedup_key\":\"", "\"business_key\":{", "\"id\":\"T1\"", "\"kind\":\"deposit\"",
                         "\"state\":\"2\"", "\"reading\":\"typed\""};
  for (size_t at = 0; at < sizeof parts / sizeof *parts; at++) CHECK(strstr(first, parts[at]));
  /* The same content has the same dedup key, even if it is sealed again. A different state has a different key. */
  CHECK(handled(receiver, paytend, "2", "{\"transactionId\":\"T1\",\"tradeStatus\":2}") == 200);
  CHECK(strcmp(first, summary) == 0);
  CHECK(handled(receiver, paytend, "2", "{\"transactionId\":\"T1\",\"tradeStatus\":3}") == 200);
  CHECK(strcmp(first, summary) != 0);
  CHECK(handled(receiver, paytend, "77", "{\"new\": 1}") == 200);
  CHECK(strstr(summary, "\"reading\":\"unknown\"") && strcmp(content, "{\"new\": 1}") == 0);
  durable = false;
  CHECK(handled(receiver, paytend, "2", "{}") == 503);
}

static void rejection_has_a_response_and_a_reason(const PaytendReceiver *receiver) {
  *summary = *logged = 0;
  PaytendProviderResponse *response = handle(receiver, slice("{")), *other = handle(receiver, slice("x"));
  CHECK(paytend_provider_response_status(response) == 400 && !holds(paytend_provider_response_body(response), "JSON"));
  PaytendSlice one = paytend_provider_response_body(response), two = paytend_provider_response_body(other);
  CHECK(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
  CHECK(strstr(logged, "notification rejected: rejected: the message is malformed: JSON"));
  CHECK(*summary == 0);
  paytend_provider_response_free(response), paytend_provider_response_free(other);
  CHECK(handle(NULL, slice("{")) == NULL);
}

int main(void) {
  PaytendPrivateKey *own = NULL, *theirs = NULL;
  PaytendPublicKey *own_public = NULL, *theirs_public = NULL;
  PaytendBuffer text;
  CHECK(paytend_private_key_generate(1024, &own, NULL) == 0 && paytend_private_key_generate(1024, &theirs, NULL) == 0);
  CHECK(paytend_private_key_public(own, &own_public, NULL) == 0);
  CHECK(paytend_private_key_public(theirs, &theirs_public, NULL) == 0);
  char *folder = new_folder();
  CHECK(paytend_private_key_write(own, slice("pkcs8-pem"), &text, NULL) == 0);
  char *private_file = write_file(folder, "private.pem", text, 0600);
  paytend_buffer_free(text);
  CHECK(paytend_public_key_write(theirs_public, slice("spki-pem"), &text, NULL) == 0);
  char *public_file = write_file(folder, "paytend.pem", text, 0644);
  paytend_buffer_free(text);
  PaytendKeyring *ring = load_keyring(private_file, public_file), *paytend = NULL;
  CHECK(paytend_keyring_new((const PaytendPrivateKey *[]){theirs}, 1, (const PaytendPublicKey *[]){own_public}, 1,
                            &paytend, NULL) == 0);
  PaytendReceiver *receiver = new_receiver(ring);
  seal_sets_a_request_id(ring, paytend);
  notifications_are_stored_and_acknowledged(receiver, paytend);
  rejection_has_a_response_and_a_reason(receiver);
  CHECK(unlink(private_file) == 0 && unlink(public_file) == 0 && rmdir(folder) == 0);
  free(private_file), free(public_file), free(folder);
  paytend_receiver_free(receiver), paytend_keyring_free(ring), paytend_keyring_free(paytend);
  paytend_private_key_free(own), paytend_private_key_free(theirs);
  paytend_public_key_free(own_public), paytend_public_key_free(theirs_public);
  puts("C: the README's code works as described");
  return 0;
}
