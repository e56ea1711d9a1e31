// A Fastify route that verifies, stores and acknowledges notifications, in this order.
import fastify from 'fastify'
import { PaytendError } from '@paytend/sdk'

/**
 * Creates the application. `store` must commit the dedup key and the effect in one transaction, and return whether the
 * key was new. It must also store repeated notifications, so that the object's current state can be queried, and the
 * content of notifications that are not `typed`.
 */
export function makeApp (receiver, store) {
  const app = fastify({ bodyLimit: 64 * 1024 })
  // The signature covers the raw bytes, so the body must not be parsed and re-serialized.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => done(null, body))
  app.post('/payby', async (request, reply) => {
    let response
    try {
      const notification = await receiver.receive(request.headers, request.body ?? new Uint8Array())
      response = receiver.respond(await store(notification) ? 'accepted' : 'duplicate')
    } catch (error) {
      response = (error instanceof PaytendError ? error.response : undefined) ?? receiver.respond('try_again_later')
    }
    return reply.code(response.status).headers(response.headers).send(response.body)
  })
  return app
}
