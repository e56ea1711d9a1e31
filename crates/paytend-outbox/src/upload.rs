//! Uploads whose file is stored by reference: the path, the length and the SHA-256 of the file.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use paytend_client::{Client, PreparedRequest, file_from_path};
use paytend_model::{FileContent, Operation};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The first bytes of the stored form, which is JSON.
const MAGIC: &[u8] = b"PTUP\x01";
/// The member with the file of an upload.
const FILE: &str = "fileContent";

/// The members of a payload.
type Members = BTreeMap<String, Box<RawValue>>;

/// A file that is read when its order is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FileReference {
    path: String,
    bytes: usize,
    sha256: String,
}

impl FileReference {
    /// Reads a file and returns a reference to it. The content must be that of the order.
    fn new(path: &Path, expected: &FileContent) -> io::Result<Self> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what);
        let path = std::path::absolute(path)?;
        let path = path.to_str().ok_or_else(|| invalid("the path is not valid UTF-8"))?.to_owned();
        let content = read(Path::new(&path))?;
        if content != *expected {
            return Err(invalid("the file and the content of the order differ"));
        }
        Ok(Self { path, bytes: content.as_bytes().len(), sha256: sha256(&content) })
    }

    /// Reads the file again. Returns the reason if it cannot be read, or is not the same file. The path can be personal
    /// data, so it is not in the reason.
    fn open(&self) -> Result<FileContent, String> {
        let content = read(Path::new(&self.path))
            .map_err(|error| format!("the file of the upload cannot be read: {error}; nothing was sent"))?;
        let length = content.as_bytes().len();
        if length != self.bytes || sha256(&content) != self.sha256 {
            return Err(format!(
                "the file of the upload has changed since the order was submitted: it had {} bytes and has {length}; \
                 nothing was sent",
                self.bytes
            ));
        }
        Ok(content)
    }
}

fn read(path: &Path) -> io::Result<FileContent> {
    // A pipe or a device could block, or never end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    file_from_path(path)
}

fn sha256(content: &FileContent) -> String {
    Sha256::digest(content.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
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
    /// Replaces the file of a prepared request by a reference.
    pub(crate) fn new<O: Operation>(
        prepared: &PreparedRequest<O>,
        partner_id: &str,
        fields: &[(String, String)],
        trace_parent: Option<&str>,
        path: &Path,
    ) -> io::Result<Self> {
        let not_an_upload = || io::Error::new(io::ErrorKind::InvalidInput, "the order contains no file");
        let mut members: Members = serde_json::from_str(prepared.payload()).map_err(io::Error::other)?;
        let content = members.get(FILE).filter(|_| O::INFO.max_file_bytes.is_some()).ok_or_else(not_an_upload)?;
        let content: FileContent = serde_json::from_str(content.get()).map_err(|_| not_an_upload())?;
        let file = FileReference::new(path, &content)?;
        members.insert(FILE.to_owned(), to_raw_value("").map_err(io::Error::other)?);
        Ok(Self {
            request_id: prepared.request_id().to_string(),
            partner_id: partner_id.to_owned(),
            payload: serde_json::to_string(&members).map_err(io::Error::other)?,
            fields: fields.to_vec(),
            trace_parent: trace_parent.map(str::to_owned),
            file,
        })
    }

    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let json = Zeroizing::new(serde_json::to_vec(self).unwrap_or_default());
        Zeroizing::new([MAGIC, &json].concat())
    }

    /// Returns the upload of a stored request, or `None` if the request contains its file or needs none.
    ///
    /// # Errors
    /// Returns the reason if the request cannot be read.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Option<Self>, String> {
        let Some(json) = bytes.strip_prefix(MAGIC) else { return Ok(None) };
        // The parser's message can contain values.
        let unreadable = |_| "the stored upload cannot be read by this version".to_owned();
        serde_json::from_slice(json).map(Some).map_err(unreadable)
    }

    /// Returns what identifies the content of the file.
    pub(crate) fn file_identity(&self) -> [&[u8]; 2] {
        [self.payload.as_bytes(), self.file.sha256.as_bytes()]
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
    /// Returns the reason if the file is missing or has changed.
    pub(crate) async fn with_file<O: Operation>(&self, client: &Client) -> Result<PreparedRequest<O>, String> {
        let file = self.file.clone();
        let content = tokio::task::spawn_blocking(move || file.open()).await;
        self.seal(client, &content.map_err(|_| "the file of the upload was not read; nothing was sent")??)
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
        // The order was validated before it was stored.
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
