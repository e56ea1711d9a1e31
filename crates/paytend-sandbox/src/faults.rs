//! Fault injection.

use std::str::FromStr;

use paytend_crypto::{OsRandom, RandomSource};
use paytend_model::{Operation, Product};
use serde::{Deserialize, Serialize};

/// A kind of fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub enum FaultKind {
    /// The sandbox waits this many milliseconds, then carries out the request and responds.
    Latency {
        /// The delay in milliseconds, measured on the machine's clock.
        millis: u64,
    },
    /// The sandbox sends no response and keeps the connection open. The request is not carried out.
    Hang,
    /// The connection is closed without a response. The request is not carried out.
    ResetBefore,
    /// The request **is** carried out, and then the connection is closed without a response.
    ResetAfter,
    /// The request is carried out, and only half of the response is sent.
    HalfBody,
    /// The response is an HTML page with status 502, as from a proxy. The request is not carried out.
    Html502,
    /// The request is carried out, and the response reports success without a signature, so it is not authenticated.
    UnsignedSuccess,
    /// The signature of the response or the notification is corrupted. Requests are still carried out.
    WrongSignature,
    /// The response or the notification is signed with an unknown key. Requests are still carried out.
    WrongKey,
    /// The response or the notification is signed with the key that Paytend had before the last rotation. Requests are
    /// still carried out. If there was no rotation, an unknown key is used.
    StaleKey,
    /// The response has status 429 and a `Retry-After` header. The request is not carried out.
    RateLimit,
    /// The notifications that the request causes are posted before the response is sent.
    NotificationFirst,
    /// The request is carried out even if its `requestId` was used before. A topup is carried out even if its `orderNo`
    /// was used before, and moves the money again. Without this fault, the sandbox refuses such requests.
    ExecuteDuplicate,
    /// The notification is posted twice.
    Duplicate,
    /// The notification is posted after the next pending notification, or one second later if none is pending.
    Reorder,
    /// The notification is posted after a delay.
    Late {
        /// The delay in milliseconds, measured on the sandbox's clock.
        millis: u64,
    },
    /// The times in a PayBy or PayerMax notification, or in the `Date` header of a response, are shifted into the past
    /// or the future.
    ClockSkew {
        /// The shift in milliseconds; negative for the past.
        millis: i64,
    },
}

impl FaultKind {
    /// Returns whether this fault applies to notifications (if `notification` is `true`) or to requests (if `false`).
    fn applies_to(&self, notification: bool) -> bool {
        match self {
            Self::Duplicate | Self::Reorder | Self::Late { .. } => notification,
            Self::ClockSkew { .. } | Self::WrongSignature | Self::WrongKey | Self::StaleKey => true,
            _ => !notification,
        }
    }
}

/// A fault, and the operations or notifications that it applies to.
///
/// # Examples
///
/// ```
/// use paytend_model::issuing::Topup;
/// use paytend_sandbox::{Fault, FaultKind};
///
/// let fault = Fault::on::<Topup>(FaultKind::ResetAfter).once();
/// let same: Fault = "/issuing/card/topup:resetAfter:next".parse()?;
/// assert_eq!(fault, same);
/// // A name selects the same operation as its path.
/// assert!("topup:resetAfter:next".parse::<Fault>().is_ok());
/// assert!("toppup:resetAfter:next".parse::<Fault>().is_err());
/// # Ok::<(), paytend_sandbox::FaultError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Fault {
    /// The target: the name (`topup`) or path of an operation, or `*` for all operations.
    ///
    /// Notifications are named `notify baas 2`, `notify payby` or `notify *`.
    pub(crate) on: String,
    /// The kind of fault.
    pub(crate) fault: FaultKind,
    /// The percentage of matching calls or notifications that the fault applies to, from 0 to 100.
    #[serde(default = "always")]
    pub(crate) percent: u8,
    /// How many more times the fault applies; `None` for no limit.
    #[serde(default)]
    pub(crate) times: Option<u32>,
}

fn always() -> u8 {
    100
}

impl Fault {
    /// Creates a fault that applies to every call to an operation.
    pub fn on<O: Operation>(fault: FaultKind) -> Self {
        Self::new(O::INFO.path, fault)
    }

    /// Creates a fault that applies to every call to a path, such as `/issuing/card/limits`.
    pub fn on_path(path: impl Into<String>, fault: FaultKind) -> Self {
        Self::new(path, fault)
    }

    /// Creates a fault that applies to every call.
    pub fn on_all_calls(fault: FaultKind) -> Self {
        Self::new("*", fault)
    }

    /// Creates a fault that applies to Paytend's notifications for a product and type.
    pub fn on_notification(product: Product, notify_type: &str, fault: FaultKind) -> Self {
        Self::new(format!("notify {product} {notify_type}"), fault)
    }

    /// Creates a fault that applies to PayBy's notifications.
    pub fn on_payby(fault: FaultKind) -> Self {
        Self::new("notify payby", fault)
    }

    /// Creates a fault that applies to PayerMax's notifications.
    pub fn on_payermax(fault: FaultKind) -> Self {
        Self::new("notify payermax", fault)
    }

    /// Creates a fault that applies to every notification.
    pub fn on_all_notifications(fault: FaultKind) -> Self {
        Self::new("notify *", fault)
    }

    fn new(on: impl Into<String>, fault: FaultKind) -> Self {
        Self { on: on.into(), fault, percent: 100, times: None }
    }

    /// Limits the fault to the next call or notification.
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Limits the fault to this many calls or notifications.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Sets the percentage of calls or notifications that the fault applies to.
    #[must_use]
    pub fn percent(self, percent: u8) -> Self {
        Self { percent: percent.min(100), ..self }
    }
}

/// The error returned if a fault is invalid. The message states the reason and can contain an example.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid fault: {0}")]
pub struct FaultError(String);

impl FaultError {
    fn form() -> Self {
        Self(
            "use ON:KIND[:DURATION][:next|:times=N][:percent=N], such as topup:resetAfter:next or \
             \"notify baas 2:late:60s\""
                .to_owned(),
        )
    }
}

impl Fault {
    /// Checks that the target exists, that this kind of fault can apply to it, and that the percentage is at most 100.
    pub(crate) fn checked(self) -> Result<Self, FaultError> {
        let notification = self.on.strip_prefix("notify ");
        let known = match notification {
            Some("*" | "payby" | "payermax") => true,
            Some(name) => matches!(name.split_once(' '), Some(("baas" | "issuing", kind)) if !kind.is_empty()),
            None if self.on == "*" || self.on.starts_with('/') => true,
            None => paytend_model::operations().iter().any(|entry| entry.info.name == self.on),
        };
        if !known {
            return Err(FaultError(format!(
                "unknown target `{}`; use the name or path of an operation, `notify baas 2`, `notify payby` or `*`",
                self.on
            )));
        }
        if !self.fault.applies_to(notification.is_some()) {
            let what = if notification.is_some() { "notifications" } else { "calls" };
            return Err(FaultError(format!("this fault does not apply to {what}")));
        }
        if self.percent > 100 { Err(FaultError("percent must be at most 100".into())) } else { Ok(self) }
    }
}

/// Parses a duration such as `90s`, `15h`, `3d` or `1h30m`, and returns it in milliseconds. A day has 24 hours.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let span: jiff::Span = text.parse().ok()?;
    let duration = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
    duration.as_millis().try_into().ok()
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut parts = text.split(':');
        let (on, kind) = (parts.next().ok_or_else(FaultError::form)?, parts.next().ok_or_else(FaultError::form)?);
        let mut parts = parts.peekable();
        let mut object = serde_json::json!({ "kind": kind });
        if let Some(millis) = parts.peek().and_then(|part| part.parse().ok().or_else(|| duration(part))) {
            object["millis"] = millis.into();
            parts.next();
        }
        let kind = serde_json::from_value(object).map_err(|_| FaultError::form())?;
        let mut fault = Self::new(on, kind);
        for part in parts {
            fault = match part.split_once('=') {
                None if part == "next" => fault.once(),
                Some(("times", times)) => fault.times(times.parse().map_err(|_| FaultError::form())?),
                Some(("percent", percent)) => {
                    fault.percent(percent.parse().ok().filter(|percent| *percent <= 100).ok_or_else(FaultError::form)?)
                }
                _ => return Err(FaultError::form()),
            };
        }
        fault.checked()
    }
}

/// The active faults.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    set: Vec<Fault>,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.set.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.set.clear();
    }

    pub(crate) fn all(&self) -> &[Fault] {
        &self.set
    }

    /// Returns the faults that apply to a request, and decrements their remaining uses.
    pub(crate) fn of_call(&mut self, path: &str, name: Option<&str>) -> Vec<FaultKind> {
        self.take(false, |on| on == "*" || on == path || Some(on) == name)
    }

    /// Returns the faults that apply to a notification, and decrements their remaining uses.
    pub(crate) fn of_notification(&mut self, name: &str, postponed: bool) -> Vec<FaultKind> {
        let is_meant = |on: &str| on.strip_prefix("notify ").is_some_and(|on| on == "*" || on == name);
        // A notification that was already postponed is not postponed again.
        let postpones = |fault: &Fault| matches!(fault.fault, FaultKind::Late { .. } | FaultKind::Reorder);
        let (mut spared, others) = self.set.drain(..).partition(|fault| postponed && postpones(fault));
        self.set = others;
        let taken = self.take(true, is_meant);
        self.set.append(&mut spared);
        taken
    }

    fn take(&mut self, notification: bool, is_meant: impl Fn(&str) -> bool) -> Vec<FaultKind> {
        let mut taken = Vec::new();
        for fault in &mut self.set {
            if !is_meant(&fault.on)
                || !fault.fault.applies_to(notification)
                || fault.times == Some(0)
                || !chance(fault.percent)
            {
                continue;
            }
            if let Some(times) = &mut fault.times {
                *times -= 1;
            }
            taken.push(fault.fault.clone());
        }
        self.set.retain(|fault| fault.times != Some(0));
        taken
    }
}

/// Returns `true` with the given probability, in percent.
fn chance(percent: u8) -> bool {
    let mut random = [0u8; 4];
    // If no random bytes are available, the fault does not apply.
    percent >= 100 || (OsRandom.fill(&mut random).is_ok() && chosen(percent, u32::from_le_bytes(random)))
}

/// Returns whether a random number falls within the given percentage.
fn chosen(percent: u8, random: u32) -> bool {
    random % 100 < u32::from(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_is_parsed_and_invalid_syntax_is_rejected() {
        let fault: Fault = "topup:resetAfter:next".parse().unwrap();
        assert_eq!(fault, Fault::new("topup", FaultKind::ResetAfter).once());
        let fault: Fault = "notify baas 2:late:60000:times=3:percent=50".parse().unwrap();
        assert_eq!(fault, Fault::new("notify baas 2", FaultKind::Late { millis: 60_000 }).times(3).percent(50));
        assert_eq!("notify baas 2:late:1m:times=3:percent=50".parse(), Ok(fault));
        let latency: Fault = "topup:latency:1h30m".parse().unwrap();
        assert_eq!(latency, Fault::new("topup", FaultKind::Latency { millis: 5_400_000 }));
        for bad in [
            "",
            "topup",
            "topup:explode",
            "topup:late",
            ":hang",
            "a:hang:percent=101",
            "a:hang:often",
            "a:latency:-1",
            "topup:latency:1y",
            "topup:latency:-1s",
            "topup:latency:soon",
            "topup:latency:99999999999999999999d",
        ] {
            assert!(bad.parse::<Fault>().is_err(), "{bad}");
        }
    }

    #[test]
    fn fault_applies_to_its_target_the_configured_number_of_times() {
        let mut faults = Faults::default();
        faults.add(Fault::new("topup", FaultKind::Hang).times(2));
        faults.add(Fault::new("notify *", FaultKind::Duplicate));
        faults.add(Fault::new("*", FaultKind::Html502).percent(0));
        assert!(faults.of_call("/x", Some("getCardBalance")).is_empty());
        for expected in [1, 1, 0] {
            assert_eq!(faults.of_call("/issuing/card/topup", Some("topup")).len(), expected);
        }
        assert_eq!(faults.all().len(), 2);
        assert_eq!(faults.of_notification("baas 2", false), [FaultKind::Duplicate]);
        // A fault for requests does not apply to notifications.
        faults.add(Fault::new("notify *", FaultKind::Hang));
        assert_eq!(faults.of_notification("payby", false).len(), 1);
    }

    #[test]
    fn fault_applies_to_about_the_given_percentage_of_calls() {
        let random = paytend_vectors::Seeded::new();
        let often = |percent| (0..2000).filter(|_| chosen(percent, (random.next() >> 32) as u32)).count();
        // The tolerance is seven standard deviations.
        assert!((450..=750).contains(&often(30)));
        assert_eq!((often(0), often(100)), (0, 2000));
        assert!(chance(100) && !chance(0));
    }
}
