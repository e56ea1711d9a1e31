package io.github.paytendrs.paytend;

import java.util.Optional;

/**
 * What every method of this library throws. The message names the file, field or argument, and holds nothing secret or
 * personal. Codes are the same in every language.
 */
public class PaytendException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private final String code;
  private final transient Answer answer;

  PaytendException(String code, String message, Answer answer) {
    super(message);
    this.code = code;
    this.answer = answer;
  }

  static PaytendException of(String code, String message, String respCode, String respMsg, Answer answer) {
    return switch (code) {
      case "usage" -> new Usage(code, message, answer);
      case "not_authentic" -> new NotAuthentic(code, message, answer);
      case "malformed" -> new Malformed(code, message, answer);
      case "payload" -> new Payload(code, message, answer);
      case "unsigned_failure" -> new UnsignedFailure(code, message, answer, respCode, respMsg);
      case "unsealable" -> new Unsealable(code, message, answer);
      case "key" -> new KeyUnusable(code, message, answer);
      case "unavailable" -> new Unavailable(code, message, answer);
      case "rejected" -> new Rejected(code, message, answer);
      default -> new PaytendException(code, message, answer);
    };
  }

  static PaytendException usage(String message) {
    return new Usage("usage", message, null);
  }

  /** The code, such as {@code not_authentic}. */
  public String code() {
    return code;
  }

  /** What to answer the sender of a notification that is not taken. */
  public Optional<Answer> answer() {
    return Optional.ofNullable(answer);
  }

  /** An argument makes no sense, or what is used is closed. */
  public static final class Usage extends PaytendException {
    private static final long serialVersionUID = 1L;

    Usage(String code, String message, Answer answer) {
      super(code, message, answer);
    }
  }

  /** The message is not from the expected sender to the expected receiver, or was changed. There is no more to know. */
  public static final class NotAuthentic extends PaytendException {
    private static final long serialVersionUID = 1L;

    NotAuthentic(String code, String message, Answer answer) {
      super(code, message, answer);
    }
  }

  /** The document breaks a rule that anybody can see. */
  public static final class Malformed extends PaytendException {
    private static final long serialVersionUID = 1L;

    Malformed(String code, String message, Answer answer) {
      super(code, message, answer);
    }
  }

  /** The message is authentic, and its payload is not one JSON object. */
  public static final class Payload extends PaytendException {
    private static final long serialVersionUID = 1L;

    Payload(String code, String message, Answer answer) {
      super(code, message, answer);
    }
  }

  /** A failure answer without a signature, which proves nothing. */
  public static final class UnsignedFailure extends PaytendException {
    private static final long serialVersionUID = 1L;
    private final String respCode;
    private final String respMsg;

    UnsignedFailure(String code, String message, Answer answer, String respCode, String respMsg) {
      super(code, message, answer);
      this.respCode = respCode;
      this.respMsg = respMsg;
    }

    /** As received. Anybody on the way may have written it. */
    public String respCode() {
      return respCode;
    }

    /** As received. Anybody on the way may have written it. */
    public String respMsg() {
      return respMsg;
    }
  }

  /** The message would have more than one reading, so no receiver would take it. */
  public static final class Unsealable extends PaytendException {
    private static final long serialVersionUID = 1L;

    Unsealable(String code, String message, Answer answer) {
      super(code, message, answer);
    }
  }

  /** A key cannot be read or used. */
  public static final class KeyUnusable extends PaytendException {
    private static final long serialVersionUID = 1L;

    KeyUnusable(String code, String message, Answer answer) {
      super(code, message, answer);
    }
  }

  /** A key's backend, or the source of randomness, does not work now. */
  public static final class Unavailable extends PaytendException {
    private static final long serialVersionUID = 1L;

    Unavailable(String code, String message, Answer answer) {
      super(code, message, answer);
    }
  }

  /** An authentic notification that is not taken: too old, from the future, for another merchant. */
  public static final class Rejected extends PaytendException {
    private static final long serialVersionUID = 1L;

    Rejected(String code, String message, Answer answer) {
      super(code, message, answer);
    }
  }
}
