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
 * The keys of one side, facing one other side. The first of our own keys signs, all decrypt; the other side's first key encrypts, all
 * verify: so keys are rotated. Threads may share one. It keeps its own copies of the keys.
 */
public final class Keyring implements AutoCloseable {
  final Handle handle;

  /** A keyring of these keys. */
  public Keyring(List<PrivateKey> own, List<PublicKey> peer) {
    Arguments arguments = new Arguments().add((Long) (long) own.size());
    own.forEach(key -> arguments.add(key.handle));
    peer.forEach(key -> arguments.add(key.handle));
    this.handle = Handle.of(Native.call(Native.KEYRING, arguments));
  }

  /** A keyring of one key of each side. */
  public Keyring(PrivateKey own, PublicKey peer) {
    this(List.of(own), List.of(peer));
  }

  /** What a message must be, by the route or the configuration, never by the message. */
  public record Expected(Kind kind, Optional<String> partnerId, boolean payloadSigned, Optional<Integer> maxBytes) {
    /** A request of this partner (Paytend's side). */
    public static Expected request(String partnerId) {
      return new Expected(Kind.REQUEST, Optional.of(partnerId), true, Optional.empty());
    }

    /** A response (a partner's side), which names no partner. */
    public static Expected response() {
      return new Expected(Kind.RESPONSE, Optional.empty(), true, Optional.empty());
    }

    /** A notification to this partner (a partner's side). */
    public static Expected notification(String partnerId) {
      return new Expected(Kind.NOTIFICATION, Optional.of(partnerId), true, Optional.empty());
    }

    /** The payload is encrypted but not signed, as in the upload endpoints of the IBAN product. */
    public Expected unsignedPayload() {
      return new Expected(kind, partnerId, false, maxBytes);
    }

    /** The largest document that is looked at. */
    public Expected maxBytes(int bytes) {
      return new Expected(kind, partnerId, payloadSigned, Optional.of(bytes));
    }
  }

  /** Seals a message. {@code fields} are the plain fields but those that the protocol fixes; an empty payload is none. */
  public String seal(Kind kind, Map<String, String> fields, String payload) {
    return seal(kind, fields, payload, true);
  }

  /** Seals a message whose payload is left out of the signature, as the upload endpoints of the IBAN product want it. */
  public String sealUnsignedPayload(Kind kind, Map<String, String> fields, String payload) {
    return seal(kind, fields, payload, false);
  }

  private String seal(Kind kind, Map<String, String> fields, String payload, boolean signed) {
    Arguments arguments = new Arguments().add(handle).add(kind.text).add(payload).add(signed);
    fields.forEach((name, value) -> arguments.add(name).add(value));
    return Native.call(Native.SEAL, arguments).text();
  }

  /** Opens a message: decrypts it, verifies it, and gives what is in it only if both hold. */
  public Opened open(byte[] document, Expected expected) {
    Arguments arguments = new Arguments().add(handle).add(expected.kind.text).add(document);
    arguments.add(expected.partnerId.orElse(null)).add(expected.payloadSigned);
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

  @Override
  public void close() {
    handle.close();
  }

  @Override
  public String toString() {
    return "paytend.Keyring";
  }
}
