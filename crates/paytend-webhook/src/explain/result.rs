//! Explanation results.

use std::fmt;

use zeroize::Zeroizing;

use super::finding::{Certainty, Finding};
use super::fixes::Subject;
use super::known_keys::KnownKeys;

/// The verdict on a message: whether it is authentic, and the findings.
///
/// ```
/// use paytend_webhook::explain::{Explanation, Verdict};
///
/// fn line(explanation: &Explanation) -> String {
///     match explanation.verdict() {
///         Verdict::Authentic => "authentic".to_owned(),
///         Verdict::AuthenticBut(findings) => format!("authentic, but {} findings", findings.len()),
///         Verdict::NotAuthentic(findings) => format!("not authentic: {} findings", findings.len()),
///         _ => "unknown".to_owned(),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict<'a> {
    /// The signature is valid, and there are no findings.
    Authentic,
    /// The signature is valid, but a receiver may reject or misread the message for another reason.
    AuthenticBut(&'a [Finding]),
    /// The signature is not valid for the message as received.
    NotAuthentic(&'a [Finding]),
}

/// The result of explaining a message.
#[derive(Clone)]
pub struct Explanation {
    pub(super) subject: Subject,
    pub(super) authentic: bool,
    pub(super) findings: Vec<Finding>,
    pub(super) here: Option<Zeroizing<Vec<u8>>>,
    pub(super) signed: Option<Zeroizing<Vec<u8>>>,
}

impl Explanation {
    pub(super) fn start(subject: Subject, keys: &KnownKeys) -> Self {
        let findings = keys.notes.iter().cloned().chain(keys.same_pairs()).collect();
        Self { subject, authentic: false, findings, here: None, signed: None }
    }

    pub(super) fn find(&mut self, finding: Finding) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Returns the verdict.
    pub fn verdict(&self) -> Verdict<'_> {
        match (self.authentic, self.findings.is_empty()) {
            (true, true) => Verdict::Authentic,
            (true, false) => Verdict::AuthenticBut(&self.findings),
            (false, _) => Verdict::NotAuthentic(&self.findings),
        }
    }

    /// Returns whether the signature is valid for the message as received, regardless of other findings.
    pub fn authentic(&self) -> bool {
        self.authentic
    }

    /// Returns the findings, in the order in which a receiver would encounter them.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Returns the text that should have been signed, as far as it could be reconstructed. The text is secret, because
    /// it contains the session key and the payload.
    pub fn expected_text(&self) -> Option<&[u8]> {
        self.here.as_deref().map(Vec::as_slice)
    }

    /// Returns the text that was actually signed, if it was found. The text is secret, like
    /// [`expected_text`](Self::expected_text).
    pub fn signed_text(&self) -> Option<&[u8]> {
        self.signed.as_deref().map(Vec::as_slice)
    }

    /// Returns the fixes for the findings, each in a single line. The fixes for a request are for its sender; all
    /// others are for the receiver.
    pub fn fixes(&self) -> Vec<&'static str> {
        let mut fixes = Vec::new();
        for fix in self.findings.iter().flat_map(|finding| finding.fixes_for(self.subject)) {
            if !fixes.contains(&fix) {
                fixes.push(fix);
            }
        }
        fixes
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.verdict() {
            Verdict::Authentic => "The message is authentic.",
            Verdict::AuthenticBut(_) => "The message is authentic, but:",
            Verdict::NotAuthentic(_) => "The message is not authentic.",
        })?;
        for finding in &self.findings {
            match finding.certainty() {
                Certainty::Proven => write!(f, "\n- {finding}")?,
                Certainty::Possible => write!(f, "\n- possibly: {finding}")?,
            }
        }
        self.fixes().iter().try_for_each(|fix| write!(f, "\n  fix: {fix}"))
    }
}

impl fmt::Debug for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explanation")
            .field("authentic", &self.authentic)
            .field("findings", &self.findings)
            .finish_non_exhaustive()
    }
}
