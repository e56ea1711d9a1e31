package io.github.paytendrs.paytend;

import io.github.paytendrs.paytend.Native.Arguments;
import io.github.paytendrs.paytend.Native.Handle;
import io.github.paytendrs.paytend.Native.Results;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A receiver for the notifications that arrive at one HTTP route. Threads can share a receiver. */
public final class Receiver implements AutoCloseable {
  /** A Paytend product. Notification types are numbered separately for each product. */
  public enum Product {
    /** BaaS Core, Funding and Payout, which share a callback URL. */
    BAAS("baas"),
    /** The Issuing Cards product. */
    ISSUING("issuing");

    private final String text;

    Product(String text) {
      this.text = text;
    }
  }

  /**
   * A receiver's limits. An empty value means the default.
   *
   * @param maxBytes the maximum size of a body, in bytes. The default is 64 KiB.
   * @param maxAge the maximum age of a notification. The default is 26 hours for PayBy and 3 days for PayerMax.
   */
  public record Limits(Optional<Integer> maxBytes, Optional<Duration> maxAge) {
    /** The default limits. */
    public static final Limits NONE = new Limits(Optional.empty(), Optional.empty());
  }

  /**
   * A provider's key and its validity period.
   *
   * @param key the key.
   * @param notBefore the start of the validity period (inclusive).
   * @param retireAt the end of the validity period (exclusive).
   */
  public record ScheduledKey(PublicKey key, Optional<Instant> notBefore, Optional<Instant> retireAt) {
    /** Creates a key whose validity period is unlimited. */
    public static ScheduledKey always(PublicKey key) {
      return new ScheduledKey(key, Optional.empty(), Optional.empty());
    }
  }

  /**
   * A PayerMax merchant and its key.
   *
   * @param merchantNo the merchant number, assigned by PayerMax.
   * @param key the key.
   */
  public record Merchant(String merchantNo, ScheduledKey key) {}

  private final Handle handle;

  private Receiver(Results results) {
    this.handle = Handle.of(results);
  }

  private static Long bytes(Limits limits) {
    return limits.maxBytes.map(Integer::longValue).orElse(null);
  }

  private static Arguments limited(Limits limits) {
    return new Arguments().add(bytes(limits)).add(limits.maxAge.map(Duration::toMillis).orElse(null));
  }

  private static void add(Arguments arguments, ScheduledKey scheduled) {
    arguments.add(scheduled.key.handle).add(scheduled.notBefore.map(Instant::toEpochMilli).orElse(null));
    arguments.add(scheduled.retireAt.map(Instant::toEpochMilli).orElse(null));
  }

  /**
   * Creates a receiver for notifications from one Paytend product to one partner. Use a separate HTTP route for each
   * receiver.
   */
  public static Receiver paytend(Product product, String partnerId, Keyring keyring, Limits limits) {
    Arguments arguments = new Arguments().add("product", product.text).add("partnerId", partnerId).add(keyring.handle);
    return new Receiver(Native.call(Native.RECEIVER_PAYTEND, arguments.add(bytes(limits))));
  }

  /** Creates a receiver for PayBy's notifications. Use several keys during a key rotation. */
  public static Receiver payBy(List<ScheduledKey> keys, Limits limits) {
    Arguments arguments = limited(limits);
    keys.forEach(key -> add(arguments, key));
    return new Receiver(Native.call(Native.RECEIVER_PAYBY, arguments));
  }

  /** Creates a receiver for PayerMax's notifications to the given merchants. */
  public static Receiver payerMax(List<Merchant> merchants, Limits limits) {
    Arguments arguments = limited(limits);
    for (Merchant merchant : merchants) {
      add(arguments.add("merchantNo", merchant.merchantNo), merchant.key);
    }
    return new Receiver(Native.call(Native.RECEIVER_PAYERMAX, arguments));
  }

  /**
   * Verifies a notification. {@code body} must be the raw request body.
   *
   * @throws PaytendException if the notification is rejected. Its {@code response()} is the response to send.
   */
  public Notification receive(Map<String, List<String>> headers, byte[] body) {
    return receive(headers, body, Instant.now());
  }

  /** Verifies a notification as of the given time, for tests. */
  public Notification receive(Map<String, List<String>> headers, byte[] body, Instant now) {
    Arguments arguments = new Arguments().add(handle).add("body", body).add((Long) now.toEpochMilli());
    headers.forEach((name, values) -> addHeader(arguments, name, values));
    Results results = Native.call(Native.RECEIVE, arguments);
    String provider = results.text();
    Optional<String> product = Optional.ofNullable(results.text());
    Optional<String> notifyType = Optional.ofNullable(results.text());
    byte[] content = results.bytes();
    String reading = results.text();
    Optional<String> problem = Optional.ofNullable(results.text());
    String dedupKey = results.text();
    String kind = results.text();
    String id = results.text();
    Optional<String> state = Optional.ofNullable(results.text());
    Optional<Notification.BusinessKey> about =
        Optional.ofNullable(kind).map(known -> new Notification.BusinessKey(known, id, state));
    String verifiedBy = results.text();
    Optional<Instant> sentAt = Optional.ofNullable(results.number()).map(Instant::ofEpochMilli);
    return new Notification(
        provider, product, notifyType, content, reading, problem, dedupKey, about, verifiedBy, sentAt);
  }

  /** Adds a header. Null names and values, which some HTTP libraries use, are ignored. */
  private static void addHeader(Arguments arguments, String name, List<String> values) {
    if (name == null || values == null) {
      return;
    }
    for (String value : values) {
      if (value != null) {
        // Servlets decode header values as Latin-1. Encoding them as Latin-1 restores the bytes.
        arguments.add("a header name", name).add(value.getBytes(StandardCharsets.ISO_8859_1));
      }
    }
  }

  /** Returns the HTTP response for a received notification. Send it after storing the notification durably. */
  public ProviderResponse respond(Reply reply) {
    return Native.call(Native.RESPOND, new Arguments().add(handle).add("reply", reply.text)).response();
  }

  /** Closes the receiver. Later calls throw {@link PaytendException.Usage}. */
  @Override
  public void close() {
    handle.close();
  }
}
