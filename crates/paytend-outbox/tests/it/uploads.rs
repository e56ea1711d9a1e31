//! Tests of uploads whose file is stored by reference.

use std::path::Path;

use paytend_client::file_from_path;
use paytend_model::issuing::UploadDocument;
use paytend_outbox::{Action, Audit, OutboxAdmin as _, State, SubmitError, SubmitOptions, Submitted, open_request};
use paytend_vectors::Seeded;

use crate::provider::{Fault, World};

fn upload(path: &Path) -> UploadDocument {
    let content = file_from_path(path).unwrap();
    UploadDocument::builder().holder_id("H-1").file_type("3").file_content(content).suffix(".jpeg").build()
}

fn options(path: &Path) -> SubmitOptions {
    SubmitOptions::new().number("U-1").file_by_reference(path)
}

fn retry() -> (Action, Audit) {
    (Action::Retry, Audit { who: "a test".into(), why: "the file was restored".into() })
}

#[tokio::test(start_paused = true)]
async fn file_is_read_when_its_order_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("passport.jpeg");
    let random = Seeded::new();
    let bytes: Vec<u8> = (0..100_000).map(|_| random.below(256) as u8).collect();
    std::fs::write(&path, &bytes).unwrap();
    let world = World::new().await;
    let order = upload(&path);
    assert_eq!(world.outbox.submit(&order, options(&path)).await.unwrap(), Submitted::New);
    let known = world.outbox.submit(&order, options(&path)).await.unwrap();
    assert_eq!(known, Submitted::Known { state: State::Recorded });
    let entry = world.entry("U-1").await;
    assert!(entry.request.as_ref().unwrap().ciphertext.len() < 2_000, "the content was stored");
    let shown = open_request(world.outbox.keys(), &entry).unwrap().unwrap();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["fileContent"]["bytes"], &shown["holderId"]), (&100_000.into(), &"H-1".into()));
    world.start(world.dispatcher());
    assert_eq!(world.settled("U-1").await.state, State::Responded);
    let received = world.provider.received();
    assert_eq!(received.len(), 1);
    let sent: UploadDocument = serde_json::from_value(received[0].payload.clone()).unwrap();
    assert_eq!(sent, order);
    assert!(received[0].document.contains(&entry.facts.request_id));
    let line = "U-1: responded unknown: the response has no status with FileContent(0 bytes) after 1";
    assert_eq!(world.recorded(), [line]);
}

#[tokio::test(start_paused = true)]
async fn missing_or_changed_file_is_stuck_before_anything_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("passport.jpeg");
    for (change, cause) in [
        (None, "cannot be read"),
        (Some(&b"other file!"[..]), "has changed"),
        (Some(b"a longer file"), "it had 11 bytes and has 13"),
    ] {
        std::fs::write(&path, b"the content").unwrap();
        let world = World::new().await;
        world.outbox.submit(&upload(&path), options(&path)).await.unwrap();
        match change {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        world.start(world.dispatcher());
        let progress = world.settled("U-1").await;
        assert_eq!((progress.state, progress.history.sends), (State::Stuck, 0));
        let text = progress.cause.unwrap();
        assert!(text.contains(cause) && text.contains("nothing was sent") && !text.contains("passport"), "{text}");
        assert!(world.provider.paths().is_empty());
        std::fs::write(&path, b"the content").unwrap();
        let (action, audit) = retry();
        world.outbox.store().act_on_order("U-1".into(), action, audit).await.unwrap().unwrap();
        assert_eq!(world.settled("U-1").await.state, State::Responded);
    }
}

#[tokio::test(start_paused = true)]
async fn upload_without_a_response_is_sent_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("passport.jpeg");
    std::fs::write(&path, b"the content").unwrap();
    let world = World::new().await;
    world.provider.faults([Fault::Unsent, Fault::LoseResponse]);
    world.outbox.submit(&upload(&path), options(&path)).await.unwrap();
    world.start(world.dispatcher());
    assert_eq!(world.settled("U-1").await.state, State::Stuck);
    assert_eq!(world.provider.paths(), ["uploadDocument"]);
}

#[tokio::test]
async fn files_that_cannot_be_referenced_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("passport.jpeg");
    std::fs::write(&path, b"the content").unwrap();
    let world = World::new().await;
    let order = upload(&path);
    let refused = |options| {
        let error = world.outbox.prepare(&order, options).unwrap_err();
        assert!(matches!(error, SubmitError::File(_)), "{error}");
        let text = error.to_string();
        assert!(!text.contains("passport"), "{text}");
        text
    };
    assert!(refused(options(&directory.path().join("absent"))).contains("No such file"));
    assert!(refused(options(directory.path())).contains("not a regular file"));
    std::fs::write(&path, b"other").unwrap();
    assert!(refused(options(&path)).contains("differ"));
    std::fs::write(&path, vec![0; (2 << 20) + 1]).unwrap();
    assert!(refused(options(&path)).contains("2 MiB"));
    let topup = crate::provider::topup("T-1");
    let error = world.outbox.prepare(&topup, SubmitOptions::new().file_by_reference(&path)).unwrap_err();
    assert!(error.to_string().contains("the order contains no file"), "{error}");
    // The same order number with a different file causes a conflict error that names the field.
    std::fs::write(&path, b"the content").unwrap();
    world.outbox.submit(&order, options(&path)).await.unwrap();
    std::fs::write(&path, b"the CONTENT").unwrap();
    let error = world.outbox.submit(&upload(&path), options(&path)).await.unwrap_err();
    assert!(matches!(&error, SubmitError::Conflict { fields } if *fields == ["`fileContent`"]), "{error}");
}

/// An order can be submitted again with the file's content, or with a new path of the file. In both cases, it is
/// recognized as the same order.
#[tokio::test(start_paused = true)]
async fn moved_file_is_read_at_its_new_path() {
    let directory = tempfile::tempdir().unwrap();
    let [path, moved] = ["passport.jpeg", "moved.jpeg"].map(|name| directory.path().join(name));
    std::fs::write(&path, b"the content").unwrap();
    let world = World::new().await;
    let order = upload(&path);
    let inline = SubmitOptions::new().number("U-1");
    world.outbox.submit(&order, options(&path)).await.unwrap();
    let known = Submitted::Known { state: State::Recorded };
    assert_eq!(world.outbox.submit(&order, inline.clone()).await.unwrap(), known);
    std::fs::rename(&path, &moved).unwrap();
    assert_eq!(world.outbox.submit(&order, options(&moved)).await.unwrap(), known);
    let mut other = order.clone();
    other.suffix = ".png".into();
    for options in [inline, options(&moved)] {
        let error = world.outbox.submit(&other, options).await.unwrap_err();
        assert!(matches!(&error, SubmitError::Conflict { fields } if *fields == ["`suffix`"]), "{error}");
    }
    let request_id = world.entry("U-1").await.facts.request_id;
    world.start(world.dispatcher());
    assert_eq!(world.settled("U-1").await.state, State::Responded);
    let received = world.provider.received();
    assert!(received.len() == 1 && received[0].document.contains(&request_id));
}
