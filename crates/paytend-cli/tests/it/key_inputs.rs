//! Tests for reading keys: all formats, standard input, pipes, the environment and passphrases.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use paytend_vectors::{KeyFormResult, key_forms};
use serde_json::Value;

use crate::support::{Keys, RunOutput, command, finish, run, set_mode};

const FIELDS: &str = r#"{"respCode":"00","respMsg":"x"}"#;

/// Returns the arguments that seal a response without a payload.
fn seal<'a>(private: Option<&'a str>, public: &'a str) -> Vec<&'a str> {
    let mut args = vec!["seal", "--as", "paytend", "--kind", "response", "--public-key", public, "--fields", FIELDS];
    args.extend(private.map(|private| ["--private-key", private]).into_iter().flatten());
    args
}

fn key_form(file: &str) -> Vec<u8> {
    key_forms().1.into_iter().find(|case| case.file == file).unwrap().data()
}

fn write(path: &Path, data: &[u8]) -> String {
    std::fs::write(path, data).unwrap();
    set_mode(path, 0o600);
    path.to_str().unwrap().to_owned()
}

fn assert_fails(ran: &RunOutput, code: i32, parts: &[&str]) {
    assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{}", ran.stderr);
    for part in parts {
        assert!(ran.stderr.contains(part), "{part:?} is not in {}", ran.stderr);
    }
}

#[test]
fn every_key_format_can_be_inspected_from_file_and_standard_input() {
    let (fingerprint, cases) = key_forms();
    let dir = tempfile::tempdir().unwrap();
    for case in cases {
        let data = case.data();
        let path = dir.path().join(&case.file);
        let file = write(&path, &data);
        let phrase = write(&dir.path().join("phrase"), case.passphrase.clone().unwrap_or_default().as_bytes());
        for (argument, name, input) in [(&*file, &*file, &[][..]), ("-", "standard input (FILE)", &data)] {
            let mut args = vec!["keys", "inspect", argument];
            if case.passphrase.is_some() {
                args.extend(["--passphrase-file", &phrase]);
            }
            let ran = run(&args, input);
            let read = |result: &KeyFormResult| matches!(result, KeyFormResult::Read { .. });
            if read(&case.private) || read(&case.public) {
                assert_eq!(ran.code, 0, "{}: {}", case.file, ran.stderr);
                let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
                assert_eq!(shown["fingerprint"], fingerprint, "{}", case.file);
                let KeyFormResult::Read { wrappings, encrypted, .. } =
                    (if read(&case.private) { &case.private } else { &case.public })
                else {
                    unreachable!()
                };
                assert_eq!(shown["wrappings"].as_array().unwrap().len(), wrappings.len(), "{}: {shown}", case.file);
                assert_eq!(shown["encrypted"], *encrypted, "{}", case.file);
            } else {
                assert_fails(&ran, 3, &[&format!("error: {name}: ")]);
            }
        }
    }
}

#[test]
fn inspect_shows_format_and_permissions() {
    let dir = tempfile::tempdir().unwrap();
    let shown = |file: &str, mode: u32| -> Value {
        let path = dir.path().join(file);
        let argument = write(&path, &key_form(file));
        set_mode(&path, mode);
        serde_json::from_str(&run(&["keys", "inspect", &argument], b"").stdout).unwrap()
    };
    let certificate = shown("certificate.pem", 0o644);
    assert_eq!(certificate["kind"], "public");
    assert_eq!(certificate["structure"], "X.509 certificate");
    assert_eq!(certificate["armour"], "PEM CERTIFICATE");
    assert!(certificate["readable_by_owner_only"].is_null());
    let private = shown("base64-of-pem.txt", 0o600);
    assert_eq!((&private["kind"], &private["readable_by_owner_only"]), (&"private".into(), &true.into()));
    assert_eq!(private["wrappings"], serde_json::json!(["base64 of the whole input"]));
    if cfg!(unix) {
        assert_eq!(shown("pkcs8.pem", 0o644)["readable_by_owner_only"], false);
    }
}

#[test]
fn key_is_read_from_standard_input() {
    let keys = Keys::new();
    let public = keys.arg("partner.pub");
    let private = std::fs::read(keys.path("paytend.pem")).unwrap();
    let ran = run(&seal(Some("-"), &public), &private);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let own = keys.arg("paytend.pem");
    let ran = run(&seal(Some(&own), "-"), &std::fs::read(keys.path("partner.pub")).unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_fails(
        &run(&seal(Some("-"), &public), &key_form("key.p12")),
        3,
        &["standard input (--private-key): ", "PKCS#12"],
    );
    assert_fails(&run(&seal(Some(&own), "-"), b""), 3, &["standard input (--public-key): ", "empty"]);
    // Changing a byte of the modulus makes the numbers in the key inconsistent.
    let mut der = key_form("pkcs8.der");
    der[100] ^= 1;
    assert_fails(&run(&seal(Some("-"), &public), &der), 3, &["standard input (--private-key): the numbers in the key"]);
    let folder = keys.arg("");
    assert_fails(&run(&seal(Some(&folder), &public), b""), 3, &["cannot read the key file", &folder, "directory"]);
}

#[test]
fn standard_input_can_be_used_for_only_one_option() {
    let keys = Keys::new();
    let (own, public) = (keys.arg("partner.pem"), keys.arg("payby.pub"));
    let open = ["open", "--as", "partner", "--kind", "response"];
    let verify = ["verify", "--provider", "payby", "--sign", "x"];
    let explain = ["explain", "--provider", "payby", "--sign", "x"];
    for (args, parts) in [
        ([&seal(Some("-"), "-")[..]].concat(), ["--private-key", "--public-key"]),
        ([&seal(Some("-"), &public)[..], &["--payload", "-"]].concat(), ["--private-key", "--payload"]),
        ([&seal(Some(&own), "-")[..], &["--payload", "-"]].concat(), ["--public-key", "--payload"]),
        ([&open[..], &["--private-key", "-", "--public-key", &public]].concat(), ["the message", "--private-key"]),
        ([&open[..], &["--private-key", &own, "--public-key", "-"]].concat(), ["the message", "--public-key"]),
        ([&verify[..], &["--public-key", "-"]].concat(), ["the message", "--public-key"]),
        ([&explain[..], &["--public-key", "-"]].concat(), ["the message", "--public-key"]),
        (
            [&explain[..], &["--public-key", &public, "--other-private-key", "-"]].concat(),
            ["the message", "--other-private-key"],
        ),
        (
            [&explain[..], &["--public-key", &public, "--other-public-key", "-"]].concat(),
            ["the message", "--other-public-key"],
        ),
    ] {
        let ran = run(&args, b"{}");
        assert_fails(&ran, 2, &["standard input cannot be used for both", parts[0], parts[1]]);
    }
    let encrypted = write(&keys.path("encrypted.pem"), &key_form("encrypted-pbkdf2.pem"));
    let both = ["keys", "inspect", "-", "--passphrase-file", "-"];
    assert_fails(
        &run(&both, &key_form("encrypted-pbkdf2.pem")),
        2,
        &["standard input cannot be used for both FILE and --passphrase-file"],
    );
    let ran = run(&["keys", "inspect", &encrypted, "--passphrase-file", "-"], b"correct horse\n");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[cfg(unix)]
#[test]
fn pipes_are_read_once_and_their_permissions_are_checked() {
    let keys = Keys::new();
    let public = keys.arg("partner.pub");
    let private = std::fs::read(keys.path("paytend.pem")).unwrap();
    // A shell's process substitution also passes the path of a pipe.
    let ran = run(&seal(Some("/dev/stdin"), &public), &private);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for (mode, code) in [("600", 0), ("644", 3)] {
        let pipe = keys.arg(&format!("pipe{mode}"));
        assert!(std::process::Command::new("mkfifo").args(["-m", mode, &pipe]).status().unwrap().success());
        let (path, key) = (pipe.clone(), private.clone());
        // The write can fail, because the command can close the pipe early.
        let writer = std::thread::spawn(move || drop(std::fs::write(path, key)));
        let ran = run(&seal(Some(&pipe), &public), b"");
        writer.join().unwrap();
        assert_eq!(ran.code, code, "{}", ran.stderr);
        assert_eq!(code == 3, ran.stderr.contains(&format!("{pipe} is accessible to other users")), "{}", ran.stderr);
    }
    // If standard input is redirected from a file, the permissions of the file are checked.
    for (mode, code) in [(0o600, 0), (0o644, 3)] {
        set_mode(&keys.path("paytend.pem"), mode);
        let file = File::open(keys.path("paytend.pem")).unwrap();
        let output = command().args(seal(Some("-"), &public)).stdin(Stdio::from(file)).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert_eq!(
            code == 3,
            stderr.contains("standard input (--private-key) is accessible to other users"),
            "{stderr}"
        );
    }
}

#[test]
fn environment_variable_accepts_a_key_in_every_text_format() {
    let keys = Keys::new();
    let public = keys.arg("partner.pub");
    for case in key_forms().1.iter().filter(|case| case.passphrase.is_none()) {
        let data = case.data();
        // Skips binary formats, because an environment variable cannot contain zero bytes, and must be UTF-8 on some
        // systems.
        let Some(text) = String::from_utf8(data).ok().filter(|text| !text.contains('\0')) else { continue };
        let ran = finish(command().args(seal(None, &public)).env("PAYTEND_PRIVATE_KEY", text), b"");
        match case.private {
            KeyFormResult::Read { .. } => assert_eq!(ran.code, 0, "{}: {}", case.file, ran.stderr),
            KeyFormResult::Named { .. } => assert_fails(&ran, 3, &["error: PAYTEND_PRIVATE_KEY: "]),
        }
    }
    // `explain` also reads the variable.
    let args = ["explain", "--public-key", &public];
    let ran = finish(command().args(args).env("PAYTEND_PRIVATE_KEY", "/etc/key.pem"), b"{}");
    assert_fails(&ran, 3, &["error: PAYTEND_PRIVATE_KEY: this is the path of a file"]);
}

#[test]
fn passphrase_is_read_from_file_or_environment() {
    let keys = Keys::new();
    let public = keys.arg("partner.pub");
    let private = write(&keys.path("encrypted.pem"), &key_form("encrypted-pbkdf2.pem"));
    let phrase = write(&keys.path("phrase"), b"correct horse\n");
    let args = seal(Some(&private), &public);
    let with_file = [&args[..], &["--passphrase-file", &phrase]].concat();
    assert_fails(&run(&args, b""), 3, &[&private, "is encrypted", "--passphrase-file", "PAYTEND_PASSPHRASE"]);
    assert_eq!(run(&with_file, b"").code, 0);
    let ran = finish(command().args(&args).env("PAYTEND_PASSPHRASE", "correct horse"), b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let wrong = finish(command().args(&args).env("PAYTEND_PASSPHRASE", "CANARY"), b"");
    assert_fails(&wrong, 3, &[&private, "the passphrase does not decrypt"]);
    assert!(!wrong.stderr.contains("CANARY"));
    // `explain` reads an encrypted key with the same options.
    let explain = ["explain", "--private-key", &private, "--public-key", &public, "--passphrase-file", &phrase];
    assert_eq!(run(&explain, b"{}").code, 4);
    assert_fails(&run(&explain[..5], b"{}"), 3, &["is encrypted"]);
    // The passphrase comes from a pipe, which can be read only once, although two keys need it.
    #[cfg(unix)]
    {
        let pipe = keys.arg("pipe");
        assert!(std::process::Command::new("mkfifo").args(["-m", "600", &pipe]).status().unwrap().success());
        let path = pipe.clone();
        let writer = std::thread::spawn(move || std::fs::write(path, "correct horse").unwrap());
        let ran = run(&[&explain[..5], &["--other-private-key", &private, "--passphrase-file", &pipe]].concat(), b"{}");
        writer.join().unwrap();
        assert_eq!(ran.code, 4, "{}", ran.stderr);
    }
    if cfg!(unix) {
        set_mode(&keys.path("phrase"), 0o644);
        assert_fails(&run(&with_file, b""), 3, &["phrase is accessible to other users"]);
        let accepted = [&with_file[..], &["--danger-any-permissions"]].concat();
        assert_eq!(run(&accepted, b"").code, 0);
    }
}

/// Commands with `--keys` have no option for a passphrase.
#[test]
fn passphrase_of_keys_in_a_directory_is_read_from_the_environment() {
    let keys = Keys::new();
    let (folder, encrypted) = (keys.arg(""), key_form("encrypted-pbkdf2.pem"));
    for (from, to) in [
        ("partner.pub", "partner-public.b64"),
        ("partner.pem", "partner-private.pem"),
        ("paytend.pub", "paytend-public.b64"),
        ("paytend.pem", "unencrypted.pem"),
    ] {
        std::fs::copy(keys.path(from), keys.path(to)).unwrap();
    }
    std::fs::write(keys.path("partner-id"), paytend_vectors::PARTNER_ID).unwrap();
    let check = |args: &[&str], code: i32| {
        let args = [args, &["--keys", &folder]].concat();
        assert_fails(&run(&args, b""), 3, &["is encrypted", "set PAYTEND_PASSPHRASE"]);
        let ran = finish(command().args(&args).env("PAYTEND_PASSPHRASE", "correct horse"), b"");
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
    };
    write(&keys.path("paytend-private.pem"), &encrypted);
    check(&["trigger", "baas.fund-deposit", "--to", "http://127.0.0.1:1"], 5);
    check(&["inspect", &keys.arg("partner-id")], 1);
    std::fs::rename(keys.path("unencrypted.pem"), keys.path("paytend-private.pem")).unwrap();
    write(&keys.path("partner-private.pem"), &encrypted);
    check(&["call", "getPartnerBalance", "--base-url", "http://127.0.0.1:1"], 5);
    // `listen` reads the keys before it listens on the port, which is already in use. Exit code 5 therefore means that
    // it accepted the keys.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    check(&["listen", "--port", &port], 5);
}
