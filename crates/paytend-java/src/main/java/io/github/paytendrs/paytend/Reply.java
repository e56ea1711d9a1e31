package io.github.paytendrs.paytend;

/** The result of handling a notification. */
public enum Reply {
  /** The notification has been stored durably. */
  ACCEPTED("accepted"),
  /** The notification had already been stored durably. */
  DUPLICATE("duplicate"),
  /** The notification could not be stored; the provider should retry. */
  TRY_AGAIN_LATER("try_again_later");

  final String text;

  Reply(String text) {
    this.text = text;
  }
}
