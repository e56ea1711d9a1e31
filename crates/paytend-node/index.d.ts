/** Bytes, or text that is taken as UTF-8. */
export type Data = string | Uint8Array
export type Kind = 'request' | 'response' | 'notification'
export type Reply = 'accepted' | 'duplicate' | 'try_again_later'
export type Code =
  | 'usage' | 'not_authentic' | 'malformed' | 'payload' | 'unsigned_failure' | 'unsealable' | 'key' | 'unavailable'
  | 'rejected' | 'internal'

/** What to send back to a provider. */
export interface Answer { status: number, headers: Record<string, string>, body: string }

/** What every function of this package throws. It holds nothing secret or personal. */
export class PaytendError extends Error {
  readonly code: Code
  /** What to answer the sender of a notification that is not taken. */
  readonly answer?: Answer
}
/** An argument makes no sense. */
export class UsageError extends PaytendError {}
/** Not from the expected sender to the expected receiver, or changed. There is no more to know. */
export class NotAuthentic extends PaytendError {}
/** Breaks a rule that anybody can see. */
export class Malformed extends PaytendError {}
/** Authentic, and the payload is not one JSON object. */
export class PayloadError extends PaytendError {}
/** A failure response without a signature, which proves nothing. Anyone may have written its code and message. */
export class UnsignedFailure extends PaytendError { readonly respCode: string; readonly respMsg: string }
/** Would have more than one reading, so no receiver would take it. */
export class Unsealable extends PaytendError {}
/** A key cannot be read or used. */
export class KeyUnusable extends PaytendError {}
/** A key's backend, or the source of randomness, does not work now. */
export class Unavailable extends PaytendError {}
/** Authentic, and too old, from the future, or for another merchant. */
export class Rejected extends PaytendError {}

/** A public RSA key: PEM, DER or base64; SubjectPublicKeyInfo or PKCS#1. */
export class PublicKey {
  constructor (data: Data)
  static fromFile (path: string): PublicKey
  write (form?: 'spki-pem' | 'spki-base64' | 'spki-der'): Buffer
  readonly fingerprint: string
}

/** A private RSA key: PEM, DER or base64; PKCS#1 or PKCS#8. A file that others can read is refused. */
export class PrivateKey {
  constructor (data: Data)
  static fromFile (path: string): PrivateKey
  static generate (bits: number): PrivateKey
  readonly publicKey: PublicKey
  /** The key in writing. Secret. */
  write (form?: 'pkcs8-pem' | 'pkcs8-base64' | 'pkcs1-der'): Buffer
  /** The `sign` header of PayBy's and PayerMax's for a body. */
  sign (body: Data): string
  /** For tools, never for a server: whether it fails tells an attacker about the key. */
  hazmatDecryptBlocks (ciphertext: Uint8Array): Buffer
}

export interface KeyInfo {
  private: boolean
  bits: number
  fingerprint: string
  format: 'pkcs1' | 'pkcs8' | 'spki'
  armour: 'der' | 'base64' | 'pem'
}
export function inspectKey (data: Data): KeyInfo
/** Verifies a `sign` header over a body's bytes, as received; gives the fingerprint of the key that it is by. */
export function verify (keys: PublicKey | PublicKey[], body: Data, sign: string): string
/** A new request identifier: 32 characters, unique. */
export function requestId (): string
export const version: string

/** What an authentic message says. Contents are not enumerable, so that no log shows them. */
export interface Opened {
  readonly fields: Readonly<Record<string, string>>
  /**
   * The payload's text, exactly as it was signed; empty if there was none.
   * Throws a `PayloadError` if it is not UTF-8.
   */
  readonly payload: string
  /** The payload's bytes, exactly as they were signed. */
  readonly payloadBytes: Buffer
  /** Why the payload is not one strict JSON object, if it is not. It is authentic all the same. */
  readonly payloadProblem?: string
  /** The signed text. Secret: it holds the session key and the payload. */
  readonly canonical: string
  readonly verifiedBy: string
  readonly decryptedBy?: string
  /**
   * Returns the parsed payload. Its numbers are JavaScript's: read amounts from `payload` with a parser that keeps all
   * digits. Throws a `PayloadError` if it is not JSON.
   */
  json (): any
}

export interface SealOptions { payloadSigned?: boolean }
export interface OpenOptions extends SealOptions { partnerId?: string, maxBytes?: number }

/** The keys of one side, facing one other side. The first of each signs and encrypts; all decrypt and verify. */
export class Keyring {
  constructor (own: PrivateKey | PrivateKey[], peer: PublicKey | PublicKey[])
  /**
   * Seals a message on Node's worker pool. Resolves to its document.
   *
   * `fields` are the plain fields without those that the protocol fixes (`signType`, `version`). Sets a new `requestId`
   * of 32 characters for a request whose fields have none; keeps a given one. Read it from the document:
   * `JSON.parse(document).requestId`.
   *
   * A payload that is a string is sealed to the letter; an object is written as JSON.
   *
   * Throws a `UsageError` if an argument has the wrong type, `Unsealable` if a field or the payload cannot be sealed.
   */
  seal (kind: Kind, fields: Record<string, string>, payload?: string | object, options?: SealOptions): Promise<string>
  /** Seals a message like `seal`, at once. */
  sealSync (kind: Kind, fields: Record<string, string>, payload?: string | object, options?: SealOptions): string
  /**
   * Opens a message on Node's worker pool. A request and a notification must name `partnerId`; a response names none.
   */
  open (kind: Kind, document: Data, options?: OpenOptions): Promise<Opened>
  openSync (kind: Kind, document: Data, options?: OpenOptions): Opened
}

export interface DatedKey { key: PublicKey, notBefore?: Date, retireAt?: Date }
export interface BusinessKey { kind: string, id: string, state?: string }

/** A verified notification. Contents are not enumerable, so that no log shows them. */
export interface Notification {
  readonly provider: 'paytend' | 'payby' | 'payermax'
  readonly product?: 'baas' | 'issuing'
  readonly notifyType?: string
  /** What was signed: Paytend's content, PayBy's and PayerMax's body. */
  readonly content: Buffer
  /**
   * `unreadable` is of a documented type, but cannot be read as one; `unknown` is of no known type. Store a
   * notification that is not typed with its content, and do not count it as handled.
   */
  readonly reading: 'typed' | 'unreadable' | 'unknown'
  /** What could not be read, if anything. A typed notification may have fields that cannot be read. */
  readonly problem?: string
  /**
   * Equal for the same notification, however often and however sealed it arrives. Store it in the transaction of the
   * effect. A known key can still be an update, because Paytend's notifications have no number: store the repeat, and
   * query the state of what `businessKey` names.
   */
  readonly dedupKey: string
  readonly businessKey?: BusinessKey
  readonly verifiedBy: string
  readonly sentAt?: Date
  /**
   * Returns the parsed content. Its numbers are JavaScript's: read amounts from `content` with a parser that keeps all
   * digits. Throws a `PayloadError` if it is not JSON.
   */
  json (): any
}

export type HeadersLike = Record<string, string | string[] | undefined> | Iterable<[string, string]>

declare class Receiver {
  /**
   * Verifies a notification on Node's worker pool. `body` is the raw body, as received.
   * Throws a `PaytendError` if the notification is rejected; its `answer` is the response to send.
   */
  receive (headers: HeadersLike, body: Data, options?: { now?: Date }): Promise<Notification>
  receiveSync (headers: HeadersLike, body: Data, options?: { now?: Date }): Notification
  /** Returns the response to a notification that was received. Send it once the notification is durable. */
  answer (reply: Reply): Answer
}
/** Receives what a product of Paytend's notifies a partner of: both belong to the route. */
export class PaytendReceiver extends Receiver {
  constructor (product: 'baas' | 'issuing', partnerId: string, keyring: Keyring, options?: { maxBytes?: number })
}
/** Receives PayBy's notifications. `maxAge` is in milliseconds (26 hours). */
export class PayByReceiver extends Receiver {
  constructor (
    keys: PublicKey | DatedKey | Array<PublicKey | DatedKey>,
    options?: { maxBytes?: number, maxAge?: number }
  )
}
/** Receives PayerMax's notifications, of these merchants, each with its key. `maxAge` is in milliseconds (3 days). */
export class PayerMaxReceiver extends Receiver {
  constructor (merchants: Iterable<[string, PublicKey | DatedKey]>, options?: { maxBytes?: number, maxAge?: number })
}
