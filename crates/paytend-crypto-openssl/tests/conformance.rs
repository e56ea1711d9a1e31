//! This backend against the suite, and against the default one.

#![allow(clippy::unwrap_used)]

use paytend_crypto::{OsRandom, PrivateKey, rustcrypto, testing};
use paytend_crypto_openssl::{LoadError, private, public};
use proptest::prelude::*;

#[test]
fn the_openssl_backend_conforms() {
    let loader = testing::Loader {
        private: &|key| private(key).map_err(|e| e.to_string()),
        public: &|key| public(key).map_err(|e| e.to_string()),
    };
    let checks = testing::check_backend(&loader).unwrap();
    assert!(checks > 1000, "{checks}");
}

#[test]
fn numbers_that_do_not_belong_together_are_refused() {
    let key = rustcrypto::generate(1024, &OsRandom).unwrap();
    let mut der = key.pkcs1_der().to_vec();
    // Inside the private exponent.
    der[200] ^= 0x55;
    let damaged = PrivateKey::from_der(&der).unwrap();
    assert_eq!(private(&damaged).err(), Some(LoadError::Invalid));
}

/// Odd sizes, and both backends giving the same bytes wherever the protocol is deterministic.
#[test]
fn both_backends_give_the_same_bytes() {
    for bits in [1024, 1028, 1031, 2048] {
        let key = rustcrypto::generate(bits, &OsRandom).unwrap();
        let (a, b) = (rustcrypto::private(&key).unwrap(), private(&key).unwrap());
        let (a_public, b_public) = (rustcrypto::public(key.public_key()).unwrap(), public(key.public_key()).unwrap());
        testing::check_pair(&b, &b_public).unwrap();
        let size = key.public_key().size();
        let config = ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() };
        let inputs = (prop::array::uniform32(any::<u8>()), prop::collection::vec(any::<u8>(), size));
        proptest::test_runner::TestRunner::new(config)
            .run(&inputs, |(digest, mut block)| {
                // Below the modulus, whatever its first bits are.
                block[0] = 0;
                prop_assert_eq!(a.sign_sha256(&digest).unwrap(), b.sign_sha256(&digest).unwrap());
                prop_assert_eq!(a_public.encrypt_raw(&block).unwrap(), b_public.encrypt_raw(&block).unwrap());
                let (mut one, mut two) = (vec![0; size], vec![0; size]);
                a.decrypt_raw(&block, &mut one).unwrap();
                b.decrypt_raw(&block, &mut two).unwrap();
                prop_assert_eq!(one, two);
                prop_assert_eq!(a_public.verify_sha256(&digest, &block), b_public.verify_sha256(&digest, &block));
                Ok(())
            })
            .unwrap();
    }
}
