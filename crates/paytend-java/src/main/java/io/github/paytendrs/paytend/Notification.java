package io.github.paytendrs.paytend;

import java.time.Instant;
import java.util.Optional;

/**
 * A verified notification.
 *
 * @param provider {@code paytend}, {@code payby} or {@code payermax}
 * @param product Paytend's product
 * @param notifyType Paytend's {@code notifyType}
 * @param content what was signed: Paytend's content, PayBy's and PayerMax's body
 * @param problem why the content is not of its documented type, if it is not
 * @param dedupKey equal for the same notification, however often and however sealed it comes
 * @param businessKey what it is about, and the state that it reports
 * @param verifiedBy the fingerprint of the key that the signature is by
 * @param sentAt when the provider says that it was sent; Paytend does not say
 */
public record Notification(
    String provider,
    Optional<String> product,
    Optional<String> notifyType,
    byte[] content,
    Optional<String> problem,
    String dedupKey,
    Optional<BusinessKey> businessKey,
    String verifiedBy,
    Optional<Instant> sentAt) {

  /** What a notification is about, and the state that it reports. */
  public record BusinessKey(String kind, String id, Optional<String> state) {}

  /** Keeps contents out of logs. */
  @Override
  public String toString() {
    return "paytend.Notification[" + provider + " " + dedupKey + "]";
  }
}
