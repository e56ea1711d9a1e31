package io.github.paytendrs.paytend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** Tests that error messages name the file, field or argument, and contain no personal data. */
class FailuresTest {
  private static final String PARTNER_ID = "888666000100260";
  private static final Instant NOW = Instant.parse("2026-12-01T00:00:00Z");
  private static final PrivateKey OWN = PrivateKey.generate(1024);
  private static final Keyring RING = new Keyring(OWN, OWN.publicKey());

  /** Writes a private key to a file, with the given permissions if the platform supports them. */
  static void writePrivate(Path path, PrivateKey key, String permissions) throws IOException {
    Files.write(path, key.write(PrivateKey.Form.PKCS8_PEM));
    if (path.getFileSystem().supportedFileAttributeViews().contains("posix")) {
      Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(permissions));
    }
  }

  /** Returns the thrown exception's message, and checks that it contains no personal data. */
  private static String message(String code, Executable work) {
    PaytendException thrown = assertThrows(PaytendException.class, work);
    assertEquals(code, thrown.code());
    assertFalse(thrown.getMessage().matches("(?s).*(CANARY|BEGIN).*"), thrown.getMessage());
    return thrown.getMessage();
  }

  private static void says(String part, String message) {
    assertTrue(message.contains(part), message);
  }

  @Test
  void errorForMissingKeyFileNamesThePath(@TempDir Path folder) {
    Path path = folder.resolve("absent.pem");
    says("cannot read the key file " + path + ": ", message("key", () -> PrivateKey.fromFile(path)));
    says("cannot read the key file " + path + ": ", message("key", () -> PublicKey.fromFile(path)));
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void errorForKeyFileReadableByOthersNamesPathAndMode(@TempDir Path folder) throws IOException {
    Path path = folder.resolve("private.pem");
    writePrivate(path, OWN, "rw-r--r--");
    String message = message("key", () -> PrivateKey.fromFile(path));
    List.of(path.toString(), "644", "0600").forEach(part -> says(part, message));
  }

  @Test
  void rejectionMessageIncludesTheCause() {
    String text = "{\"notify_timestamp\":" + NOW.toEpochMilli() + ",\"name\":\"CANARY\"}";
    byte[] body = text.getBytes(StandardCharsets.UTF_8);
    Map<String, List<String>> headers = Map.of("sign", List.of(OWN.sign(body)));
    Map<String, List<String>> others = Map.of("sign", List.of(OWN.sign(new byte[0])));
    Receiver.Limits limits = new Receiver.Limits(Optional.empty(), Optional.of(Duration.ofMinutes(1)));
    Receiver.ScheduledKey always = Receiver.ScheduledKey.always(OWN.publicKey());
    Receiver.ScheduledKey later =
        new Receiver.ScheduledKey(OWN.publicKey(), Optional.of(NOW.plus(Duration.ofDays(1))), Optional.empty());
    try (Receiver receiver = Receiver.payBy(List.of(always), limits);
        Receiver early = Receiver.payBy(List.of(later), limits)) {
      says("the notification was sent 2 h ago; `max_age` is 1 min",
          message("rejected", () -> receiver.receive(headers, body, NOW.plus(Duration.ofHours(2)))));
      assertEquals("rejected: the message is not authentic",
          message("not_authentic", () -> receiver.receive(others, body, NOW)));
      says("cannot verify now: ", message("key", () -> early.receive(headers, body, NOW)));
    }
  }

  @Test
  void errorNamesTheInvalidField() {
    Map<String, String> noValue = new HashMap<>(Map.of("partnerId", PARTNER_ID));
    noValue.put("note", null);
    says("`partnerId`", message("unsealable", () -> RING.seal(Kind.REQUEST, Map.of(), "")));
    says("`note`", message("unsealable",
        () -> RING.seal(Kind.REQUEST, Map.of("partnerId", PARTNER_ID, "note", "CANARY&x=y"), "")));
    says("`note` is null", message("usage", () -> RING.seal(Kind.REQUEST, noValue, "")));
    says("`partnerId` is not valid Unicode",
        message("usage", () -> RING.seal(Kind.REQUEST, Map.of("partnerId", "CANARY\ud800"), "")));
    says("payload is not valid Unicode",
        message("usage", () -> RING.seal(Kind.REQUEST, Map.of("partnerId", PARTNER_ID), "CANARY\ud800")));
  }

  @Test
  void errorNamesTheInvalidArgument() {
    Receiver.Limits negative = new Receiver.Limits(Optional.of(-1), Optional.empty());
    says("document is null", message("usage", () -> RING.open(null, Keyring.Expected.response())));
    says("path is null", message("usage", () -> PrivateKey.fromFile(null)));
    says("data is null", message("usage", () -> PublicKey.load((byte[]) null)));
    says("`maxBytes`", message("usage",
        () -> RING.open(new byte[0], Keyring.Expected.response().maxBytes(-1))));
    says("`maxBytes`", message("usage",
        () -> Receiver.payBy(List.of(Receiver.ScheduledKey.always(OWN.publicKey())), negative)));
    says("partner ID", message("usage",
        () -> Receiver.paytend(Receiver.Product.BAAS, "", RING, Receiver.Limits.NONE)));
  }
}
