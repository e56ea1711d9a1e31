//! The operating system's keyring: Keychain on macOS, Credential Manager on Windows, or the Secret Service on a Linux
//! desktop. It is an optional feature of this crate, because the Secret Service needs many dependencies.

use zeroize::Zeroizing;

use crate::exit::Failure;

#[cfg(feature = "keyring")]
use self::native as system;
#[cfg(not(feature = "keyring"))]
use self::none as system;

/// The service name under which a keyring shows this command's entries.
#[cfg(any(feature = "keyring", test))]
const SERVICE: &str = "paytend";

/// A keyring that stores private keys in named entries.
pub(crate) trait KeyStore {
    /// Returns whether an entry exists.
    fn contains(&self, entry: &str) -> Result<bool, Failure>;

    /// Stores a private key in an entry, and replaces its previous content.
    fn write(&self, entry: &str, secret: &str) -> Result<(), Failure>;

    /// Removes an entry. Returns whether it existed.
    fn remove(&self, entry: &str) -> Result<bool, Failure>;
}

/// The keyring of the operating system.
pub(crate) struct SystemKeyring;

impl KeyStore for SystemKeyring {
    fn contains(&self, entry: &str) -> Result<bool, Failure> {
        system::contains(entry)
    }

    fn write(&self, entry: &str, secret: &str) -> Result<(), Failure> {
        system::write(entry, secret)
    }

    fn remove(&self, entry: &str) -> Result<bool, Failure> {
        system::remove(entry)
    }
}

/// Returns the private key in an entry of the operating system's keyring.
pub(crate) fn read(entry: &str) -> Result<Zeroizing<String>, Failure> {
    system::read(entry)
}

/// The implementation for builds with the feature. Tests use it in all builds, with a keyring in memory.
#[cfg(any(feature = "keyring", test))]
mod native {
    use keyring_core::{Entry, Error};
    use zeroize::Zeroizing;

    use super::SERVICE;
    use crate::exit::{Category, Failure};

    pub(super) fn read(entry: &str) -> Result<Zeroizing<String>, Failure> {
        let secret = open(entry)?.get_secret().map(Zeroizing::new).map_err(|error| failure(entry, &error))?;
        let text = std::str::from_utf8(&secret);
        let text = text.map_err(|_| {
            Failure::new(Category::Configuration, format!("keyring entry `{entry}` does not contain text"))
        });
        text.map(|text| Zeroizing::new(text.to_owned()))
    }

    pub(super) fn contains(entry: &str) -> Result<bool, Failure> {
        match open(entry)?.get_secret().map(Zeroizing::new) {
            Ok(_) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(failure(entry, &error)),
        }
    }

    pub(super) fn write(entry: &str, secret: &str) -> Result<(), Failure> {
        open(entry)?.set_secret(secret.as_bytes()).map_err(|error| failure(entry, &error))
    }

    pub(super) fn remove(entry: &str) -> Result<bool, Failure> {
        match open(entry)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(failure(entry, &error)),
        }
    }

    fn open(entry: &str) -> Result<Entry, Failure> {
        if keyring_core::get_default_store().is_none() {
            let store = store().map_err(|error| failure(entry, &error))?;
            keyring_core::set_default_store(store);
        }
        Entry::new(SERVICE, entry).map_err(|error| failure(entry, &error))
    }

    #[cfg(not(feature = "keyring"))]
    fn store() -> Result<std::sync::Arc<keyring_core::api::CredentialStore>, Error> {
        Err(Error::NoDefaultStore)
    }

    #[cfg(all(feature = "keyring", target_os = "macos"))]
    fn store() -> Result<std::sync::Arc<keyring_core::api::CredentialStore>, Error> {
        Ok(apple_native_keyring_store::keychain::Store::new()?)
    }

    #[cfg(all(feature = "keyring", windows))]
    fn store() -> Result<std::sync::Arc<keyring_core::api::CredentialStore>, Error> {
        Ok(windows_native_keyring_store::Store::new()?)
    }

    #[cfg(all(feature = "keyring", not(any(target_os = "macos", windows))))]
    fn store() -> Result<std::sync::Arc<keyring_core::api::CredentialStore>, Error> {
        Ok(zbus_secret_service_keyring_store::Store::new()?)
    }

    /// Creates the failure for a keyring error. The error's own text is left out, because it can contain the secret.
    fn failure(entry: &str, error: &Error) -> Failure {
        let (what, next) = match error {
            Error::NoEntry => ("does not exist", "store the key with `paytend config secret FILE`"),
            Error::NoStorageAccess(_) => ("cannot be read", "unlock the keyring, and allow access to it"),
            Error::TooLong(..) => ("cannot be stored: the key is too long for this keyring", "use private_key_file"),
            _ => ("is not available", "start the system's keyring, or use private_key_file"),
        };
        Failure::new(Category::Configuration, format!("keyring entry `{entry}` {what}; {next}"))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// This test uses the test store of `keyring-core`, which keeps its entries in memory.
        #[test]
        fn secrets_are_stored_replaced_and_removed_and_errors_do_not_show_them() {
            keyring_core::set_default_store(keyring_core::mock::Store::new().unwrap());
            let missing = read("one").unwrap_err();
            assert!(missing.message().contains("`one` does not exist"), "{}", missing.message());
            write("one", "CANARY").unwrap();
            write("two", "other").unwrap();
            assert_eq!((read("one").unwrap().as_str(), read("two").unwrap().as_str()), ("CANARY", "other"));
            write("one", "new").unwrap();
            assert_eq!(read("one").unwrap().as_str(), "new");
            assert!(contains("one").unwrap() && remove("one").unwrap());
            assert!(!contains("one").unwrap() && !remove("one").unwrap());
            assert!(read("one").is_err() && read("two").is_ok());
            let encoding = Error::BadEncoding(b"CANARY".to_vec());
            for error in [encoding, Error::TooLong("password".to_owned(), 1), Error::NoEntry] {
                assert!(!failure("one", &error).message().contains("CANARY"));
            }
        }
    }
}

#[cfg(not(feature = "keyring"))]
mod none {
    use zeroize::Zeroizing;

    use crate::exit::{Category, Failure};

    pub(super) fn contains(_: &str) -> Result<bool, Failure> {
        Err(unavailable())
    }

    pub(super) fn read(_: &str) -> Result<Zeroizing<String>, Failure> {
        Err(unavailable())
    }

    pub(super) fn write(_: &str, _: &str) -> Result<(), Failure> {
        Err(unavailable())
    }

    pub(super) fn remove(_: &str) -> Result<bool, Failure> {
        Err(unavailable())
    }

    fn unavailable() -> Failure {
        Failure::new(
            Category::Configuration,
            "this build of paytend does not use the keyring: run `cargo install paytend-cli --features keyring`, or \
             use private_key_file",
        )
    }
}
