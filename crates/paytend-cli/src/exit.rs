//! Failures of commands, and the exit codes that scripts rely on.

use std::fmt;
use std::process::ExitCode;

/// The exit codes, as printed by `--help`.
pub(crate) const HELP: &str = "Exit codes: 0 success, 1 unexpected failure, 2 usage error, \
3 configuration or key error, 4 not authentic, 5 network error, 6 rejected by the API, 7 outcome unknown, \
8 differences found by reconcile, 130 interrupted with Ctrl-C";

/// The category of a failure. The numbers are the exit codes and must not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    Unexpected = 1,
    Usage = 2,
    Configuration = 3,
    NotAuthentic = 4,
    Network = 5,
    Rejected = 6,
    OutcomeUnknown = 7,
    Differences = 8,
    /// The command was interrupted with Ctrl-C. Shells use the same code.
    Interrupted = 130,
}

/// A failure that ends a command.
#[derive(Debug)]
pub(crate) struct Failure {
    category: Category,
    message: String,
    /// Whether the reader of the output closed the pipe. In this case, the failure is not reported, and the exit code
    /// is 0.
    broken_pipe: bool,
}

impl Failure {
    pub(crate) fn new(category: Category, message: impl fmt::Display) -> Self {
        Self { category, message: message.to_string(), broken_pipe: false }
    }

    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Category::Usage, message)
    }

    /// Appends a hint for the user to the message.
    #[must_use]
    pub(crate) fn with_hint(self, hint: &str) -> Self {
        Self { message: format!("{}; {hint}", self.message), ..self }
    }

    /// Creates the failure for a command that was interrupted with Ctrl-C. It has an exit code and no message.
    pub(crate) fn interrupted() -> Self {
        Self::new(Category::Interrupted, "")
    }

    pub(crate) fn category(&self) -> Category {
        self.category
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn code(&self) -> ExitCode {
        if self.broken_pipe { ExitCode::SUCCESS } else { ExitCode::from(self.category as u8) }
    }

    pub(crate) fn report(&self) {
        if !self.broken_pipe && !self.message.is_empty() {
            crate::output::error(&self.message);
        }
    }
}

/// Returns the message of an error, followed by the messages of its causes.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let broken_pipe = error.kind() == std::io::ErrorKind::BrokenPipe;
        Self { category: Category::Unexpected, message: error.to_string(), broken_pipe }
    }
}

impl From<paytend_crypto::KeyError> for Failure {
    fn from(error: paytend_crypto::KeyError) -> Self {
        Self::new(Category::Configuration, error)
    }
}

impl From<paytend_crypto::Error> for Failure {
    fn from(error: paytend_crypto::Error) -> Self {
        use paytend_crypto::Error;
        let category = match error {
            Error::NotAuthentic | Error::Malformed(_) | Error::Payload(_) | Error::UnsignedFailure(_) => {
                Category::NotAuthentic
            }
            Error::Unsealable(_) => Category::Usage,
            Error::Key(_) | Error::Backend(_) => Category::Configuration,
            _ => Category::Unexpected,
        };
        Self::new(category, error)
    }
}

/// Creates the failure for a message that cannot be opened or verified. `options` names what to pass to
/// `paytend explain`.
pub(crate) fn refused(error: paytend_crypto::Error, options: &str) -> Failure {
    let failure = Failure::from(error);
    match failure.category {
        Category::NotAuthentic => {
            failure.with_hint(&format!("`paytend explain` reports why, with the same message, {options}"))
        }
        _ => failure,
    }
}

impl From<paytend_client::Error> for Failure {
    fn from(error: paytend_client::Error) -> Self {
        use paytend_client::{ErrorKind, Outcome};
        let category = match (error.kind(), error.outcome()) {
            (ErrorKind::Configuration | ErrorKind::Request, _) => Category::Configuration,
            (ErrorKind::Connect, _) => Category::Network,
            (_, Outcome::Rejected) => Category::Rejected,
            (_, Outcome::NotSent) => Category::Network,
            _ => Category::OutcomeUnknown,
        };
        let failure = Self::new(category, &error);
        match error.kind() {
            ErrorKind::Connect | ErrorKind::InvalidResponse => failure
                .with_hint("`paytend doctor` checks the connection, with the same --profile, --keys and --base-url"),
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_errors_map_to_their_categories() {
        use paytend_client::{Client, Environment};
        use paytend_crypto::{Keyring, rustcrypto};
        use paytend_model::issuing::QueryCardBalance;
        use paytend_sandbox::Sandbox;
        use paytend_vectors::Seeded;

        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let sandbox = Sandbox::start().await.unwrap();
            let random = Seeded::new();
            let unregistered_key = rustcrypto::generate(1024, &random).unwrap();
            let keyring = sandbox.partner_keyring().unwrap();
            let wrong_keyring = Keyring::from_keys(&unregistered_key, &sandbox.public_key()).unwrap();
            let unreachable = "http://127.0.0.1:1".to_owned();
            for (url, client_keyring, category) in [
                ("http://api.example.com".to_owned(), &keyring, Category::Configuration),
                (unreachable, &keyring, Category::Network),
                (sandbox.url(), &keyring, Category::Rejected),
                (sandbox.url(), &wrong_keyring, Category::OutcomeUnknown),
            ] {
                let client =
                    Client::builder(Environment::BaseUrl(url), sandbox.partner_id(), client_keyring.clone()).build();
                let error = match client {
                    Ok(client) => client.send(&QueryCardBalance::new("no such card")).await.unwrap_err(),
                    Err(error) => error,
                };
                assert_eq!(Failure::from(error).category(), category);
            }
        });
    }

    #[test]
    fn categories_have_the_documented_exit_codes() {
        let numbers = [
            (Category::Usage, 2),
            (Category::Configuration, 3),
            (Category::NotAuthentic, 4),
            (Category::Network, 5),
            (Category::Rejected, 6),
            (Category::OutcomeUnknown, 7),
            (Category::Differences, 8),
        ];
        for (category, number) in numbers {
            assert_eq!(category as u8, number);
            assert!(HELP.contains(&format!("{number} ")), "{HELP}");
        }
    }
}
