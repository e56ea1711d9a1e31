//! The `Display` and `Debug` output of an error: its operation and outcome, but no business data.

use std::fmt;

use super::Error;
use super::kind::{ErrorKind, Outcome};
use crate::error::foreign::Foreign;
use crate::error::mismatch::Mismatch;
use crate::error::time_limit::TimeLimit;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = &self.0.operation {
            write!(f, "{operation}: ")?;
        }
        f.write_str(match self.0.kind {
            ErrorKind::Configuration => "invalid client configuration",
            ErrorKind::Request => "invalid request",
            ErrorKind::Connect => "cannot connect",
            ErrorKind::Mismatch => "the response belongs to another request",
            ErrorKind::Timeout => "no response in time",
            ErrorKind::Transport => "the connection broke",
            ErrorKind::Rejected => "rejected by Paytend",
            ErrorKind::UnsignedFailure => "unsigned error response; check the keys and the partner ID",
            ErrorKind::InvalidResponse => "not an authentic response",
            ErrorKind::Data => "authentic response with missing or unexpected data",
        })?;
        if let Some(failure) = self.0.connect {
            write!(f, " ({failure})")?;
        }
        if let Some(source) = self.shown_source() {
            let separator = if source.is::<Foreign>() { ", but" } else { ":" };
            write!(f, "{separator} {source}")?;
        }
        match self.0.outcome {
            Outcome::Unknown if self.0.mutation => f.write_str("; the request may have been carried out")?,
            Outcome::NotSent if self.0.operation.is_some() => f.write_str("; nothing was sent")?,
            _ => {}
        }
        if let Some(code) = self.api_code() {
            // At most 16 letters and digits are shown, because codes are short and a longer value is free text that may
            // contain personal data.
            let shown: String = code.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
            write!(f, " (respCode {shown})")?;
        }
        if let Some(status) = self.0.http_status.filter(|status| *status != 200) {
            write!(f, " (HTTP {status})")?;
        }
        if let Some(id) = &self.0.request_id {
            write!(f, " [requestId {id}]")?;
        }
        Ok(())
    }
}

impl Error {
    /// Returns the `respCode` and the `respMsg` of the response in a form that is safe to log.
    ///
    /// The result is one line of at most 200 characters. E-mail addresses and words with five or more digits are
    /// replaced by `***`.
    ///
    /// Personal names are not replaced, so do not log the result if your API's messages contain them.
    ///
    /// ```no_run
    /// # async fn example(client: &paytend_client::Client, topup: &paytend_model::issuing::Topup) {
    /// if let Err(error) = client.send(topup).await {
    ///     eprintln!("{error}: {}", error.detail().unwrap_or_default());
    /// }
    /// # }
    /// ```
    pub fn detail(&self) -> Option<String> {
        self.0.api.as_ref().map(|(code, message)| detail(code, message))
    }

    /// Returns the source if `Display` includes its message. Only sources whose messages show no values are included.
    pub(super) fn shown_source(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        let source = self.0.source.as_deref()?;
        let without_values = matches!(self.0.kind, ErrorKind::Configuration | ErrorKind::Request)
            || source.is::<Foreign>()
            || source.is::<TimeLimit>()
            || source.is::<Mismatch>();
        without_values.then_some(source)
    }
}

/// Returns the provider's code and message as one line, without control characters, e-mail addresses or long numbers.
fn detail(code: &str, message: &str) -> String {
    let masked = |word: &str| match word {
        _ if word.contains('@') || word.chars().filter(char::is_ascii_digit).count() > 4 => "***".to_owned(),
        _ => word.chars().map(|c| if c.is_control() { '?' } else { c }).collect(),
    };
    let words = std::iter::once(code).chain(message.split_whitespace()).map(masked);
    let text = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    text.chars().take(DETAIL_CHARS).collect()
}

/// The maximum length of [`Error::detail`], in characters.
const DETAIL_CHARS: usize = 200;

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("outcome", &self.outcome())
            .field("operation", &self.0.operation)
            .field("request_id", &self.0.request_id)
            .field("attempts", &self.0.attempts)
            .field("http_status", &self.0.http_status)
            .field("body_bytes", &self.0.body.as_ref().map(Vec::len))
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}
