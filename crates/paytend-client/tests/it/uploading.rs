//! Tests for file uploads.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use paytend_client::{ErrorKind, file_from_path, file_from_reader};
use paytend_crypto::Expected;
use paytend_model::{FileContent, MAX_FILE_BYTES, iban, issuing};
use paytend_vectors::PARTNER_ID;
use tokio::io::AsyncWriteExt;

use crate::server::{client, once, paytend, response};

#[tokio::test]
async fn file_arrives_complete_and_progress_is_reported() {
    let content: Vec<u8> = (0..=u8::MAX).cycle().take(MAX_FILE_BYTES).collect();
    for signed in [true, false] {
        let (url, seen) = once(|seen, mut stream| async move {
            let body = response(&paytend(), "00", "success", "");
            let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(response.as_bytes()).await.unwrap();
            seen
        })
        .await;
        let reported: Arc<Mutex<Vec<(usize, usize)>>> = Arc::default();
        let ours = Arc::clone(&reported);
        let progress = move |sent, total| ours.lock().unwrap().push((sent, total));
        // This client has a long timeout, because sealing is slow in an unoptimized build.
        let client = client(&url);
        if signed {
            let upload = issuing::UploadDocument::builder()
                .holder_id("H1")
                .file_type("3")
                .file_content(content.clone())
                .suffix(".jpeg")
                .build();
            client.upload(upload, progress).await.unwrap();
        } else {
            let upload = iban::UploadDocument::file("U1".into(), "3".into(), content.clone().into());
            client.upload(upload, progress).await.unwrap();
        }
        let seen = seen.await.unwrap();
        let mut expected = Expected::request(PARTNER_ID).with_max_bytes(8 << 20);
        if !signed {
            // The payload is excluded from the signature only where the documentation specifies that.
            assert!(paytend().open(&seen.body, &expected).is_err());
            expected = expected.unsigned_payload();
        }
        let opened = paytend().open(&seen.body, &expected).unwrap();
        let payload: serde_json::Value = serde_json::from_slice(opened.payload_bytes()).unwrap();
        let file: FileContent = serde_json::from_value(payload["fileContent"].clone()).unwrap();
        assert!(file.as_bytes() == content);

        let reported = reported.lock().unwrap();
        assert!(reported.len() > 100 && reported.is_sorted(), "{}", reported.len());
        assert_eq!(reported.last(), Some(&(seen.body.len(), seen.body.len())));
    }
}

/// An endless reader that counts the bytes read.
struct Endless(Arc<Mutex<usize>>);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(7);
        *self.0.lock().unwrap() += buffer.len();
        Ok(buffer.len())
    }
}

#[test]
fn file_that_is_too_large_is_rejected_before_it_is_read() {
    let read = Arc::new(Mutex::new(0));
    let error = file_from_reader(Endless(Arc::clone(&read))).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    assert_eq!(*read.lock().unwrap(), MAX_FILE_BYTES + 1);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let file = std::fs::File::create(&path).unwrap();
    // A sparse file of 1 TiB uses no disk space, and would take a long time to read.
    file.set_len(1 << 40).unwrap();
    assert_eq!(file_from_path(&path).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    file.set_len(MAX_FILE_BYTES as u64 + 1).unwrap();
    assert_eq!(file_from_path(&path).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    file.set_len(MAX_FILE_BYTES as u64).unwrap();
    assert_eq!(file_from_path(&path).unwrap().as_bytes().len(), MAX_FILE_BYTES);
    file.set_len(0).unwrap();
    (&file).write_all(b"abc").unwrap();
    assert_eq!(file_from_path(&path).unwrap().as_bytes(), b"abc");
    assert_eq!(file_from_reader(&b"abc"[..]).unwrap().as_bytes(), b"abc");
    assert_eq!(file_from_path(folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[tokio::test]
async fn upload_with_a_file_that_is_too_large_is_not_sent() {
    let upload = issuing::UploadDocument::builder()
        .holder_id("H1")
        .file_type("3")
        .file_content(vec![0; MAX_FILE_BYTES + 1])
        .suffix(".jpeg")
        .build();
    let error = client("http://127.0.0.1:9").upload(upload, |_, _| ()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    assert!(error.to_string().contains("`fileContent` must be at most 2097152 bytes long"), "{error}");
}
