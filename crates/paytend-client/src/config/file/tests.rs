//! Tests for settings in files and environment variables.

use super::variables::Variables;
use super::*;

fn shown(result: Result<ClientBuilder, Error>) -> String {
    result.err().map(|error| format!("{error}")).unwrap_or_default()
}

#[test]
fn environment_is_read_and_errors_name_the_variable() {
    let keys = paytend_vectors::keys();
    let (private, public) = (keys["partner"].private.clone(), keys["paytend"].public.clone());
    let good = [
        ("PAYTEND_ENVIRONMENT", "sandbox"),
        ("PAYTEND_PARTNER_ID", "888666000100260"),
        ("PAYTEND_PRIVATE_KEY", &private),
        ("PAYTEND_PUBLIC_KEY", &public),
        ("PAYTEND_DEADLINE_SECONDS", "5"),
    ];
    let with = |changes: &[(&str, &str)]| {
        let mut all: BTreeMap<&str, &str> = good.into_iter().collect();
        all.extend(changes.iter().copied());
        let all: BTreeMap<String, String> = all.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        Variables(|name: &str| all.get(name).cloned()).builder()
    };
    let builder = with(&[]).unwrap();
    let (own, paytend) = builder.keys().unwrap();
    assert_eq!((own.public_key().bits(), &paytend.to_base64()), (1024, &public));
    let client = builder.build().unwrap();
    assert_eq!(client.shared.deadline, Duration::from_secs(5));
    assert_eq!(client.shared.base_url, Environment::Sandbox.url());
    // Reads a key in a different format, and an encrypted key with its passphrase.
    let form = |file: &str| {
        let case = paytend_vectors::key_forms().1.into_iter().find(|case| case.file == file);
        String::from_utf8(case.unwrap().data()).unwrap()
    };
    let (escaped, encrypted) = (form("escaped-newlines.txt"), form("encrypted-escaped.txt"));
    assert!(with(&[("PAYTEND_PRIVATE_KEY", &escaped)]).is_ok());
    assert!(with(&[("PAYTEND_PRIVATE_KEY", &encrypted), ("PAYTEND_PASSPHRASE", "correct horse")]).is_ok());
    for (changes, part) in [
        (vec![("PAYTEND_PRIVATE_KEY", &*encrypted)], "PAYTEND_PRIVATE_KEY: the private key is encrypted"),
        (
            vec![("PAYTEND_PRIVATE_KEY", &encrypted), ("PAYTEND_PASSPHRASE", "CANARY")],
            "PAYTEND_PRIVATE_KEY: the passphrase does not decrypt the private key",
        ),
        (vec![("PAYTEND_PUBLIC_KEY", &escaped)], "PAYTEND_PUBLIC_KEY: a public key was expected"),
        (vec![("PAYTEND_ENVIRONMENT", "production")], "PAYTEND_ENVIRONMENT: only `sandbox`"),
        (vec![("PAYTEND_BASE_URL", "https://api.example.com")], "PAYTEND_ENVIRONMENT and PAYTEND_BASE_URL: set one"),
        (vec![("PAYTEND_ENVIRONMENT", "")], "PAYTEND_ENVIRONMENT and PAYTEND_BASE_URL: set one"),
        (vec![("PAYTEND_PARTNER_ID", "")], "PAYTEND_PARTNER_ID: not set"),
        (vec![("PAYTEND_PRIVATE_KEY", "CANARY")], "PAYTEND_PRIVATE_KEY: "),
        (vec![("PAYTEND_PRIVATE_KEY", "")], "PAYTEND_PRIVATE_KEY_FILE: not set"),
        (vec![("PAYTEND_PUBLIC_KEY", "CANARY")], "PAYTEND_PUBLIC_KEY: "),
        (vec![("PAYTEND_PUBLIC_KEY_FILE", "/no/such/file")], "PAYTEND_PUBLIC_KEY and PAYTEND_PUBLIC_KEY_FILE: set one"),
        (
            vec![("PAYTEND_PASSPHRASE_FILE", "/no/such/file")],
            "PAYTEND_PASSPHRASE_FILE: cannot read the key file /no/such/file",
        ),
        (vec![("PAYTEND_DEADLINE_SECONDS", "soon")], "PAYTEND_DEADLINE_SECONDS: not a number"),
    ] {
        let shown = shown(with(&changes));
        assert!(shown.contains(part) && !shown.contains("CANARY"), "{changes:?}: {shown}");
    }
}
