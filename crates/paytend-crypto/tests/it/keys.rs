//! Tests for loading, generating and describing keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paytend_crypto::keys::{ForeignKey, KeyAlgorithm, KeyStructure, clean_pem};
use paytend_crypto::{Error, KeyError, PrivateKey, PublicKey, Strength, keys, rustcrypto};
use paytend_vectors::Seeded;

use crate::support::key;

#[test]
fn line_endings_and_surrounding_text_are_ignored() {
    let data = &key("partner").data;
    let pem = &data.private_pkcs8_pem;
    let base64 = &data.private;
    for variant in [
        pem.replace('\n', "\r\n"),
        format!("Bag Attributes\n    friendlyName: test\n{pem}\n\n"),
        format!("\u{feff}{pem}"),
        format!("  {base64}\n"),
        base64.as_bytes().chunks(76).map(|line| format!("{}\n", std::str::from_utf8(line).unwrap())).collect(),
    ] {
        let loaded = PrivateKey::from_bytes(&variant).unwrap();
        assert_eq!(loaded.pkcs1_der(), key("partner").material.pkcs1_der());
    }
}

#[test]
fn error_names_the_unexpected_key_type_or_algorithm() {
    let data = &key("partner").data;
    let given = |error: KeyError| match error {
        KeyError::PublicGiven(structure) | KeyError::PrivateGiven(structure) => structure,
        other => panic!("{other}"),
    };
    assert_eq!(given(PrivateKey::from_bytes(&data.public).unwrap_err()), KeyStructure::Spki);
    assert_eq!(given(PrivateKey::from_bytes(&data.public_pkcs1_pem).unwrap_err()), KeyStructure::Pkcs1Public);
    assert_eq!(given(PublicKey::from_bytes(&data.private_pkcs1_pem).unwrap_err()), KeyStructure::Pkcs1Private);
    for rubbish in ["MIIB", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
        assert_eq!(PrivateKey::from_bytes(rubbish).unwrap_err(), KeyError::Encoding, "{rubbish}");
        assert_eq!(PublicKey::from_bytes(rubbish).unwrap_err(), KeyError::Encoding, "{rubbish}");
    }
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIB\n-----END RSA PRIVATE KEY-----\n";
    assert!(matches!(PrivateKey::from_bytes(old).unwrap_err(), KeyError::Encrypted(_)));
    // SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 §10.1).
    let ed25519 = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
    let named = KeyError::Foreign(ForeignKey::Algorithm(KeyAlgorithm::Ed25519));
    assert_eq!(PublicKey::from_bytes(ed25519).unwrap_err(), named);
}

#[test]
fn sizes_and_exponents_outside_the_limits_are_refused() {
    let modulus = |bits: usize| {
        let mut number = vec![0xff; bits.div_ceil(8)];
        let unused = number.len() * 8 - bits;
        if let Some(first) = number.first_mut() {
            *first >>= unused;
        }
        number
    };
    for bits in [0, 512, 1023, 8193, 16384] {
        assert_eq!(PublicKey::from_numbers(modulus(bits), [1, 0, 1]).unwrap_err(), KeyError::Size(bits));
    }
    for bits in [1024, 1025, 1031, 2048, 8192] {
        let key = PublicKey::from_numbers(modulus(bits), [1, 0, 1]).unwrap();
        assert_eq!((key.bits(), key.size()), (bits, bits.div_ceil(8)));
    }
    for exponent in [&[][..], &[1], &[0, 1], &[2], &[1, 0, 0], &[4, 0, 0, 0, 1]] {
        assert_eq!(PublicKey::from_numbers(modulus(1024), exponent).unwrap_err(), KeyError::Invalid, "{exponent:?}");
    }
    let even = [&modulus(1016)[..], &[0xfe]].concat();
    assert_eq!(PublicKey::from_numbers(even, [1, 0, 1]).unwrap_err(), KeyError::Invalid);
}

#[test]
fn key_of_1024_bits_has_legacy_strength() {
    assert_eq!(key("partner").material.public_key().strength(), Strength::Legacy);
    assert_eq!(key("payby").material.public_key().strength(), Strength::Acceptable);
    let strong = PublicKey::from_numbers([0xff; 384], [1, 0, 1]).unwrap();
    assert_eq!(strong.strength(), Strength::Strong);
}

#[test]
fn generated_keys_differ_and_have_the_requested_size() {
    let random = Seeded::new();
    // A modulus of 1028 bits does not fill a whole number of bytes or limbs.
    for bits in [1024, 1028, 2048] {
        let generated = rustcrypto::generate(bits, &random).unwrap();
        assert_eq!(generated.public_key().bits(), bits);
        let again = PrivateKey::from_bytes(generated.to_pkcs8_pem().unwrap()).unwrap();
        assert_eq!(again.pkcs1_der(), generated.pkcs1_der());
        let ring = paytend_crypto::Keyring::from_keys(&generated, generated.public_key()).unwrap();
        let fields = paytend_crypto::Fields::response("00", "ok");
        let sealed = ring.seal(&paytend_crypto::Outgoing::new(&fields).payload("{}")).unwrap();
        assert!(ring.open(sealed.document().as_bytes(), &paytend_crypto::Expected::response()).is_ok());
    }
    let pair = [(); 2].map(|()| rustcrypto::generate(1024, &random).unwrap().public_key().fingerprint());
    assert_ne!(pair[0], pair[1]);
    for bits in [0, 1023, 8193] {
        assert_eq!(rustcrypto::generate(bits, &random).unwrap_err(), Error::Key(KeyError::Size(bits)));
    }
}

#[test]
fn der_that_ends_in_whitespace_bytes_is_read_completely() {
    // The DER ends with the exponent's last byte, which is a tab, a vertical tab or a carriage return in these keys.
    for last in [0x09, 0x0b, 0x0d] {
        let key = PublicKey::from_numbers([0xff; 128], [1, last]).unwrap();
        assert!(key.spki_der().ends_with(&[last]));
        assert_eq!(PublicKey::from_bytes(key.spki_der()).unwrap(), key);
    }
}

#[test]
fn key_with_inconsistent_components_is_refused() {
    let der = key("partner").material.pkcs1_der().to_vec();
    let mut refused = 0;
    // Damages single bytes throughout the key. Loading must not panic, and must almost always fail.
    for at in (8..der.len()).step_by(7) {
        let mut damaged = der.clone();
        damaged[at] ^= 0x55;
        let loaded = PrivateKey::from_bytes(&damaged).and_then(|key| rustcrypto::private(&key).map(drop));
        refused += usize::from(loaded.is_err());
    }
    assert!(refused >= 50, "{refused}");
}

#[test]
fn fingerprint_is_the_hash_of_the_public_key() {
    let fingerprint = key("partner").material.public_key().fingerprint();
    assert_eq!(fingerprint, PublicKey::from_bytes(&key("partner").data.public).unwrap().fingerprint());
    assert_ne!(fingerprint, key("paytend").material.public_key().fingerprint());
    let shown = fingerprint.to_string();
    assert!(shown.starts_with("SHA256:") && shown.len() == 7 + 64, "{shown}");
}

#[cfg(unix)]
#[test]
fn private_key_file_accessible_to_others_is_refused_by_default() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("private.pem");
    std::fs::write(&path, &key("partner").data.private_pkcs8_pem).unwrap();
    for (mode, allowed) in
        [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o644, false), (0o620, false)]
    {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let loaded = PrivateKey::from_file(&path);
        if allowed {
            assert!(loaded.is_ok(), "{mode:o}");
        } else {
            let path = path.display().to_string();
            assert_eq!(loaded.unwrap_err(), KeyError::Permissions { path, mode }, "{mode:o}");
        }
    }
    assert!(PrivateKey::danger_from_file_with_any_permissions(&path).is_ok());
    assert!(matches!(PrivateKey::from_file(dir.path().join("none")).unwrap_err(), KeyError::File { .. }));
    std::fs::write(&path, vec![b'A'; 100_000]).unwrap();
    let long = PrivateKey::danger_from_file_with_any_permissions(&path).unwrap_err();
    assert_eq!(long.problem(), &KeyError::TooLong { limit: 64 << 10 });
    assert!(long.to_string().starts_with(&path.display().to_string()), "{long}");
    // An error about a file's content also contains the file's path.
    std::fs::write(&path, &key("partner").data.public).unwrap();
    let public = PrivateKey::danger_from_file_with_any_permissions(&path).unwrap_err();
    assert!(public.to_string().starts_with(&format!("{}: a private key was expected", path.display())), "{public}");
}

#[test]
fn size_limits_match_the_documentation() {
    assert_eq!((keys::MIN_BITS, keys::MAX_BITS), (1024, 8192));
}

#[test]
fn key_form_is_detected_from_the_data() {
    use paytend_crypto::keys::{Armour, form};
    let pem = |label: &str| Armour::Pem(label.to_owned());
    for (name, key) in paytend_vectors::keys() {
        for (data, structure, armour) in [
            (&key.private, KeyStructure::Pkcs8, Armour::Base64),
            (&key.public, KeyStructure::Spki, Armour::Base64),
            (&key.private_pkcs1_pem, KeyStructure::Pkcs1Private, pem("RSA PRIVATE KEY")),
            (&key.private_pkcs8_pem, KeyStructure::Pkcs8, pem("PRIVATE KEY")),
            (&key.public_pkcs1_pem, KeyStructure::Pkcs1Public, pem("RSA PUBLIC KEY")),
        ] {
            let form = form(data.as_bytes()).unwrap();
            assert_eq!((form.structure, form.armour), (structure, armour.clone()), "{name}");
            if let Armour::Pem(label) = armour {
                assert_eq!(label, structure.label());
            }
        }
        // The label does not match the structure.
        let mislabelled = key.public_pkcs1_pem.replace("RSA PUBLIC KEY", "PUBLIC KEY");
        let form = form(mislabelled.as_bytes()).unwrap();
        assert_eq!((form.structure, form.armour), (KeyStructure::Pkcs1Public, pem("PUBLIC KEY")), "{name}");
    }
    let der = PrivateKey::from_bytes(&paytend_vectors::keys()["partner"].private).unwrap();
    let form = form(der.pkcs1_der()).unwrap();
    assert_eq!((form.structure, form.armour), (KeyStructure::Pkcs1Private, Armour::Der));
}

/// Certificates, and keys of any algorithm, are returned as PEM that other libraries can read.
#[test]
fn clean_pem_removes_escapes_quotes_and_encodings_around_pem() {
    let file = |name: &str| std::fs::read(paytend_vectors::folder().join("key-forms").join(name)).unwrap();
    for (name, label) in [
        ("pkcs8.pem", "PRIVATE KEY"),
        ("ec.pem", "EC PRIVATE KEY"),
        ("ed.pem", "PRIVATE KEY"),
        ("certificate.pem", "CERTIFICATE"),
        ("chain.pem", "CERTIFICATE"),
        ("encrypted.pem", "ENCRYPTED PRIVATE KEY"),
    ] {
        let expected = String::from_utf8(file(name)).unwrap();
        assert!(expected.contains(&format!("-----BEGIN {label}-----")), "{name}");
        let utf16: Vec<u8> = format!("\u{feff}{expected}").encode_utf16().flat_map(u16::to_be_bytes).collect();
        for wrapped in [
            expected.clone().into_bytes(),
            expected.replace('\n', "\\n").into_bytes(),
            format!("'{}'", expected.replace('\n', "\r\n")).into_bytes(),
            expected.lines().map(|line| format!("  > {line}\n")).collect::<String>().into_bytes(),
            STANDARD.encode(&expected).into_bytes(),
            utf16,
        ] {
            assert_eq!(**clean_pem(&wrapped).unwrap(), expected, "{name}");
        }
    }
    for (name, problem) in [
        ("empty.pem", "empty"),
        ("pkcs8.der", "not an RSA key"),
        ("text.txt", "not an RSA key"),
        ("damaged-line-7.pem", "line 7"),
        ("end-label.pem", "line 28"),
        ("truncated.pem", "only 528 are present"),
        ("cut-before-end.pem", "no END line"),
        ("replaced.diff", "diff that replaces"),
        ("encrypted-trad.pem", "is encrypted"),
    ] {
        let error = clean_pem(&file(name)).unwrap_err().to_string();
        assert!(error.contains(problem), "{name}: {error}");
    }
}
