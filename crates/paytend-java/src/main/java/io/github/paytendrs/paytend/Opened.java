package io.github.paytendrs.paytend;

import java.util.Map;
import java.util.Optional;

/**
 * What an authentic message says.
 *
 * @param fields the plain fields
 * @param payload the payload's text, exactly as it was signed; empty if there was none
 * @param canonical the signed text. Secret: it holds the session key and the payload
 * @param verifiedBy the fingerprint of the key that the signature is by
 * @param decryptedBy the fingerprint of the key that decrypted it, if something was encrypted
 */
public record Opened(
    Map<String, String> fields, String payload, String canonical, String verifiedBy, Optional<String> decryptedBy) {
  /** Keeps contents out of logs. */
  @Override
  public String toString() {
    return "paytend.Opened[verifiedBy=" + verifiedBy + "]";
  }
}
