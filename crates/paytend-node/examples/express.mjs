// An Express route that verifies, stores and acknowledges notifications, in this order.
import express from 'express'
import { PaytendError } from '@paytend/sdk'

/**
 * Creates the application. `store` must commit the dedup key and the effect in one transaction, and return whether the
 * key was new. It must also store repeated notifications, so that the object's current state can be queried, and the
 * content of notifications that are not `typed`.
 */
export function makeApp (receiver, store) {
  const app = express()
  // The signature covers the raw bytes, so the body must not be parsed and re-serialized.
  const raw = express.raw({ type: () => true, limit: '64kb', inflate: false })
  app.post('/paytend/baas', raw, async (req, res) => {
    let response
    try {
      const notification = await receiver.receive(req.headers, req.body)
      response = receiver.respond(await store(notification) ? 'accepted' : 'duplicate')
    } catch (error) {
      response = (error instanceof PaytendError ? error.response : undefined) ?? receiver.respond('try_again_later')
    }
    res.status(response.status).set(response.headers).send(response.body)
  })
  return app
}
