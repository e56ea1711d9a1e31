//! Keys, and a builder for keyrings and receivers.

use napi::Result;
use napi::bindgen_prelude::{Buffer, Uint8Array};
use napi_derive::napi;
use paytend_bindings as paytend;
use paytend_bindings::ScheduledKey;

use crate::{Keyring, Receiver, clamp_millis, guarded, limited};

#[napi]
pub struct PrivateKey(pub(crate) paytend::PrivateKey);

#[napi]
impl PrivateKey {
    #[napi(factory)]
    pub fn load(data: Uint8Array) -> Result<Self> {
        guarded(|| Ok(Self(paytend::PrivateKey::from_bytes(&data)?)))
    }

    #[napi(factory)]
    pub fn load_file(path: String) -> Result<Self> {
        guarded(|| Ok(Self(paytend::PrivateKey::from_file(path)?)))
    }

    #[napi(factory)]
    pub fn generate(bits: u32) -> Result<Self> {
        guarded(|| paytend::generate(bits as usize).map(Self))
    }

    #[napi]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.public_key().clone())
    }

    #[napi]
    pub fn write(&self, form: String) -> Result<Buffer> {
        guarded(|| paytend::write_private(&self.0, &form).map(|written| Buffer::from(written.as_slice())))
    }

    #[napi]
    pub fn sign(&self, body: Uint8Array) -> Result<String> {
        guarded(|| paytend::sign(&self.0, &body))
    }

    #[napi]
    pub fn hazmat_decrypt_blocks(&self, ciphertext: Uint8Array) -> Result<Buffer> {
        guarded(|| paytend::hazmat_decrypt_blocks(&self.0, &ciphertext).map(|plain| Buffer::from(plain.as_slice())))
    }
}

#[napi]
pub struct PublicKey(pub(crate) paytend::PublicKey);

#[napi]
impl PublicKey {
    #[napi(factory)]
    pub fn load(data: Uint8Array) -> Result<Self> {
        guarded(|| Ok(Self(paytend::PublicKey::from_bytes(&data)?)))
    }

    #[napi(factory)]
    pub fn load_file(path: String) -> Result<Self> {
        guarded(|| Ok(Self(paytend::PublicKey::from_file(path)?)))
    }

    #[napi]
    pub fn write(&self, form: String) -> Result<Buffer> {
        guarded(|| paytend::write_public(&self.0, &form).map(Buffer::from))
    }
}

/// A builder for objects that use several keys. Keys are added one at a time.
#[napi]
#[derive(Default)]
pub struct Keys {
    own: Vec<paytend::PrivateKey>,
    peer: Vec<paytend::PublicKey>,
    scheduled: Vec<(String, ScheduledKey)>,
}

#[napi]
impl Keys {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    #[napi]
    pub fn add_own(&mut self, key: &PrivateKey) {
        self.own.push(key.0.clone());
    }

    #[napi]
    pub fn add_peer(&mut self, key: &PublicKey) {
        self.peer.push(key.0.clone());
    }

    #[napi]
    pub fn add_scheduled(
        &mut self,
        merchant: String,
        key: &PublicKey,
        not_before: Option<i64>,
        retire_at: Option<i64>,
    ) {
        let (not_before, retire_at) = (clamp_millis(not_before), clamp_millis(retire_at));
        self.scheduled.push((merchant, ScheduledKey { key: key.0.clone(), not_before, retire_at }));
    }

    #[napi]
    pub fn keyring(&self) -> Result<Keyring> {
        let (own, peer): (Vec<_>, Vec<_>) = (self.own.iter().collect(), self.peer.iter().collect());
        guarded(|| paytend::keyring(&own, &peer).map(Keyring))
    }

    #[napi]
    pub fn verify(&self, body: Uint8Array, sign: String) -> Result<String> {
        guarded(|| paytend::verify(&self.peer, &body, &sign))
    }

    #[napi]
    pub fn payby(&self, max_bytes: Option<u32>, max_age: Option<i64>) -> Result<Receiver> {
        let keys = self.scheduled.iter().map(|(_, key)| key.clone()).collect();
        guarded(|| limited(paytend::Receiver::payby(keys)?, max_bytes, max_age))
    }

    #[napi]
    pub fn payermax(&self, max_bytes: Option<u32>, max_age: Option<i64>) -> Result<Receiver> {
        guarded(|| limited(paytend::Receiver::payermax(self.scheduled.clone())?, max_bytes, max_age))
    }
}
