// What TypeScript makes of the package: checked, not run.
import { Keyring, NotAuthentic, PaytendReceiver, PrivateKey, PublicKey, type Notification, type Opened } from '@paytend/sdk'

const keyring = new Keyring(PrivateKey.fromFile('private.pem'), [PublicKey.fromFile('paytend.pem')])
const opened: Promise<Opened> = keyring.open('response', new Uint8Array(), { maxBytes: 1 })
const receiver = new PaytendReceiver('baas', '888666000100260', keyring)
const taken: Notification = receiver.receiveSync({ sign: ['a', 'b'], other: undefined }, '{}', { now: new Date() })
const status: number = receiver.answer('accepted').status
try {
  await opened
} catch (error) {
  if (error instanceof NotAuthentic) error.code satisfies string
}
// @ts-expect-error a kind is one of three
void keyring.seal('notice', {})
// @ts-expect-error a field is text
void keyring.sealSync('request', { a: 1 })
// @ts-expect-error a reply is one of three
void receiver.answer('ok')
// @ts-expect-error what was signed is not to be changed
taken.dedupKey = `${status}`
