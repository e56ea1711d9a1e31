//! The environment that a client connects to.

use std::fmt;

/// The base URL of the sandbox. Source: the provider's published sandbox demo.
const SANDBOX: &str = "https://sandbox-api.paytend.com";

/// The Paytend environment to connect to.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// The provider's sandbox, `https://sandbox-api.paytend.com`.
    Sandbox,
    /// A custom base URL. The production URL is in your contract with Paytend; a local sandbox prints its URL.
    BaseUrl(String),
}

impl Environment {
    /// Returns the base URL.
    pub fn url(&self) -> &str {
        match self {
            Self::Sandbox => SANDBOX,
            Self::BaseUrl(url) => url,
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sandbox => f.write_str("Sandbox"),
            // The URL may contain credentials. `build` refuses them, and they must not appear in any output.
            Self::BaseUrl(url) if url.contains('@') => f.write_str("BaseUrl(_)"),
            Self::BaseUrl(url) => f.debug_tuple("BaseUrl").field(url).finish(),
        }
    }
}
