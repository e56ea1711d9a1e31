//! Checks that need only one key pair, whose private key can be in hardware.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::{Checks, ConformanceError};
use crate::envelope::keyring::Keyring;
use crate::envelope::message::{Expected, Fields};
use crate::envelope::seal::Outgoing;
use crate::error::Error;
use crate::primitives::pkcs1v15;
use crate::random::RandomSource;
use crate::rsa::{RsaPrivate, RsaPublic};
use crate::{PublicKey, detached, rustcrypto};

const PARTNER_ID: &str = "888666000100260";
const THREADS: usize = 4;
const MESSAGES_A_THREAD: usize = 25;

/// A random source whose bytes depend only on the key, so that a failure can be reproduced.
struct Predictable {
    seed: [u8; 32],
    calls: AtomicU64,
}

impl Predictable {
    fn new(key: &PublicKey) -> Self {
        Self { seed: Sha256::digest(key.modulus()).into(), calls: AtomicU64::new(0) }
    }
}

impl RandomSource for Predictable {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        for chunk in bytes.chunks_mut(32) {
            let call = self.calls.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            let block = Sha256::new().chain_update(self.seed).chain_update(call).finalize();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

/// Checks a backend's key pair and returns the number of checks.
///
/// The checks cover signatures, raw operations, messages exchanged with the default backend in both directions, and the
/// refusal of invalid messages. All checks also run on several threads at the same time.
///
/// # Errors
/// Returns the first check that fails.
pub fn check_pair(private: &Arc<dyn RsaPrivate>, public: &Arc<dyn RsaPublic>) -> Result<usize, ConformanceError> {
    let mut checks = Checks::default();
    let key = private.public_key().clone();
    checks.that(public.public_key() == &key, || "the private and public halves report different keys".into())?;
    let reference = checks.get(rustcrypto::public(&key), "the default backend cannot load the public key")?;
    signatures(&mut checks, &**private, &**public, &*reference)?;
    signature_above_modulus(&mut checks, &**private, &**public)?;
    raw_operations(&mut checks, &**private, &**public, &*reference)?;
    messages(&mut checks, private, public)?;
    together(&mut checks, private, public)?;
    Ok(checks.done)
}

fn signatures(
    checks: &mut Checks,
    private: &dyn RsaPrivate,
    public: &dyn RsaPublic,
    reference: &dyn RsaPublic,
) -> Result<(), ConformanceError> {
    let size = private.public_key().size();
    for text in ["", "a", "the quick brown fox"] {
        let digest: [u8; 32] = Sha256::digest(text).into();
        let signature = checks.get(private.sign_sha256(&digest), "sign_sha256 fails")?;
        let again = checks.get(private.sign_sha256(&digest), "the second call of sign_sha256 fails")?;
        checks.that(signature == again, || "sign_sha256 is not deterministic".into())?;
        checks.that(signature.len() == size, || "a signature is not as long as the modulus".into())?;
        checks.that(reference.verify_sha256(&digest, &signature), || "sign_sha256 returns a wrong signature".into())?;
        checks.that(public.verify_sha256(&digest, &signature), || "verify_sha256 refuses a valid signature".into())?;
        for at in [0, 1, size / 2, size - 1] {
            let mut changed = signature.clone();
            changed[at] ^= 1;
            checks.that(!public.verify_sha256(&digest, &changed), || {
                format!("verify_sha256 accepts a signature with byte {at} changed")
            })?;
        }
        let mut other = digest;
        other[31] ^= 1;
        checks.that(!public.verify_sha256(&other, &signature), || {
            "verify_sha256 accepts a signature for a different digest".into()
        })?;
        let longer = [&signature[..], &[0]].concat();
        let padded = [&[0], &signature[..]].concat();
        let modulus = private.public_key().modulus().to_vec();
        let zeros = vec![0; size];
        for wrong in [&[][..], &signature[1..], &signature[..size - 1], &longer, &padded, &modulus, &zeros, &[0xff; 9]]
        {
            let refused = !public.verify_sha256(&digest, wrong);
            checks.that(refused, || format!("verify_sha256 accepts a signature that is {} bytes long", wrong.len()))?;
        }
    }
    Ok(())
}

/// Checks that the sum of a signature and the modulus is refused, although it is equal to the signature modulo `n`.
fn signature_above_modulus(
    checks: &mut Checks,
    private: &dyn RsaPrivate,
    public: &dyn RsaPublic,
) -> Result<(), ConformanceError> {
    // The sum is often longer than the modulus, and a backend may refuse it for its length alone. Signatures are tried
    // until a sum is as long as the modulus.
    for text in 0..32u8 {
        let digest: [u8; 32] = Sha256::digest([text]).into();
        let signature = checks.get(private.sign_sha256(&digest), "sign_sha256 fails")?;
        if let Some(sum) = sum(&signature, private.public_key().modulus()) {
            return checks.that(!public.verify_sha256(&digest, &sum), || {
                "verify_sha256 accepts a signature that is not below the modulus".into()
            });
        }
    }
    Ok(())
}

/// Returns the sum of two big-endian numbers of the same length, or `None` if the sum has more bytes.
fn sum(one: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    let mut sum = one.to_vec();
    let mut carry = false;
    for (digit, other) in sum.iter_mut().zip(other).rev() {
        let (partial, first) = digit.overflowing_add(*other);
        let (total, second) = partial.overflowing_add(carry.into());
        (*digit, carry) = (total, first || second);
    }
    (!carry).then_some(sum)
}

fn raw_operations(
    checks: &mut Checks,
    private: &dyn RsaPrivate,
    public: &dyn RsaPublic,
    reference: &dyn RsaPublic,
) -> Result<(), ConformanceError> {
    let size = private.public_key().size();
    let block_of = |bytes: &[(usize, u8)]| {
        let mut block = vec![0; size];
        bytes.iter().for_each(|(at, byte)| block[*at] = *byte);
        block
    };
    let source = Predictable::new(private.public_key());
    let mut random = vec![0u8; size];
    checks.get(source.fill(&mut random[1..]), "cannot get random bytes")?;
    let padded = checks.get(pkcs1v15::encryption_block(b"content", size, &source), "cannot get random bytes")?;
    // A backend must return every block unchanged, even if its padding is invalid.
    let mut blocks = vec![padded.to_vec(), random, block_of(&[]), block_of(&[(size - 1, 1)]), block_of(&[(1, 2)])];
    let mut largest = private.public_key().modulus().to_vec();
    largest[size - 1] -= 1;
    blocks.push(largest);
    for (number, block) in blocks.iter().enumerate() {
        let ciphertext = checks.get(public.encrypt_raw(block), "encrypt_raw fails")?;
        let same = checks.get(reference.encrypt_raw(block), "the default backend's encrypt_raw fails")?;
        checks
            .that(ciphertext == same, || format!("encrypt_raw of block {number} differs from the default backend's"))?;
        let mut out = vec![0xaa; size];
        checks.get(private.decrypt_raw(&ciphertext, &mut out), "decrypt_raw fails")?;
        checks.that(&out == block, || format!("decrypt_raw does not return block {number}"))?;
    }
    Ok(())
}

/// Creates a keyring that uses this backend for all operations and the same key pair for both sides.
fn ring(private: &Arc<dyn RsaPrivate>, public: &Arc<dyn RsaPublic>) -> Result<Keyring, Error> {
    Keyring::builder().own_key(Arc::clone(private)).peer_key(Arc::clone(public)).build()
}

fn messages(
    checks: &mut Checks,
    private: &Arc<dyn RsaPrivate>,
    public: &Arc<dyn RsaPublic>,
) -> Result<(), ConformanceError> {
    let key = private.public_key();
    let theirs = checks.get(rustcrypto::generate(1024, &Predictable::new(key)), "cannot generate a key")?;
    let ours = checks.get(rustcrypto::public(key), "the default backend cannot load the public key")?;
    let theirs_private =
        checks.get(rustcrypto::private(&theirs), "the default backend cannot load its own private key")?;
    let theirs_public =
        checks.get(rustcrypto::public(theirs.public_key()), "the default backend cannot load its own public key")?;
    let here = checks.get(ring(private, &theirs_public), "cannot build a keyring")?;
    let there = checks.get(ring(&theirs_private, &ours), "cannot build a keyring")?;
    let fields = Fields::notification(PARTNER_ID, "2");
    let expected = Expected::notification(PARTNER_ID);
    for payload in ["", "{}", r#"{"amount":0.020,"name":"žąsis"}"#] {
        for (from, to) in [(&here, &there), (&there, &here)] {
            let sealed = checks.get(from.seal(&Outgoing::new(&fields).payload(payload)), "cannot seal a message")?;
            let opened = checks.get(to.open(sealed.document().as_bytes(), &expected), "cannot open a message")?;
            checks.that(opened.payload_bytes() == payload.as_bytes(), || {
                "the opened payload differs from the sealed payload".into()
            })?;
        }
    }
    refusals(checks, private, public)
}

/// Checks that opening a correctly signed message returns `NotAuthentic` if the RSA padding of its session key is
/// invalid.
fn refusals(
    checks: &mut Checks,
    private: &Arc<dyn RsaPrivate>,
    public: &Arc<dyn RsaPublic>,
) -> Result<(), ConformanceError> {
    let size = private.public_key().size();
    let session_key = "gNx86vc1yttHs8ZWOf7+5g==";
    let text = format!("notifyType=2&partnerId={PARTNER_ID}&randomKey={session_key}&signType=RSA&version=2.0");
    let signature = checks.get(detached::sign(&**private, text.as_bytes()), "cannot sign a message")?;
    let ring = checks.get(ring(private, public), "cannot build a keyring")?;
    let separator = size - session_key.len() - 1;
    for (at, byte) in [(1, 2), (0, 1), (1, 1), (2, 0), (9, 0), (separator, 7)] {
        let mut block = vec![0x5a; size];
        block[0] = 0;
        block[1] = 2;
        block[separator] = 0;
        block[separator + 1..].copy_from_slice(session_key.as_bytes());
        block[at] = byte;
        let random_key = checks.get(public.encrypt_raw(&block), "encrypt_raw fails")?;
        let document = format!(
            concat!(
                r#"{{"partnerId":"{}","notifyType":"2","signType":"RSA","version":"2.0","#,
                r#""randomKey":"{}","signature":"{}"}}"#
            ),
            PARTNER_ID,
            STANDARD.encode(random_key),
            signature
        );
        let result = ring.open(document.as_bytes(), &Expected::notification(PARTNER_ID)).map(drop);
        let right = if (at, byte) == (1, 2) { Ok(()) } else { Err(Error::NotAuthentic) };
        checks.that(result == right, || format!("opening returns {result:?} if byte {at} of the padding is {byte}"))?;
    }
    Ok(())
}

fn together(
    checks: &mut Checks,
    private: &Arc<dyn RsaPrivate>,
    public: &Arc<dyn RsaPublic>,
) -> Result<(), ConformanceError> {
    let ring = &checks.get(ring(private, public), "cannot build a keyring")?;
    let work = |thread: usize| {
        (0..MESSAGES_A_THREAD).all(|n| {
            let payload = format!(r#"{{"thread":{thread},"n":{n}}}"#);
            let fields = Fields::notification(PARTNER_ID, "2");
            let opened = ring
                .seal(&Outgoing::new(&fields).payload(&payload))
                .and_then(|sealed| ring.open(sealed.document().as_bytes(), &Expected::notification(PARTNER_ID)));
            opened.is_ok_and(|opened| opened.payload_bytes() == payload.as_bytes())
        })
    };
    let all = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().all(|thread| thread.join().unwrap_or(false))
    });
    checks.that(all, || "messages cannot be opened correctly when several threads share the keys".into())
}
