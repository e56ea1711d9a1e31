package io.github.paytendrs.paytend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.springframework.http.HttpHeaders;

/** Tests for the Java API: exceptions, closing, threads and Spring. {@link Conformance} runs the vectors. */
class PaytendTest {
  private static final String PARTNER_ID = "888666000100260";
  private static final PrivateKey OWN = PrivateKey.generate(1024);
  private static final PrivateKey THEIRS = PrivateKey.generate(1024);
  private static final Keyring RING = new Keyring(OWN, THEIRS.publicKey());
  private static final Keyring SENDER = new Keyring(THEIRS, OWN.publicKey());

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] sealed(String payload) {
    return bytes(SENDER.seal(Kind.NOTIFICATION, Map.of("partnerId", PARTNER_ID, "notifyType", "2"), payload));
  }

  private static Opened open(byte[] document) {
    return RING.open(document, Keyring.Expected.notification(PARTNER_ID));
  }

  @Test
  void exceptionsHaveTheExpectedClassAndCode() {
    byte[] document = sealed("{\"a\":1}");
    assertEquals("{\"a\":1}", open(document).payload());
    assertEquals("", open(sealed("")).payload());
    assertEquals("", open(sealed(null)).payload());
    record Row(Class<? extends PaytendException> type, String code, Executable work) {}
    byte[] cut = java.util.Arrays.copyOf(document, document.length - 1);
    for (Row row : List.of(
        new Row(PaytendException.NotAuthentic.class, "not_authentic",
            () -> RING.open(document, Keyring.Expected.notification("888666000100999"))),
        new Row(PaytendException.Malformed.class, "malformed", () -> open(cut)),
        new Row(PaytendException.Malformed.class, "malformed",
            () -> RING.open(document, Keyring.Expected.notification(PARTNER_ID).maxBytes(10))),
        new Row(PaytendException.Usage.class, "usage", () -> open(null)),
        new Row(PaytendException.Unsealable.class, "unsealable", () -> RING.seal(Kind.REQUEST, Map.of(), "")),
        new Row(PaytendException.KeyUnusable.class, "key", () -> PrivateKey.load("no key")),
        new Row(PaytendException.KeyUnusable.class, "key", () -> PrivateKey.generate(512)),
        new Row(PaytendException.KeyUnusable.class, "key", () -> PrivateKey.generate(-1)),
        new Row(PaytendException.KeyUnusable.class, "key", () -> PublicKey.fromFile(Path.of("/nowhere/key.pem"))),
        new Row(PaytendException.KeyUnusable.class, "key", () -> new Keyring(List.of(), List.of())),
        new Row(PaytendException.KeyUnusable.class, "key", () -> Receiver.payBy(List.of(), Receiver.Limits.NONE)),
        new Row(PaytendException.Usage.class, "usage",
            () -> Receiver.paytend(Receiver.Product.BAAS, "", RING, Receiver.Limits.NONE)))) {
      PaytendException thrown = assertThrows(row.type, row.work);
      assertEquals(row.code, thrown.code());
      assertFalse(thrown.getMessage().isEmpty());
    }
    PaytendException.UnsignedFailure unsigned = assertThrows(PaytendException.UnsignedFailure.class,
        () -> RING.open(bytes("{\"respCode\":\"99\",\"respMsg\":\"no\"}"), Keyring.Expected.response()));
    assertEquals(List.of("99", "no"), List.of(unsigned.respCode(), unsigned.respMsg()));
  }

  @Test
  void closedKeyCannotSign() {
    PrivateKey key = PrivateKey.generate(1024);
    try (Keyring ring = new Keyring(key, THEIRS.publicKey())) {
      key.close();
      key.close();
      // The keyring keeps its own copies of the keys.
      assertNotNull(ring.seal(Kind.RESPONSE, Map.of("respCode", "00"), ""));
    }
    assertEquals("usage", assertThrows(PaytendException.Usage.class, () -> key.sign(new byte[0])).code());
  }

  @Test
  void toStringDoesNotShowSecrets() {
    Opened opened = open(sealed("{\"iban\":\"CANARY\"}"));
    try (Receiver receiver = Receiver.paytend(Receiver.Product.BAAS, PARTNER_ID, RING, Receiver.Limits.NONE)) {
      Notification received = receiver.receive(Map.of(), sealed("{\"iban\":\"CANARY\"}"));
      assertFalse((opened + " " + received + OWN + RING).matches(".*(CANARY|BEGIN|randomKey).*"));
      assertTrue(opened.payload().contains("CANARY"));
    }
  }

  @Test
  void keysRoundTripAndAreUsedOnlyDuringTheirPeriodOfUse() {
    for (PrivateKey.Form form : PrivateKey.Form.values()) {
      assertArrayEquals(OWN.write(form), PrivateKey.load(OWN.write(form)).write(form));
    }
    for (PublicKey.Form form : PublicKey.Form.values()) {
      assertArrayEquals(OWN.publicKey().write(form), PublicKey.load(OWN.publicKey().write(form)).write(form));
    }
    Instant day = Instant.parse("2026-12-01T00:00:00Z");
    Receiver.ScheduledKey scheduled =
        new Receiver.ScheduledKey(OWN.publicKey(), Optional.of(day), Optional.of(day.plus(Duration.ofHours(1))));
    Receiver.Limits limits = new Receiver.Limits(Optional.empty(), Optional.of(Duration.ofMinutes(1)));
    byte[] body = bytes("{\"notify_timestamp\":" + day.toEpochMilli() + "}");
    Map<String, List<String>> headers = Map.of("Sign", List.of(OWN.sign(body)));
    try (Receiver receiver = Receiver.payBy(List.of(scheduled), limits)) {
      Notification received = receiver.receive(headers, body, day.plusSeconds(60));
      assertEquals(List.of("payby", Optional.of(day)), List.of(received.provider(), received.sentAt()));
      Map<String, List<String>> withNulls = new java.util.HashMap<>(headers);
      withNulls.put(null, List.of("HTTP/1.1 200 OK"));
      withNulls.put("x-empty", null);
      withNulls.put("x-null", java.util.Collections.singletonList(null));
      assertEquals(received.dedupKey(), receiver.receive(withNulls, body, day).dedupKey());
      PaytendException late = assertThrows(
          PaytendException.Rejected.class, () -> receiver.receive(headers, body, day.plusSeconds(61)));
      assertEquals(400, late.response().orElseThrow().status());
      PaytendException early = assertThrows(
          PaytendException.KeyUnusable.class, () -> receiver.receive(headers, body, day.minusMillis(1)));
      assertEquals("60", early.response().orElseThrow().headers().get("retry-after"));
    }
    String fingerprint = Paytend.verify(List.of(THEIRS.publicKey(), OWN.publicKey()), body, OWN.sign(body));
    assertTrue(Paytend.inspectKey(OWN.publicKey().write(PublicKey.Form.SPKI_DER)).contains(fingerprint));
    assertThrows(PaytendException.NotAuthentic.class,
        () -> Paytend.verify(List.of(OWN.publicKey()), new byte[0], OWN.sign(body)));
    Set<String> ids = new HashSet<>();
    for (int n = 0; n < 1000; n++) {
      assertTrue(ids.add(Paytend.requestId()));
    }
  }

  @Test
  void objectsCanBeSharedAndClosedWhileInUse() throws Exception {
    byte[] document = sealed("{\"a\":1}");
    var pool = Executors.newFixedThreadPool(4);
    List<Future<Integer>> futures = new ArrayList<>();
    PrivateKey shortLived = PrivateKey.generate(1024);
    for (int thread = 0; thread < 4; thread++) {
      futures.add(pool.submit(() -> {
        int opened = 0;
        for (int n = 0; n < 50; n++) {
          opened += open(document).payload().equals("{\"a\":1}") ? 1 : 0;
          try {
            shortLived.sign(document);
          } catch (PaytendException.Usage closed) {
            // This exception is expected once the key has been closed.
          }
          if (n == 25) {
            shortLived.close();
          }
        }
        return opened;
      }));
    }
    for (Future<Integer> future : futures) {
      assertEquals(50, future.get());
    }
    pool.shutdown();
  }

  @Test
  void springControllerHandlesNotifications() {
    Set<String> seen = new HashSet<>();
    try (Receiver receiver = Receiver.paytend(Receiver.Product.BAAS, PARTNER_ID, RING, Receiver.Limits.NONE)) {
      SpringController controller = new SpringController(receiver, it -> seen.add(it.dedupKey()));
      for (int time = 0; time < 2; time++) {
        var response = controller.take(new HttpHeaders(), sealed("{\"orderNo\":\"F1\"}"));
        assertEquals(200, response.getStatusCode().value());
        assertArrayEquals(bytes("{\"msg\":\"success\",\"status\":\"00\"}"), response.getBody());
      }
      assertEquals(1, seen.size());
      assertEquals(400, controller.take(new HttpHeaders(), null).getStatusCode().value());
    }
  }
}
