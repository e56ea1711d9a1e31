package io.github.paytendrs.paytend;

import java.util.Optional;

/**
 * The base class for all exceptions in this library. The message names the affected file, field or argument, and
 * contains no secrets or personal data. The codes are the same in every language.
 */
public class PaytendException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private final String code;
  private final transient ProviderResponse response;

  PaytendException(String code, String message, ProviderResponse response) {
    super(message);
    this.code = code;
    this.response = response;
  }

  static PaytendException of(String code, String message, String respCode, String respMsg, ProviderResponse response) {
    return switch (code) {
      case "usage" -> new Usage(code, message, response);
      case "not_authentic" -> new NotAuthentic(code, message, response);
      case "malformed" -> new Malformed(code, message, response);
      case "payload" -> new Payload(code, message, response);
      case "unsigned_failure" -> new UnsignedFailure(code, message, response, respCode, respMsg);
      case "unsealable" -> new Unsealable(code, message, response);
      case "key" -> new KeyUnusable(code, message, response);
      case "unavailable" -> new Unavailable(code, message, response);
      case "rejected" -> new Rejected(code, message, response);
      default -> new PaytendException(code, message, response);
    };
  }

  static PaytendException usage(String message) {
    return new Usage("usage", message, null);
  }

  /** Returns the error code, such as {@code not_authentic}. */
  public String code() {
    return code;
  }

  /** Returns the response to send to the provider, if a notification was rejected. */
  public Optional<ProviderResponse> response() {
    return Optional.ofNullable(response);
  }

  /** An argument is invalid, or an object has been closed. */
  public static final class Usage extends PaytendException {
    private static final long serialVersionUID = 1L;

    Usage(String code, String message, ProviderResponse response) {
      super(code, message, response);
    }
  }

  /**
   * The message was not sent by the expected sender to the expected receiver, or it was modified. The exact reason is
   * not reported.
   */
  public static final class NotAuthentic extends PaytendException {
    private static final long serialVersionUID = 1L;

    NotAuthentic(String code, String message, ProviderResponse response) {
      super(code, message, response);
    }
  }

  /** The document breaks a format rule that can be checked without a key. */
  public static final class Malformed extends PaytendException {
    private static final long serialVersionUID = 1L;

    Malformed(String code, String message, ProviderResponse response) {
      super(code, message, response);
    }
  }

  /** The message is authentic, but its payload is not a single JSON object. */
  public static final class Payload extends PaytendException {
    private static final long serialVersionUID = 1L;

    Payload(String code, String message, ProviderResponse response) {
      super(code, message, response);
    }
  }

  /** The document is an unsigned error response, which cannot be authenticated. */
  public static final class UnsignedFailure extends PaytendException {
    private static final long serialVersionUID = 1L;
    private final String respCode;
    private final String respMsg;

    UnsignedFailure(String code, String message, ProviderResponse response, String respCode, String respMsg) {
      super(code, message, response);
      this.respCode = respCode;
      this.respMsg = respMsg;
    }

    /** Returns {@code respCode}, which is not authenticated: an attacker on the network may have written it. */
    public String respCode() {
      return respCode;
    }

    /** Returns {@code respMsg}, which is not authenticated: an attacker on the network may have written it. */
    public String respMsg() {
      return respMsg;
    }
  }

  /**
   * The message cannot be sealed: a field or the payload breaks a rule that receivers enforce (for example, it would
   * make the signed text ambiguous).
   */
  public static final class Unsealable extends PaytendException {
    private static final long serialVersionUID = 1L;

    Unsealable(String code, String message, ProviderResponse response) {
      super(code, message, response);
    }
  }

  /** A key cannot be read or used. */
  public static final class KeyUnusable extends PaytendException {
    private static final long serialVersionUID = 1L;

    KeyUnusable(String code, String message, ProviderResponse response) {
      super(code, message, response);
    }
  }

  /** A key's backend or the random source is temporarily unavailable. */
  public static final class Unavailable extends PaytendException {
    private static final long serialVersionUID = 1L;

    Unavailable(String code, String message, ProviderResponse response) {
      super(code, message, response);
    }
  }

  /** An authentic notification was rejected because it is too old, dated in the future, or for the wrong merchant. */
  public static final class Rejected extends PaytendException {
    private static final long serialVersionUID = 1L;

    Rejected(String code, String message, ProviderResponse response) {
      super(code, message, response);
    }
  }
}
