//! Tests with one key in many formats. Each format is either read, or refused with a message that names the format.

use std::collections::BTreeSet;

use paytend_crypto::keys::{AnyKey, Armour, KeyForm, KeyStructure, Wrapping, form, read};
use paytend_crypto::{Fingerprint, KeyError, Passphrase, PrivateKey, PublicKey, rustcrypto};
use paytend_vectors::{KeyFormCase, KeyFormResult, key_forms};

fn described(form: &KeyForm) -> (&'static str, String, Vec<&'static str>, bool) {
    let structure = match form.structure {
        KeyStructure::Pkcs1Private => "pkcs1-private",
        KeyStructure::Pkcs1Public => "pkcs1-public",
        KeyStructure::Pkcs8 => "pkcs8",
        KeyStructure::Spki => "spki",
        KeyStructure::Certificate => "certificate",
        _ => "unknown",
    };
    let armour = match &form.armour {
        Armour::Der => "der".to_owned(),
        Armour::Base64 => "base64".to_owned(),
        Armour::Pem(label) => format!("pem {label}"),
        _ => "unknown".to_owned(),
    };
    let wrapping = |wrapping: &Wrapping| match wrapping {
        Wrapping::Base64 => "base64",
        Wrapping::WideCharacters => "wide-characters",
        Wrapping::ByteOrderMark => "byte-order-mark",
        Wrapping::InvisibleCharacters => "invisible-characters",
        Wrapping::Escapes => "escapes",
        Wrapping::Quotes => "quotes",
        Wrapping::UrlSafe => "url-safe",
        Wrapping::MissingPadding => "missing-padding",
        Wrapping::SpacesForPlus => "spaces-for-plus",
        Wrapping::Hexadecimal => "hexadecimal",
        _ => "unknown",
    };
    (structure, armour, form.wrappings.iter().map(wrapping).collect(), form.encrypted)
}

fn passphrase(case: &KeyFormCase) -> Option<Passphrase> {
    case.passphrase.as_deref().map(Passphrase::new)
}

/// Compares a result with the expected result of the case. Returns the difference as the error.
fn check(
    case: &KeyFormCase,
    expected: &KeyFormResult,
    found: Result<(Fingerprint, KeyForm), KeyError>,
    fingerprint: &str,
) -> Result<(), String> {
    let name = format!("{} ({})", case.file, case.what);
    match (expected, found) {
        (KeyFormResult::Read { encrypted: true, .. }, Err(error)) if !cfg!(feature = "encrypted-keys") => {
            let said = error.to_string();
            if said.contains("is encrypted") { Ok(()) } else { Err(format!("{name}: {said}")) }
        }
        (KeyFormResult::Read { structure, armour, wrappings, encrypted }, Ok((found, form))) => {
            let expected =
                (structure.as_str(), armour.clone(), wrappings.iter().map(String::as_str).collect(), *encrypted);
            if found.to_string() != fingerprint {
                return Err(format!("{name}: the fingerprint differs"));
            }
            let found = described(&form);
            if found == expected { Ok(()) } else { Err(format!("{name}: {found:?}, not {expected:?}")) }
        }
        (KeyFormResult::Named { says }, Err(error)) => {
            let said = error.to_string();
            let wrong_passphrase = says.iter().any(|part| part.contains("passphrase does not"));
            if wrong_passphrase && !cfg!(feature = "encrypted-keys") {
                return Ok(());
            }
            let missing = says.iter().find(|part| !said.contains(*part));
            match missing {
                Some(missing) => Err(format!("{name}: {said:?} lacks {missing:?}")),
                None if !said.is_ascii() || said.contains('\n') => Err(format!("{name}: {said:?}")),
                None => Ok(()),
            }
        }
        (expected, found) => Err(format!("{name}: {found:?}, not {expected:?}")),
    }
}

#[test]
fn every_key_form_has_the_expected_result() {
    let (fingerprint, cases) = key_forms();
    let mut wrong = Vec::new();
    for case in &cases {
        let data = case.data();
        let private = PrivateKey::read(&data, passphrase(case).as_ref()).map(|(key, form)| {
            rustcrypto::private(&key).unwrap();
            (key.public_key().fingerprint(), form)
        });
        wrong.extend(check(case, &case.private, private, &fingerprint).err());
        let public = PublicKey::read(&data).map(|(key, form)| (key.fingerprint(), form));
        wrong.extend(check(case, &case.public, public, &fingerprint).err());
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn every_key_form_file_has_a_case() {
    let (_, cases) = key_forms();
    let named: BTreeSet<String> = cases.into_iter().map(|case| case.file).collect();
    let there: BTreeSet<String> = std::fs::read_dir(paytend_vectors::folder().join("key-forms"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "cases.json")
        .collect();
    assert_eq!(named, there);
}

/// A message may contain a word from the data only if the word has fewer than 12 characters, which are too few to
/// reveal a key.
#[test]
fn error_messages_show_no_part_of_a_key() {
    for case in key_forms().1 {
        let data = case.data();
        let messages: String = [
            PrivateKey::from_bytes(&data).err().map(|error| format!("{error} {error:?}")),
            PublicKey::from_bytes(&data).err().map(|error| format!("{error} {error:?}")),
            form(&data).err().map(|error| format!("{error} {error:?}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        for secret in data.split(|byte| !byte.is_ascii_alphanumeric()).filter(|word| word.len() >= 12) {
            let secret = std::str::from_utf8(secret).unwrap();
            assert!(!messages.contains(secret), "{}: {messages}", case.file);
        }
    }
}

#[test]
fn read_returns_private_and_public_keys() {
    let (_, cases) = key_forms();
    for case in cases {
        let data = case.data();
        let found = read(&data, passphrase(&case).as_ref());
        match (&case.private, &case.public) {
            (KeyFormResult::Read { encrypted: true, .. }, _) if !cfg!(feature = "encrypted-keys") => {}
            (KeyFormResult::Read { .. }, _) => assert!(matches!(found, Ok((AnyKey::Private(_), _))), "{}", case.file),
            (_, KeyFormResult::Read { .. }) => assert!(matches!(found, Ok((AnyKey::Public(_), _))), "{}", case.file),
            _ => assert!(found.is_err(), "{}", case.file),
        }
    }
}

/// Reading truncated data never panics, and succeeds only if the key itself is complete.
#[test]
fn truncated_key_is_refused_at_every_length() {
    let (_, cases) = key_forms();
    for file in ["pkcs8.pem", "pkcs8.b64", "pkcs8.der", "escaped-newlines.txt", "certificate.pem", "encrypted.der"] {
        let case = cases.iter().find(|case| case.file == file).unwrap();
        let data = case.data();
        for end in 0..data.len() {
            let cut = &data[..end];
            let padding = data[end..].iter().all(|byte| b"=\n".contains(byte));
            let complete = padding || String::from_utf8_lossy(cut).contains("END PRIVATE KEY-----");
            assert!(complete || read(cut, None).is_err(), "{file}: {end} of {}", data.len());
        }
    }
}

/// UTF-16 without a byte order mark is detected even if the text contains many invisible characters.
#[test]
fn utf_16_with_many_invisible_characters_is_read() {
    let text = paytend_vectors::keys()["partner"].private_pkcs8_pem.clone();
    let text: String = text.chars().flat_map(|c| ['\u{200b}', c]).collect();
    let data: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(PrivateKey::from_bytes(&data).is_ok());
}
