import paytend from './index.js'

export const {
  PaytendError, UsageError, NotAuthentic, Malformed, PayloadError, UnsignedFailure, Unsealable, KeyUnusable,
  Unavailable, Rejected, PublicKey, PrivateKey, Keyring, PaytendReceiver, PayByReceiver, PayerMaxReceiver,
  inspectKey, requestId, verify, version
} = paytend
