package io.github.paytendrs.paytend;

import io.github.paytendrs.paytend.Native.Arguments;
import io.github.paytendrs.paytend.Native.Handle;
import io.github.paytendrs.paytend.Native.Results;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The keys that one side uses to communicate with one peer. The first own key is used for signing, and all own keys for
 * decryption. The first peer key is used for encryption, and all peer keys for verification. Use several keys during a
 * key rotation.
 *
 * <p>Threads can share a keyring. A keyring keeps its own copies of the keys.
 */
public final class Keyring implements AutoCloseable {
  final Handle handle;

  /** Creates a keyring from several keys. */
  public Keyring(List<PrivateKey> own, List<PublicKey> peer) {
    Arguments arguments = new Arguments().add((Long) (long) own.size());
    own.forEach(key -> arguments.add(key.handle));
    peer.forEach(key -> arguments.add(key.handle));
    this.handle = Handle.of(Native.call(Native.KEYRING, arguments));
  }

  /** Creates a keyring from one own key and one peer key. */
  public Keyring(PrivateKey own, PublicKey peer) {
    this(List.of(own), List.of(peer));
  }

  /**
   * The expected properties of a message. Take them from the route or the configuration, never from the message.
   *
   * @param kind the kind of the message.
   * @param partnerId the partner in a request or notification; empty for a response.
   * @param payloadSigned whether the payload is signed. It is false for the upload endpoints of the IBAN product.
   * @param maxBytes the maximum size of the document, in bytes; empty means the default for the kind.
   */
  public record Expected(Kind kind, Optional<String> partnerId, boolean payloadSigned, Optional<Integer> maxBytes) {
    /** Returns the expected properties of a request from this partner to Paytend. */
    public static Expected request(String partnerId) {
      return new Expected(Kind.REQUEST, Optional.of(partnerId), true, Optional.empty());
    }

    /** Returns the expected properties of a response from Paytend. A response contains no partner. */
    public static Expected response() {
      return new Expected(Kind.RESPONSE, Optional.empty(), true, Optional.empty());
    }

    /** Returns the expected properties of a notification from Paytend to this partner. */
    public static Expected notification(String partnerId) {
      return new Expected(Kind.NOTIFICATION, Optional.of(partnerId), true, Optional.empty());
    }

    /** Returns a copy that expects an unsigned payload, as for the upload endpoints of the IBAN product. */
    public Expected unsignedPayload() {
      return new Expected(kind, partnerId, false, maxBytes);
    }

    /** Returns a copy with this maximum document size, in bytes. */
    public Expected maxBytes(int bytes) {
      return new Expected(kind, partnerId, payloadSigned, Optional.of(bytes));
    }
  }

  /**
   * Seals a message and returns its document, a JSON object. Adds a 32-character {@code requestId} to a request that
   * does not contain one. An existing {@code requestId} is kept.
   *
   * @param fields the unencrypted fields except {@code signType} and {@code version}, which sealing adds.
   * @param payload a JSON object as a string, sealed exactly as passed; empty or null for no payload.
   * @throws PaytendException.Unsealable if a field or the payload cannot be sealed.
   * @throws PaytendException.KeyUnusable if the keyring has no key to sign or encrypt with.
   */
  public String seal(Kind kind, Map<String, String> fields, String payload) {
    return seal(kind, fields, payload, true);
  }

  /**
   * Seals a message whose payload is not signed, as required by the upload endpoints of the IBAN product. Otherwise
   * behaves like {@link #seal(Kind, Map, String)}.
   */
  public String sealUnsignedPayload(Kind kind, Map<String, String> fields, String payload) {
    return seal(kind, fields, payload, false);
  }

  private String seal(Kind kind, Map<String, String> fields, String payload, boolean signed) {
    Arguments arguments = new Arguments().add(handle).add("kind", kind.text);
    arguments.addOptional("payload", payload).add(signed);
    fields.forEach((name, value) -> arguments.add("a field name", name).add("field `" + shown(name) + "`", value));
    return Native.call(Native.SEAL, arguments).text();
  }

  /** Returns the first 32 characters of a field name, for an error message. */
  private static String shown(String name) {
    return name == null ? "null" : name.substring(0, Math.min(name.length(), 32));
  }

  /** Decrypts and verifies a message. Returns the contents only if both succeed. */
  public Opened open(byte[] document, Expected expected) {
    Arguments arguments = new Arguments().add(handle).add("kind", expected.kind.text).add("document", document);
    arguments.addOptional("partnerId", expected.partnerId.orElse(null)).add(expected.payloadSigned);
    Results results = Native.call(Native.OPEN, arguments.add(expected.maxBytes.map(Integer::longValue).orElse(null)));
    String payload = results.text();
    String canonical = results.text();
    String verifiedBy = results.text();
    Optional<String> decryptedBy = Optional.ofNullable(results.text());
    Map<String, String> fields = new TreeMap<>();
    while (results.more()) {
      fields.put(results.text(), results.text());
    }
    return new Opened(Collections.unmodifiableMap(fields), payload, canonical, verifiedBy, decryptedBy);
  }

  /** Closes the keyring. Later calls throw {@link PaytendException.Usage}. */
  @Override
  public void close() {
    handle.close();
  }

  /** Returns a description without the keys, to keep them out of logs. */
  @Override
  public String toString() {
    return "paytend.Keyring";
  }
}
