package io.github.paytendrs.paytend;

import java.util.function.Predicate;
import org.springframework.http.HttpHeaders;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RestController;

/** A callback URL on Spring: verify, store, acknowledge, in this order. */
@RestController
public class SpringController {
  private final Receiver receiver;
  private final Predicate<Notification> store;

  /**
   * {@code store} commits the dedup key and the effect in one transaction, and returns whether the key was new. It
   * stores a known key as a repeat whose state is to be queried, and what is not {@code typed} with its content.
   */
  public SpringController(Receiver receiver, Predicate<Notification> store) {
    this.receiver = receiver;
    this.store = store;
  }

  /** The raw bytes: a body that was parsed and written again is another body. */
  @PostMapping("/paytend/baas")
  public ResponseEntity<byte[]> take(@RequestHeader HttpHeaders headers, @RequestBody(required = false) byte[] body) {
    Answer answer;
    try {
      Notification notification = receiver.receive(headers, body == null ? new byte[0] : body);
      answer = receiver.answer(store.test(notification) ? Reply.ACCEPTED : Reply.DUPLICATE);
    } catch (PaytendException refused) {
      answer = refused.answer().orElseGet(() -> receiver.answer(Reply.TRY_AGAIN_LATER));
    }
    HttpHeaders out = new HttpHeaders();
    answer.headers().forEach(out::set);
    return ResponseEntity.status(answer.status()).headers(out).body(answer.body());
  }
}
