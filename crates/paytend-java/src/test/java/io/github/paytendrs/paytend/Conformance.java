package io.github.paytendrs.paytend;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * The conformance program of the Java binding. Its output must match the output of examples/conformance.rs in
 * paytend-bindings.
 *
 * <p>Usage: {@code Conformance VECTORS vectors FILE | seal FILE | open FILE...}
 */
public final class Conformance {
  private static final String PARTNER_ID = "888666000100260";
  private static final ObjectMapper JSON = new ObjectMapper();
  private static Path vectors;
  private static JsonNode keys;

  private Conformance() {}

  private static JsonNode read(String name) throws IOException {
    return JSON.readTree(vectors.resolve(name).toFile());
  }

  private static void check(boolean holds, String what) {
    if (!holds) {
      throw new IllegalStateException(what);
    }
  }

  private static PrivateKey privateKey(String name) {
    return PrivateKey.load(keys.get(name).get("private").asText());
  }

  private static PublicKey publicKey(String name) {
    return PublicKey.load(keys.get(name).get("public").asText());
  }

  private static Keyring keyring(String own, String peer) {
    return new Keyring(privateKey(own), publicKey(peer));
  }

  private static Kind kind(String name) {
    return switch (name) {
      case "bizData", "request" -> Kind.REQUEST;
      case "respData", "response" -> Kind.RESPONSE;
      case "content", "notification" -> Kind.NOTIFICATION;
      default -> throw new IllegalStateException(name);
    };
  }

  private static Keyring.Expected expected(Kind kind, boolean signed) {
    Keyring.Expected expected = switch (kind) {
      case REQUEST -> Keyring.Expected.request(PARTNER_ID);
      case RESPONSE -> Keyring.Expected.response();
      case NOTIFICATION -> Keyring.Expected.notification(PARTNER_ID);
    };
    return signed ? expected : expected.unsignedPayload();
  }

  private static String outcome(Supplier<?> work) {
    try {
      work.get();
      return "ok";
    } catch (PaytendException thrown) {
      return thrown.code();
    }
  }

  private static String runVectors() throws IOException {
    StringBuilder out = new StringBuilder();
    for (var key : keys.properties()) {
      if (!key.getValue().isObject()) {
        continue;
      }
      String fingerprint = null;
      List<String> forms = List.of("private", "private_pkcs1_pem", "private_pkcs8_pem", "public", "public_pkcs1_pem");
      for (String form : forms) {
        byte[] data = key.getValue().get(form).asText().getBytes(StandardCharsets.UTF_8);
        JsonNode info = JSON.readTree(Paytend.inspectKey(data));
        check(info.get("private").asBoolean() == form.startsWith("private"), key.getKey());
        check(fingerprint == null || fingerprint.equals(info.get("fingerprint").asText()), key.getKey());
        fingerprint = info.get("fingerprint").asText();
      }
      out.append("keys/").append(key.getKey()).append(": ").append(fingerprint).append('\n');
    }
    for (JsonNode it : read("envelope.json")) {
      Keyring ring = keyring(it.get("receiver").asText(), it.get("sender").asText());
      byte[] wire = it.get("wire").asText().getBytes(StandardCharsets.UTF_8);
      Keyring.Expected expected = expected(kind(it.get("payload_field").asText()), it.get("sign_payload").asBoolean());
      String name = it.get("name").asText();
      out.append("envelope/").append(name).append(": ").append(outcome(() -> ring.open(wire, expected))).append('\n');
      Opened opened = ring.open(wire, expected);
      check(opened.payload().equals(it.get("payload").asText()), name);
      check(opened.canonical().equals(it.get("canonical").asText()), name);
    }
    JsonNode refuse = read("refuse.json");
    Keyring own = keyring("partner", "paytend");
    for (JsonNode it : refuse) {
      String name = it.get("name").asText();
      byte[] document = document(refuse, it, name);
      Keyring.Expected expected = expected(kind(it.get("kind").asText()), true);
      String outcome = outcome(() -> own.open(document, expected));
      check(!outcome.equals("ok"), name);
      out.append("refuse/").append(name).append(": ").append(outcome).append('\n');
    }
    for (JsonNode it : read("detached.json")) {
      String provider = it.get("key").asText();
      Receiver.ScheduledKey key = Receiver.ScheduledKey.always(publicKey(provider));
      boolean payby = provider.equals("payby");
      Receiver receiver = payby
          ? Receiver.payBy(List.of(key), Receiver.Limits.NONE)
          : Receiver.payerMax(List.of(new Receiver.Merchant("P01010113842047", key)), Receiver.Limits.NONE);
      Instant now = Instant.ofEpochMilli(payby ? 1_586_849_300_000L : 1_670_837_217_628L);
      byte[] body = Base64.getDecoder().decode(it.get("body_base64").asText());
      String name = it.get("name").asText();
      out.append("detached/").append(name).append(": ");
      try {
        Notification received = receiver.receive(Map.of("Sign", List.of(it.get("sign").asText())), body, now);
        check(it.get("valid").asBoolean() && Arrays.equals(received.content(), body), name);
        out.append(received.dedupKey()).append('\n');
      } catch (PaytendException thrown) {
        check(!it.get("valid").asBoolean() && thrown.response().orElseThrow().status() == 400, name);
        out.append(thrown.code()).append('\n');
      }
    }
    for (JsonNode it : read("rsa_blocks.json")) {
      byte[] wire = Base64.getDecoder().decode(it.get("wire").asText());
      byte[] plain = privateKey(it.get("key").asText()).hazmatDecryptBlocks(wire);
      check(new String(plain, StandardCharsets.UTF_8).equals(it.get("plain").asText()), it.get("name").asText());
      out.append("rsa_blocks/").append(it.get("name").asText()).append(": ok\n");
    }
    Keyring theirs = keyring("paytend", "partner");
    Map<String, String> fields = Map.of("partnerId", PARTNER_ID, "requestId", "0123456789abcdef0123456789abcdef");
    for (String file : List.of("baas", "funding", "issuing", "payby", "payermax")) {
      for (JsonNode it : read("samples/" + file + ".json").get("samples")) {
        String payload = it.get("sample").toString();
        byte[] document = own.seal(Kind.REQUEST, fields, payload).getBytes(StandardCharsets.UTF_8);
        String name = it.get("name").asText();
        check(theirs.open(document, expected(Kind.REQUEST, true)).payload().equals(payload), name);
        out.append("samples/").append(file).append('/').append(name).append(": ok\n");
      }
    }
    oddArguments(own, publicKey("payby")).forEach(
        (name, work) -> out.append("arguments/").append(name).append(": ").append(outcome(work)).append('\n'));
    return out.toString();
  }

  private static Map<String, Supplier<?>> oddArguments(Keyring own, PublicKey key) {
    byte[] document = "{}".getBytes(StandardCharsets.UTF_8);
    Map<String, String> fields = Map.of("partnerId", PARTNER_ID);
    Receiver.ScheduledKey always = Receiver.ScheduledKey.always(key);
    Function<Receiver.Limits, Supplier<?>> payBy = limits -> () -> Receiver.payBy(List.of(always), limits);
    Function<Optional<String>, Supplier<?>> request =
        partner -> () -> own.open(document, new Keyring.Expected(Kind.REQUEST, partner, true, Optional.empty()));
    return Map.ofEntries(
        Map.entry("request without a partner", request.apply(Optional.empty())),
        Map.entry("request with an empty partner", request.apply(Optional.of(""))),
        Map.entry("response with a partner", () -> own.open(
            document, new Keyring.Expected(Kind.RESPONSE, Optional.of(PARTNER_ID), true, Optional.empty()))),
        Map.entry("payload that is not Unicode", () -> own.seal(Kind.REQUEST, fields, "{\"name\":\"\ud83d\"}")),
        Map.entry("field that is not Unicode", () -> own.seal(Kind.REQUEST, Map.of("note", "\ud83d"), "")),
        Map.entry("receiver with an empty partner",
            () -> Receiver.paytend(Receiver.Product.BAAS, "", own, Receiver.Limits.NONE)),
        Map.entry("PayerMax without a merchant",
            () -> Receiver.payerMax(List.of(new Receiver.Merchant("", always)), Receiver.Limits.NONE)),
        Map.entry("PayBy without a key", () -> Receiver.payBy(List.of(), Receiver.Limits.NONE)),
        Map.entry("size limit of 0",
            payBy.apply(new Receiver.Limits(Optional.of(0), Optional.empty()))),
        Map.entry("maximum age of 0",
            payBy.apply(new Receiver.Limits(Optional.empty(), Optional.of(Duration.ZERO)))),
        Map.entry("512-bit key", () -> PrivateKey.generate(512)));
  }

  private static byte[] document(JsonNode cases, JsonNode it, String name) throws IOException {
    if (it.hasNonNull("wire")) {
      return it.get("wire").asText().getBytes(StandardCharsets.UTF_8);
    }
    if (it.hasNonNull("wire_base64")) {
      return Base64.getDecoder().decode(it.get("wire_base64").asText());
    }
    if (name.equals("json/deep nesting")) {
      return "[".repeat(100_000).getBytes(StandardCharsets.UTF_8);
    }
    check(name.equals("randomKey/a million blocks"), name);
    for (JsonNode other : cases) {
      if (other.get("name").asText().equals("signature/one bit")) {
        ObjectNode fields = (ObjectNode) JSON.readTree(other.get("wire").asText());
        fields.put("randomKey", Base64.getEncoder().encodeToString(new byte[128_000_000]));
        return JSON.writeValueAsBytes(fields);
      }
    }
    throw new IllegalStateException(name);
  }

  private static void seal(Path file) throws IOException {
    record Sent(String kind, String sender, String receiver, Map<String, String> fields) {}
    record Text(String payload, boolean signed) {}
    ArrayNode sealed = JSON.createArrayNode();
    for (Sent it : List.of(
        new Sent("request", "partner", "paytend",
            Map.of("partnerId", PARTNER_ID, "requestId", "0123456789abcdef0123456789abcdef")),
        new Sent("response", "paytend", "partner", Map.of("respCode", "00", "respMsg", "got it & more")),
        new Sent("notification", "paytend_2048", "partner_2048", Map.of("partnerId", PARTNER_ID, "notifyType", "2")))) {
      for (Text text : List.of(
          new Text("", true),
          new Text("{\"amount\":\"0.10\",\"name\":\"Žalgirio & Söhne 中文 💶\"}", true),
          new Text("{\"a\":1}", false))) {
        Keyring ring = keyring(it.sender, it.receiver);
        String document = text.signed
            ? ring.seal(kind(it.kind), it.fields, text.payload)
            : ring.sealUnsignedPayload(kind(it.kind), it.fields, text.payload);
        sealed.addObject().put("kind", it.kind).put("sender", it.sender).put("receiver", it.receiver)
            .put("payload", text.payload).put("signed", text.signed).put("document", document);
      }
    }
    JSON.writeValue(file.toFile(), sealed);
  }

  private static void open(Path file) throws IOException {
    JsonNode messages = JSON.readTree(file.toFile());
    check(messages.size() == 9, file.toString());
    for (JsonNode it : messages) {
      Keyring ring = keyring(it.get("receiver").asText(), it.get("sender").asText());
      byte[] document = it.get("document").asText().getBytes(StandardCharsets.UTF_8);
      Opened opened = ring.open(document, expected(kind(it.get("kind").asText()), it.get("signed").asBoolean()));
      check(opened.payload().equals(it.get("payload").asText()), file.toString());
    }
  }

  /** Runs the command in the arguments. See the class documentation. */
  public static void main(String[] arguments) throws IOException {
    vectors = Path.of(arguments[0]);
    keys = read("keys.json");
    switch (arguments[1]) {
      case "vectors" -> Files.writeString(Path.of(arguments[2]), runVectors());
      case "seal" -> seal(Path.of(arguments[2]));
      case "open" -> {
        for (String file : Arrays.asList(arguments).subList(2, arguments.length)) {
          open(Path.of(file));
        }
      }
      default -> throw new IllegalStateException(arguments[1]);
    }
  }
}
