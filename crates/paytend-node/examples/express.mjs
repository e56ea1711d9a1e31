// A callback URL on Express: verify, store, acknowledge, in this order.
import express from 'express'
import { PaytendError } from '@paytend/sdk'

/**
 * `store` commits the dedup key and the effect in one transaction, and returns whether the key was new. It stores a
 * known key as a repeat whose state is to be queried, and what is not `typed` with its content.
 */
export function makeApp (receiver, store) {
  const app = express()
  // The raw bytes: a body that was parsed and written again is another body.
  const raw = express.raw({ type: () => true, limit: '64kb', inflate: false })
  app.post('/paytend/baas', raw, async (request, response) => {
    let answer
    try {
      const notification = await receiver.receive(request.headers, request.body)
      answer = receiver.answer(await store(notification) ? 'accepted' : 'duplicate')
    } catch (error) {
      answer = (error instanceof PaytendError ? error.answer : undefined) ?? receiver.answer('try_again_later')
    }
    response.status(answer.status).set(answer.headers).send(answer.body)
  })
  return app
}
