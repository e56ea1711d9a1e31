package io.github.paytendrs.paytend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Tests the code in README.md. {@code cargo xtask bindings test java} checks that the marked regions are identical to
 * the code blocks in README.md.
 */
class ReadmeTest {
  private static final System.Logger LOG = System.getLogger("readme");
  private static final String PARTNER_ID = "888666000100260";
  private static final PrivateKey THEIRS = PrivateKey.generate(1024);

  // README: begin
  static Keyring loadKeyring(Path folder) {
    try (PrivateKey own = PrivateKey.fromFile(folder.resolve("private.pem")); // mode 0600
        PublicKey paytend = PublicKey.fromFile(folder.resolve("paytend.pem"))) {
      return new Keyring(own, paytend); // keeps its own copies of the keys
    }
  }

  static String sealRequest(Keyring keyring) {
    String payload = "{\"orderNo\":\"A-1001\",\"amount\":\"12.50\"}";
    return keyring.seal(Kind.REQUEST, Map.of("partnerId", "888666000100260"), payload);
  }
  // README: end

  // README: begin
  static Receiver newReceiver(Keyring keyring) {
    return Receiver.paytend(Receiver.Product.BAAS, "888666000100260", keyring, Receiver.Limits.NONE);
  }

  static ProviderResponse handle(
      Receiver receiver, Map<String, List<String>> headers, byte[] body, Predicate<Notification> store) {
    try {
      Notification notification = receiver.receive(headers, body);
      return receiver.respond(store.test(notification) ? Reply.ACCEPTED : Reply.DUPLICATE);
    } catch (PaytendException rejected) {
      LOG.log(System.Logger.Level.WARNING, "notification rejected: " + rejected.getMessage());
      return rejected.response().orElseGet(() -> receiver.respond(Reply.TRY_AGAIN_LATER));
    }
  }
  // README: end

  /** Writes the README's key files. Returns the keyring loaded from them, and Paytend's keyring. */
  private static Keyring[] rings(Path folder) throws Exception {
    try (PrivateKey own = PrivateKey.generate(1024)) {
      FailuresTest.writePrivate(folder.resolve("private.pem"), own, "rw-------");
      Files.write(folder.resolve("paytend.pem"), THEIRS.publicKey().write(PublicKey.Form.SPKI_PEM));
      return new Keyring[] {loadKeyring(folder), new Keyring(THEIRS, own.publicKey())};
    }
  }

  private static byte[] notification(Keyring sender, String payload, String type) {
    Map<String, String> fields = Map.of("partnerId", PARTNER_ID, "notifyType", type);
    return sender.seal(Kind.NOTIFICATION, fields, payload).getBytes(StandardCharsets.UTF_8);
  }

  private static String requestId(String document) throws Exception {
    return new ObjectMapper().readTree(document).path("requestId").asText(null);
  }

  @Test
  void sealAddsARequestId(@TempDir Path folder) throws Exception {
    Keyring[] rings = rings(folder);
    String document = sealRequest(rings[0]);
    Opened opened =
        rings[1].open(document.getBytes(StandardCharsets.UTF_8), Keyring.Expected.request(PARTNER_ID));
    String first = requestId(document);
    assertEquals(first, opened.fields().get("requestId"));
    assertEquals(32, first.length());
    assertEquals("{\"orderNo\":\"A-1001\",\"amount\":\"12.50\"}", opened.payload());
    assertNotEquals(first, requestId(sealRequest(rings[0])));
    Map<String, String> given = Map.of("partnerId", PARTNER_ID, "requestId", first);
    assertEquals(first, requestId(rings[0].seal(Kind.REQUEST, given, null)));
    assertEquals(first, requestId(rings[0].sealUnsignedPayload(Kind.REQUEST, given, "{}")));
    Map<String, String> none = Map.of("partnerId", PARTNER_ID);
    assertEquals(32, requestId(rings[0].sealUnsignedPayload(Kind.REQUEST, none, "{}")).length());
    Map<String, String> empty = Map.of("partnerId", PARTNER_ID, "requestId", "");
    PaytendException refused =
        assertThrows(PaytendException.Unsealable.class, () -> rings[0].seal(Kind.REQUEST, empty, ""));
    assertTrue(refused.getMessage().contains("`requestId`"));
    assertEquals(null, requestId(new String(notification(rings[1], "", "2"), StandardCharsets.UTF_8)));
  }

  @Test
  void repeatedNotificationHasTheSameDedupKey(@TempDir Path folder) throws Exception {
    Keyring[] rings = rings(folder);
    Map<String, Notification> stored = new HashMap<>();
    List<Boolean> wereNew = new ArrayList<>();
    try (Receiver receiver = newReceiver(rings[0])) {
      Predicate<Notification> store = received -> {
        wereNew.add(stored.put(received.dedupKey(), received) == null);
        return wereNew.get(wereNew.size() - 1);
      };
      for (int state : new int[] {2, 2, 3}) {
        byte[] body = notification(rings[1], "{\"transactionId\":\"T1\",\"tradeStatus\":" + state + "}", "2");
        ProviderResponse response = handle(receiver, Map.of(), body, store);
        assertEquals(200, response.status());
        assertEquals("{\"msg\":\"success\",\"status\":\"00\"}", new String(response.body(), StandardCharsets.UTF_8));
      }
    }
    assertEquals(List.of(true, false, true), wereNew);
    assertTrue(stored.values().stream().anyMatch(received -> received.businessKey().equals(
        Optional.of(new Notification.BusinessKey("deposit", "T1", Optional.of("2"))))));
  }

  @Test
  void untypedNotificationIsStoredUnchanged(@TempDir Path folder) throws Exception {
    Keyring[] rings = rings(folder);
    List<Notification> stored = new ArrayList<>();
    try (Receiver receiver = newReceiver(rings[0])) {
      handle(receiver, Map.of(), notification(rings[1], "{\"new\": 1}", "77"), stored::add);
    }
    assertEquals("unknown", stored.get(0).reading());
    assertArrayEquals("{\"new\": 1}".getBytes(StandardCharsets.UTF_8), stored.get(0).content());
  }

  @Test
  void rejectionHasAResponseAndAReason(@TempDir Path folder) throws Exception {
    List<Notification> stored = new ArrayList<>();
    try (Receiver receiver = newReceiver(rings(folder)[0])) {
      ProviderResponse response = handle(receiver, Map.of(), new byte[] {'{'}, stored::add);
      assertEquals(400, response.status());
      assertArrayEquals(response.body(), handle(receiver, Map.of(), new byte[] {'x'}, stored::add).body());
      PaytendException rejected =
          assertThrows(PaytendException.Malformed.class, () -> receiver.receive(Map.of(), new byte[] {'{'}));
      assertTrue(rejected.getMessage().contains("JSON ends too early at line 1 column 1"));
      assertFalse(new String(response.body(), StandardCharsets.UTF_8).contains("JSON"));
      // A usage error contains no response, so the handler asks the sender to retry.
      assertEquals(503, handle(receiver, Map.of(), null, stored::add).status());
    }
    assertTrue(stored.isEmpty());
  }

  @Test
  void everyErrorCodeHasAnExceptionClass() throws Exception {
    List<String> codes = new ArrayList<>();
    Pattern row = Pattern.compile("(?m)^\\| `([\\w.]+)` \\| `(\\w+)` \\|$");
    var rows = row.matcher(Files.readString(Path.of("README.md")));
    while (rows.find()) {
      PaytendException made = PaytendException.of(rows.group(2), "", "", "", null);
      assertEquals("io.github.paytendrs.paytend." + rows.group(1), made.getClass().getCanonicalName());
      assertEquals(rows.group(2), made.code());
      codes.add(rows.group(2));
    }
    assertEquals(Set.of("usage", "not_authentic", "malformed", "payload", "unsigned_failure", "unsealable", "key",
        "unavailable", "rejected", "internal"), Set.copyOf(codes));
  }

  @Test
  void closedKeyringCannotSeal(@TempDir Path folder) throws Exception {
    Keyring ring = rings(folder)[0];
    ring.close();
    PaytendException closed = assertThrows(PaytendException.Usage.class, () -> sealRequest(ring));
    assertTrue(closed.getMessage().contains("closed"));
  }

  @Test
  void garbageCollectedKeyIsClosed() {
    long number = PrivateKey.generate(1024).handle.number;
    long start = System.nanoTime();
    PaytendException.Usage closed = null;
    while (closed == null && System.nanoTime() - start < Duration.ofMinutes(1).toNanos()) {
      System.gc();
      try {
        Native.call(Native.PRIVATE_SIGN, new Native.Arguments().add((Long) number).add(new byte[0]));
      } catch (PaytendException.Usage refused) {
        closed = refused;
      }
    }
    assertNotNull(closed);
  }
}
