//! The message that stores a notification. Its headers contain the facts, and its body contains the encrypted content.

use async_nats::HeaderMap;
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use paytend_inbox::{Erasure, Facts, Kind, Mac, Route, SealedPayload, StoreError, StoreErrorKind};
use serde::{Deserialize, Serialize};

use crate::error::configuration;
use crate::record::{Record, UNREADABLE_KIND};

/// The header that contains the facts, as JSON.
pub(crate) const FACTS: &str = "Paytend-Facts";
/// The header that contains the time of receipt by the store's clock, in milliseconds since the Unix epoch.
pub(crate) const RECEIVED: &str = "Paytend-Received";
/// The header that identifies the operation that published a message. If the response is lost, the publisher recognizes
/// its message by this header.
pub(crate) const OPERATION: &str = "Paytend-Operation";

/// The maximum size of the facts. The servers refuse messages with more than 65,535 bytes of headers.
const MAX_FACTS: usize = 64_000;
const NONCE: usize = 24;
/// The minimum size of a body, in bytes. A body begins with the key ID and the nonce.
pub(crate) const MIN_BODY: usize = 4 + NONCE;

/// The stored form of the facts about a notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredFacts {
    #[serde(with = "mac")]
    dedup: Mac,
    #[serde(with = "mac")]
    content_tag: Mac,
    route: String,
    kind: String,
    notify_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    business_kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) business_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    business_state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_mac")]
    pub(crate) order_key: Option<Mac>,
    verified_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent_at: Option<i64>,
}

impl From<&Facts> for StoredFacts {
    fn from(facts: &Facts) -> Self {
        Self {
            dedup: facts.dedup,
            content_tag: facts.content_tag,
            route: facts.route.as_str().to_owned(),
            kind: facts.kind.as_str().to_owned(),
            notify_type: facts.notify_type.clone(),
            business_kind: facts.business_kind.clone(),
            business_id: facts.business_id.clone(),
            business_state: facts.business_state.clone(),
            order_key: facts.order_key,
            verified_by: facts.verified_by.clone(),
            traceparent: facts.traceparent.clone(),
            sent_at: facts.sent_at,
        }
    }
}

impl StoredFacts {
    /// Returns whether an erasure selects the notification. If the route of the notification is unknown, only an
    /// erasure without filters selects it.
    pub(crate) fn is_selected(&self, erasure: &Erasure) -> bool {
        let selects = |route| erasure.selects(route, &Kind::from_stored(self.kind.clone()));
        self.business_id.as_deref() == Some(erasure.business_id())
            && (erasure.selects_all() || self.route.parse().is_ok_and(selects))
    }

    pub(crate) fn erase(&mut self) {
        (self.business_id, self.business_state, self.order_key) = (None, None, None);
    }

    pub(crate) fn into_facts(self) -> Result<Facts, StoreError> {
        let route: Route = self.route.parse().map_err(|_| corrupt())?;
        let kind = Kind::from_stored(self.kind);
        let mut facts = Facts::new(self.dedup, self.content_tag, route, kind, self.notify_type);
        facts.business_kind = self.business_kind;
        facts.business_id = self.business_id;
        facts.business_state = self.business_state;
        facts.order_key = self.order_key;
        facts.verified_by = self.verified_by;
        facts.traceparent = self.traceparent;
        facts.sent_at = self.sent_at;
        Ok(facts)
    }
}

/// The headers of a stored notification.
pub(crate) struct Headers {
    pub(crate) facts: StoredFacts,
    pub(crate) received_at: i64,
}

impl Headers {
    /// Reads the headers of a message whose subject contains this dedup key.
    pub(crate) fn read(headers: &HeaderMap, dedup: Mac) -> Result<Self, StoreError> {
        let text = |name: &str| headers.get(name).map(|value| value.as_str()).ok_or_else(corrupt);
        let facts: StoredFacts = serde_json::from_str(text(FACTS)?).map_err(|_| corrupt())?;
        let received_at = text(RECEIVED)?.parse().map_err(|_| corrupt())?;
        if facts.dedup == dedup { Ok(Self { facts, received_at }) } else { Err(corrupt()) }
    }

    /// Returns the record of a notification that was never attempted, even if the headers cannot be read. `stored_at`
    /// is the time at which the message was stored.
    pub(crate) fn first_record(headers: Option<&HeaderMap>, dedup: Mac, id: i64, stored_at: i64) -> Record {
        match headers.ok_or_else(corrupt).and_then(|headers| Self::read(headers, dedup)) {
            Ok(Self { facts, received_at }) => Record::new(id, facts.kind, facts.order_key, received_at),
            Err(_) => Record::new(id, UNREADABLE_KIND.to_owned(), None, stored_at),
        }
    }
}

/// Returns the message that stores a notification.
pub(crate) fn notification(
    facts: &Facts,
    received_at: i64,
    sealed: &SealedPayload,
) -> Result<PublishMessage, StoreError> {
    let facts = serde_json::to_string(&StoredFacts::from(facts)).map_err(|_| corrupt())?;
    let mut body = Vec::with_capacity(MIN_BODY + sealed.ciphertext.len());
    body.extend_from_slice(&sealed.key_id.to_be_bytes());
    body.extend_from_slice(&sealed.nonce);
    body.extend_from_slice(&sealed.ciphertext);
    let facts = ascii(&facts);
    if facts.len() > MAX_FACTS {
        return Err(configuration(format!(
            "the facts of the notification, such as its business ID, are longer than {MAX_FACTS} characters: NATS \
             cannot store them"
        )));
    }
    let mut headers = HeaderMap::new();
    headers.insert(FACTS, facts);
    headers.insert(RECEIVED, received_at.to_string());
    Ok(PublishMessage::build().headers(headers).payload(Bytes::from(body)))
}

/// Reads the body of a stored notification.
pub(crate) fn content(body: &[u8]) -> Result<SealedPayload, StoreError> {
    let (key_id, rest) = body.split_first_chunk::<4>().ok_or_else(corrupt)?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>().ok_or_else(corrupt)?;
    Ok(SealedPayload { key_id: u32::from_be_bytes(*key_id), nonce: *nonce, ciphertext: ciphertext.to_vec() })
}

/// Escapes the non-ASCII characters in a JSON text, because some clients support only ASCII in headers.
fn ascii(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for letter in json.chars() {
        if (' '..='~').contains(&letter) {
            escaped.push(letter);
        } else {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

pub(crate) fn corrupt() -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, "the store contains an unexpected value")
}

/// Returns the dedup key that the subject of a notification or a record contains.
pub(crate) fn dedup_of(subject: &str) -> Option<Mac> {
    subject.rsplit('.').next().and_then(parse_mac)
}

/// Reads a value of 64 hexadecimal digits.
pub(crate) fn parse_mac(text: &str) -> Option<Mac> {
    let mut bytes = [0; 32];
    let decoded = base16ct::lower::decode(text, &mut bytes).ok()?;
    (decoded.len() == 32).then(|| Mac::from_bytes(bytes))
}

pub(crate) mod mac {
    use paytend_inbox::Mac;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(mac: &Mac, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(mac)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mac, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::parse_mac(&text).ok_or_else(|| serde::de::Error::custom("expected 64 hexadecimal digits"))
    }
}

pub(crate) mod optional_mac {
    use paytend_inbox::Mac;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(mac: &Option<Mac>, serializer: S) -> Result<S::Ok, S::Error> {
        match mac {
            Some(mac) => serializer.collect_str(mac),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Mac>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let parse = |text: String| super::parse_mac(&text).ok_or_else(|| serde::de::Error::custom("invalid key"));
        text.map(parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_round_trip_in_ascii_headers() {
        let mac = |byte| Mac::from_bytes([byte; 32]);
        let kind = Kind::named("fund-deposit");
        let mut facts = Facts::new(mac(1), mac(2), Route::PaytendBaas, kind, "2".into());
        facts.business_id = Some("\u{e9}\u{1f600}\r\n\u{7f}\"\\".into());
        facts.order_key = Some(mac(3));
        facts.sent_at = Some(-5);
        let sealed = SealedPayload { key_id: 7, nonce: [9; 24], ciphertext: vec![1, 2, 3] };
        let message = notification(&facts, 1_700_000_000_123, &sealed).unwrap().outbound_message("subject");
        let headers = message.headers.unwrap();
        assert!(headers.get(FACTS).unwrap().as_str().bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let read = Headers::read(&headers, mac(1)).unwrap();
        assert_eq!((read.facts.into_facts().unwrap(), read.received_at), (facts, 1_700_000_000_123));
        assert_eq!(content(&message.payload).unwrap(), sealed);
        assert!(content(&[0; 27]).is_err() && Headers::read(&HeaderMap::new(), mac(1)).is_err());
        assert!(Headers::read(&headers, mac(2)).is_err(), "a different notification");
        let first = |headers, id| Headers::first_record(headers, mac(1), id, 77);
        assert_eq!((first(Some(&headers), 4).order_key, first(Some(&headers), 4).id), (Some(mac(3)), 4));
        assert_eq!((first(None, 4).kind.as_str(), first(None, 4).received_at), (UNREADABLE_KIND, 77));
    }

    #[test]
    fn facts_that_do_not_fit_in_the_headers_are_refused() {
        let mac = |byte| Mac::from_bytes([byte; 32]);
        let sealed = SealedPayload { key_id: 7, nonce: [9; 24], ciphertext: Vec::new() };
        let of_length = |length: usize| {
            let mut facts = Facts::new(mac(1), mac(2), Route::PaytendBaas, Kind::named("fund-deposit"), "2".into());
            facts.business_id = Some("\u{e9}".repeat(length));
            notification(&facts, 0, &sealed)
        };
        assert!(of_length(10_000).is_ok());
        let error = of_length(11_000).unwrap_err();
        assert!(error.to_string().contains("longer than 64000 characters"), "{error}");
    }

    #[test]
    fn only_64_lower_case_hex_digits_are_a_valid_key() {
        assert!(parse_mac(&"0a".repeat(32)).is_some());
        for text in ["", "0a", &"0A".repeat(32), &"0a".repeat(33), &"zz".repeat(32)] {
            assert!(parse_mac(text).is_none(), "{text}");
        }
    }
}
