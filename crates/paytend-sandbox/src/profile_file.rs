//! The `paytend.toml` file in a key directory, from which a client can read its settings.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::keys::folder::KeyFolder;

/// The name of the profile file in the key directory.
const NAME: &str = "paytend.toml";
/// The first line, which marks a file that the sandbox may overwrite.
const FIRST_LINE: &str = "# The sandbox writes this file at each start. Delete this line to keep your changes.";

/// The `paytend.toml` file in a [`KeyFolder`], and whether the sandbox has written it.
///
/// The file has a `sandbox` profile with the running sandbox's URL, the partner's identifier, the names of the key
/// files and the sandbox's status codes. It contains no secrets. A client reads it with
/// `ClientBuilder::from_file("keys/paytend.toml", "sandbox")` from the `paytend-client` crate.
///
/// Each start of a sandbox overwrites the file, unless its first line was deleted.
///
/// If the sandbox listens on a specific address that is not a loopback address, clients refuse the file, because its
/// URL does not use TLS. Put a proxy with TLS in front of the sandbox, and change `base_url`.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProfileFile {
    /// The file was written.
    Written(PathBuf),
    /// The file was not changed, because it does not begin with the sandbox's first line.
    Kept(PathBuf),
    /// The file cannot be read or written.
    Failed {
        /// The path of the file.
        path: PathBuf,
        /// The error reported by the operating system.
        source: io::Error,
    },
}

impl ProfileFile {
    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Written(path) | Self::Kept(path) | Self::Failed { path, .. } => path,
        }
    }

    /// Writes the file for a sandbox at this address.
    pub(crate) fn write(folder: &KeyFolder, address: SocketAddr) -> Self {
        let path = folder.path.join(NAME);
        match is_replaceable(&path).and_then(|replaceable| {
            if replaceable {
                // The port makes the temporary file's name unique among the running sandboxes.
                let draft = folder.path.join(format!("{NAME}.{}", address.port()));
                replace(&path, &draft, &text(folder, address))?;
            }
            Ok(replaceable)
        }) {
            Ok(true) => Self::Written(path),
            Ok(false) => Self::Kept(path),
            Err(source) => Self::Failed { path, source },
        }
    }
}

impl fmt::Display for ProfileFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path().display();
        match self {
            Self::Written(_) => write!(f, "{path} is written"),
            Self::Kept(_) => write!(
                f,
                "{path} was not overwritten because its first line was changed; check its base_url, or delete the file \
                 and start the sandbox again"
            ),
            Self::Failed { source, .. } => {
                write!(f, "cannot write {path}: {source}; configure each client's base URL and keys yourself")
            }
        }
    }
}

/// Returns whether the file does not exist or begins with the sandbox's first line.
fn is_replaceable(path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(FIRST_LINE.len() as u64).read_to_end(&mut start)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    Ok(start == FIRST_LINE.as_bytes())
}

/// Replaces the file atomically, so that no client reads an incomplete file.
fn replace(path: &Path, draft: &Path, text: &str) -> io::Result<()> {
    let written = File::create(draft).and_then(|mut file| file.write_all(text.as_bytes()));
    let replaced = written.and_then(|()| fs::rename(draft, path));
    if replaced.is_err() {
        let _ = fs::remove_file(draft);
    }
    replaced
}

fn text(folder: &KeyFolder, address: SocketAddr) -> String {
    // The paths are relative to the file.
    let (private, public) = KeyFolder::PARTNER_FILES;
    let mut text = format!(
        "{FIRST_LINE}\n\
         [profiles.sandbox]\n\
         base_url = \"http://{}\"\n\
         partner_id = \"{}\"\n\
         private_key_file = \"{private}\"\n\
         public_key_file = \"{public}\"\n\
         # The codes of the local sandbox. Paytend's codes are in your contract documents.\n\
         unknown_order_codes = [\"{}\"]\n\
         order_states = {{ processing = [\"1\"], succeeded = [\"2\"], failed = [\"3\"] }}\n",
        reachable(address),
        folder.partner_id,
        Failure::UnknownOrder.code(),
    );
    if folder.allows_any_permissions() {
        text.push_str("danger_any_permissions = true\n");
    }
    text
}

/// Returns an address that a client on this machine can connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::folder::FolderOptions;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn file_is_replaced_only_if_its_first_line_is_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyFolder::open(folder.path(), &FolderOptions::new()).unwrap();
        let path = folder.path().join(NAME);
        let read = || fs::read_to_string(&path).unwrap();
        for port in [4001, 4002] {
            let written = ProfileFile::write(&keys, SocketAddr::from(([127, 0, 0, 1], port)));
            assert!(matches!(&written, ProfileFile::Written(at) if *at == path), "{written}");
            assert!(read().contains(&format!("base_url = \"http://127.0.0.1:{port}\"\n")), "{}", read());
        }
        let changed = read().replacen(FIRST_LINE, "# mine", 1);
        for text in [changed.as_str(), ""] {
            fs::write(&path, text).unwrap();
            let kept = ProfileFile::write(&keys, address("127.0.0.1:4003"));
            assert!(matches!(kept, ProfileFile::Kept(_)), "{kept}");
            assert_eq!(read(), text);
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let failed = ProfileFile::write(&keys, address("127.0.0.1:4004"));
        assert!(matches!(failed, ProfileFile::Failed { .. }), "{failed}");
        let names = fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name());
        let drafts: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with("paytend.toml.")).collect();
        assert!(drafts.is_empty(), "{drafts:?}");
    }

    #[test]
    fn profile_has_a_reachable_url_and_the_permission_setting_of_the_key_directory() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyFolder::open(folder.path(), &FolderOptions::new()).unwrap();
        for (listening, url) in [
            ("127.0.0.1:1", "http://127.0.0.1:1"),
            ("0.0.0.0:1", "http://127.0.0.1:1"),
            ("[::]:1", "http://[::1]:1"),
            ("192.0.2.7:1", "http://192.0.2.7:1"),
        ] {
            let text = text(&keys, address(listening));
            assert!(text.contains(&format!("base_url = \"{url}\"")) && !text.contains("danger"), "{text}");
        }
        let open = KeyFolder::open(folder.path(), &FolderOptions::new().danger_any_permissions(true)).unwrap();
        assert!(text(&open, address("127.0.0.1:1")).ends_with("danger_any_permissions = true\n"));
    }
}
