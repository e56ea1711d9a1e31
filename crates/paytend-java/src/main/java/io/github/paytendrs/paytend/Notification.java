package io.github.paytendrs.paytend;

import java.time.Instant;
import java.util.Optional;

/**
 * A verified notification.
 *
 * @param provider {@code paytend}, {@code payby} or {@code payermax}.
 * @param product the product of Paytend.
 * @param notifyType the {@code notifyType} of Paytend.
 * @param content the signed content: {@code content} for Paytend, the body for PayBy and PayerMax.
 * @param reading {@code typed}, {@code unreadable} (a documented type that could not be parsed) or {@code unknown} (an
 *     unknown type). Store a notification that is not typed with its content, and do not treat it as handled.
 * @param problem a description of what could not be parsed, if anything. A typed notification may also have fields that
 *     could not be parsed.
 * @param dedupKey the deduplication key. It is the same for every delivery of a notification, even if the notification
 *     is sealed again. Store it in the same transaction as the effect. Notifications from Paytend have no number, so a
 *     known key may still be an update. Store the repeat, and query the state of the object that {@code businessKey}
 *     identifies.
 * @param businessKey the object that the notification is about, and the state that it reports.
 * @param verifiedBy the fingerprint of the key that verified the signature.
 * @param sentAt the time of sending, if the provider reports it. Paytend does not report it.
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

  /**
   * The object that a notification is about, and the reported state.
   *
   * @param kind the kind of the object, such as {@code deposit}.
   * @param id the identifier of the object.
   * @param state the state, if the notification reports it.
   */
  public record BusinessKey(String kind, String id, Optional<String> state) {}

  /** Returns a description without the content, which keeps it out of logs. */
  @Override
  public String toString() {
    return "paytend.Notification[" + provider + " " + dedupKey + "]";
  }
}
