package io.github.paytendrs.paytend;

import java.util.Map;
import java.util.Optional;

/**
 * The contents of an authentic message.
 *
 * @param fields the unencrypted fields.
 * @param payload the payload as text, exactly as signed; empty for a message without a payload.
 * @param canonical the signed text, which is secret, since it contains the session key and the payload.
 * @param verifiedBy the fingerprint of the key that verified the signature.
 * @param decryptedBy the fingerprint of the key that decrypted the message; empty if nothing was encrypted.
 */
public record Opened(
    Map<String, String> fields, String payload, String canonical, String verifiedBy, Optional<String> decryptedBy) {
  /** Returns a description without the contents, to keep them out of logs. */
  @Override
  public String toString() {
    return "paytend.Opened[verifiedBy=" + verifiedBy + "]";
  }
}
