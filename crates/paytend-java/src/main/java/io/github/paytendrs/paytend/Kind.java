package io.github.paytendrs.paytend;

/** The three shapes of a message. */
public enum Kind {
  /** From a partner to Paytend; the payload is {@code bizData}. */
  REQUEST("request"),
  /** Paytend's answer; the payload is {@code respData}. */
  RESPONSE("response"),
  /** From Paytend to a callback URL; the payload is {@code content}. */
  NOTIFICATION("notification");

  final String text;

  Kind(String text) {
    this.text = text;
  }
}
