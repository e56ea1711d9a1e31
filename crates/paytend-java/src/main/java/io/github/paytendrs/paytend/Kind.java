package io.github.paytendrs.paytend;

/** The kind of a message: a request, a response or a notification. */
public enum Kind {
  /** A request from a partner to Paytend; the payload is in {@code bizData}. */
  REQUEST("request"),
  /** A response from Paytend to a partner; the payload is in {@code respData}. */
  RESPONSE("response"),
  /** A notification from Paytend to a callback URL; the payload is in {@code content}. */
  NOTIFICATION("notification");

  final String text;

  Kind(String text) {
    this.text = text;
  }
}
