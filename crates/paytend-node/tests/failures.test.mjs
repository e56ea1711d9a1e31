// Tests that error messages name the file, field or argument, and contain no personal data.
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import * as paytend from '@paytend/sdk'

const PARTNER_ID = '888666000100260'
const NOW = Date.UTC(2026, 11, 1)
const own = paytend.PrivateKey.generate(1024)
const ring = new paytend.Keyring(own, own.publicKey)
const folder = mkdtempSync(join(tmpdir(), 'paytend-failures-'))

/** Returns the thrown error's message, and checks that it contains no personal data. */
async function thrown (code, work) {
  try {
    await work()
  } catch (error) {
    assert.ok(error instanceof paytend.PaytendError, error)
    assert.equal(error.code, code)
    assert.doesNotMatch(error.message, /CANARY|BEGIN/)
    return error.message
  }
  assert.fail('nothing was thrown')
}

test('error for a missing key file names the path', async () => {
  const path = join(folder, 'absent.pem')
  for (const Key of [paytend.PrivateKey, paytend.PublicKey]) {
    assert.ok((await thrown('key', () => Key.fromFile(path))).startsWith(`cannot read the key file ${path}: `))
  }
})

test('error for an insecure key file names path and mode', { skip: process.platform === 'win32' }, async () => {
  const path = join(folder, 'private.pem')
  writeFileSync(path, own.write())
  chmodSync(path, 0o644)
  const message = await thrown('key', () => paytend.PrivateKey.fromFile(path))
  for (const part of [path, '644', '0600']) assert.ok(message.includes(part), message)
})

test('rejection message includes the cause, sync and async', async () => {
  const receiver = new paytend.PayByReceiver(own.publicKey, { maxAge: 60_000 })
  const body = JSON.stringify({ notify_timestamp: NOW, name: 'CANARY' })
  const headers = { sign: own.sign(body) }
  const at = (millis) => ({ now: new Date(NOW + millis) })
  const later = new paytend.PayByReceiver({ key: own.publicKey, notBefore: new Date(NOW + 86_400_000) })
  for (const method of ['receive', 'receiveSync']) {
    const late = await thrown('rejected', () => receiver[method](headers, body, at(7_200_000)))
    assert.match(late, /the notification was sent 2 h ago; `max_age` is 1 min/)
    const wrong = await thrown('not_authentic', () => receiver[method]({ sign: own.sign('{}') }, body, at(0)))
    assert.equal(wrong, 'rejected: the message is not authentic')
    assert.match(await thrown('key', () => later[method](headers, body, at(0))), /^cannot verify now: /)
  }
})

test('error names the invalid field', async () => {
  for (const [code, fields, name] of [
    ['unsealable', {}, '`partnerId`'],
    ['unsealable', { partnerId: PARTNER_ID, note: 'CANARY&x=y' }, '`note`'],
    ['usage', { partnerId: PARTNER_ID, note: null }, '`note` must be a string, not null'],
    ['usage', { partnerId: 'CANARY\ud800' }, '`partnerId` is not valid Unicode']
  ]) {
    for (const method of ['seal', 'sealSync']) {
      const message = await thrown(code, () => ring[method]('request', fields))
      assert.ok(message.includes(name), message)
    }
  }
})

test('error names the value that JSON cannot represent', async () => {
  const circular = {}
  circular.self = circular
  for (const [payload, said] of [
    [{ order: [{ amount: NaN }] }, '`amount` in the payload is not a finite number'],
    [{ amount: 1250n }, '`amount` in the payload is a bigint'],
    [() => 1, 'the payload is of type function'],
    [circular, 'circular reference']
  ]) {
    const message = await thrown('usage', () => ring.sealSync('request', { partnerId: PARTNER_ID }, payload))
    assert.ok(message.includes(said), message)
  }
})

test('error names the invalid option', async () => {
  const document = '{}'
  for (const [work, name] of [
    [() => ring.openSync('notice', document, { partnerId: PARTNER_ID }), '`kind`'],
    [() => ring.openSync('request', document), 'partner ID'],
    [() => ring.openSync('response', document, { maxBytes: -1 }), '`maxBytes`'],
    [() => new paytend.PayByReceiver(own.publicKey, { maxAge: 1.5 }), '`maxAge`'],
    [() => new paytend.PaytendReceiver('payout', PARTNER_ID, ring), '`product`'],
    [() => new paytend.PaytendReceiver('baas', PARTNER_ID, own), '`keyring`'],
    [() => new paytend.PaytendReceiver('baas', 4711, ring), '`partnerId` must be a string, not number'],
    [() => new paytend.PaytendReceiver(4711, PARTNER_ID, ring), '`product` must be a string'],
    [() => ring.openSync('request', document, { partnerId: 4711 }), '`partnerId` must be a string'],
    [() => ring.openSync(4711, document), '`kind` must be a string'],
    [() => ring.openSync('response', 4711), '`document` must be a string or a Uint8Array'],
    [() => ring.sealSync('request', {}, '', { payloadSigned: 4711 }), '`payloadSigned` must be a boolean'],
    [() => paytend.verify(own.publicKey, document, 4711), '`sign` must be a string'],
    [() => own.write(4711), '`form` must be a string']
  ]) {
    const message = await thrown('usage', work)
    assert.ok(message.includes(name) && !message.includes('4711'), message)
  }
})

test('json() throws a payload error if the content is not JSON', async () => {
  const body = '{"name":"CANARY"'
  const received = new paytend.PayByReceiver(own.publicKey).receiveSync({ sign: own.sign(body) }, body)
  assert.equal(await thrown('payload', () => received.json()), 'the content is not JSON')
})
