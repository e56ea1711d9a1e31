//! Runs the conformance suite on the AWS-LC backend, and compares this backend with the default backend.

#![allow(clippy::unwrap_used)]

use paytend_crypto::rsa::Backend;
use paytend_crypto::{Error, KeyError, PrivateKey, rustcrypto, testing};
use paytend_crypto_aws_lc::AwsLc;
use paytend_vectors::Seeded;
use pkcs1::RsaPrivateKeyRef;
use pkcs1::der::asn1::UintRef;
use pkcs1::der::{Decode as _, Encode as _};
use proptest::prelude::*;

#[test]
fn aws_lc_backend_passes_conformance_suite() {
    let checks = testing::check_backend(&AwsLc).unwrap();
    assert!(checks > 1000, "{checks}");
}

#[test]
fn private_key_with_inconsistent_components_is_refused() {
    let random = Seeded::new();
    let key = rustcrypto::generate(1024, &random).unwrap();
    let mut der = key.pkcs1_der().to_vec();
    // This byte is inside the private exponent.
    der[200] ^= 0x55;
    let damaged = PrivateKey::from_bytes(&der).unwrap();
    assert_eq!(AwsLc.private(&damaged).err(), Some(Error::Key(KeyError::Invalid)));
}

/// Compares the results of every deterministic operation for several key sizes, including unusual sizes.
#[test]
fn both_backends_return_the_same_bytes() {
    let random = Seeded::new();
    for bits in [1024, 1028, 1031, 2048] {
        let key = rustcrypto::generate(bits, &random).unwrap();
        let (a, b) = (rustcrypto::private(&key).unwrap(), AwsLc.private(&key).unwrap());
        let a_public = rustcrypto::public(key.public_key()).unwrap();
        let b_public = AwsLc.public(key.public_key()).unwrap();
        testing::check_pair(&b, &b_public).unwrap();
        let size = key.public_key().size();
        let config = ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() };
        let inputs = (prop::array::uniform32(any::<u8>()), prop::collection::vec(any::<u8>(), size));
        proptest::test_runner::TestRunner::new(config)
            .run(&inputs, |(digest, mut block)| {
                // The first byte is 0, so the number in the block is smaller than every modulus.
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

/// The numbers 0, 1 and `n - 1` decrypt to themselves. AWS-LC refuses to decrypt them, so the backend returns them
/// unchanged.
#[test]
fn smallest_and_largest_ciphertexts_are_decrypted() {
    let random = Seeded::new();
    let key = rustcrypto::generate(1024, &random).unwrap();
    let private = AwsLc.private(&key).unwrap();
    let small = |number: u8| [vec![0; 127], vec![number]].concat();
    let modulus_minus = |number: u8| minus(key.public_key().modulus(), &[number]);
    for block in [small(0), small(1), modulus_minus(1)] {
        let mut out = vec![0xaa; 128];
        private.decrypt_raw(&block, &mut out).unwrap();
        assert_eq!(out, block);
    }
    for block in [small(2), modulus_minus(2)] {
        let mut out = vec![0xaa; 128];
        private.decrypt_raw(&block, &mut out).unwrap();
        assert_ne!(out, block);
        assert_eq!(AwsLc.public(key.public_key()).unwrap().encrypt_raw(&out).unwrap(), block);
    }
}

#[test]
fn input_of_wrong_length_or_not_below_modulus_is_refused() {
    let random = Seeded::new();
    let key = rustcrypto::generate(1024, &random).unwrap();
    let (private, public) = (AwsLc.private(&key).unwrap(), AwsLc.public(key.public_key()).unwrap());
    let modulus = key.public_key().modulus().to_vec();
    for input in [modulus.clone(), vec![0xff; 128], vec![7; 127], vec![7; 129], vec![], vec![0], vec![1]] {
        let mut out = vec![0; 128];
        assert!(private.decrypt_raw(&input, &mut out).is_err(), "{} bytes", input.len());
        assert!(public.encrypt_raw(&input).is_err(), "{} bytes", input.len());
    }
    // The backend must also refuse the numbers 0 and 1, which AWS-LC refuses, if the input and the output have the same
    // wrong length.
    for input in [vec![0; 1], vec![1; 1], vec![0; 64], vec![0; 127], vec![0; 129]] {
        assert!(private.decrypt_raw(&input, &mut vec![0; input.len()]).is_err(), "{} bytes", input.len());
    }
    // An output buffer of the wrong length also results in an error, and nothing is written after its end.
    for length in [0, 127, 129] {
        let mut out = vec![0xaa; length + 8];
        assert!(private.decrypt_raw(&[7; 128], &mut out[..length]).is_err(), "{length}");
        assert_eq!(out[length..], [0xaa; 8]);
        assert!(private.decrypt_raw(&[0; 128], &mut out[..length]).is_err(), "{length}");
    }
}

#[test]
fn generate_returns_a_key_of_the_requested_size_or_an_error() {
    for bits in [1024, 1152, 2048] {
        let key = AwsLc.generate(bits).unwrap();
        assert_eq!(key.public_key().modulus().len() * 8, bits);
        assert_eq!(key.public_key().exponent(), [1, 0, 1]);
        rustcrypto::private(&key).unwrap();
    }
    for bits in [0, 512, 1023, 8193, 1 << 40] {
        assert_eq!(AwsLc.generate(bits).err(), Some(Error::Key(KeyError::Size(bits))));
    }
    let error = AwsLc.generate(1031).unwrap_err();
    assert!(matches!(error, Error::Backend(_)) && error.to_string().contains("multiple of 128"), "{error}");
}

/// AWS-LC itself loads a key whose private exponent is above the modulus, but every operation with the key fails.
#[test]
fn private_exponent_above_modulus_is_refused() {
    let random = Seeded::new();
    let key = rustcrypto::generate(1024, &random).unwrap();
    let numbers = RsaPrivateKeyRef::from_der(key.pkcs1_der()).unwrap();
    // `d` plus a multiple of `(p - 1)(q - 1)` is also a private exponent of the same key.
    let totient =
        minus(&minus(&plus(numbers.modulus.as_bytes(), &[1]), numbers.prime1.as_bytes()), numbers.prime2.as_bytes());
    let larger = plus(&plus(numbers.private_exponent.as_bytes(), &totient), &totient);
    let larger = UintRef::new(&larger).unwrap();
    let der = RsaPrivateKeyRef { private_exponent: larger, ..numbers }.to_der().unwrap();
    let damaged = PrivateKey::from_bytes(&der).unwrap();
    assert_eq!(AwsLc.private(&damaged).err(), Some(Error::Key(KeyError::Invalid)));
}

/// Returns the sum of two big-endian numbers.
fn plus(one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let size = one.len().max(other.len()) + 1;
    let digit = |number: &[u8], at: usize| number.len().checked_sub(at + 1).map_or(0, |at| u16::from(number[at]));
    let mut sum: Vec<u8> = (0..size)
        .map(|at| {
            carry += digit(one, at) + digit(other, at);
            let [high, low] = carry.to_be_bytes();
            carry = high.into();
            low
        })
        .collect();
    sum.reverse();
    sum
}

/// Returns `one - other` for two big-endian numbers. `one` must be larger than `other`.
fn minus(one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut difference = one.to_vec();
    let mut borrow = false;
    for at in 0..one.len() {
        let subtrahend = other.len().checked_sub(at + 1).map_or(0, |at| other[at]);
        let byte = &mut difference[one.len() - at - 1];
        let (less, first) = byte.overflowing_sub(subtrahend);
        let (less, second) = less.overflowing_sub(borrow.into());
        (*byte, borrow) = (less, first || second);
    }
    difference
}
