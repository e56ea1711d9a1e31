package io.github.paytendrs.paytend;

import java.util.function.Predicate;
import org.springframework.http.HttpHeaders;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RestController;

/** A Spring controller that verifies, stores and acknowledges notifications, in this order. */
@RestController
public class SpringController {
  private final Receiver receiver;
  private final Predicate<Notification> store;

  /**
   * Creates the controller. {@code store} must commit the dedup key and the effect in one transaction, and return
   * whether the key was new. It must also store repeated notifications, so that the object's current state can be
   * queried, and the content of notifications that are not {@code typed}.
   */
  public SpringController(Receiver receiver, Predicate<Notification> store) {
    this.receiver = receiver;
    this.store = store;
  }

  /** Handles a notification. The signature covers the raw bytes, so the body must not be parsed and re-serialized. */
  @PostMapping("/paytend/baas")
  public ResponseEntity<byte[]> take(@RequestHeader HttpHeaders headers, @RequestBody(required = false) byte[] body) {
    ProviderResponse response;
    try {
      Notification notification = receiver.receive(headers, body == null ? new byte[0] : body);
      response = receiver.respond(store.test(notification) ? Reply.ACCEPTED : Reply.DUPLICATE);
    } catch (PaytendException rejected) {
      response = rejected.response().orElseGet(() -> receiver.respond(Reply.TRY_AGAIN_LATER));
    }
    HttpHeaders out = new HttpHeaders();
    response.headers().forEach(out::set);
    return ResponseEntity.status(response.status()).headers(out).body(response.body());
  }
}
