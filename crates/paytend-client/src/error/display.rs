//! How an error is shown: with its operation and outcome, and without values.

use std::fmt;

use super::{Error, ErrorKind, Outcome};
use crate::foreign::Foreign;
use crate::subject::Mismatch;

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
            ErrorKind::Answer => "not an authentic response",
            ErrorKind::Data => "authentic response with missing or unexpected data",
        })?;
        // Configuration and request errors contain no values, so they are shown.
        if let (ErrorKind::Configuration | ErrorKind::Request, Some(source)) = (self.0.kind, &self.0.source) {
            write!(f, ": {source}")?;
        }
        if let Some(failure) = self.0.connect {
            write!(f, " ({failure})")?;
        }
        // The text of `Foreign` describes the response, and quotes nothing from it.
        if let Some(foreign) = self.0.source.as_ref().and_then(|source| source.downcast_ref::<Foreign>()) {
            write!(f, ", but {foreign}")?;
        }
        if let Some(limit) = self.time_limit() {
            write!(f, ": {limit}")?;
        }
        if let Some(mismatch) = self.0.source.as_ref().and_then(|source| source.downcast_ref::<Mismatch>()) {
            write!(f, ": {mismatch}")?;
        }
        match self.0.outcome {
            Outcome::Unknown if self.0.mutation => f.write_str("; the request may have been carried out")?,
            Outcome::NotSent if self.0.operation.is_some() => f.write_str("; nothing was sent")?,
            _ => {}
        }
        if let Some(code) = self.api_code() {
            // Codes are short. Anything longer is free text, which must not be shown.
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
