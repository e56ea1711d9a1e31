package io.github.paytendrs.paytend;

import io.github.paytendrs.paytend.Native.Arguments;
import io.github.paytendrs.paytend.Native.Handle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A public RSA key in SubjectPublicKeyInfo or PKCS#1 format. */
public final class PublicKey implements AutoCloseable {
  /** The encoding of a public key. */
  public enum Form {
    /** SubjectPublicKeyInfo in PEM. */
    SPKI_PEM("spki-pem"),
    /** SubjectPublicKeyInfo in base64, without line breaks. */
    SPKI_BASE64("spki-base64"),
    /** SubjectPublicKeyInfo in DER. */
    SPKI_DER("spki-der");

    private final String text;

    Form(String text) {
      this.text = text;
    }
  }

  final Handle handle;

  PublicKey(Handle handle) {
    this.handle = handle;
  }

  /** Reads a key in PEM, DER or base64 from bytes. */
  public static PublicKey load(byte[] data) {
    return new PublicKey(Handle.of(Native.call(Native.PUBLIC_LOAD, new Arguments().add("data", data))));
  }

  /** Reads a key in PEM or base64 from a string. */
  public static PublicKey load(String text) {
    return load(text == null ? null : text.getBytes(StandardCharsets.UTF_8));
  }

  /** Reads a key from a file. */
  public static PublicKey fromFile(Path path) {
    Arguments arguments = new Arguments().add("path", path == null ? null : path.toString());
    return new PublicKey(Handle.of(Native.call(Native.PUBLIC_LOAD_FILE, arguments)));
  }

  /** Returns the key in this encoding. */
  public byte[] write(Form form) {
    return Native.call(Native.PUBLIC_WRITE, new Arguments().add(handle).add("form", form.text)).bytes();
  }

  /** Closes the key. Later calls throw {@link PaytendException.Usage}. */
  @Override
  public void close() {
    handle.close();
  }

  /** Returns a description without the key. */
  @Override
  public String toString() {
    return "paytend.PublicKey";
  }
}
