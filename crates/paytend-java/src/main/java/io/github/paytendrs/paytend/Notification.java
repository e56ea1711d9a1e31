package io.github.paytendrs.paytend;

import java.time.Instant;
import java.util.Optional;

/**
 * A verified notification.
 *
 * @param provider {@code paytend}, {@code payby} or {@code payermax}.
 * @param product the Paytend product, if the provider is Paytend.
 * @param notifyType Paytend's {@code notifyType}, if the provider is Paytend.
 * @param content the signed content: the decrypted {@code content} for Paytend, the body for PayBy and PayerMax.
 * @param reading the result of parsing: {@code typed}, {@code unreadable} (a documented type that could not be parsed)
 *     or {@code unknown} (an undocumented type). If the result is not {@code typed}, store the notification with its
 *     content, and do not treat it as handled.
 * @param problem a description of the parsing problems, if any. Even a typed notification can have fields that could
 *     not be parsed.
 * @param dedupKey the deduplication key. It is the same for every delivery of a notification, even if the notification
 *     is sealed again. Store the key in the same transaction as the notification's effect. Notifications from Paytend
 *     have no sequence number, so a notification whose dedup key is already stored may still be an update. Store that
 *     notification too, and query the current state of the object that {@code businessKey} identifies.
 * @param businessKey the object that the notification is about, and the reported state.
 * @param verifiedBy the fingerprint of the key that verified the signature.
 * @param sentAt the time at which the notification was sent, if the provider reports it. Paytend does not.
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

  /** Returns a description without the content, to keep it out of logs. */
  @Override
  public String toString() {
    return "paytend.Notification[" + provider + " " + dedupKey + "]";
  }
}
