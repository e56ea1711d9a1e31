//! `paytend keys generate` and `paytend keys inspect`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use paytend_crypto::keys::{self, AnyKey, Armour, FilePermissions};
use paytend_crypto::rsa::Backend as _;
use paytend_crypto::{KeyError, PublicKey, Strength};
use paytend_crypto_aws_lc::AwsLc;
use serde_json::json;

use crate::exit::{Category, Failure};
use crate::global::AlwaysJsonArgs;
use crate::inputs::Inputs;
use crate::keyfiles::{BACKEND, SecretArgs, backend_failure, key_failure};
use crate::output;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Generate a key pair
    ///
    /// Writes private.pem (mode 0600, PKCS#8), public.pem and public.b64. Existing files are never overwritten.
    Generate {
        /// Key size in bits: a multiple of 128 from 1024 to 8192. Paytend currently uses 1024; ask Paytend before you
        /// use a larger size
        #[arg(long, value_name = "N", default_value_t = 2048)]
        bits: usize,
        /// Directory for the three files; created if it does not exist
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        _json: AlwaysJsonArgs,
    },
    /// Describe a key file as a JSON object
    Inspect {
        /// Private or public key: PEM, DER, base64 or an X.509 certificate; `-` for standard input
        file: PathBuf,
        #[command(flatten)]
        secrets: SecretArgs,
        #[command(flatten)]
        _json: AlwaysJsonArgs,
    },
}

pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Generate { bits, out, .. } => generate(*bits, out),
        Command::Inspect { file, secrets, .. } => inspect(file, secrets),
    }
}

fn generate(bits: usize, folder: &Path) -> Result<(), Failure> {
    if !bits.is_multiple_of(128) {
        return Err(Failure::usage(format!("--bits {bits}: the size must be a multiple of 128")));
    }
    let key = AwsLc
        .generate(bits)
        .map_err(|e| if e == KeyError::Size(bits).into() { Failure::usage(e) } else { e.into() })?;
    let failed = |path: &Path, e: std::io::Error| {
        Failure::new(Category::Configuration, format!("cannot write {}: {e}", path.display()))
    };
    std::fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
    let names = ["private.pem", "public.pem", "public.b64"].map(|name| folder.join(name));
    if let Some(existing) = names.iter().find(|path| path.exists()) {
        let message = format!("{} already exists; choose a different --out directory", existing.display());
        return Err(Failure::new(Category::Configuration, message));
    }
    let public = key.public_key();
    write_new(&names[0], key.to_pkcs8_pem()?.as_bytes(), 0o600).map_err(|e| failed(&names[0], e))?;
    write_new(&names[1], public.to_spki_pem().as_bytes(), 0o644).map_err(|e| failed(&names[1], e))?;
    let base64 = format!("{}\n", public.to_base64());
    write_new(&names[2], base64.as_bytes(), 0o644).map_err(|e| failed(&names[2], e))?;
    let files: Vec<_> = names.iter().map(|path| path.display().to_string()).collect();
    let mut description = describe(public, "private");
    description["files"] = json!(files);
    output::line(&description.to_string())?;
    Ok(())
}

/// Creates a new file with the given permissions and writes its content.
fn write_new(path: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn inspect(path: &Path, secrets: &SecretArgs) -> Result<(), Failure> {
    let mut inputs = Inputs::default();
    inputs.reserve(Some(path), "FILE")?;
    secrets.reserve(&mut inputs)?;
    let input = inputs.key(path, "FILE", FilePermissions::DangerAny)?;
    let failed = |error: KeyError| key_failure(&input.name, &error);
    let (key, form) = match keys::read(&input.bytes, None) {
        Err(KeyError::Encrypted(_)) => {
            let passphrase = secrets.passphrase(&mut inputs)?;
            keys::read(&input.bytes, passphrase.as_ref()).map_err(failed)?
        }
        read => read.map_err(failed)?,
    };
    let unloadable = |error| backend_failure(&input.name, error);
    // The backend refuses a key whose numbers do not match each other.
    let mut description = match &key {
        AnyKey::Private(key) => {
            BACKEND.private(key).map_err(unloadable)?;
            describe(key.public_key(), "private")
        }
        AnyKey::Public(key) => {
            BACKEND.public(key).map_err(unloadable)?;
            describe(key, "public")
        }
    };
    if let (AnyKey::Private(_), Some(open_to_others)) = (&key, input.open_to_others) {
        description["readable_by_owner_only"] = json!(!open_to_others);
    }
    description["structure"] = json!(form.structure.to_string());
    description["armour"] = match &form.armour {
        Armour::Der => json!("DER"),
        Armour::Base64 => json!("base64"),
        Armour::Pem(label) => json!(format!("PEM {label}")),
        _ => json!(null),
    };
    description["encrypted"] = json!(form.encrypted);
    description["wrappings"] = form.wrappings.iter().map(ToString::to_string).collect();
    output::line(&description.to_string())?;
    Ok(())
}

fn describe(public: &PublicKey, kind: &str) -> serde_json::Value {
    let strength = match public.strength() {
        Strength::Legacy => "legacy",
        Strength::Acceptable => "acceptable",
        _ => "strong",
    };
    json!({"kind": kind, "bits": public.bits(), "strength": strength, "fingerprint": public.fingerprint().to_string()})
}
