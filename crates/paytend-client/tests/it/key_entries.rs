//! Tests for profile entries that contain keys: every key format, passphrases, and the entry names in error messages.

use std::path::Path;

use paytend_client::{Client, ClientBuilder, Error};
use paytend_vectors::{KeyFormCase, KeyFormResult, PARTNER_ID, key_forms};

/// Writes a file that only its owner can read.
fn write(path: &Path, data: &[u8]) {
    std::fs::write(path, data).unwrap();
    set_mode(path, 0o600);
}

fn set_mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    #[cfg(not(unix))]
    let _ = (path, mode);
}

/// Creates a client from a profile with these entries.
fn client(folder: &Path, entries: &str) -> Result<Client, Error> {
    let path = folder.join("paytend.toml");
    let profile = "[profiles.test]\nbase_url = 'https://api.example.com'";
    write(&path, format!("{profile}\npartner_id = '{PARTNER_ID}'\n{entries}\n").as_bytes());
    ClientBuilder::from_file(&path, "test")?.build()
}

fn case(file: &str) -> KeyFormCase {
    key_forms().1.into_iter().find(|case| case.file == file).unwrap()
}

#[test]
fn every_key_format_is_read_from_an_entry_or_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let public = &paytend_vectors::keys()["paytend"].public;
    for case in key_forms().1.iter().filter(|case| case.passphrase.is_none()) {
        let data = case.data();
        let file = folder.path().join("key");
        write(&file, &data);
        let mut entries = vec![(format!("private_key_file = 'key'\npublic_key = '{public}'"), "private_key_file")];
        // Write the key as a TOML basic string, which can contain any character.
        if let Ok(text) = String::from_utf8(data)
            && !text.is_empty()
        {
            let text = serde_json::to_string(&text).unwrap();
            entries.push((format!("private_key = {text}\npublic_key = '{public}'"), "private_key"));
        }
        for (entries, name) in entries {
            match (&case.private, client(folder.path(), &entries)) {
                (KeyFormResult::Read { .. }, made) => assert!(made.is_ok(), "{name} of {}: {made:?}", case.file),
                (KeyFormResult::Named { says }, Err(error)) => {
                    let shown = error.to_string();
                    let place = match name {
                        "private_key_file" => format!("profile \"test\": private_key_file: {}: ", file.display()),
                        _ => "profile \"test\": private_key: ".to_owned(),
                    };
                    assert!(shown.contains(&place), "{}: {shown}", case.file);
                    assert!(says.iter().all(|part| shown.contains(part)), "{}: {shown}", case.file);
                }
                (_, Ok(_)) => panic!("{name} of {}", case.file),
            }
        }
    }
}

#[test]
fn certificate_is_read_as_a_public_key() {
    let folder = tempfile::tempdir().unwrap();
    let private = &paytend_vectors::keys()["partner"].private;
    write(&folder.path().join("paytend.crt"), &case("certificate.pem").data());
    client(folder.path(), &format!("private_key = '{private}'\npublic_key_file = 'paytend.crt'")).unwrap();
    // A private key is refused where a public key is expected.
    write(&folder.path().join("paytend.crt"), &case("pkcs8.pem").data());
    let error =
        client(folder.path(), &format!("private_key = '{private}'\npublic_key_file = 'paytend.crt'")).unwrap_err();
    let shown = error.to_string();
    assert!(shown.contains("profile \"test\": public_key_file: ") && shown.contains("-pubout"), "{shown}");
}

#[test]
fn passphrase_is_read_from_an_owner_only_file() {
    let folder = tempfile::tempdir().unwrap();
    let public = &paytend_vectors::keys()["paytend"].public;
    write(&folder.path().join("partner.pem"), &case("encrypted-pbkdf2.pem").data());
    let phrase = folder.path().join("phrase");
    let with = |more: &str| {
        client(folder.path(), &format!("private_key_file = 'partner.pem'\npublic_key = '{public}'\n{more}"))
    };
    let without = with("").unwrap_err().to_string();
    assert!(without.contains("is encrypted") && without.contains("private_key_passphrase_file"), "{without}");
    for (content, part) in [("correct horse\n", None), ("correct horse\r\n", None), ("wrong", Some("does not decrypt"))]
    {
        write(&phrase, content.as_bytes());
        let made = with("private_key_passphrase_file = 'phrase'");
        match part {
            None => assert!(made.is_ok(), "{content:?}: {made:?}"),
            Some(part) => {
                let shown = made.unwrap_err().to_string();
                assert!(shown.contains("profile \"test\": private_key_file: ") && shown.contains(part), "{shown}");
            }
        }
    }
    write(&phrase, b"correct horse");
    set_mode(&phrase, 0o644);
    if cfg!(unix) {
        let shown = with("private_key_passphrase_file = 'phrase'").unwrap_err().to_string();
        assert!(shown.contains("profile \"test\": private_key_passphrase_file: "), "{shown}");
        assert!(shown.contains("accessible to other users"), "{shown}");
        with("private_key_passphrase_file = 'phrase'\ndanger_any_permissions = true").unwrap();
    }
    let missing = with("private_key_passphrase_file = 'none'").unwrap_err().to_string();
    assert!(missing.contains("private_key_passphrase_file: cannot read the key file"), "{missing}");
}

#[test]
fn error_for_inconsistent_key_numbers_names_the_entry() {
    let folder = tempfile::tempdir().unwrap();
    let public = &paytend_vectors::keys()["paytend"].public;
    let mut der = case("pkcs8.der").data();
    // Byte 100 belongs to the modulus.
    der[100] ^= 1;
    write(&folder.path().join("partner.der"), &der);
    let error =
        client(folder.path(), &format!("private_key_file = 'partner.der'\npublic_key = '{public}'")).unwrap_err();
    let shown = error.to_string();
    assert!(shown.contains("profile \"test\": private_key_file: the numbers in the key"), "{shown}");
}

/// A FIFO can be read only once, so the test fails if a key file is read twice.
#[cfg(unix)]
#[test]
fn each_key_file_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let keys = paytend_vectors::keys();
    let writers = [("private", &keys["partner"].private), ("public", &keys["paytend"].public)].map(|(name, text)| {
        let path = folder.path().join(name);
        let made = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&path).status().unwrap();
        assert!(made.success());
        let text = text.clone();
        std::thread::spawn(move || std::fs::write(path, text).unwrap())
    });
    client(folder.path(), "private_key_file = 'private'\npublic_key_file = 'public'").unwrap();
    for writer in writers {
        writer.join().unwrap();
    }
}
