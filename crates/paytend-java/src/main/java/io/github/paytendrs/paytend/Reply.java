package io.github.paytendrs.paytend;

/** What a handler made of a notification. */
public enum Reply {
  /** It is durable. */
  ACCEPTED("accepted"),
  /** It was durable before. */
  DUPLICATE("duplicate"),
  /** It could not be stored now. */
  TRY_AGAIN_LATER("try_again_later");

  final String text;

  Reply(String text) {
    this.text = text;
  }
}
