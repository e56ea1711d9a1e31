//! Checks that acknowledged notifications cannot be lost because of the servers' versions or settings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use async_nats::jetstream::stream::{Config, ConsumerLimits, DiscardPolicy, Info, RetentionPolicy, StorageType};
use async_nats::{Client, Subscriber};
use futures_util::StreamExt as _;
use paytend_inbox::StoreError;
use serde::Deserialize;
use tokio::time::Instant;

use crate::error::{configuration, too_slow, unavailable};

/// The minimum version of each supported series. Earlier versions have known bugs that lose acknowledged messages.
const MIN_VERSIONS: [Version; 2] = [Version(2, 12, 12), Version(2, 14, 5)];
/// The timeout for collecting the servers' reports.
const REPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// The request for the JetStream settings of every server. Only users of the system account are allowed to send it.
const REQUEST: &str = "$SYS.REQ.SERVER.PING.JSZ";
const READ_SETTINGS: &str = "read the settings of the servers";

/// The values that a stream without consumer limits has in its settings.
const NO_CONSUMER_LIMITS: ConsumerLimits = ConsumerLimits { inactive_threshold: Duration::ZERO, max_ack_pending: 0 };

/// The version of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u64, u64, u64);

impl Version {
    /// Parses a version. A release candidate counts as the patch release before it. Returns `None` for a release
    /// candidate of a version that ends with `.0`.
    fn parse(text: &str) -> Option<Self> {
        let (numbers, candidate) = text.split_once('-').map_or((text, false), |(numbers, _)| (numbers, true));
        let mut parts = numbers.split('.').map(|part| part.parse::<u64>().ok());
        let (major, minor, patch) = (parts.next()??, parts.next()??, parts.next()??);
        let patch = if candidate { patch.checked_sub(1)? } else { patch };
        parts.next().is_none().then_some(Self(major, minor, patch))
    }

    fn is_supported(self) -> bool {
        let [first, last] = MIN_VERSIONS;
        self >= last || ((self.0, self.1) == (first.0, first.1) && self >= first)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Describes why a server's version is not supported. Returns `None` if it is supported.
pub(crate) fn version_problem(server: &str, version: &str) -> Option<String> {
    if Version::parse(version).is_some_and(Version::is_supported) {
        return None;
    }
    let [first, last] = MIN_VERSIONS;
    let version: String = version.chars().filter(|c| !c.is_control()).take(40).collect();
    Some(format!(
        "the server {server} is running version {version}: it must be {first} or newer of this series, \
         or {last} or newer"
    ))
}

/// A server's report about its version and settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerReport {
    pub(crate) version: String,
    pub(crate) cluster: Option<String>,
    /// Whether each write is synced to disk before it is confirmed. `None` if JetStream is disabled.
    pub(crate) syncs_always: Option<bool>,
}

#[derive(Deserialize)]
struct Reply {
    server: ReplyServer,
    data: Option<ReplyData>,
}

#[derive(Deserialize)]
struct ReplyServer {
    name: String,
    ver: String,
    cluster: Option<String>,
}

#[derive(Deserialize)]
struct ReplyData {
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    config: ReplyConfig,
}

#[derive(Default, Deserialize)]
struct ReplyConfig {
    #[serde(default)]
    sync_always: bool,
}

fn read_reply(payload: &[u8]) -> Option<(String, ServerReport)> {
    let reply: Reply = serde_json::from_slice(payload).ok()?;
    let syncs_always = reply.data.filter(|data| !data.disabled).map(|data| data.config.sync_always);
    let ReplyServer { name, ver: version, cluster } = reply.server;
    Some((name, ServerReport { version, cluster, syncs_always }))
}

/// Sends the request to all servers, and returns their replies.
async fn request(system: &Client) -> Result<Subscriber, StoreError> {
    let inbox = system.new_inbox();
    let replies = system.subscribe(inbox.clone()).await.map_err(|error| unavailable(READ_SETTINGS, error))?;
    system.publish_with_reply(REQUEST, inbox, "".into()).await.map_err(|error| unavailable(READ_SETTINGS, error))?;
    system.flush().await.map_err(|error| unavailable(READ_SETTINGS, error))?;
    Ok(replies)
}

/// Asks all servers for their settings. Waits until the servers with these names have reported, and no other report
/// has arrived for `silence`.
pub(crate) async fn ask_servers(
    system: &Client,
    expected: &[String],
    silence: Duration,
) -> Result<BTreeMap<String, ServerReport>, StoreError> {
    let deadline = Instant::now() + REPORT_TIMEOUT;
    // The time limit also covers sending the request, which waits while the connection is down.
    let mut replies =
        tokio::time::timeout_at(deadline, request(system)).await.map_err(|_| too_slow(READ_SETTINGS))??;
    let mut reports = BTreeMap::new();
    loop {
        let complete = !reports.is_empty() && expected.iter().all(|name| reports.contains_key(name));
        let until = if complete { deadline.min(Instant::now() + silence) } else { deadline };
        match tokio::time::timeout_at(until, replies.next()).await {
            Ok(Some(reply)) if reply.status.is_some() => {
                return Err(configuration(
                    "the login for the system account cannot read the settings of the servers: it must be a user of \
                     the system account that may publish to $SYS.REQ.SERVER.PING.JSZ",
                ));
            }
            Ok(Some(reply)) => reports.extend(read_reply(&reply.payload)),
            Ok(None) | Err(_) if reports.is_empty() => return Err(too_slow(READ_SETTINGS)),
            Ok(None) | Err(_) => return Ok(reports),
        }
    }
}

/// Returns the names of all JetStream servers in this server's cluster.
pub(crate) fn neighbours(reports: &BTreeMap<String, ServerReport>, server: &str) -> Vec<String> {
    let cluster = reports.get(server).map(|report| &report.cluster);
    let in_cluster = reports.iter().filter(|(_, report)| {
        report.syncs_always.is_some() && cluster.is_none_or(|cluster| report.cluster == *cluster)
    });
    in_cluster.map(|(name, _)| name.clone()).collect()
}

/// Returns the problems with the servers that have these names, which hold the streams or can hold new streams.
pub(crate) fn server_problems(reports: &BTreeMap<String, ServerReport>, names: &[String]) -> Vec<String> {
    let mut problems = Vec::new();
    for name in names.iter().collect::<BTreeSet<_>>() {
        let Some((report, syncs_always)) = reports.get(name).and_then(|report| Some((report, report.syncs_always?)))
        else {
            problems.push(format!("the server {name} holds the store and did not report its settings"));
            continue;
        };
        problems.extend(version_problem(name, &report.version));
        if !syncs_always {
            problems.push(format!("the server {name} must have `sync_interval: always` in its JetStream settings"));
        }
    }
    problems
}

/// Returns `true` if all servers with these names sync each write to disk, and `false` if at least one reports that it
/// does not. Otherwise, returns `None`, because some servers have not reported this setting.
pub(crate) fn sync_setting(reports: &BTreeMap<String, ServerReport>, names: &[String]) -> Option<bool> {
    let settings = || names.iter().map(|name| reports.get(name).and_then(|report| report.syncs_always));
    if settings().any(|setting| setting == Some(false)) {
        return Some(false);
    }
    settings().all(|setting| setting == Some(true)).then_some(true)
}

/// Returns how the settings of a stream differ from the settings with which this store creates streams.
pub(crate) fn stream_problems(actual: &Config, wanted: &Config) -> Vec<String> {
    let name = &wanted.name;
    let mut problems = Vec::new();
    let mut require = |is_met: bool, setting: &str| {
        if !is_met {
            problems.push(format!("the stream {name} must have {setting}"));
        }
    };
    require(actual.num_replicas >= 3, "3 or more replicas");
    require(actual.storage == StorageType::File, "file storage");
    require(actual.retention == RetentionPolicy::Limits, "the retention policy `limits`");
    require(actual.discard == DiscardPolicy::New, "the discard policy `new`");
    require(actual.max_age.is_zero(), "no maximum age");
    require(actual.max_messages_per_subject == 1, "at most 1 message per subject");
    let per_subject =
        if wanted.discard_new_per_subject { "`discard_new_per_subject`" } else { "`discard_new_per_subject` disabled" };
    require(actual.discard_new_per_subject == wanted.discard_new_per_subject, per_subject);
    require(sorted(&actual.subjects) == sorted(&wanted.subjects), "the subjects with which this store creates it");
    let is_unlimited = |limit: i64| limit <= 0;
    require(is_unlimited(actual.max_messages), "no maximum number of messages");
    require(is_unlimited(actual.max_bytes), "no maximum number of bytes");
    require(is_unlimited(actual.max_message_size.into()), "no maximum message size");
    let has_limited_consumers = actual.consumer_limits.as_ref().is_some_and(|limits| *limits != NO_CONSUMER_LIMITS);
    require(is_unlimited(actual.max_consumers.into()) && !has_limited_consumers, "no limits of consumers");
    require(actual.republish.is_none(), "no `republish`");
    require(!actual.no_ack && !actual.sealed, "acknowledgements");
    require(actual.mirror.is_none() && actual.sources.is_none(), "no sources");
    require(actual.subject_transform.is_none() && !actual.allow_message_ttl, "no transforms and no message TTLs");
    require(!actual.deny_delete && actual.allow_direct, "`allow_direct` and message deletion enabled");
    problems
}

fn sorted(subjects: &[String]) -> Vec<&String> {
    let mut subjects: Vec<_> = subjects.iter().collect();
    subjects.sort();
    subjects
}

/// Returns the names of the servers that hold a stream and are online.
pub(crate) fn holders(info: &Info) -> Vec<String> {
    let Some(cluster) = &info.cluster else { return Vec::new() };
    let followers = cluster.replicas.iter().filter(|peer| !peer.offline).map(|peer| peer.name.clone());
    cluster.leader.iter().cloned().chain(followers).collect()
}

/// Returns an error that lists these problems, or `Ok` if there are none.
pub(crate) fn refuse(problems: &[String]) -> Result<(), StoreError> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(configuration(format!("the servers can lose acknowledged notifications: {}", problems.join("; "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_lose_messages_are_refused() {
        for (version, supported) in [
            ("2.9.10", false),
            ("2.12.1", false),
            ("2.12.11", false),
            ("2.12.12-RC.2", false),
            ("2.12.12", true),
            ("2.12.99", true),
            ("2.13.0", false),
            ("2.14.4", false),
            ("2.14.5-RC.1", false),
            ("2.14.5", true),
            ("2.15.0", true),
            ("2.15.0-RC.1", false),
            ("3.0.0", true),
            ("", false),
            ("2.15", false),
            ("2.15.1.1", false),
            ("v2.15.1", false),
        ] {
            assert_eq!(version_problem("a", version).is_none(), supported, "{version}");
        }
    }

    #[test]
    fn every_holder_must_report_safe_settings() {
        let report = |version: &str, cluster: &str, syncs_always| ServerReport {
            version: version.to_owned(),
            cluster: Some(cluster.to_owned()),
            syncs_always,
        };
        let names = ["a".to_owned(), "b".to_owned()];
        let mut reports: BTreeMap<_, _> =
            names.iter().map(|name| (name.clone(), report("2.15.3", "here", Some(true)))).collect();
        // Servers without JetStream, and servers in other clusters, do not hold the streams.
        reports.insert("plain".to_owned(), report("2.9.0", "here", None));
        reports.insert("far".to_owned(), report("2.9.0", "there", Some(false)));
        assert_eq!(neighbours(&reports, "a"), names);
        assert_eq!(server_problems(&reports, &names), Vec::<String>::new());
        assert_eq!(sync_setting(&reports, &names), Some(true));
        let problem = |reports: &BTreeMap<_, _>| server_problems(reports, &names).join("; ");
        reports.insert("b".to_owned(), report("2.15.3", "here", Some(false)));
        assert!(problem(&reports).contains("server b must have `sync_interval: always`"));
        assert_eq!(sync_setting(&reports, &names), Some(false));
        reports.insert("b".to_owned(), report("2.12.1", "here", Some(true)));
        assert!(problem(&reports).contains("server b is running version 2.12.1"));
        for missing in [Some(report("2.15.3", "here", None)), None] {
            reports.remove("b");
            reports.extend(missing.map(|report| ("b".to_owned(), report)));
            assert_eq!(problem(&reports), "the server b holds the store and did not report its settings");
            assert_eq!(sync_setting(&reports, &names), None);
        }
        assert_eq!(neighbours(&reports, "elsewhere"), ["a", "far"]);
    }

    #[test]
    fn server_replies_are_parsed() {
        let read = |text: &str| read_reply(text.as_bytes()).map(|(_, report)| report.syncs_always);
        let server = r#""server":{"name":"a","ver":"2.15.3"}"#;
        assert_eq!(read(&format!(r#"{{{server},"data":{{"config":{{"sync_always":true}}}}}}"#)), Some(Some(true)));
        assert_eq!(read(&format!(r#"{{{server},"data":{{"config":{{"sync_interval":1}}}}}}"#)), Some(Some(false)));
        assert_eq!(read(&format!(r#"{{{server},"data":{{"disabled":true}}}}"#)), Some(None));
        assert_eq!(read(&format!(r#"{{{server},"error":{{"code":500}}}}"#)), Some(None));
        assert_eq!(read("nonsense"), None);
    }
}
