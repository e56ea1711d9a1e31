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
 * @param reading {@code typed}, {@code unreadable} (of a documented type, but cannot be read as one) or {@code unknown}
 *     (of no known type). Store a notification that is not typed with its content, and do not count it as handled
 * @param problem what could not be read, if anything. A typed notification may have fields that cannot be read
 * @param dedupKey equal for the same notification, however often and however sealed it arrives. Store it in the
 *     transaction of the effect. A known key can still be an update, because Paytend's notifications have no number:
 *     store the repeat, and query the state of what {@code businessKey} names
 * @param businessKey what it is about, and the state that it reports
 * @param verifiedBy the fingerprint of the key that the signature is by
 * @param sentAt when the provider says that it was sent; Paytend does not say
 */
public record Notification(
    String provider,
    Optional<String> product,
    Optional<String> notifyType,
    byte[] content,
    String reading,
    Optional<String> problem,
    String dedupKey,
    Optional<BusinessKey> businessKey,
    String verifiedBy,
    Optional<Instant> sentAt) {

  /** The object that a notification is about, and the state that it reports. */
  public record BusinessKey(String kind, String id, Optional<String> state) {}

  /** Returns a description without the content, which keeps it out of logs. */
  @Override
  public String toString() {
    return "paytend.Notification[" + provider + " " + dedupKey + "]";
  }
}
