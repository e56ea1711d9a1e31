/** Bytes, or a string that is encoded as UTF-8. */
export type Data = string | Uint8Array
/** The kind of a message: a request, a response or a notification. */
export type Kind = 'request' | 'response' | 'notification'
/**
 * The result of handling a notification. `try_again_later` means that the notification could not be stored, so the
 * provider should retry.
 */
export type Reply = 'accepted' | 'duplicate' | 'try_again_later'
/** An error code. The codes are the same in every language. */
export type Code =
  | 'usage' | 'not_authentic' | 'malformed' | 'payload' | 'unsigned_failure' | 'unsealable' | 'key' | 'unavailable'
  | 'rejected' | 'internal'

/** The HTTP response to send to the provider. */
export interface ProviderResponse { status: number, headers: Record<string, string>, body: string }

/** The base class for all errors in this package. Errors contain no secrets or personal data. */
export class PaytendError extends Error {
  /** The error code, such as `not_authentic`. */
  readonly code: Code
  /** The response to send to the provider, if a notification was rejected. */
  readonly response?: ProviderResponse
}
/** An argument is invalid. */
export class UsageError extends PaytendError {}
/**
 * The message was not sent by the expected sender to the expected receiver, or it was modified. The exact reason is not
 * reported.
 */
export class NotAuthentic extends PaytendError {}
/** The document breaks a format rule that can be checked without a key. */
export class Malformed extends PaytendError {}
/** The message is authentic, but its payload is not a single JSON object. */
export class PayloadError extends PaytendError {}
/**
 * The document is an unsigned error response. It is not authenticated: an attacker on the network may have written it.
 */
export class UnsignedFailure extends PaytendError {
  /** The response's `respCode`. */
  readonly respCode: string
  /** The response's `respMsg`. */
  readonly respMsg: string
}
/**
 * The message cannot be sealed: a field or the payload breaks a rule that receivers enforce (for example, it would make
 * the signed text ambiguous).
 */
export class Unsealable extends PaytendError {}
/** A key cannot be read or used. */
export class KeyUnusable extends PaytendError {}
/** A key's backend or the random source is temporarily unavailable. */
export class Unavailable extends PaytendError {}
/** An authentic notification was rejected because it is too old, dated in the future, or for the wrong merchant. */
export class Rejected extends PaytendError {}

/** A public RSA key, read from SubjectPublicKeyInfo or PKCS#1 in PEM, DER or base64. */
export class PublicKey {
  /** Reads a key from bytes or a string. */
  constructor (data: Data)
  /** Reads a key from a file. */
  static fromFile (path: string): PublicKey
  /** Returns the key in the given encoding (default: PEM). */
  write (form?: 'spki-pem' | 'spki-base64' | 'spki-der'): Buffer
  /** The fingerprint: `SHA256:` followed by hexadecimal digits. */
  readonly fingerprint: string
}

/** A private RSA key, read from PKCS#1 or PKCS#8 in PEM, DER or base64. */
export class PrivateKey {
  /** Reads a key from bytes or a string. */
  constructor (data: Data)
  /** Reads a key from a file. Throws `KeyUnusable` if the file is missing, or if other users can read it. */
  static fromFile (path: string): PrivateKey
  /** Generates a key pair. The size is a multiple of 128 bits, from 1024 to 8192. */
  static generate (bits: number): PrivateKey
  /** The matching public key. */
  readonly publicKey: PublicKey
  /** Returns the key in the given encoding (default: PKCS#8 PEM). The result is secret. */
  write (form?: 'pkcs8-pem' | 'pkcs8-base64' | 'pkcs1-der'): Buffer
  /** Signs a body for PayBy or PayerMax, and returns the value of the `sign` header. */
  sign (body: Data): string
  /**
   * Decrypts concatenated RSA PKCS#1 v1.5 blocks. An attacker who can observe whether decryption succeeds can use this
   * method as a padding oracle. Use the method only in tools, never in a server.
   */
  hazmatDecryptBlocks (ciphertext: Uint8Array): Buffer
}

/** Information about a key. */
export interface KeyInfo {
  private: boolean
  bits: number
  /** The fingerprint of the public key. */
  fingerprint: string
  format: 'pkcs1' | 'pkcs8' | 'spki'
  armour: 'der' | 'base64' | 'pem'
}
/** Describes a private or public key. */
export function inspectKey (data: Data): KeyInfo
/** Verifies the `sign` header of a raw body. Returns the fingerprint of the key that verified the signature. */
export function verify (keys: PublicKey | PublicKey[], body: Data, sign: string): string
/** Generates a unique 32-character request identifier. */
export function requestId (): string
/** The version of the package. */
export const version: string

/** The contents of an authentic message. Secret properties are not enumerable, to keep them out of logs. */
export interface Opened {
  /** The unencrypted fields. */
  readonly fields: Readonly<Record<string, string>>
  /**
   * The payload as text, exactly as signed; empty for a message without a payload. Throws a `PayloadError` if the
   * payload is not UTF-8.
   */
  readonly payload: string
  /** The payload bytes, exactly as signed. */
  readonly payloadBytes: Buffer
  /**
   * A description of the problem if the payload is not a single strict JSON object, and undefined otherwise. The
   * payload is authentic in both cases.
   */
  readonly payloadProblem?: string
  /** The signed text. It is secret, since it contains the session key and the payload. */
  readonly canonical: string
  /** The fingerprint of the key that verified the signature. */
  readonly verifiedBy: string
  /** The fingerprint of the key that decrypted the message, if anything was encrypted. */
  readonly decryptedBy?: string
  /**
   * Returns the parsed payload. Its numbers are JavaScript numbers, which can lose digits. To read amounts, parse
   * `payload` with a parser that keeps all digits. Throws a `PayloadError` if the payload is not JSON.
   */
  json (): any
}

/** Options for sealing. */
export interface SealOptions {
  /** Whether the payload is signed. The default is true. Use false for the upload endpoints of the IBAN product. */
  payloadSigned?: boolean
}
/** Options for opening. */
export interface OpenOptions extends SealOptions {
  /** The partner in a request or notification. */
  partnerId?: string
  /** The maximum size of the document, in bytes. */
  maxBytes?: number
}

/**
 * The keys that one side uses to communicate with one peer. The first own key is used for signing, and all own keys for
 * decryption. The first peer key is used for encryption, and all peer keys for verification.
 */
export class Keyring {
  /** Creates a keyring. Use several keys during a key rotation. */
  constructor (own: PrivateKey | PrivateKey[], peer: PublicKey | PublicKey[])
  /**
   * Seals a message on Node's worker pool. The promise resolves to the document.
   *
   * `fields` are the unencrypted fields except `signType` and `version`, which `seal` adds. Adds a 32-character
   * `requestId` to a request that does not contain one. An existing `requestId` is kept. To read the `requestId`, use
   * `JSON.parse(document).requestId`.
   *
   * A string is sealed exactly as passed. An object is serialized as JSON.
   *
   * Throws a `UsageError` if an argument has the wrong type, and `Unsealable` if a field or the payload cannot be
   * sealed.
   */
  seal (kind: Kind, fields: Record<string, string>, payload?: string | object, options?: SealOptions): Promise<string>
  /** Seals a message synchronously. Otherwise behaves like `seal`. */
  sealSync (kind: Kind, fields: Record<string, string>, payload?: string | object, options?: SealOptions): string
  /**
   * Decrypts and verifies a message on Node's worker pool. `partnerId` is required for requests and notifications, and
   * not allowed for responses.
   */
  open (kind: Kind, document: Data, options?: OpenOptions): Promise<Opened>
  /** Decrypts and verifies a message synchronously. Otherwise behaves like `open`. */
  openSync (kind: Kind, document: Data, options?: OpenOptions): Opened
}

/** A provider's key and its validity period. */
export interface ScheduledKey {
  key: PublicKey
  /** The start of the validity period (inclusive). */
  notBefore?: Date
  /** The end of the validity period (exclusive). */
  retireAt?: Date
}
/** The object that a notification is about, and the reported state. */
export interface BusinessKey { kind: string, id: string, state?: string }

/** A verified notification. Its contents are not enumerable, to keep them out of logs. */
export interface Notification {
  readonly provider: 'paytend' | 'payby' | 'payermax'
  /** The Paytend product, if the provider is Paytend. */
  readonly product?: 'baas' | 'issuing'
  /** Paytend's `notifyType`, if the provider is Paytend. */
  readonly notifyType?: string
  /** The signed content: the decrypted `content` for Paytend, the body for PayBy and PayerMax. */
  readonly content: Buffer
  /**
   * The result of parsing: `typed`, `unreadable` (a documented type that could not be parsed) or `unknown` (an
   * undocumented type). If the result is not `typed`, store the notification with its content, and do not treat it as
   * handled.
   */
  readonly reading: 'typed' | 'unreadable' | 'unknown'
  /**
   * A description of the parsing problems, if any. Even a typed notification can have fields that could not be parsed.
   */
  readonly problem?: string
  /**
   * The deduplication key. It is the same for every delivery of a notification, even if the notification is sealed
   * again. Store the key in the same transaction as the notification's effect. Notifications from Paytend have no
   * sequence number, so a notification whose dedup key is already stored may still be an update. Store that
   * notification too, and query the current state of the object that `businessKey` identifies.
   */
  readonly dedupKey: string
  readonly businessKey?: BusinessKey
  /** The fingerprint of the key that verified the signature. */
  readonly verifiedBy: string
  /** The time at which the notification was sent, if the provider reports it. Paytend does not. */
  readonly sentAt?: Date
  /**
   * Returns the parsed content. Its numbers are JavaScript numbers, which can lose digits. To read amounts, parse
   * `content` with a parser that keeps all digits. Throws a `PayloadError` if the content is not JSON.
   */
  json (): any
}

/** Request headers: the header object from Node, Express or Fastify, a `Headers` object, or name-value pairs. */
export type HeadersLike = Record<string, string | string[] | undefined> | Iterable<[string, string]>

/** A receiver for the notifications that arrive at one HTTP route. */
declare class Receiver {
  /**
   * Verifies a notification on Node's worker pool. `body` must be the raw request body.
   *
   * Throws a `PaytendError` if the notification is rejected. The error's `response` is the response to send.
   */
  receive (headers: HeadersLike, body: Data, options?: { now?: Date }): Promise<Notification>
  /** Verifies a notification synchronously. Otherwise behaves like `receive`. */
  receiveSync (headers: HeadersLike, body: Data, options?: { now?: Date }): Notification
  /** Returns the HTTP response for a received notification. Send it after storing the notification durably. */
  respond (reply: Reply): ProviderResponse
}
/**
 * A receiver for notifications from one Paytend product to one partner. Use a separate HTTP route for each receiver.
 */
export class PaytendReceiver extends Receiver {
  constructor (product: 'baas' | 'issuing', partnerId: string, keyring: Keyring, options?: { maxBytes?: number })
}
/** A receiver for PayBy's notifications. `maxAge` is in milliseconds; the default is 26 hours. */
export class PayByReceiver extends Receiver {
  constructor (
    keys: PublicKey | ScheduledKey | Array<PublicKey | ScheduledKey>,
    options?: { maxBytes?: number, maxAge?: number }
  )
}
/**
 * A receiver for PayerMax's notifications to the given merchants. Each merchant has its own key. `maxAge` is in
 * milliseconds; the default is 3 days.
 */
export class PayerMaxReceiver extends Receiver {
  constructor (
    merchants: Iterable<[string, PublicKey | ScheduledKey]>,
    options?: { maxBytes?: number, maxAge?: number }
  )
}
