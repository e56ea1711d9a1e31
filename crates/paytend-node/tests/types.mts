// Tests for the TypeScript types. This file is type-checked, not run.
import {
  Keyring, NotAuthentic, PaytendReceiver, PrivateKey, PublicKey, type Notification, type Opened
} from '@paytend/sdk'

const keyring = new Keyring(PrivateKey.fromFile('private.pem'), [PublicKey.fromFile('paytend.pem')])
const opened: Promise<Opened> = keyring.open('response', new Uint8Array(), { maxBytes: 1 })
const receiver = new PaytendReceiver('baas', '888666000100260', keyring)
const received: Notification = receiver.receiveSync({ sign: ['a', 'b'], other: undefined }, '{}', { now: new Date() })
const status: number = receiver.respond('accepted').status
try {
  await opened
} catch (error) {
  if (error instanceof NotAuthentic) error.code satisfies string
}
// @ts-expect-error 'notice' is not a kind
void keyring.seal('notice', {})
// @ts-expect-error the value of a field must be a string
void keyring.sealSync('request', { a: 1 })
// @ts-expect-error 'ok' is not a reply
void receiver.respond('ok')
// @ts-expect-error a notification is read-only
received.dedupKey = `${status}`
