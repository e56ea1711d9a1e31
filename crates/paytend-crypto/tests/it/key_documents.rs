//! Tests for reading a key from a document that contains several values. If the choice of the key is ambiguous, the
//! document is refused. Hostile documents are refused quickly.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paytend_crypto::{KeyError, PrivateKey, PublicKey, rustcrypto};
use paytend_vectors::Seeded;

/// Returns a private key, its base64, and the base64 of a second private key.
fn keys() -> (PrivateKey, String, String) {
    let key = |name: &str| PrivateKey::from_bytes(&paytend_vectors::keys()[name].private).unwrap();
    let (own, other) = (key("partner"), key("paytend"));
    let pkcs8 = |key: &PrivateKey| {
        let pem = key.to_pkcs8_pem().unwrap();
        pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()
    };
    let (current, old) = (pkcs8(&own), pkcs8(&other));
    (own, current, old)
}

/// If a key in a document is damaged or in an unsupported format, a readable key must not be used instead.
#[test]
fn readable_key_is_not_chosen_if_another_key_is_unreadable() {
    let (_, current, old) = keys();
    let cut = &current[..current.len() - 40];
    let damaged = current.replacen(&current[200..201], "*", 1);
    let der = STANDARD.decode(&current).unwrap();
    let colons = der.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
    let (first, second) = current.split_at(current.len() / 2);
    let lines: String = current.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n").collect();
    for document in [
        format!("PARTNER_PRIVATE_KEY={cut}\nOLD_PRIVATE_KEY={old}"),
        format!("PARTNER_PRIVATE_KEY={damaged}\nOLD_PRIVATE_KEY={old}"),
        format!("{current}\nOLD_KEY={old}"),
        format!("{lines}OLD_KEY={old}"),
        format!("{current};OLD_KEY={old}"),
        format!("{current} OLD_KEY={old}"),
        format!("{{\"2025\":\"{current}\",\"old\":\"{old}\"}}"),
        format!("{{\"cl\u{e9}\":\"{current}\",\"old\":\"{old}\"}}"),
        format!("{{\"keys\":[\"{current}\"],\"old\":\"{old}\"}}"),
        format!("keys:\n  - {current}\nold: {old}"),
        format!("current: &k {current}\nold: {old}"),
        format!("current: !!binary {current}\nold: {old}"),
        format!("CURRENT=data:application/x;base64,{current}\nOLD={old}"),
        format!("CURRENT=\"{first}\" \\\n\"{second}\"\nOLD={old}"),
        format!("{}={current}\nOLD={old}", "N".repeat(70)),
        format!("current,{current}\nold={old}"),
        format!("{{\"current\":\"{colons}\",\"old\":\"{old}\"}}"),
    ] {
        assert!(PrivateKey::from_bytes(&document).is_err(), "{}", &document[..60]);
    }
}

#[test]
fn document_with_public_keys_inside_and_outside_a_list_is_refused() {
    let random = Seeded::new();
    for bits in [1024, 2048] {
        let [one, two] = [(); 2].map(|()| rustcrypto::generate(bits, &random).unwrap().public_key().to_base64());
        for document in
            [format!("paytend-2025:\n  - {one}\nold: {two}"), format!("{{\"keys\":[\"{one}\"],\"old\":\"{two}\"}}")]
        {
            assert!(PublicKey::from_bytes(&document).is_err(), "{bits}");
        }
    }
}

#[test]
fn commented_out_key_is_ignored() {
    let (own, current, old) = keys();
    let pem = own.to_pkcs8_pem().unwrap();
    for document in [
        format!("# OLD={old}\n{}", *pem),
        format!("#OLD={old}\nKEY={current}"),
        format!("# OLD={old}\nKEY={current}"),
        format!("; OLD={old}\nKEY={current}"),
        format!("// OLD={old}\nKEY={current}"),
    ] {
        let key = PrivateKey::from_bytes(&document).unwrap();
        assert_eq!(key.public_key(), own.public_key(), "{}", &document[..20]);
    }
}

#[test]
fn rsa_key_is_read_from_a_file_with_keys_for_other_programs() {
    let (own, current, _) = keys();
    for document in [
        format!("SOPS_AGE_KEY=AGE-SECRET-KEY-1QQQ\nPAYTEND_KEY={current}"),
        format!("PAYTEND_KEY={current}\n# recipients: ssh-rsa AAAAB3NzaC1yc2EAAA"),
    ] {
        assert_eq!(PrivateKey::from_bytes(&document).unwrap().public_key(), own.public_key());
    }
}

/// Spaces in a public key are not replaced with `+`, because the consistency of a repaired public key cannot be
/// checked.
#[test]
fn public_key_with_a_space_instead_of_a_character_is_refused() {
    let random = Seeded::new();
    let key = rustcrypto::generate(2048, &random).unwrap();
    let text = key.public_key().to_base64();
    let changed = format!("{} {}{}", &text[..100], &text[100..200], &text[201..]);
    assert!(PublicKey::from_bytes(&changed).is_err());
}

#[test]
fn variable_names_in_errors_contain_no_base64() {
    let (own, _, _) = keys();
    let other = PrivateKey::from_bytes(&paytend_vectors::keys()["paytend"].private).unwrap();
    let (one, two) = (own.to_pkcs8_pem().unwrap(), other.to_pkcs8_pem().unwrap());
    for (before, between) in [("Ab3_Secr3tTail=\n", "Zz9_OtherSecr3t=\n"), ("wIDAQAB=\n", "xIDAQAB=\n")] {
        let error = PrivateKey::from_bytes(format!("{before}{}{between}{}", *one, *two)).unwrap_err();
        assert!(matches!(error, KeyError::Ambiguous { .. }));
        let shown = error.to_string();
        assert!(!shown.contains("Tail") && !shown.contains("IDAQAB"), "{shown}");
    }
}

/// If the search for values took quadratic time or recursed, these documents would take very long or overflow the
/// stack.
#[test]
fn hostile_documents_are_refused() {
    for document in ["a= ".repeat(20_000), "a=\n ".repeat(16_000), "a: ".repeat(21_000), "a:{".repeat(21_000)] {
        assert!(PublicKey::from_bytes(&document).is_err());
        let encoded = STANDARD.encode(&document);
        assert!(PrivateKey::from_bytes(&encoded).is_err());
    }
}
