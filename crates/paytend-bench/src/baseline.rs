//! The baseline: code that uses libcrypto directly. It parses keys once, reuses contexts and buffers, and performs none
//! of paytend-crypto's checks.
//!
//! Do not use this code elsewhere, because it is a padding oracle and trusts its input.

use openssl::base64::{decode_block, encode_block};
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;
use openssl::pkey::{Private, Public};
use openssl::rand::rand_bytes;
use openssl::rsa::{Padding, Rsa};
use openssl::sha::sha256;

/// The DER encoding of the DigestInfo for SHA-256, without the digest.
const DIGEST_INFO: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

pub(crate) struct Baseline {
    own: Rsa<Private>,
    peer: Rsa<Public>,
    cipher: CipherCtx,
    canonical: Vec<u8>,
    document: Vec<u8>,
    encrypted: Vec<u8>,
    block: Vec<u8>,
}

impl Baseline {
    pub(crate) fn new(own_pkcs1: &[u8], peer_spki: &[u8]) -> Result<Self, ErrorStack> {
        Ok(Self {
            own: Rsa::private_key_from_der(own_pkcs1)?,
            peer: Rsa::public_key_from_der(peer_spki)?,
            cipher: CipherCtx::new()?,
            canonical: Vec::new(),
            document: Vec::new(),
            encrypted: Vec::new(),
            block: vec![0; 1024],
        })
    }

    /// Seals a notification into the reused buffer and returns the document.
    pub(crate) fn seal(&mut self, partner_id: &str, payload: &str) -> Result<&[u8], ErrorStack> {
        let mut random = [0; 16];
        rand_bytes(&mut random)?;
        let key = encode_block(&random);

        self.encrypted.clear();
        self.cipher.encrypt_init(Some(Cipher::aes_192_ecb()), Some(key.as_bytes()), None)?;
        self.cipher.cipher_update_vec(payload.as_bytes(), &mut self.encrypted)?;
        self.cipher.cipher_final_vec(&mut self.encrypted)?;

        self.write_canonical(partner_id, &key, payload.as_bytes());
        let size = self.own.size() as usize;
        let mut info = DIGEST_INFO.to_vec();
        info.extend(sha256(&self.canonical));
        self.own.private_encrypt(&info, &mut self.block[..size], Padding::PKCS1)?;
        let signature = encode_block(&self.block[..size]);
        let size = self.peer.size() as usize;
        self.peer.public_encrypt(key.as_bytes(), &mut self.block[..size], Padding::PKCS1)?;
        let random_key = encode_block(&self.block[..size]);

        self.document.clear();
        for part in [
            r#"{"partnerId":""#,
            partner_id,
            r#"","notifyType":"2","signType":"RSA","version":"2.0","content":""#,
            &encode_block(&self.encrypted),
            r#"","randomKey":""#,
            &random_key,
            r#"","signature":""#,
            &signature,
            r#""}"#,
        ] {
            self.document.extend_from_slice(part.as_bytes());
        }
        Ok(&self.document)
    }

    /// Opens a notification and returns the payload's length.
    pub(crate) fn open(&mut self, document: &str) -> Result<usize, ErrorStack> {
        let field = |name: &str| {
            let start = document.find(name).map_or(0, |at| at + name.len());
            &document[start..start + document[start..].find('"').unwrap_or(0)]
        };
        let size = self.own.size() as usize;
        let random_key = decode_block(field(r#""randomKey":""#))?;
        let chars = self.own.private_decrypt(&random_key, &mut self.block[..size], Padding::PKCS1)?;
        let key = String::from_utf8_lossy(&self.block[..chars]).into_owned();

        let content = decode_block(field(r#""content":""#))?;
        let mut payload = std::mem::take(&mut self.encrypted);
        payload.clear();
        self.cipher.decrypt_init(Some(Cipher::aes_192_ecb()), Some(key.as_bytes()), None)?;
        self.cipher.cipher_update_vec(&content, &mut payload)?;
        self.cipher.cipher_final_vec(&mut payload)?;

        self.write_canonical(field(r#""partnerId":""#), &key, &payload);
        let valid = self.verify_detached(&sha256(&self.canonical), field(r#""signature":""#))?;
        assert!(valid, "invalid signature in the document passed to the baseline");
        self.encrypted = payload;
        Ok(self.encrypted.len())
    }

    /// Returns whether a base64 signature over a digest is valid.
    pub(crate) fn verify_detached(&mut self, digest: &[u8; 32], signature: &str) -> Result<bool, ErrorStack> {
        let size = self.peer.size() as usize;
        let signature = decode_block(signature)?;
        let len = self.peer.public_decrypt(&signature, &mut self.block[..size], Padding::PKCS1)?;
        Ok(self.block[..len].strip_prefix(&DIGEST_INFO) == Some(&digest[..]))
    }

    fn write_canonical(&mut self, partner_id: &str, key: &str, payload: &[u8]) {
        self.canonical.clear();
        for part in [
            b"content=",
            payload,
            b"&notifyType=2&partnerId=",
            partner_id.as_bytes(),
            b"&randomKey=",
            key.as_bytes(),
            b"&signType=RSA&version=2.0",
        ] {
            self.canonical.extend_from_slice(part);
        }
    }
}
