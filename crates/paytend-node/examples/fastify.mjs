// A callback URL on Fastify: verify, store, acknowledge, in this order.
import fastify from 'fastify'
import { PaytendError } from '@paytend/sdk'

/**
 * `store` commits the dedup key and the effect in one transaction, and returns whether the key was new. It stores a
 * known key as a repeat whose state is to be queried, and what is not `typed` with its content.
 */
export function makeApp (receiver, store) {
  const app = fastify({ bodyLimit: 64 * 1024 })
  // The raw bytes: a body that was parsed and written again is another body.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => done(null, body))
  app.post('/payby', async (request, reply) => {
    let answer
    try {
      const notification = await receiver.receive(request.headers, request.body ?? new Uint8Array())
      answer = receiver.answer(await store(notification) ? 'accepted' : 'duplicate')
    } catch (error) {
      answer = (error instanceof PaytendError ? error.answer : undefined) ?? receiver.answer('try_again_later')
    }
    return reply.code(answer.status).headers(answer.headers).send(answer.body)
  })
  return app
}
