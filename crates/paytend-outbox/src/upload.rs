//! Uploads whose file is stored by reference. A reference contains the file's path, length and SHA-256.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use paytend_client::{Client, PreparedRequest, file_from_reader};
use paytend_model::{FileContent, Operation};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// The first bytes of the stored form. JSON follows.
const MAGIC: &[u8] = b"PTUP\x01";
/// The JSON member that contains an upload's file.
const FILE: &str = "fileContent";

/// The JSON members of a payload.
type Members = BTreeMap<String, Box<RawValue>>;

/// A file that is read when its order is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FileReference {
    path: String,
    bytes: usize,
    sha256: String,
}

impl FileReference {
    /// Reads a file and returns a reference to it. Its content must match `expected`, the content in the order.
    fn new(path: &Path, expected: &FileContent) -> io::Result<Self> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what);
        let path = std::path::absolute(path)?;
        let path = path.to_str().ok_or_else(|| invalid("the path is not valid UTF-8"))?.to_owned();
        let content = read(Path::new(&path))?;
        if content != *expected {
            return Err(invalid("the file differs from the order's content"));
        }
        Ok(Self { path, bytes: content.as_bytes().len(), sha256: sha256(&content) })
    }

    /// Reads the file again. Returns the reason if the file cannot be read or has changed. The reason does not contain
    /// the path, which can be personal data.
    fn open(&self) -> Result<FileContent, FileProblem> {
        let content = read(Path::new(&self.path)).map_err(FileProblem::new)?;
        let length = content.as_bytes().len();
        if length != self.bytes || sha256(&content) != self.sha256 {
            return Err(FileProblem::Changed(format!(
                "the upload's file has changed since the order was submitted: it had {} bytes and has {length}; \
                 nothing was sent",
                self.bytes
            )));
        }
        Ok(content)
    }
}

/// The reason why an upload's file was not read. Nothing was sent.
#[derive(Debug)]
pub(crate) enum FileProblem {
    /// A later attempt may succeed in reading the file.
    Temporary(String),
    /// The file is missing or has changed, or the request cannot be sealed.
    Changed(String),
}

impl FileProblem {
    fn new(error: io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, InvalidInput, NotFound};
        let cause = format!("the upload's file cannot be read: {error}; nothing was sent");
        match error.kind() {
            NotFound | InvalidInput | FileTooLarge => Self::Changed(cause),
            _ => Self::Temporary(cause),
        }
    }
}

fn read(path: &Path) -> io::Result<FileContent> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    // Without this flag, opening a pipe would wait for a writer.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let file = options.open(path)?;
    // Other files are refused, because reading a pipe or a device could block or never end.
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    file_from_reader(file)
}

/// Limits the number of files that are read at the same time, because reading from an unreachable file system can block
/// its thread forever.
static READS: Semaphore = Semaphore::const_new(16);

/// Runs a blocking function on a separate thread, with a time limit.
async fn read_within<T: Send + 'static>(
    limit: Duration,
    function: impl FnOnce() -> Result<T, FileProblem> + Send + 'static,
) -> Result<T, FileProblem> {
    let temporary = |cause: &str| FileProblem::Temporary(cause.to_owned());
    let reading = async {
        let permit = READS.acquire().await;
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            function()
        });
        read.await.map_err(|_| temporary("the upload's file was not read; nothing was sent"))?
    };
    let late = |_| temporary("the upload's file was not read within the time limit; nothing was sent");
    tokio::time::timeout(limit, reading).await.map_err(late)?
}

fn sha256(content: &FileContent) -> String {
    Sha256::digest(content.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Splits an upload's payload into the payload with an empty file, and the file's content. Returns `None` if the
/// payload has no file.
fn without_file<O: Operation>(payload: &str) -> Option<(String, FileContent)> {
    O::INFO.max_file_bytes?;
    let mut members: Members = serde_json::from_str(payload).ok()?;
    let content = serde_json::from_str(members.get(FILE)?.get()).ok()?;
    members.insert(FILE.to_owned(), to_raw_value("").ok()?);
    Some((serde_json::to_string(&members).ok()?, content))
}

/// Returns the parts of an order that identify its content. For an upload, they are the payload without the file and
/// the SHA-256 of the file.
pub(crate) fn content_parts<O: Operation>(payload: &str) -> Vec<Zeroizing<String>> {
    match without_file::<O>(payload) {
        Some((payload, content)) => vec![Zeroizing::new(payload), Zeroizing::new(sha256(&content))],
        None => vec![Zeroizing::new(payload.to_owned())],
    }
}

/// Returns a payload for comparisons, in which the SHA-256 replaces a file or its reference.
pub(crate) fn comparable(payload: &str) -> String {
    let mut members: Members = serde_json::from_str(payload).unwrap_or_default();
    let Some(file) = members.get(FILE) else { return payload.to_owned() };
    let sum = match serde_json::from_str::<FileReference>(file.get()) {
        Ok(reference) => Some(reference.sha256),
        Err(_) => serde_json::from_str(file.get()).ok().map(|content: FileContent| sha256(&content)),
    };
    members.extend(sum.and_then(|sum| to_raw_value(&sum).ok()).map(|sum| (FILE.to_owned(), sum)));
    serde_json::to_string(&members).unwrap_or_default()
}

/// The stored request of an upload whose file is stored by reference.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct StoredUpload {
    request_id: String,
    partner_id: String,
    /// The payload with an empty file.
    payload: String,
    fields: Vec<(String, String)>,
    trace_parent: Option<String>,
    file: FileReference,
}

impl StoredUpload {
    /// Replaces the file of a prepared request with a reference.
    pub(crate) fn new<O: Operation>(
        prepared: &PreparedRequest<O>,
        partner_id: &str,
        fields: &[(String, String)],
        trace_parent: Option<&str>,
        path: &Path,
    ) -> io::Result<Self> {
        let not_an_upload = || io::Error::new(io::ErrorKind::InvalidInput, "the order contains no file");
        let (payload, content) = without_file::<O>(prepared.payload()).ok_or_else(not_an_upload)?;
        Ok(Self {
            request_id: prepared.request_id().to_string(),
            partner_id: partner_id.to_owned(),
            payload,
            fields: fields.to_vec(),
            trace_parent: trace_parent.map(str::to_owned),
            file: FileReference::new(path, &content)?,
        })
    }

    /// Creates an upload for tests of stores. It is not a valid request.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn example(payload: &str, path: &str) -> Self {
        let file = FileReference { path: path.to_owned(), bytes: 0, sha256: "0".to_owned() };
        let (partner_id, payload) = ("1".to_owned(), payload.to_owned());
        Self { request_id: String::new(), partner_id, payload, fields: Vec::new(), trace_parent: None, file }
    }

    /// Returns the path of the file.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn path(&self) -> &str {
        &self.file.path
    }

    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let json = Zeroizing::new(serde_json::to_vec(self).unwrap_or_default());
        Zeroizing::new([MAGIC, &json].concat())
    }

    /// Returns the upload of a stored request, or `None` if the request contains its file or needs no file.
    ///
    /// # Errors
    /// Returns the reason if the request cannot be read.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Option<Self>, String> {
        let Some(json) = bytes.strip_prefix(MAGIC) else { return Ok(None) };
        // The parser's message is not used, because it can contain values from the request.
        let unreadable = |_| "the stored upload cannot be read by this version".to_owned();
        serde_json::from_slice(json).map(Some).map_err(unreadable)
    }

    /// Returns this upload with a different path to its file, or `None` if the path is unchanged.
    pub(crate) fn moved_to(self, new: &Self) -> Option<Self> {
        let is_moved = self.file.sha256 == new.file.sha256 && self.file.path != new.file.path;
        is_moved.then(|| Self { file: new.file.clone(), ..self })
    }

    /// Returns the payload with the reference in place of the file.
    pub(crate) fn shown_payload(&self) -> String {
        let mut members: Members = serde_json::from_str(&self.payload).unwrap_or_default();
        members.extend(to_raw_value(&self.file).ok().map(|file| (FILE.to_owned(), file)));
        serde_json::to_string(&members).unwrap_or_default()
    }

    /// Seals the request with an empty file, for the handler.
    pub(crate) fn without_file<O: Operation>(&self, client: &Client) -> Result<PreparedRequest<O>, String> {
        self.seal(client, &FileContent::from(Vec::new()))
    }

    /// Reads and checks the file, and seals the request. All sends have the same `requestId` and content.
    ///
    /// # Errors
    /// Returns the reason if the file is missing, has changed, or was not read within the time limit.
    pub(crate) async fn with_file<O: Operation>(
        &self,
        client: &Client,
        limit: Duration,
    ) -> Result<PreparedRequest<O>, FileProblem> {
        let file = self.file.clone();
        let content = read_within(limit, move || file.open()).await?;
        self.seal(client, &content).map_err(FileProblem::Changed)
    }

    fn seal<O: Operation>(&self, client: &Client, content: &FileContent) -> Result<PreparedRequest<O>, String> {
        if self.partner_id != client.partner_id() {
            return Err("the stored request was prepared for a different partner ID".to_owned());
        }
        let unreadable = |_| "the stored upload cannot be read by this version".to_owned();
        let mut members: Members = serde_json::from_str(&self.payload).map_err(unreadable)?;
        members.insert(FILE.to_owned(), to_raw_value(content).map_err(unreadable)?);
        let text = Zeroizing::new(serde_json::to_string(&members).map_err(unreadable)?);
        let order: O = serde_json::from_str(&text).map_err(unreadable)?;
        let request_id =
            self.request_id.parse().map_err(|_| "the stored upload has an invalid requestId".to_owned())?;
        // The order was validated before it was stored, so it is not validated again.
        let mut request = client.request(&order).danger_skip_validation().request_id(request_id);
        for (name, value) in &self.fields {
            request = request.field(name, value);
        }
        if let Some(trace_parent) = &self.trace_parent {
            request = request.trace_parent(trace_parent);
        }
        request.prepare().map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn reading_a_blocking_file_exceeds_the_time_limit() {
        let (release, blocked) = mpsc::channel::<()>();
        let read = read_within(Duration::from_millis(20), move || {
            let _ended = blocked.recv();
            Ok(())
        });
        let problem = read.await.unwrap_err();
        assert!(matches!(&problem, FileProblem::Temporary(cause) if cause.contains("time limit")), "{problem:?}");
        drop(release);
    }

    #[cfg(unix)]
    #[test]
    fn pipe_is_refused_without_waiting_for_a_writer() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let problem = FileProblem::new(read(&path).unwrap_err());
        assert!(matches!(problem, FileProblem::Changed(cause) if cause.contains("not a regular file")));
    }

    #[test]
    fn only_temporary_file_errors_are_retried() {
        for (kind, is_temporary) in [
            (io::ErrorKind::NotFound, false),
            (io::ErrorKind::PermissionDenied, true),
            (io::ErrorKind::StaleNetworkFileHandle, true),
            (io::ErrorKind::TimedOut, true),
        ] {
            let problem = FileProblem::new(kind.into());
            assert_eq!(matches!(problem, FileProblem::Temporary(_)), is_temporary, "{kind}");
        }
    }
}
