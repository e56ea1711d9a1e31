//! Checks that the keys are readable, strong enough and accessible only to their owner, and that each key belongs to
//! the right side.

use std::fs::File;
use std::path::{Path, PathBuf};

use paytend_crypto::keys::{FilePermissions, require_owner_only};
use paytend_crypto::{KeyError, PrivateKey, PublicKey, Strength};

use super::hint;
use super::report::{Report, argument};
use crate::settings::{KeySource, Settings};

const PRIVATE: &str = "private key";
const PUBLIC: &str = "public key";
const PAIR: &str = "key pair";
const PERMISSIONS: &str = "permissions";
const GENERATE: &str = "paytend keys generate --bits 2048 --out new-keys (agree on the new key with Paytend first)";

/// Checks the keys, and returns whether a client can use them.
pub(super) fn check(settings: &Settings, report: &mut Report) -> bool {
    let private = private(settings, report);
    let accessible = permissions(settings, report);
    let public = public(settings, report);
    match settings.get("partner_id") {
        None => report.fail("partner ID", "not set", hint::set(settings, "partner_id", "ID")),
        Some(id) => report.warn_if(
            id.len() != 15 || !id.bytes().all(|byte| byte.is_ascii_digit()),
            "partner ID",
            format!("{id}, {} characters", id.chars().count()),
            "compare the ID with your contract documents: a partner ID has 15 digits",
        ),
    }
    let (Some(private), Some(public)) = (private, public) else { return false };
    let pair_matches = pair(settings, &private, report);
    if private.public_key().fingerprint() == public.fingerprint() {
        let message = "the public key belongs to your own private key, but Paytend's public key is expected";
        report.fail("other side", message, hint::set(settings, "public_key_file", "FILE"));
        return false;
    }
    report.ok("other side", "the public key is not from your own key pair");
    accessible && pair_matches
}

fn private(settings: &Settings, report: &mut Report) -> Option<PrivateKey> {
    let Some(source) = settings.private_key() else {
        report.fail(PRIVATE, "not set", hint::set(settings, "private_key_file", "FILE"));
        return None;
    };
    match settings.read_private_key(FilePermissions::DangerAny) {
        Ok((name, key)) => {
            sized(PRIVATE, &name, key.public_key(), GENERATE, report);
            Some(key)
        }
        Err(failure) => {
            report.fail(PRIVATE, failure.message(), inspect(settings, &source));
            None
        }
    }
}

fn public(settings: &Settings, report: &mut Report) -> Option<PublicKey> {
    let Some(source) = settings.public_key() else {
        report.fail(PUBLIC, "not set", hint::set(settings, "public_key_file", "FILE"));
        return None;
    };
    match settings.read_public_key() {
        Ok((name, key)) => {
            sized(PUBLIC, &name, &key, "ask Paytend for a public key of at least 2048 bits", report);
            Some(key)
        }
        Err(failure) => {
            report.fail(PUBLIC, failure.message(), inspect(settings, &source));
            None
        }
    }
}

/// Reports a key, with a warning if the key is small.
fn sized(check: &'static str, name: &str, key: &PublicKey, next: &str, report: &mut Report) {
    let is_small = key.strength() == Strength::Legacy;
    let about = if is_small { ", which is small by today's standards" } else { "" };
    report.warn_if(is_small, check, format!("{name}: {} bits{about}, {}", key.bits(), key.fingerprint()), next);
}

fn inspect(settings: &Settings, source: &KeySource) -> String {
    match source {
        KeySource::File(path) => format!("paytend keys inspect {}", argument(path)),
        KeySource::Keyring(_) => hint::secret(settings),
        KeySource::Text(name, _) => match settings.variable(name) {
            Some(variable) => format!("correct {variable}"),
            None => format!("write the key to a file, and {}", hint::set(settings, &format!("{name}_file"), "FILE")),
        },
    }
}

/// Checks the permissions of all files with a secret, and returns whether a client accepts them.
fn permissions(settings: &Settings, report: &mut Report) -> bool {
    let names = ["private_key_file", "private_key_passphrase_file", "client_certificate_file"];
    let mut files: Vec<PathBuf> = names.iter().filter_map(|name| settings.file(name)).collect();
    files.extend(settings.profiles.iter().filter(|(_, has_key)| *has_key).map(|(path, _)| path.clone()));
    let mut accepted = true;
    let mut private = 0;
    for path in files {
        // If the file cannot be opened, a different check reports this when it reads the file.
        let Ok(file) = File::open(&path) else { continue };
        match require_owner_only(&path, &file) {
            Err(error @ KeyError::Permissions { .. }) => {
                let next = format!("chmod 600 {}", argument(&path));
                match settings.danger_any_permissions {
                    true => report.warn(PERMISSIONS, format!("{error}; danger_any_permissions accepts this"), next),
                    false => report.fail(PERMISSIONS, error, next),
                }
                accepted &= settings.danger_any_permissions;
            }
            Err(_) => {}
            Ok(()) => private += 1,
        }
    }
    if accepted && private > 0 {
        let files =
            if private == 1 { "the file that contains a secret is" } else { "the files that contain secrets are" };
        report.ok(PERMISSIONS, format!("{files} accessible to the owner only"));
    }
    accepted
}

/// Checks that the public key file next to the private key file contains the matching public key, if there is one.
fn pair(settings: &Settings, private: &PrivateKey, report: &mut Report) -> bool {
    let Some(KeySource::File(path)) = settings.private_key() else { return true };
    let Some((other, public)) = beside(&path) else { return true };
    let shown = other.display();
    if public.fingerprint() == private.public_key().fingerprint() {
        report.ok(PAIR, format!("{shown} belongs to the private key"));
        return true;
    }
    let message =
        format!("{shown} does not belong to the private key: if Paytend has this public key, it is the wrong one");
    report.fail(PAIR, message, format!("paytend keys inspect {}", argument(&other)));
    false
}

/// Returns the public key next to `NAME-private.pem`: `NAME-public.pem` or `NAME-public.b64`.
fn beside(private: &Path) -> Option<(PathBuf, PublicKey)> {
    let stem = private.file_stem()?.to_str().filter(|stem| stem.contains("private"))?;
    let paths =
        ["pem", "b64"].map(|end| private.with_file_name(format!("{}.{end}", stem.replace("private", "public"))));
    paths.into_iter().find_map(|path| PublicKey::from_file(&path).ok().map(|key| (path, key)))
}
