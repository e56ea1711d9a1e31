//! Faults: what goes wrong on command.

use std::str::FromStr;

use paytend_crypto::{OsRandom, RandomSource};
use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub enum FaultKind {
    /// The answer comes so many milliseconds later. The request is carried out after them.
    Latency {
        /// Milliseconds of the machine's time.
        millis: u64,
    },
    /// There is no answer, and the connection stays open. The request is not carried out.
    Hang,
    /// The connection is closed without an answer. The request is not carried out.
    ResetBefore,
    /// The request **is** carried out, and then the connection is closed without an answer.
    ResetAfter,
    /// The request is carried out, and half of the answer is sent.
    HalfBody,
    /// A proxy's page of HTML with status 502. The request is not carried out.
    Html502,
    /// The request is carried out, and the answer is a success without signature, which proves nothing.
    UnsignedSuccess,
    /// The request is carried out, and a bit of the answer's signature is wrong.
    WrongSignature,
    /// The request is carried out, and the answer is signed by a stranger's key.
    WrongKey,
    /// The request is carried out, and the answer is signed by the key that Paytend had before the last rotation.
    StaleKey,
    /// Status 429 with Retry-After. The request is not carried out.
    RateLimit,
    /// The notifications that the request makes are posted before it is answered.
    NotificationFirst,
    /// The notification is posted twice.
    Duplicate,
    /// The notification is posted after the next one that is waiting, or a second later if none is.
    Reorder,
    /// The notification is posted so much later.
    Late {
        /// Milliseconds of the sandbox's time.
        millis: u64,
    },
    /// The times that a notification of PayBy's or PayerMax's tells, or the `Date` of an answer, are off by so much.
    ClockSkew {
        /// Milliseconds; negative for the past.
        millis: i64,
    },
}

impl FaultKind {
    /// Whether it befalls notifications, requests, or either.
    fn befalls(&self, notification: bool) -> bool {
        match self {
            Self::Duplicate | Self::Reorder | Self::Late { .. } => notification,
            Self::ClockSkew { .. } | Self::WrongSignature | Self::WrongKey | Self::StaleKey => true,
            _ => !notification,
        }
    }
}

/// A fault, and what it befalls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Fault {
    /// An operation by name (`topup`) or path, `*` for all; a notification as `notify baas 2`, `notify payby`, `notify *`.
    pub on: String,
    /// What goes wrong.
    pub fault: FaultKind,
    /// How often, of a hundred.
    #[serde(default = "always")]
    pub percent: u8,
    /// How many times in all; without an end if there is none.
    #[serde(default)]
    pub times: Option<u32>,
}

fn always() -> u8 {
    100
}

impl Fault {
    /// Befalls each call of an operation.
    pub fn new(on: impl Into<String>, fault: FaultKind) -> Self {
        Self { on: on.into(), fault, percent: 100, times: None }
    }

    /// The next one alone.
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// So many in all.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// So many of a hundred.
    #[must_use]
    pub fn percent(self, percent: u8) -> Self {
        Self { percent: percent.min(100), ..self }
    }
}

/// What is wrong with the text of a fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a fault is ON:KIND[:MILLIS][:next|:times=N][:percent=N], such as topup:resetAfter:next or \"notify baas 2:late:60000\""
)]
pub struct BadFault;

impl Fault {
    /// Whether it can befall anything.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), String> {
        let notification = self.on.strip_prefix("notify ");
        let known = match notification {
            Some("*" | "payby" | "payermax") => true,
            Some(name) => matches!(name.split_once(' '), Some(("baas" | "issuing", kind)) if !kind.is_empty()),
            None if self.on == "*" || self.on.starts_with('/') => true,
            None => paytend_model::operations().iter().any(|entry| entry.info.name == self.on),
        };
        if !known {
            return Err(format!("`{}` is no operation, and not `notify baas 2`, `notify payby` or `*`", self.on));
        }
        if !self.fault.befalls(notification.is_some()) {
            let what = if notification.is_some() { "notifications" } else { "calls" };
            return Err(format!("this fault does not befall {what}"));
        }
        if self.percent > 100 { Err("percent is 100 at most".into()) } else { Ok(()) }
    }
}

impl FromStr for Fault {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<Self, BadFault> {
        let mut parts = text.split(':');
        let (on, kind) = (parts.next().ok_or(BadFault)?, parts.next().ok_or(BadFault)?);
        let mut parts = parts.peekable();
        let mut object = serde_json::json!({ "kind": kind });
        if let Some(millis) = parts.peek().and_then(|part| part.parse::<i64>().ok()) {
            object["millis"] = millis.into();
            parts.next();
        }
        let kind = serde_json::from_value(object).map_err(|_| BadFault)?;
        let mut fault = Self::new(on, kind);
        for part in parts {
            fault = match part.split_once('=') {
                None if part == "next" => fault.once(),
                Some(("times", times)) => fault.times(times.parse().map_err(|_| BadFault)?),
                Some(("percent", percent)) => {
                    fault.percent(percent.parse().ok().filter(|percent| *percent <= 100).ok_or(BadFault)?)
                }
                _ => return Err(BadFault),
            };
        }
        fault.check().map(|()| fault).map_err(|_| BadFault)
    }
}

/// The faults that are set.
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

    /// What befalls a request of an operation.
    pub(crate) fn of_call(&mut self, path: &str, name: Option<&str>) -> Vec<FaultKind> {
        self.take(false, |on| on == "*" || on == path || Some(on) == name)
    }

    /// What befalls a notification.
    pub(crate) fn of_notification(&mut self, name: &str, postponed: bool) -> Vec<FaultKind> {
        let is_meant = |on: &str| on.strip_prefix("notify ").is_some_and(|on| on == "*" || on == name);
        // What was postponed is not postponed again.
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
                || !fault.fault.befalls(notification)
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

/// So many of a hundred.
fn chance(percent: u8) -> bool {
    let mut random = [0u8; 4];
    // Without random bytes there is nothing to choose by.
    percent >= 100 || (OsRandom.fill(&mut random).is_ok() && chosen(percent, u32::from_le_bytes(random)))
}

/// Whether a random number is among so many of a hundred.
fn chosen(percent: u8, random: u32) -> bool {
    random % 100 < u32::from(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_one_word() {
        let fault: Fault = "topup:resetAfter:next".parse().unwrap();
        assert_eq!(fault, Fault::new("topup", FaultKind::ResetAfter).once());
        let fault: Fault = "notify baas 2:late:60000:times=3:percent=50".parse().unwrap();
        assert_eq!(fault, Fault::new("notify baas 2", FaultKind::Late { millis: 60_000 }).times(3).percent(50));
        for bad in
            ["", "topup", "topup:explode", "topup:late", ":hang", "a:hang:percent=101", "a:hang:often", "a:latency:-1"]
        {
            assert_eq!(bad.parse::<Fault>(), Err(BadFault), "{bad}");
        }
    }

    #[test]
    fn a_fault_befalls_what_it_is_set_on_and_so_often() {
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
        // A request's fault does not befall notifications.
        faults.add(Fault::new("notify *", FaultKind::Hang));
        assert_eq!(faults.of_notification("payby", false).len(), 1);
    }

    #[test]
    fn chance_is_about_what_it_is_said_to_be() {
        let random = paytend_vectors::Seeded::new();
        let often = |percent| (0..2000).filter(|_| chosen(percent, (random.next() >> 32) as u32)).count();
        // Seven standard deviations.
        assert!((450..=750).contains(&often(30)));
        assert_eq!((often(0), often(100)), (0, 2000));
        assert!(chance(100) && !chance(0));
    }
}
