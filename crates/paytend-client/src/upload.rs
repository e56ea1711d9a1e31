//! File uploads with limits on file size and memory use.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use paytend_model::{FileContent, MAX_FILE_BYTES, Operation};

use crate::call::request::{Request, call};
use crate::call::response::{self, Response};
use crate::call::shared::Options;
use crate::call_target::CallTarget;
use crate::client::Client;
use crate::error::Error;

/// Reads a file of at most 2 MiB. Larger files are rejected before they are read.
///
/// This function blocks the current thread.
///
/// # Errors
/// Returns [`FileTooLarge`](io::ErrorKind::FileTooLarge) if the file is larger than any operation accepts. Returns the
/// file system's error if the file cannot be read. Error messages do not contain the path.
pub fn file_from_path(path: impl AsRef<Path>) -> io::Result<FileContent> {
    let file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    if length > MAX_FILE_BYTES as u64 {
        return Err(too_large());
    }
    read(file, usize::try_from(length).unwrap_or_default())
}

/// Reads a file of at most 2 MiB from a reader. At most one byte beyond that limit is read.
///
/// # Errors
/// Returns [`FileTooLarge`](io::ErrorKind::FileTooLarge) if the file is larger than any operation accepts. Returns the
/// reader's error if it fails.
pub fn file_from_reader(reader: impl Read) -> io::Result<FileContent> {
    read(reader, 0)
}

fn read(reader: impl Read, expected: usize) -> io::Result<FileContent> {
    // Allocate one extra byte. Without it, the last read, which detects the end of the file, would reallocate.
    let mut bytes = Vec::with_capacity(expected + 1);
    reader.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(too_large());
    }
    Ok(bytes.into())
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "file too large: the limit is 2,097,152 bytes (2 MiB)")
}

impl Client {
    /// Executes an upload.
    ///
    /// The operation is taken by value, and the file is dropped as soon as it is serialized. Memory use therefore stays
    /// below four times the size of the file.
    ///
    /// `progress` is called with the number of bytes handed to the connection, and the total number of bytes.
    ///
    /// ```no_run
    /// use paytend_client::file_from_path;
    /// use paytend_model::issuing::UploadDocument;
    /// # async fn example(client: &paytend_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let passport = file_from_path("passport.jpeg")?;
    /// let upload = UploadDocument::builder().holder_id("H1").file_type("3").file_content(passport).suffix(".jpeg");
    /// client.upload(upload.build(), |sent, total| println!("{sent} of {total} bytes")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the same errors as [`send`](Self::send).
    pub async fn upload<O: Operation>(
        &self,
        operation: O,
        progress: impl Fn(usize, usize) + Send + Sync + 'static,
    ) -> Result<O::Response, Error> {
        let target = CallTarget::from(&O::INFO);
        let options = Options { progress: Some(Arc::new(progress)), ..Default::default() };
        let deadline = self.shared.start_deadline(&options);
        let (request_id, payload) = Request::new(&self.shared, &operation).payload(&target)?;
        drop(operation);
        let call = call(&self.shared, &target, &options, request_id, payload)?;
        call.run(deadline, response::data).await.map(Response::into_data)
    }
}
