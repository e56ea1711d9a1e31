package io.github.paytendrs.paytend;

import io.github.paytendrs.paytend.Native.Arguments;
import io.github.paytendrs.paytend.Native.Handle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A private RSA key in PKCS#1 or PKCS#8 format. The key is wiped when it is closed or garbage-collected. */
public final class PrivateKey implements AutoCloseable {
  /** The encoding of a private key. */
  public enum Form {
    /** PKCS#8 in PEM. */
    PKCS8_PEM("pkcs8-pem"),
    /** PKCS#8 in base64, without line breaks. */
    PKCS8_BASE64("pkcs8-base64"),
    /** PKCS#1 in DER. */
    PKCS1_DER("pkcs1-der");

    private final String text;

    Form(String text) {
      this.text = text;
    }
  }

  final Handle handle;

  private PrivateKey(Handle handle) {
    this.handle = handle;
  }

  /** Reads a key in PEM, DER or base64 from bytes. */
  public static PrivateKey load(byte[] data) {
    return new PrivateKey(Handle.of(Native.call(Native.PRIVATE_LOAD, new Arguments().add("data", data))));
  }

  /** Reads a key in PEM or base64 from a string. */
  public static PrivateKey load(String text) {
    return load(text == null ? null : text.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Reads a key from a file.
   *
   * @throws PaytendException.KeyUnusable if the file is missing, or if other users can read it.
   */
  public static PrivateKey fromFile(Path path) {
    Arguments arguments = new Arguments().add("path", path == null ? null : path.toString());
    return new PrivateKey(Handle.of(Native.call(Native.PRIVATE_LOAD_FILE, arguments)));
  }

  /** Generates a key pair. The size is a multiple of 128 bits, from 1024 to 8192. */
  public static PrivateKey generate(int bits) {
    return new PrivateKey(Handle.of(Native.call(Native.PRIVATE_GENERATE, new Arguments().add((Long) (long) bits))));
  }

  /** Returns the matching public key. */
  public PublicKey publicKey() {
    return new PublicKey(Handle.of(Native.call(Native.PRIVATE_PUBLIC, new Arguments().add(handle))));
  }

  /** Returns the key in this encoding. The result is secret. */
  public byte[] write(Form form) {
    return Native.call(Native.PRIVATE_WRITE, new Arguments().add(handle).add("form", form.text)).bytes();
  }

  /** Signs a body for PayBy or PayerMax, and returns the value of the {@code sign} header. */
  public String sign(byte[] body) {
    return Native.call(Native.PRIVATE_SIGN, new Arguments().add(handle).add("body", body)).text();
  }

  /**
   * Decrypts concatenated RSA PKCS#1 v1.5 blocks. An attacker who can observe whether decryption succeeds can use this
   * method as a padding oracle. Use the method only in tools, never in a server.
   */
  public byte[] hazmatDecryptBlocks(byte[] ciphertext) {
    Arguments arguments = new Arguments().add(handle).add("ciphertext", ciphertext);
    return Native.call(Native.PRIVATE_DECRYPT_BLOCKS, arguments).bytes();
  }

  /** Closes the key. Later calls throw {@link PaytendException.Usage}. */
  @Override
  public void close() {
    handle.close();
  }

  /** Returns a description without the key, to keep the key out of logs. */
  @Override
  public String toString() {
    return "paytend.PrivateKey";
  }
}
