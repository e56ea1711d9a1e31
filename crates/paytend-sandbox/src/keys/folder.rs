//! The key directory, which is filled on first start and read afterwards.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use paytend_crypto::keys::FilePermissions;
use paytend_crypto::{KeyError, OsRandom, PrivateKey, PublicKey, RandomSource, rustcrypto};

/// The keys of both sides and the partner's identifier, read from a directory.
///
/// | file | content |
/// |---|---|
/// | `partner-private.pem`, `partner-public.b64` | the partner's keys |
/// | `paytend-private.pem`, `paytend-public.b64` | Paytend's keys |
/// | `partner-id` | the partner's identifier |
/// | `payby-private.pem`, `payermax-private.pem` and their `-public.b64` | PayBy's and PayerMax's keys, if generated |
/// | `paytend.toml` | the client's settings, written at each start; see [`ProfileFile`](crate::ProfileFile) |
///
/// # Examples
///
/// ```no_run
/// use paytend_sandbox::{FolderOptions, KeyFolder, Sandbox};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = KeyFolder::open("keys".as_ref(), &FolderOptions::new())?;
/// let sandbox = Sandbox::builder().folder(folder).start().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct KeyFolder {
    /// Paytend's private key.
    pub paytend: PrivateKey,
    /// The partner's public key.
    pub partner: PublicKey,
    /// The partner's identifier, 15 digits.
    pub partner_id: String,
    /// The path of the directory.
    pub path: PathBuf,
    permissions: FilePermissions,
}

/// Options for [`KeyFolder::open`].
#[derive(Clone, Copy, Debug)]
pub struct FolderOptions {
    bits: usize,
    shared: bool,
    real_keys: bool,
    permissions: FilePermissions,
}

impl Default for FolderOptions {
    fn default() -> Self {
        Self { bits: 1024, shared: false, real_keys: false, permissions: FilePermissions::OwnerOnly }
    }
}

impl FolderOptions {
    /// Creates the default options: 1024 bits, one key pair for each side, and all safety checks enabled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the length of generated keys, in bits.
    pub fn bits(mut self, bits: usize) -> Self {
        self.bits = bits;
        self
    }

    /// Sets whether one generated key pair is used for both sides, as in Paytend's public demo.
    pub fn shared_key(mut self, shared: bool) -> Self {
        self.shared = shared;
        self
    }

    /// Sets whether keys that look like a real partner's keys are accepted.
    pub fn danger_allow_real_keys(mut self, accepted: bool) -> Self {
        self.real_keys = accepted;
        self
    }

    /// Sets whether private key files are accepted even if users other than the owner can access them. Setting the
    /// `PAYTEND_DANGER_ANY_PERMISSIONS` environment variable to `1` allows this for the whole program.
    pub fn danger_any_permissions(mut self, accepted: bool) -> Self {
        self.permissions = if accepted { FilePermissions::DangerAny } else { FilePermissions::OwnerOnly };
        self
    }
}

/// The error returned if a key directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// The path of the file that cannot be read or written.
        path: PathBuf,
        /// The error reported by the operating system.
        error: io::Error,
    },
    /// A file does not contain a valid key, or other users can access a private key file.
    #[error("{path}: {error}")]
    Key {
        /// The path of the key file.
        path: PathBuf,
        /// The reason why the key was refused.
        error: KeyError,
    },
    /// The partner's identifier is not 15 digits.
    #[error("invalid partner identifier in {0}; it must have 15 digits")]
    PartnerId(PathBuf),
    /// A public key does not match its private key.
    #[error("{public} is not the public key of {private}")]
    Pair {
        /// The path of the private key file.
        private: PathBuf,
        /// The path of the public key file.
        public: PathBuf,
    },
    /// The directory looks like it contains a real partner's keys.
    #[error(
        "{0} looks like a directory of real keys: it has a partner's private key but not Paytend's, \
         or a name such as `prod`; use an empty directory to let the sandbox generate keys, or allow real keys"
    )]
    Real(PathBuf),
    /// The directory contains a key file with an unrecognized name.
    #[error("{0} looks like an unrelated key; use an empty directory to let the sandbox generate keys")]
    Occupied(PathBuf),
    /// A key file or `partner-id` is missing.
    #[error("{0} is missing; use a directory with all key files, or an empty one")]
    Incomplete(PathBuf),
}

const PAYTEND_PRIVATE: &str = "paytend-private.pem";
const PAYTEND_PUBLIC: &str = "paytend-public.b64";
const PARTNER_PRIVATE: &str = "partner-private.pem";
const PARTNER_PUBLIC: &str = "partner-public.b64";
const PARTNER_ID: &str = "partner-id";

impl KeyFolder {
    /// The files with the keys that the partner needs: its private key and Paytend's public key.
    pub(crate) const PARTNER_FILES: (&str, &str) = (PARTNER_PRIVATE, PAYTEND_PUBLIC);

    /// Reads a key directory. If the directory contains no keys, generates them. On Unix, a private key file must be
    /// accessible only to its owner.
    ///
    /// # Errors
    /// Returns [`FolderError::File`] if a file cannot be read or written.
    ///
    /// Returns [`FolderError::Key`] if a file is not a valid key, or if other users can access a private key file.
    ///
    /// Returns [`FolderError::Real`] or [`FolderError::Occupied`] if the directory may contain unrelated keys.
    ///
    /// Returns a different [`FolderError`] if files are missing or inconsistent.
    pub fn open(path: &Path, options: &FolderOptions) -> Result<Self, FolderError> {
        let file = |name: &str| path.join(name);
        let failed = |error| FolderError::File { path: path.to_owned(), error };
        let has = |name: &str| file(name).exists();
        let real = has(PARTNER_PRIVATE) && !has(PAYTEND_PRIVATE);
        if (real || named_as_real(path)) && !options.real_keys {
            return Err(FolderError::Real(path.to_owned()));
        }
        std::fs::create_dir_all(path).map_err(failed)?;
        if ![PAYTEND_PRIVATE, PAYTEND_PUBLIC, PARTNER_PRIVATE, PARTNER_PUBLIC, PARTNER_ID].into_iter().any(has) {
            // Refuse a directory that contains key files with unrecognized names.
            if let Some(key) =
                std::fs::read_dir(path).map_err(failed)?.flatten().map(|it| it.path()).find(|it| is_key(it))
            {
                return Err(FolderError::Occupied(key));
            }
            fill(path, options.bits, options.shared)?;
        }
        let read = |name: &str| {
            if !has(name) {
                return Err(FolderError::Incomplete(file(name)));
            }
            std::fs::read(file(name)).map_err(|error| FolderError::File { path: file(name), error })
        };
        let key = |name: &str| {
            if !has(name) {
                return Err(FolderError::Incomplete(file(name)));
            }
            private(&file(name), options.permissions)
        };
        let public = |name: &str, private: &str, of: &PublicKey| {
            let key =
                PublicKey::from_bytes(&read(name)?).map_err(|error| FolderError::Key { path: file(name), error })?;
            if key.fingerprint() == of.fingerprint() {
                return Ok(key);
            }
            Err(FolderError::Pair { private: file(private), public: file(name) })
        };
        let paytend = key(PAYTEND_PRIVATE)?;
        public(PAYTEND_PUBLIC, PAYTEND_PRIVATE, paytend.public_key())?;
        let own = key(PARTNER_PRIVATE)?;
        let partner = public(PARTNER_PUBLIC, PARTNER_PRIVATE, own.public_key())?;
        let id = String::from_utf8(read(PARTNER_ID)?).unwrap_or_default().trim().to_owned();
        if id.len() != 15 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(FolderError::PartnerId(file(PARTNER_ID)));
        }
        Ok(Self { paytend, partner, partner_id: id, path: path.to_owned(), permissions: options.permissions })
    }

    /// Returns the private key of PayBy (`payby`) or PayerMax (`payermax`) in this directory. The key is generated on
    /// first use.
    ///
    /// # Errors
    /// Returns [`FolderError`] if the key cannot be generated, read or written.
    pub fn provider(&self, name: &str) -> Result<PrivateKey, FolderError> {
        let path = self.path.join(format!("{name}-private.pem"));
        if !path.exists() {
            let key = made(2048, &path)?;
            write_pair(&self.path, name, &key)?;
        }
        private(&path, self.permissions)
    }

    /// Returns whether private key files with any permissions are accepted.
    pub(crate) fn allows_any_permissions(&self) -> bool {
        self.permissions == FilePermissions::DangerAny
    }
}

/// Reads a private key file.
fn private(path: &Path, permissions: FilePermissions) -> Result<PrivateKey, FolderError> {
    // `FolderError::Key` already contains the path, so the inner error must not repeat it.
    PrivateKey::read_file(path, permissions, None)
        .map_err(|error| FolderError::Key { path: path.to_owned(), error: error.problem().clone() })
}

fn is_key(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ["pem", "key", "der", "p12", "pfx", "b64"].iter().any(|known| ending == *known))
}

/// Returns whether a path has a component that is a typical name for real keys, such as `prod`. The path is checked
/// both as passed and with its symbolic links resolved.
fn named_as_real(path: &Path) -> bool {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // The path may not exist yet, so resolve the links of its nearest existing ancestor.
    let exists = absolute.ancestors().find_map(|part| part.canonicalize().ok());
    is_named_as_real(&absolute) || exists.is_some_and(|exists| is_named_as_real(&exists))
}

fn is_named_as_real(path: &Path) -> bool {
    path.components().filter_map(|part| part.as_os_str().to_str()).any(|name| {
        let words = name.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_lowercase);
        words.into_iter().any(|word| matches!(word.as_str(), "prod" | "production" | "live"))
    })
}

fn made(bits: usize, path: &Path) -> Result<PrivateKey, FolderError> {
    let failed = |error: &dyn std::fmt::Display| FolderError::File {
        path: path.to_owned(),
        error: io::Error::other(format!("cannot generate a key: {error}")),
    };
    rustcrypto::generate(bits, &OsRandom).map_err(|error| failed(&error))
}

fn fill(path: &Path, bits: usize, shared: bool) -> Result<(), FolderError> {
    let paytend = made(bits, path)?;
    let partner = if shared { paytend.clone() } else { made(bits, path)? };
    let mut random = [0u8; 8];
    let digits = OsRandom.fill(&mut random).map(|()| u64::from_le_bytes(random) % 1_000_000);
    write_pair(path, "paytend", &paytend)?;
    write_pair(path, "partner", &partner)?;
    // The identifier begins with the first nine digits of the documentation's example, followed by six random digits.
    let id = format!("888666000{:06}", digits.unwrap_or(100_260));
    write(&path.join(PARTNER_ID), format!("{id}\n").as_bytes())
}

fn write_pair(path: &Path, name: &str, key: &PrivateKey) -> Result<(), FolderError> {
    let private = path.join(format!("{name}-private.pem"));
    let pem = key.to_pkcs8_pem().map_err(|error| FolderError::Key { path: private.clone(), error })?;
    write(&private, pem.as_bytes())?;
    let spki = key.public_key().to_spki_pem();
    let base64: String = spki.lines().filter(|line| !line.starts_with('-')).collect();
    write(&path.join(format!("{name}-public.b64")), format!("{base64}\n").as_bytes())
}

/// Writes a new file that only the current user can access. An existing file is never overwritten.
fn write(path: &Path, text: &[u8]) -> Result<(), FolderError> {
    let failed = |error| FolderError::File { path: path.to_owned(), error };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text).and_then(|()| file.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path, bits: usize, shared: bool, real: bool) -> Result<KeyFolder, FolderError> {
        KeyFolder::open(path, &FolderOptions::new().bits(bits).shared_key(shared).danger_allow_real_keys(real))
    }

    #[test]
    fn key_directory_is_filled_on_first_open_and_read_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let made = open(folder.path(), 1024, false, false).unwrap();
        let read = open(folder.path(), 2048, true, false).unwrap();
        assert_eq!(made.paytend.public_key().fingerprint(), read.paytend.public_key().fingerprint());
        assert_eq!((made.partner_id.len(), &made.partner_id), (15, &read.partner_id));
        assert_ne!(made.partner.fingerprint(), made.paytend.public_key().fingerprint());
        let payby = made.provider("payby").unwrap();
        assert_eq!(read.provider("payby").unwrap().public_key().fingerprint(), payby.public_key().fingerprint());
        let shared = tempfile::tempdir().unwrap();
        let one = open(shared.path(), 1024, true, false).unwrap();
        assert_eq!(one.partner.fingerprint(), one.paytend.public_key().fingerprint());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(folder.path().join(PARTNER_PRIVATE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
    }

    #[test]
    fn real_keys_and_incomplete_key_directories_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), 1024, false, false).unwrap();
        std::fs::remove_file(folder.path().join(PAYTEND_PRIVATE)).unwrap();
        assert!(matches!(open(folder.path(), 1024, false, false), Err(FolderError::Real(_))));
        assert!(matches!(open(folder.path(), 1024, false, true), Err(FolderError::Incomplete(_))));
        for name in ["prod", "keys-production", "Live"] {
            let path = folder.path().join(name);
            assert!(matches!(open(&path, 1024, false, false), Err(FolderError::Real(_))), "{name}");
        }
        assert!(open(&folder.path().join("products"), 1024, false, false).is_ok());
        assert!(!folder.path().join("prod").exists(), "a refused directory is not created");
        let others = tempfile::tempdir().unwrap();
        std::fs::write(others.path().join("key.pem"), "").unwrap();
        assert!(matches!(open(others.path(), 1024, false, false), Err(FolderError::Occupied(_))));
        #[cfg(unix)]
        {
            std::fs::create_dir(others.path().join("live")).unwrap();
            std::os::unix::fs::symlink(others.path().join("live"), others.path().join("harmless")).unwrap();
            let led = open(&others.path().join("harmless"), 1024, false, false);
            assert!(matches!(led, Err(FolderError::Real(_))));
        }
        let other = tempfile::tempdir().unwrap();
        let made = open(other.path(), 1024, false, false).unwrap();
        std::fs::write(other.path().join(PARTNER_ID), "12345").unwrap();
        assert!(matches!(open(other.path(), 1024, false, false), Err(FolderError::PartnerId(_))));
        std::fs::write(other.path().join(PARTNER_PUBLIC), made.paytend.public_key().to_spki_pem()).unwrap();
        assert!(matches!(open(other.path(), 1024, false, false), Err(FolderError::Pair { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn private_keys_accessible_by_other_users_are_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), 1024, false, false).unwrap().provider("payby").unwrap();
        let options = FolderOptions::new().bits(1024);
        for name in [PAYTEND_PRIVATE, PARTNER_PRIVATE, "payby-private.pem"] {
            let path = folder.path().join(name);
            let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            for mode in [0o640, 0o604, 0o444] {
                set(mode);
                let read = |options: &FolderOptions| KeyFolder::open(folder.path(), options)?.provider("payby");
                let Err(FolderError::Key { path: at, error }) = read(&options) else { panic!("{name} {mode:o}") };
                assert_eq!(at, path);
                assert!(matches!(error, KeyError::Permissions { .. }), "{error}");
                assert!(read(&options.danger_any_permissions(true)).is_ok(), "{name} {mode:o}");
            }
            set(0o400);
        }
        KeyFolder::open(folder.path(), &options).unwrap();
    }
}
