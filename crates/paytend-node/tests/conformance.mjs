// The conformance program of the Node binding. Its output must match the output of examples/conformance.rs in
// paytend-bindings.
//
//   Usage: conformance.mjs VECTORS vectors FILE | seal FILE | open FILE...
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  Keyring, PayByReceiver, PayerMaxReceiver, PaytendError, PaytendReceiver, PrivateKey, PublicKey, inspectKey
} from '@paytend/sdk'

const PARTNER_ID = '888666000100260'
const KINDS = { bizData: 'request', respData: 'response', content: 'notification' }
const [vectors, verb, ...files] = process.argv.slice(2)
const read = (name) => JSON.parse(readFileSync(join(vectors, name), 'utf8'))
const KEYS = Object.fromEntries(Object.entries(read('keys.json')).filter(([name]) => name !== 'note'))

const privateKey = (name) => new PrivateKey(KEYS[name].private)
const publicKey = (name) => new PublicKey(KEYS[name].public)
const keyring = (own, peer) => new Keyring(privateKey(own), publicKey(peer))
const expected = (kind, signed) => ({ partnerId: kind === 'response' ? undefined : PARTNER_ID, payloadSigned: signed })

function check (holds, what) {
  if (!holds) throw new Error(`conformance: ${what}`)
}

/** Runs the synchronous and the asynchronous call, and returns their outcome, which must be the same. */
async function outcome (sync, promise) {
  const at = async (work) => {
    try {
      return ['ok', await work()]
    } catch (error) {
      check(error instanceof PaytendError, error)
      return [error.code, error]
    }
  }
  const [first, second] = [await at(sync), await at(promise)]
  check(first[0] === second[0], `${first[0]} synchronously and ${second[0]} asynchronously`)
  return second
}

async function run () {
  const lines = []
  for (const [name, key] of Object.entries(KEYS)) {
    const forms = ['private', 'private_pkcs1_pem', 'private_pkcs8_pem', 'public', 'public_pkcs1_pem']
    const infos = forms.map((form) => inspectKey(key[form]))
    check(infos.every((info, at) => info.private === at < 3 && info.fingerprint === infos[0].fingerprint), name)
    lines.push(`keys/${name}: ${infos[0].fingerprint}`)
  }
  for (const it of read('envelope.json')) {
    const [ring, kind] = [keyring(it.receiver, it.sender), KINDS[it.payload_field]]
    const options = expected(kind, it.sign_payload)
    const [code, opened] = await outcome(
      () => ring.openSync(kind, it.wire, options),
      () => ring.open(kind, it.wire, options)
    )
    lines.push(`envelope/${it.name}: ${code}`)
    check(opened.payload === it.payload && opened.canonical === it.canonical, it.name)
  }
  const [cases, own] = [read('refuse.json'), keyring('partner', 'paytend')]
  for (const it of cases) {
    let document
    if (typeof it.wire === 'string') document = Buffer.from(it.wire)
    else if (typeof it.wire_base64 === 'string') document = Buffer.from(it.wire_base64, 'base64')
    else if (it.name === 'json/deep nesting') document = Buffer.alloc(100_000, '[')
    else {
      check(it.name === 'randomKey/a million blocks', it.name)
      const fields = JSON.parse(cases.find((other) => other.name === 'signature/one bit').wire)
      document = Buffer.from(JSON.stringify({ ...fields, randomKey: Buffer.alloc(128_000_000).toString('base64') }))
    }
    const kind = KINDS[it.kind]
    const [code] = await outcome(
      () => own.openSync(kind, document, expected(kind, true)),
      () => own.open(kind, document, expected(kind, true))
    )
    check(code !== 'ok', it.name)
    lines.push(`refuse/${it.name}: ${code}`)
  }
  const receivers = {
    payby: [new PayByReceiver(publicKey('payby')), new Date(1_586_849_300_000)],
    payermax: [new PayerMaxReceiver([['P01010113842047', publicKey('payermax')]]), new Date(1_670_837_217_628)]
  }
  for (const it of read('detached.json')) {
    const [[receiver, now], body] = [receivers[it.key], Buffer.from(it.body_base64, 'base64')]
    const headers = { Sign: it.sign }
    const [code, result] = await outcome(
      () => receiver.receiveSync(headers, body, { now }),
      () => receiver.receive(headers, body, { now })
    )
    check((code === 'ok') === it.valid, it.name)
    check(code === 'ok' ? result.content.equals(body) : result.response.status === 400, it.name)
    lines.push(`detached/${it.name}: ${code === 'ok' ? result.dedupKey : code}`)
  }
  for (const it of read('rsa_blocks.json')) {
    check(privateKey(it.key).hazmatDecryptBlocks(Buffer.from(it.wire, 'base64')).toString() === it.plain, it.name)
    lines.push(`rsa_blocks/${it.name}: ok`)
  }
  const theirs = keyring('paytend', 'partner')
  for (const file of readdirSync(join(vectors, 'samples')).filter((name) => name.endsWith('.json'))) {
    for (const { name, sample } of read(join('samples', file)).samples) {
      const payload = JSON.stringify(sample)
      const opened = theirs.openSync('request', own.sealSync('request', SENT[0][3], payload), expected('request', true))
      check(opened.payload === payload, name)
      lines.push(`samples/${file.slice(0, -5)}/${name}: ok`)
    }
  }
  for (const [name, sync, promise] of oddArguments(own, publicKey('payby'))) {
    lines.push(`arguments/${name}: ${(await outcome(sync, promise ?? sync))[0]}`)
  }
  return lines.map((line) => `${line}\n`).join('')
}

function oddArguments (own, key) {
  const fields = { partnerId: PARTNER_ID }
  const opened = (kind, options) => [() => own.openSync(kind, '{}', options), () => own.open(kind, '{}', options)]
  const sealed = (...message) => [() => own.sealSync('request', ...message), () => own.seal('request', ...message)]
  return [
    ['request without a partner', ...opened('request')],
    ['request with an empty partner', ...opened('request', { partnerId: '' })],
    ['response with a partner', ...opened('response', { partnerId: PARTNER_ID })],
    ['payload that is not Unicode', ...sealed(fields, '{"name":"\ud83d"}')],
    ['field that is not Unicode', ...sealed({ ...fields, note: '\ud83d' }, '')],
    ['receiver with an empty partner', () => new PaytendReceiver('baas', '', own)],
    ['PayerMax without a merchant', () => new PayerMaxReceiver([['', key]])],
    ['PayBy without a key', () => new PayByReceiver([])],
    ['size limit of 0', () => new PayByReceiver(key, { maxBytes: 0 })],
    ['maximum age of 0', () => new PayByReceiver(key, { maxAge: 0 })],
    ['512-bit key', () => PrivateKey.generate(512)]
  ]
}

const SENT = [
  ['request', 'partner', 'paytend', { partnerId: PARTNER_ID, requestId: '0123456789abcdef0123456789abcdef' }],
  ['response', 'paytend', 'partner', { respCode: '00', respMsg: 'got it & more' }],
  ['notification', 'paytend_2048', 'partner_2048', { partnerId: PARTNER_ID, notifyType: '2' }]
]
const PAYLOADS = [['', true], ['{"amount":"0.10","name":"Žalgirio & Söhne 中文 💶"}', true], ['{"a":1}', false]]

if (verb === 'vectors') {
  writeFileSync(files[0], await run())
} else if (verb === 'seal') {
  const sealed = []
  for (const [kind, sender, receiver, fields] of SENT) {
    for (const [payload, signed] of PAYLOADS) {
      const document = await keyring(sender, receiver).seal(kind, fields, payload, { payloadSigned: signed })
      sealed.push({ kind, sender, receiver, payload, signed, document })
    }
  }
  writeFileSync(files[0], JSON.stringify(sealed))
} else {
  for (const file of files) {
    const messages = JSON.parse(readFileSync(file, 'utf8'))
    check(messages.length === 9, file)
    for (const it of messages) {
      const opened = keyring(it.receiver, it.sender).openSync(it.kind, it.document, expected(it.kind, it.signed))
      check(opened.payload === it.payload, file)
    }
  }
}
