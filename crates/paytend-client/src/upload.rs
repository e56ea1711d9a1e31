//! Files: read with a limit, and sent without more copies than needed.

use std::io::{self, Read};
use std::path::Path;

use paytend_model::{FileContent, MAX_FILE_BYTES, Operation};

use crate::Client;
use crate::answer::{self, Answer};
use crate::error::Error;
use crate::request::Request;
use crate::target::Target;

/// Reads a file of 2 MiB at most. A larger one is refused before it is read.
///
/// Blocks while it reads.
///
/// # Errors
/// As the file system's; [`FileTooLarge`](io::ErrorKind::FileTooLarge) for a file that no operation takes. No path is in its text.
pub fn file_from_path(path: impl AsRef<Path>) -> io::Result<FileContent> {
    let file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    if length > MAX_FILE_BYTES as u64 {
        return Err(too_large());
    }
    read(file, usize::try_from(length).unwrap_or_default())
}

/// Reads a file of 2 MiB at most from anything. No more than one byte beyond that is read.
///
/// # Errors
/// As the reader's; [`FileTooLarge`](io::ErrorKind::FileTooLarge) for a file that no operation takes.
pub fn file_from_reader(reader: impl Read) -> io::Result<FileContent> {
    read(reader, 0)
}

fn read(reader: impl Read, expected: usize) -> io::Result<FileContent> {
    // One more, so that the end is seen without growing.
    let mut bytes = Vec::with_capacity(expected + 1);
    reader.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(too_large());
    }
    Ok(bytes.into())
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "a file may have 2,097,152 bytes (2 MiB) at most")
}

impl Client {
    /// Carries out an upload. It takes the operation by value and drops the file as soon as its text is made, so that the memory needed at any
    /// time stays below four times the file.
    ///
    /// `progress` is told how many bytes of how many of the request have been handed to the connection.
    ///
    /// ```no_run
    /// use paytend_client::file_from_path;
    /// use paytend_model::issuing::UploadDocument;
    /// # async fn example(client: &paytend_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let passport = file_from_path("passport.jpeg")?;
    /// let upload = UploadDocument::new("H000001".into(), "3".into(), passport, ".jpeg".into());
    /// client.upload(upload, |sent, total| println!("{sent} of {total}")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn upload<O: Operation>(
        &self,
        operation: O,
        progress: impl Fn(usize, usize) + Send + Sync + 'static,
    ) -> Result<O::Response, Error> {
        let target = Target::from(&O::INFO);
        let options = crate::engine::Options { progress: Some(std::sync::Arc::new(progress)), ..Default::default() };
        let span = self.core.span(&options);
        let (request_id, payload) = Request::new(&self.core, &operation).payload(&target)?;
        drop(operation);
        let job = crate::request::job(&self.core, &target, &options, request_id, payload)?;
        job.run(span, answer::data).await.map(Answer::into_data)
    }
}
