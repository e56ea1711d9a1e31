// Tests for the Node API: types, exceptions, the worker pool, both module systems and frameworks. conformance.mjs runs
// the vectors.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { inspect } from 'node:util'
import * as paytend from '@paytend/sdk'
import { makeApp as makeExpress } from './express.mjs'
import { makeApp as makeFastify } from './fastify.mjs'

const PARTNER_ID = '888666000100260'
const [own, theirs] = [paytend.PrivateKey.generate(1024), paytend.PrivateKey.generate(1024)]
const [ring, sender] = [new paytend.Keyring(own, theirs.publicKey), new paytend.Keyring(theirs, own.publicKey)]
const sealed = (payload) => sender.sealSync('notification', { partnerId: PARTNER_ID, notifyType: '2' }, payload)
const open = (document, options) => ring.openSync('notification', document, { partnerId: PARTNER_ID, ...options })

test('CommonJS and ES modules export the same names', () => {
  const required = createRequire(import.meta.url)('@paytend/sdk')
  assert.equal(required.Keyring, paytend.Keyring)
  assert.equal(required.version, paytend.version)
  assert.deepEqual(Object.keys(required).sort(), Object.keys(paytend).filter((name) => name !== 'default').sort())
})

test('payload can be a string or an object', async () => {
  const text = '{"amount": 1250.07, "n": 1}'
  const opened = open(sealed(text))
  assert.equal(opened.payload, text)
  assert.deepEqual(opened.json(), { amount: 1250.07, n: 1 })
  assert.equal(opened.fields.notifyType, '2')
  const document = sealed({ name: 'Žal', n: [1, null] })
  for (const form of [document, Buffer.from(document), new Uint8Array(Buffer.from(document))]) {
    assert.equal(open(form).payload, '{"name":"Žal","n":[1,null]}')
    const later = await ring.open('notification', form, { partnerId: PARTNER_ID })
    assert.equal(later.payload, '{"name":"Žal","n":[1,null]}')
  }
  assert.equal(open(sealed()).json(), undefined)
  const request = await ring.seal('request', { partnerId: PARTNER_ID, requestId: paytend.requestId() })
  assert.equal(typeof request, 'string')
})

test('exceptions have the expected class and code, sync and async', async () => {
  const document = sealed({ a: 1 })
  for (const [code, Class, work] of [
    ['not_authentic', paytend.NotAuthentic, () => open(document, { partnerId: '888666000100999' })],
    ['malformed', paytend.Malformed, () => open(document.slice(1))],
    ['malformed', paytend.Malformed, () => open(document, { maxBytes: 10 })],
    ['usage', paytend.UsageError, () => ring.openSync('notification', document)],
    ['usage', paytend.UsageError, () => ring.openSync('notice', document, { partnerId: PARTNER_ID })],
    ['usage', paytend.UsageError, () => open(7)],
    ['usage', paytend.UsageError, () => open(document, { maxBytes: -1 })],
    ['usage', paytend.UsageError, () => ring.openSync(7, document)],
    ['unsigned_failure', paytend.UnsignedFailure, () => ring.openSync('response', '{"respCode":"99","respMsg":"no"}')],
    ['unsealable', paytend.Unsealable, () => ring.sealSync('request', {})],
    ['usage', paytend.UsageError, () => ring.sealSync('request', { requestId: 1 })],
    ['usage', paytend.UsageError, () => sealed({ amount: NaN })],
    ['usage', paytend.UsageError, () => sealed(() => 1)],
    ['usage', paytend.UsageError, () => sealed({ amount: 1n })],
    ['key', paytend.KeyUnusable, () => new paytend.PrivateKey('no key')],
    ['key', paytend.KeyUnusable, () => paytend.PrivateKey.generate(512)],
    ['key', paytend.KeyUnusable, () => new paytend.Keyring([], [])],
    ['usage', paytend.UsageError, () => new paytend.Keyring(own.publicKey, own)],
    ['key', paytend.KeyUnusable, () => new paytend.PayByReceiver([])],
    ['usage', paytend.UsageError, () => new paytend.PaytendReceiver('payout', PARTNER_ID, ring)],
    ['usage', paytend.UsageError, () => own.write('jwk')]
  ]) {
    assert.throws(work, (error) => {
      assert.ok(error instanceof Class && error instanceof paytend.PaytendError && error.message, inspect(error))
      assert.deepEqual([error.code, error.name], [code, Class.name])
      return true
    })
  }
  assert.throws(() => ring.openSync('response', '{"respCode":"99","respMsg":"no"}'), { respCode: '99', respMsg: 'no' })
  await assert.rejects(ring.open('notification', document, { partnerId: '888666000100999' }), paytend.NotAuthentic)
  await assert.rejects(ring.open('notification', 7, { partnerId: PARTNER_ID }), paytend.UsageError)
  await assert.rejects(ring.seal('request', {}), paytend.Unsealable)
})

test('fields can have the names of built-in JavaScript properties', () => {
  const fields = JSON.parse(`{"partnerId":"${PARTNER_ID}","notifyType":"2","constructor":"x","toString":"y"}`)
  const opened = open(sender.sealSync('notification', fields, '{"a":1}'))
  assert.deepEqual([opened.fields.constructor, opened.fields.toString], ['x', 'y'])
})

test('inspect and JSON.stringify do not show secrets', () => {
  const document = sealed({ iban: 'CANARY' })
  const received = new paytend.PaytendReceiver('baas', PARTNER_ID, ring).receiveSync({}, document)
  const all = { opened: open(document), received, own, ring }
  const shown = inspect(all, { depth: 9 }) + JSON.stringify(all) + `${own}`
  assert.ok(!shown.includes('CANARY') && !shown.includes('BEGIN'), shown)
  assert.equal(received.json().iban, 'CANARY')
})

test('encoded keys can be inspected and loaded', () => {
  for (const [form, format, armour] of [
    ['pkcs8-pem', 'pkcs8', 'pem'],
    ['pkcs8-base64', 'pkcs8', 'base64'],
    ['pkcs1-der', 'pkcs1', 'der']
  ]) {
    const { fingerprint } = own.publicKey
    assert.deepEqual(paytend.inspectKey(own.write(form)), { private: true, bits: 1024, fingerprint, format, armour })
  }
  const path = join(mkdtempSync(join(tmpdir(), 'paytend-')), 'private.pem')
  writeFileSync(path, own.write())
  chmodSync(path, 0o644)
  assert.throws(() => paytend.PrivateKey.fromFile(path), /0600/)
  chmodSync(path, 0o600)
  assert.equal(paytend.PrivateKey.fromFile(path).publicKey.fingerprint, own.publicKey.fingerprint)
  assert.equal(paytend.verify([theirs.publicKey, own.publicKey], '{}', own.sign('{}')), own.publicKey.fingerprint)
  assert.throws(() => paytend.verify(own.publicKey, '{} ', own.sign('{}')), paytend.NotAuthentic)
  assert.equal(new Set(Array.from({ length: 1000 }, paytend.requestId)).size, 1000)
})

test('scheduled key is used only during its validity period', () => {
  const day = Date.UTC(2026, 11, 1)
  const at = (millis) => ({ now: new Date(day + millis) })
  const key = { key: own.publicKey, notBefore: new Date(day), retireAt: new Date(day + 3_600_000) }
  const receiver = new paytend.PayByReceiver(key, { maxAge: 60_000 })
  const body = JSON.stringify({ notify_timestamp: day })
  const headers = new Headers({ sign: own.sign(body) })
  const received = receiver.receiveSync(headers, body, at(60_000))
  const sign = headers.get('sign')
  const generated = function * () { yield ['sign', sign] }
  const map = new Map([['SIGN', sign]])
  for (const form of [{ Sign: sign }, { sign: [sign], other: undefined }, [['sign', sign]], generated(), map]) {
    assert.equal(receiver.receiveSync(form, body, at(60_000)).dedupKey, received.dedupKey)
  }
  for (const maxAge of [NaN, -1, 1.5, '1']) {
    assert.throws(() => new paytend.PayByReceiver(own.publicKey, { maxAge }), paytend.UsageError)
  }
  new paytend.PayByReceiver(own.publicKey, { maxAge: Infinity }).receiveSync(headers, body, at(1e12))
  assert.deepEqual([received.provider, received.sentAt], ['payby', new Date(day)])
  assert.throws(
    () => receiver.receiveSync(headers, body, at(60_001)),
    (error) => error instanceof paytend.Rejected && error.response.status === 400
  )
  assert.throws(
    () => receiver.receiveSync(headers, body, at(-1)),
    (error) => error.code === 'key' && error.response.headers['retry-after'] === '60'
  )
  assert.throws(() => receiver.receiveSync(headers, body, { now: new Date('yesterday') }), paytend.UsageError)
})

test('messages are opened on the worker pool', async () => {
  // The event loop keeps running while many messages are being opened. On the main thread, all messages would be opened
  // in a single turn of the loop. A busy machine can delay the main thread for a whole round, so the test runs several
  // rounds.
  const document = sealed({ a: 1 })
  const round = async () => {
    let turns = 0
    let pending = true
    const turn = () => { turns++; if (pending) setImmediate(turn) }
    setImmediate(turn)
    await Promise.all(Array.from({ length: 300 }, () => ring.open('notification', document, { partnerId: PARTNER_ID })))
    pending = false
    return turns
  }
  let most = 0
  for (let rounds = 0; rounds < 20 && most <= 3; rounds++) most = Math.max(most, await round())
  assert.ok(most > 3, `${most} turns`)
})

async function serving (listen, work) {
  const server = listen()
  if (!server.listening) await once(server, 'listening')
  try {
    return await work(`http://127.0.0.1:${server.address().port}`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

test('Express example handles notifications', async () => {
  const seen = new Set()
  const store = async ({ dedupKey }) => !seen.has(dedupKey) && Boolean(seen.add(dedupKey))
  const app = makeExpress(new paytend.PaytendReceiver('baas', PARTNER_ID, ring), store)
  await serving(() => app.listen(0, '127.0.0.1'), async (url) => {
    const type = { 'content-type': 'application/json' }
    const post = (body) => fetch(`${url}/paytend/baas`, { method: 'POST', body, headers: type })
    for (let time = 0; time < 2; time++) {
      const response = await post(sealed({ orderNo: 'F1' }))
      assert.deepEqual([response.status, await response.json()], [200, { msg: 'success', status: '00' }])
    }
    assert.equal(seen.size, 1)
    assert.equal((await post('{}')).status, 400)
    assert.equal((await post('x'.repeat(70_000))).status, 413)
  })
})

test('Fastify example handles notifications', async () => {
  const received = []
  const app = makeFastify(new paytend.PayByReceiver(own.publicKey), async (it) => Boolean(received.push(it)))
  const body = '{"notify_id": "N1"}'
  const post = (sign) => app.inject({
    method: 'POST', url: '/payby', payload: body, headers: { sign, 'content-type': 'application/json' }
  })
  const response = await post(own.sign(body))
  assert.deepEqual([response.statusCode, response.body], [200, '{"response":"SUCCESS"}'])
  assert.deepEqual(received[0].json(), { notify_id: 'N1' })
  assert.equal((await post(own.sign('{}'))).statusCode, 400)
  await app.close()
})
