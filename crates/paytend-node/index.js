'use strict'

// There is one native file for each platform.
function load () {
  const libc = process.platform === 'linux' && !process.report?.getReport().header.glibcVersionRuntime ? '-musl' : ''
  const name = `paytend.${process.platform}-${process.arch}${libc}.node`
  try {
    return require(`./${name}`)
  } catch (error) {
    throw new Error(
      `@paytend/sdk has no ${name}: build it for this platform, or install a package that contains it`,
      { cause: error }
    )
  }
}

const native = load()

/** The base class for all errors in this package. Errors contain no secrets or personal data. */
class PaytendError extends Error {
  constructor (message, code = 'internal', response = undefined) {
    super(message)
    this.name = new.target.name
    this.code = code
    if (response !== undefined) this.response = response
  }
}
class UsageError extends PaytendError {}
class NotAuthentic extends PaytendError {}
class Malformed extends PaytendError {}
class PayloadError extends PaytendError {}
class UnsignedFailure extends PaytendError {}
class Unsealable extends PaytendError {}
class KeyUnusable extends PaytendError {}
class Unavailable extends PaytendError {}
class Rejected extends PaytendError {}

const CLASSES = {
  usage: UsageError,
  not_authentic: NotAuthentic,
  malformed: Malformed,
  payload: PayloadError,
  unsigned_failure: UnsignedFailure,
  unsealable: Unsealable,
  key: KeyUnusable,
  unavailable: Unavailable,
  rejected: Rejected
}

const usage = (message) => new UsageError(message, 'usage')

/** Converts an error from the native addon. The error's message is JSON. */
function translated (error) {
  let details
  try {
    details = JSON.parse(error.message)
  } catch {
    // This is a napi error about an argument's type. Its message is dropped, because it would reveal the argument.
    return usage('an argument has the wrong type')
  }
  const { code, message, response } = details
  const failure = new (CLASSES[code] ?? PaytendError)(message, code, response ?? undefined)
  if (failure instanceof UnsignedFailure) {
    failure.respCode = details.respCode
    failure.respMsg = details.respMsg
  }
  return failure
}

function calling (work) {
  try {
    return work()
  } catch (error) {
    throw error instanceof PaytendError ? error : translated(error)
  }
}

async function waiting (work) {
  try {
    return await work()
  } catch (error) {
    throw error instanceof PaytendError ? error : translated(error)
  }
}

const bytes = (data, what) => {
  if (typeof data === 'string') return Buffer.from(text(data, what))
  if (data instanceof Uint8Array) return data
  throw usage(`${what} must be a string or a Uint8Array`)
}

/** Checks that a value is valid Unicode text. An unpaired surrogate would be sealed as a replacement character. */
const text = (value, what) => {
  if (typeof value !== 'string') throw usage(`${what} must be a string, not ${value === null ? 'null' : typeof value}`)
  if (!value.isWellFormed()) throw usage(`${what} is not valid Unicode: it contains an unpaired surrogate`)
  return value
}

const flag = (value, what) => {
  if (typeof value !== 'boolean') throw usage(`\`${what}\` must be a boolean`)
  return value
}

/** Returns the unencrypted fields as pairs. */
const fieldPairs = (fields) => Object.entries(fields ?? {}).map(([name, value]) =>
  [text(name, 'a field name'), text(value, `field \`${name.slice(0, 32).toWellFormed()}\``)])

/** Serializes a payload as JSON. Rejects values that JSON.stringify would replace with null. */
const json = (payload) => {
  let problem
  let written
  try {
    written = JSON.stringify(payload, (name, value) => {
      const where = name === '' ? 'the payload' : `\`${name.slice(0, 32).toWellFormed()}\` in the payload`
      if (typeof value === 'number' && !Number.isFinite(value)) problem ??= `${where} is not a finite number`
      if (typeof value === 'bigint') problem ??= `${where} is a bigint; write it as a string`
      return value
    })
  } catch {
    problem ??= 'cannot serialize the payload as JSON: it contains a circular reference or is nested too deep'
  }
  if (typeof written !== 'string') problem ??= `the payload is of type ${typeof payload}, which JSON cannot represent`
  if (problem !== undefined) throw usage(problem)
  return written
}

/** Parses a provider's JSON. The parser's error is dropped, since it would reveal the input. */
const parsed = (text, what) => {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw new PayloadError(`the ${what} is not JSON`, 'payload')
  }
}

const several = (oneOrMany) => Array.isArray(oneOrMany) ? oneOrMany : [oneOrMany]

const millis = (date, what) => {
  if (date === undefined || date === null) return undefined
  if (!(date instanceof Date) || Number.isNaN(date.getTime())) throw usage(`\`${what}\` must be a valid Date`)
  return date.getTime()
}

const count = (number, what) => {
  if (number === undefined || number === null) return undefined
  if (!Number.isSafeInteger(number) || number < 0 || number > 0xffffffff) {
    throw usage(`\`${what}\` must be a whole number from 0 to 4294967295`)
  }
  return number
}

/** Checks `maxAge`, in milliseconds. Infinity becomes the largest safe integer. */
const age = (number) => {
  if (number === undefined || number === null) return undefined
  if (number === Infinity) return Number.MAX_SAFE_INTEGER
  if (!Number.isSafeInteger(number) || number < 0) {
    throw usage('`maxAge` must be a whole number of milliseconds, or Infinity')
  }
  return number
}

const MAKE = Symbol('created by the native part')

class PublicKey {
  #native
  constructor (data, made) {
    this.#native = made === MAKE ? data : calling(() => native.PublicKey.load(bytes(data, 'a key')))
  }

  static fromFile (path) { return new PublicKey(calling(() => native.PublicKey.loadFile(String(path))), MAKE) }
  write (form = 'spki-pem') { return calling(() => this.#native.write(text(form, '`form`'))) }
  get fingerprint () { return inspectKey(this.write('spki-der')).fingerprint }
  static _native (key) {
    if (!(#native in Object(key))) throw usage('a key must be a PublicKey')
    return key.#native
  }

  toJSON () { return `PublicKey ${this.fingerprint}` }
}

class PrivateKey {
  #native
  constructor (data, made) {
    this.#native = made === MAKE ? data : calling(() => native.PrivateKey.load(bytes(data, 'a key')))
  }

  static fromFile (path) { return new PrivateKey(calling(() => native.PrivateKey.loadFile(String(path))), MAKE) }
  static generate (bits) {
    return new PrivateKey(calling(() => native.PrivateKey.generate(count(bits, 'bits') ?? 0)), MAKE)
  }

  get publicKey () { return new PublicKey(this.#native.publicKey(), MAKE) }
  write (form = 'pkcs8-pem') { return calling(() => this.#native.write(text(form, '`form`'))) }
  sign (body) { return calling(() => this.#native.sign(bytes(body, '`body`'))) }
  hazmatDecryptBlocks (ciphertext) {
    return calling(() => this.#native.hazmatDecryptBlocks(bytes(ciphertext, '`ciphertext`')))
  }

  static _native (key) {
    if (!(#native in Object(key))) throw usage('a key must be a PrivateKey')
    return key.#native
  }

  toJSON () { return `PrivateKey ${this.publicKey.fingerprint}` }
}

const inspectKey = (data) => JSON.parse(calling(() => native.keyInfo(bytes(data, 'a key'))))
const requestId = () => calling(() => native.requestId())

const verify = (keys, body, sign) => calling(() => {
  const all = new native.Keys()
  several(keys).forEach((key) => all.addPeer(PublicKey._native(key)))
  return all.verify(bytes(body, '`body`'), text(sign, '`sign`'))
})

class Keyring {
  #native
  constructor (own, peer) {
    this.#native = calling(() => {
      const keys = new native.Keys()
      several(own).forEach((key) => keys.addOwn(PrivateKey._native(key)))
      several(peer).forEach((key) => keys.addPeer(PublicKey._native(key)))
      return keys.keyring()
    })
  }

  static _native (keyring) {
    if (!(#native in Object(keyring))) throw usage('`keyring` must be a Keyring')
    return keyring.#native
  }

  #message (kind, fields, payload, options) {
    const [pairs, signed] = [fieldPairs(fields), flag(options?.payloadSigned ?? true, 'payloadSigned')]
    text(kind, '`kind`')
    if (payload === undefined || payload === null) return [kind, pairs, undefined, signed]
    const written = typeof payload === 'string' ? payload : json(payload)
    return [kind, pairs, text(written, 'the payload'), signed]
  }

  #expected (kind, document, options) {
    const [partnerId, signed] = [options?.partnerId ?? undefined, flag(options?.payloadSigned ?? true, 'payloadSigned')]
    if (partnerId !== undefined) text(partnerId, '`partnerId`')
    text(kind, '`kind`')
    return [kind, bytes(document, '`document`'), partnerId, signed, count(options?.maxBytes, 'maxBytes')]
  }

  sealSync (kind, fields, payload, options) {
    return calling(() => this.#native.sealSync(...this.#message(kind, fields, payload, options)))
  }

  seal (kind, fields, payload, options) {
    return waiting(() => this.#native.seal(...this.#message(kind, fields, payload, options)))
  }

  openSync (kind, document, options) {
    return new Opened(calling(() => this.#native.openSync(...this.#expected(kind, document, options))))
  }

  async open (kind, document, options) {
    return new Opened(await waiting(() => this.#native.open(...this.#expected(kind, document, options))))
  }
}

/** Adds secrets as non-enumerable properties, to keep the secrets out of logs. */
function hidden (object, secrets) {
  for (const [name, value] of Object.entries(secrets)) Object.defineProperty(object, name, { value, enumerable: false })
  return Object.freeze(object)
}

/** An opened message. `inspect` and `JSON.stringify` omit its contents, to keep them out of logs. */
class Opened {
  #native; #fields
  constructor (native) { this.#native = native }
  get fields () {
    if (this.#fields === undefined) {
      const turns = this.#native.fields()
      // The object has no prototype, so a field can be named `constructor`, for example.
      this.#fields = Object.create(null)
      for (let at = 0; at < turns.length; at += 2) this.#fields[turns[at]] = turns[at + 1]
      Object.freeze(this.#fields)
    }
    return this.#fields
  }

  get payload () { return calling(() => this.#native.payload()) }
  get payloadBytes () { return this.#native.payloadBytes() }
  get payloadProblem () { return this.#native.payloadProblem() ?? undefined }
  get canonical () { return this.#native.canonical() }
  get verifiedBy () { return this.#native.verifiedBy() }
  get decryptedBy () { return this.#native.decryptedBy() ?? undefined }
  toJSON () { return { verifiedBy: this.verifiedBy, decryptedBy: this.decryptedBy } }
  json () {
    return parsed(this.payload, 'payload')
  }
}

function notification ({ summary, content }) {
  const values = JSON.parse(summary)
  const about = values.business_key
  return hidden({
    provider: values.provider,
    product: values.product ?? undefined,
    notifyType: values.notify_type ?? undefined,
    reading: values.reading,
    problem: values.problem ?? undefined,
    dedupKey: values.dedup_key,
    businessKey: about === null ? undefined : { kind: about.kind, id: about.id, state: about.state ?? undefined },
    verifiedBy: values.verified_by,
    sentAt: values.sent_at === null ? undefined : new Date(values.sent_at)
  }, { content, json: () => parsed(content.toString(), 'content') })
}

/** Converts headers to pairs. Accepts header objects from Node, Express and Fastify, `Headers` objects, and pairs. */
function pairs (headers) {
  const entries = typeof headers?.[Symbol.iterator] === 'function' ? [...headers] : Object.entries(headers ?? {})
  return entries.flatMap(([name, value]) =>
    several(value).filter((one) => one !== undefined).map((one) => [String(name), String(one)]))
}

class Receiver {
  #native
  constructor (made) { this.#native = made }
  receiveSync (headers, body, options) {
    return notification(calling(() =>
      this.#native.receiveSync(pairs(headers), bytes(body, '`body`'), millis(options?.now, 'now'))))
  }

  async receive (headers, body, options) {
    return notification(await waiting(() =>
      this.#native.receive(pairs(headers), bytes(body, '`body`'), millis(options?.now, 'now'))))
  }

  respond (reply) { return JSON.parse(calling(() => this.#native.respond(text(reply, '`reply`')))) }
}

const scheduled = (keys) => {
  const all = new native.Keys()
  for (const [merchant, given] of keys) {
    const { key, notBefore, retireAt } = given instanceof PublicKey ? { key: given } : given ?? {}
    const [start, end] = [millis(notBefore, 'notBefore'), millis(retireAt, 'retireAt')]
    all.addScheduled(String(merchant), PublicKey._native(key), start, end)
  }
  return all
}

class PaytendReceiver extends Receiver {
  constructor (product, partnerId, keyring, options) {
    super(calling(() => Keyring._native(keyring).receiver(
      text(product, '`product`'), text(partnerId, '`partnerId`'), count(options?.maxBytes, 'maxBytes')
    )))
  }
}

class PayByReceiver extends Receiver {
  constructor (keys, options) {
    super(calling(() => scheduled(several(keys).map((key) => ['', key]))
      .payby(count(options?.maxBytes, 'maxBytes'), age(options?.maxAge))))
  }
}

class PayerMaxReceiver extends Receiver {
  constructor (merchants, options) {
    super(calling(() => scheduled(merchants).payermax(count(options?.maxBytes, 'maxBytes'), age(options?.maxAge))))
  }
}

module.exports = {
  PaytendError, UsageError, NotAuthentic, Malformed, PayloadError, UnsignedFailure, Unsealable, KeyUnusable,
  Unavailable, Rejected, PublicKey, PrivateKey, Keyring, PaytendReceiver, PayByReceiver, PayerMaxReceiver,
  inspectKey, requestId, verify,
  version: native.version()
}
