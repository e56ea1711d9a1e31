package io.github.paytendrs.paytend;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.SignatureException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import javax.crypto.Cipher;
import javax.crypto.spec.SecretKeySpec;

/**
 * Measures how long it takes to open messages with this library, and with handwritten code that uses only the JDK and
 * Jackson.
 *
 * <p>Usage: {@code Bench FILE} (see examples/bench.rs in paytend-bindings)
 */
public final class Bench {
  private static final String PARTNER_ID = "888666000100260";
  private static final ObjectMapper JSON = new ObjectMapper();

  private Bench() {}

  private interface Way {
    String open(byte[] document) throws Exception;
  }

  private static Way ours(JsonNode job) {
    Keyring ring = new Keyring(
        io.github.paytendrs.paytend.PrivateKey.load(job.get("private").asText()),
        io.github.paytendrs.paytend.PublicKey.load(job.get("public").asText()));
    Keyring.Expected expected = Keyring.Expected.notification(PARTNER_ID);
    return document -> ring.open(document, expected).payload();
  }

  private static Way byHand(JsonNode job) throws Exception {
    KeyFactory factory = KeyFactory.getInstance("RSA");
    Base64.Decoder base64 = Base64.getDecoder();
    PrivateKey own = factory.generatePrivate(new PKCS8EncodedKeySpec(base64.decode(job.get("private").asText())));
    PublicKey peer = factory.generatePublic(new X509EncodedKeySpec(base64.decode(job.get("public").asText())));
    return document -> {
      TreeMap<String, String> fields = new TreeMap<>();
      JSON.readTree(document).properties().forEach(field -> fields.put(field.getKey(), field.getValue().asText()));
      byte[] signature = base64.decode(fields.remove("signature"));
      Cipher rsa = Cipher.getInstance("RSA/ECB/PKCS1Padding");
      rsa.init(Cipher.DECRYPT_MODE, own);
      byte[] key = rsa.doFinal(base64.decode(fields.get("randomKey")));
      Cipher aes = Cipher.getInstance("AES/ECB/PKCS5Padding");
      aes.init(Cipher.DECRYPT_MODE, new SecretKeySpec(key, "AES"));
      fields.put("content", new String(aes.doFinal(base64.decode(fields.get("content"))), StandardCharsets.UTF_8));
      fields.put("randomKey", new String(key, StandardCharsets.UTF_8));
      if (!fields.get("partnerId").equals(PARTNER_ID)) {
        throw new SignatureException("the message is for another partner");
      }
      String signed = fields.entrySet().stream()
          .filter(field -> !field.getValue().isEmpty() && !field.getKey().equals("encryptFlag"))
          .map(field -> field.getKey() + "=" + field.getValue())
          .collect(Collectors.joining("&"));
      Signature verifier = Signature.getInstance("SHA256withRSA");
      verifier.initVerify(peer);
      verifier.update(signed.getBytes(StandardCharsets.UTF_8));
      if (!verifier.verify(signature)) {
        throw new SignatureException("not authentic");
      }
      return fields.get("content");
    };
  }

  /**
   * Reads lines of the form {@code ours|hand BITS COUNT}, where {@code hand} is the handwritten code. For each line,
   * opens the message for the BITS-bit key COUNT times, and prints the total duration in nanoseconds.
   */
  public static void main(String[] arguments) throws Exception {
    JsonNode jobs = JSON.readTree(Path.of(arguments[0]).toFile());
    Map<String, Way> ways = new HashMap<>();
    for (var job : jobs.properties()) {
      ways.put("ours " + job.getKey(), ours(job.getValue()));
      ways.put("hand " + job.getKey(), byHand(job.getValue()));
    }
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] words = line.split(" ");
      Way way = ways.get(words[0] + " " + words[1]);
      JsonNode job = jobs.get(words[1]);
      byte[] document = job.get("document").asText().getBytes(StandardCharsets.UTF_8);
      if (!way.open(document).equals(job.get("payload").asText())) {
        throw new IllegalStateException("the opened payload is wrong");
      }
      long count = Long.parseLong(words[2]);
      long start = System.nanoTime();
      for (long n = 0; n < count; n++) {
        way.open(document);
      }
      System.out.println(System.nanoTime() - start);
    }
  }
}
