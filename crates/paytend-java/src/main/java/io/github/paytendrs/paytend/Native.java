package io.github.paytendrs.paytend;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The interface to the native library: numbered operations whose arguments and results are encoded as frames. */
final class Native {
  static final int VERSION = 0;
  static final int PRIVATE_LOAD = 1;
  static final int PRIVATE_LOAD_FILE = 2;
  static final int PRIVATE_GENERATE = 3;
  static final int PRIVATE_PUBLIC = 4;
  static final int PRIVATE_WRITE = 5;
  static final int PRIVATE_SIGN = 6;
  static final int PRIVATE_DECRYPT_BLOCKS = 7;
  static final int PUBLIC_LOAD = 8;
  static final int PUBLIC_LOAD_FILE = 9;
  static final int PUBLIC_WRITE = 10;
  static final int KEY_INFO = 11;
  static final int REQUEST_ID = 12;
  static final int VERIFY = 13;
  static final int KEYRING = 14;
  static final int SEAL = 15;
  static final int OPEN = 16;
  static final int RECEIVER_PAYTEND = 17;
  static final int RECEIVER_PAYBY = 18;
  static final int RECEIVER_PAYERMAX = 19;
  static final int RECEIVE = 20;
  static final int RESPOND = 21;
  private static final int CLOSE = 22;

  private static final Cleaner CLEANER = Cleaner.create();

  static {
    load();
  }

  private Native() {}

  private static native byte[] call(int operation, byte[] arguments);

  /** Loads the native library. It is copied from a resource to a temporary file that only the current user can read. */
  private static void load() {
    String given = System.getProperty("paytend.library");
    if (given != null) {
      System.load(Path.of(given).toAbsolutePath().toString());
      return;
    }
    String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String os = system.contains("win") ? "windows" : system.contains("mac") ? "macos" : "linux";
    String machine = System.getProperty("os.arch");
    String architecture = machine.equals("amd64") || machine.equals("x86_64") ? "x86_64" : "aarch64";
    String name = "natives/" + os + "-" + architecture + "/" + System.mapLibraryName("paytend_java");
    try (InputStream library = Native.class.getResourceAsStream(name)) {
      if (library == null) {
        throw new UnsatisfiedLinkError(
            "this jar has no " + name + ": use the jar for this platform, or set the property paytend.library");
      }
      Path folder = Files.createTempDirectory("paytend");
      Path file = folder.resolve(System.mapLibraryName("paytend_java"));
      Files.copy(library, file, StandardCopyOption.REPLACE_EXISTING);
      // The JVM deletes files in the reverse order of their registration, so the file is deleted before its
      // directory.
      folder.toFile().deleteOnExit();
      file.toFile().deleteOnExit();
      System.load(file.toString());
    } catch (IOException failure) {
      throw new UncheckedIOException("cannot copy the native library to a temporary file", failure);
    }
  }

  /** The arguments of an operation, in order. */
  static final class Arguments {
    private byte[] bytes = new byte[256];
    private int length;
    private final List<Handle> handles = new ArrayList<>();

    private void room(int more) {
      if (bytes.length - length < more) {
        byte[] outgrown = bytes;
        bytes = java.util.Arrays.copyOf(outgrown, Math.max(outgrown.length * 2, Math.addExact(length, more)));
        wipe(outgrown);
      }
    }

    Arguments add(byte[] argument) {
      int size = argument == null ? -1 : argument.length;
      room(4 + Math.max(size, 0));
      ByteBuffer.wrap(bytes, length, 4).putInt(size);
      length += 4;
      if (size > 0) {
        System.arraycopy(argument, 0, bytes, length, size);
        length += size;
      }
      return this;
    }

    /** Adds a required string. {@code name} identifies the argument in error messages. */
    Arguments add(String name, String text) {
      if (text == null) {
        throw PaytendException.usage(name + " is null");
      }
      return addOptional(name, text);
    }

    /** Adds required bytes. {@code name} identifies the argument in error messages. */
    Arguments add(String name, byte[] bytes) {
      if (bytes == null) {
        throw PaytendException.usage(name + " is null");
      }
      return add(bytes);
    }

    /** Adds a string or null. {@code name} identifies the argument in error messages. */
    Arguments addOptional(String name, String text) {
      if (text == null) {
        return add((byte[]) null);
      }
      ByteBuffer encoded;
      try {
        // getBytes would replace an unpaired surrogate with a question mark, which would then be signed.
        encoded = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
      } catch (CharacterCodingException broken) {
        throw PaytendException.usage(name + " is not valid Unicode: it contains an unpaired surrogate");
      }
      byte[] bytes = new byte[encoded.remaining()];
      encoded.get(bytes);
      wipe(encoded.array());
      add(bytes);
      wipe(bytes);
      return this;
    }

    Arguments add(Long number) {
      return add(number == null ? null : ByteBuffer.allocate(8).putLong(number).array());
    }

    Arguments add(boolean flag) {
      return add(new byte[] {(byte) (flag ? 1 : 0)});
    }

    Arguments add(Handle handle) {
      // Keeps the handle reachable, so that the garbage collector does not close it before it is used.
      handles.add(handle);
      return add(handle == null ? null : (Long) handle.number);
    }
  }

  /** The results of an operation, in order. */
  static final class Results {
    private final List<byte[]> frames;
    private int at;

    private Results(List<byte[]> frames) {
      this.frames = frames;
    }

    boolean more() {
      return at < frames.size();
    }

    byte[] bytes() {
      return frames.get(at++);
    }

    String text() {
      byte[] bytes = bytes();
      return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }

    Long number() {
      byte[] bytes = bytes();
      return bytes == null ? null : (Long) ByteBuffer.wrap(bytes).getLong();
    }

    ProviderResponse response() {
      int status = Math.toIntExact(number());
      byte[] body = bytes();
      java.util.Map<String, String> headers = new java.util.LinkedHashMap<>();
      while (more()) {
        headers.put(text(), text());
      }
      return new ProviderResponse(status, java.util.Collections.unmodifiableMap(headers), body);
    }
  }

  /** Wipes a buffer that can contain keys or payloads. */
  private static void wipe(byte[] bytes) {
    java.util.Arrays.fill(bytes, (byte) 0);
  }

  static Results call(int operation, Arguments arguments) {
    byte[] given = java.util.Arrays.copyOf(arguments.bytes, arguments.length);
    ByteBuffer result;
    try {
      result = ByteBuffer.wrap(call(operation, given));
    } finally {
      wipe(given);
      wipe(arguments.bytes);
      java.lang.ref.Reference.reachabilityFence(arguments.handles);
    }
    List<byte[]> frames = new ArrayList<>();
    while (result.hasRemaining()) {
      int length = result.getInt();
      byte[] frame = length < 0 ? null : new byte[length];
      if (frame != null) {
        result.get(frame);
      }
      frames.add(frame);
    }
    wipe(result.array());
    Results results = new Results(frames);
    String code = results.text();
    if (!code.equals("ok")) {
      String message = results.text();
      String respCode = results.text();
      String respMsg = results.text();
      throw PaytendException.of(code, message, respCode, respMsg, results.more() ? results.response() : null);
    }
    return results;
  }

  /** A handle to a native object. The object is kept until the handle is closed or garbage-collected. */
  static final class Handle implements AutoCloseable {
    final long number;
    private final Cleaner.Cleanable cleanable;

    private Handle(long number) {
      this.number = number;
      // The cleanup action must not refer to this handle. Otherwise, the handle would never be garbage-collected.
      this.cleanable = CLEANER.register(this, () -> call(CLOSE, new Arguments().add((Long) number)));
    }

    static Handle of(Results results) {
      return new Handle(results.number());
    }

    @Override
    public void close() {
      cleanable.clean();
    }
  }
}
