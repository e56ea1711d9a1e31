package io.github.paytendrs.paytend;

import io.github.paytendrs.paytend.Native.Arguments;
import java.util.List;

/** Functions that do not need a keyring. */
public final class Paytend {
  private Paytend() {}

  /** Returns the native library's version. */
  public static String version() {
    return Native.call(Native.VERSION, new Arguments()).text();
  }

  /** Generates a unique 32-character request identifier. */
  public static String requestId() {
    return Native.call(Native.REQUEST_ID, new Arguments()).text();
  }

  /**
   * Describes a private or public key as JSON with {@code private}, {@code bits}, {@code fingerprint}, {@code format}
   * and {@code armour}.
   */
  public static String inspectKey(byte[] data) {
    return Native.call(Native.KEY_INFO, new Arguments().add("data", data)).text();
  }

  /** Verifies the {@code sign} header of a raw body. Returns the fingerprint of the key that verified the signature. */
  public static String verify(List<PublicKey> keys, byte[] body, String sign) {
    Arguments arguments = new Arguments().add("body", body).add("sign", sign);
    keys.forEach(key -> arguments.add(key.handle));
    return Native.call(Native.VERIFY, arguments).text();
  }
}
