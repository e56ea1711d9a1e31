//! Tests of key files, payload encryption and key rotation.

use paytend_inbox::{
    Inbox, MemoryStore, SealedPayload, Store as _, StoreAdmin as _, StoreErrorKind, StoreKeys, StoredPayload,
};

use crate::support::{deposit, entries, inbox};

#[test]
fn key_file_is_created_once_and_is_accessible_only_to_its_owner() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("inbox.keys");
    let first = StoreKeys::load_or_create(&path).unwrap();
    let second = StoreKeys::load_or_create(&path).unwrap();
    assert_eq!(first.check_value(), second.check_value());
    assert_eq!(*first.to_text(), std::fs::read_to_string(&path).unwrap());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "no partial file is left");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = StoreKeys::load(&path).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Keys);
        assert!(error.to_string().contains("0644") || error.to_string().contains("644"), "{error}");
    }
}

#[test]
fn concurrent_starts_use_the_same_keys() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("inbox.keys");
    let checks = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| StoreKeys::load_or_create(&path).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().check_value()).collect::<Vec<_>>()
    });
    assert!(checks.iter().all(|check| *check == checks[0]));
}

#[test]
fn error_for_an_invalid_key_file_names_the_line() {
    let keys = StoreKeys::generate().unwrap();
    let text = keys.to_text().to_string();
    assert_eq!(StoreKeys::parse(&text).unwrap().check_value(), keys.check_value());
    let payload = text.lines().find(|line| line.starts_with("payload")).unwrap();
    for (invalid, message) in [
        (String::new(), "no `dedup` line"),
        (text.lines().filter(|line| !line.starts_with("payload")).collect::<Vec<_>>().join("\n"), "no `payload` line"),
        (format!("{text}{payload}\n"), "line 5: the key number is used twice"),
        (format!("{text}dedup AAAA\n"), "line 5: expected `dedup KEY` (once)"),
        (text.replace("dedup ", "dedup AAAA"), "line 3: expected 32 bytes as base64"),
        (format!("{text}payload x AAAA\n"), "line 5: expected a key number"),
        (format!("{text}something\n"), "line 5: expected `dedup KEY` (once) or `payload NUMBER KEY`"),
    ] {
        let error = StoreKeys::parse(&invalid).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    assert!(!format!("{keys:?}").contains(payload.split(' ').next_back().unwrap()));
}

#[tokio::test]
async fn old_payloads_are_readable_after_a_rotation_until_their_key_is_removed() {
    let store = MemoryStore::new();
    let mut keys = StoreKeys::generate().unwrap();
    Inbox::open(store.clone(), keys.clone()).await.unwrap().accept(&deposit("F1")).await.unwrap();
    keys.rotate().unwrap();
    let inbox = Inbox::open(store.clone(), keys.clone()).await.unwrap();
    let second = inbox.accept(&deposit("F2")).await.unwrap().id();
    let content = async |inbox: &Inbox<MemoryStore>, id| {
        let entry = store.show(id, None).await.unwrap().unwrap();
        inbox.open_payload(id, &entry.facts, &entry.payload.unwrap())
    };
    let first = entries(&inbox).await[0].id;
    assert!(String::from_utf8(content(&inbox, first).await.unwrap().unwrap()).unwrap().contains("F1"));
    assert!(String::from_utf8(content(&inbox, second).await.unwrap().unwrap()).unwrap().contains("F2"));
    assert!(!keys.remove(2), "the newest key is kept");
    assert!(keys.remove(1));
    let inbox = Inbox::open(store.clone(), keys).await.unwrap();
    let error = content(&inbox, first).await.unwrap_err();
    assert!(error.to_string().contains("payload key 1, which is missing"), "{error}");
    assert!(content(&inbox, second).await.is_ok());
}

#[tokio::test]
async fn altered_or_moved_payloads_are_not_decrypted() {
    let inbox = inbox().await;
    let [first, second] =
        [inbox.accept(&deposit("F1")).await.unwrap().id(), inbox.accept(&deposit("F2")).await.unwrap().id()];
    let shown = async |id| inbox.store().show(id, None).await.unwrap().unwrap();
    let (one, two) = (shown(first).await, shown(second).await);
    let Some(StoredPayload::Sealed(sealed)) = one.payload.clone() else { panic!("a payload is stored") };
    assert!(!sealed.ciphertext.windows(2).any(|window| window == b"F1"), "the payload is encrypted");
    assert!(inbox.open_payload(first, &one.facts, &StoredPayload::Sealed(sealed.clone())).is_ok());
    let refused = |id, facts: &paytend_inbox::Facts, sealed: &SealedPayload| {
        let error = inbox.open_payload(id, facts, &StoredPayload::Sealed(sealed.clone())).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Keys);
    };
    refused(second, &one.facts, &sealed);
    refused(first, &two.facts, &sealed);
    let mut facts = one.facts.clone();
    facts.kind = paytend_inbox::Kind::UNKNOWN;
    refused(first, &facts, &sealed);
    let mut facts = one.facts.clone();
    facts.route = paytend_inbox::Route::PayBy;
    refused(first, &facts, &sealed);
    let mut facts = one.facts.clone();
    facts.notify_type = "8".into();
    refused(first, &facts, &sealed);
    let mut altered = sealed.clone();
    altered.ciphertext[0] ^= 1;
    refused(first, &one.facts, &altered);
    let mut altered = sealed;
    altered.nonce[0] ^= 1;
    refused(first, &one.facts, &altered);
}

#[tokio::test]
async fn equal_payloads_are_encrypted_differently() {
    let keys = std::sync::Arc::new(StoreKeys::generate().unwrap());
    let notification = paytend_inbox::testing::TestNotification::new("a").prepare(&keys);
    let id = paytend_inbox::Id::new(1);
    let [one, two] = [notification.payload.seal(id).unwrap(), notification.payload.seal(id).unwrap()];
    assert_ne!(one.nonce, two.nonce);
    assert_ne!(one.ciphertext, two.ciphertext);
    MemoryStore::new().bind_keys(keys.check_value()).await.unwrap();
}

#[tokio::test]
async fn personal_data_is_absent_from_debug_output() {
    let inbox = inbox().await;
    let id = inbox.accept(&deposit("SECRET-ORDER")).await.unwrap().id();
    let entry = inbox.store().show(id, None).await.unwrap().unwrap();
    assert_eq!(entry.facts.business_id.as_deref(), Some("SECRET-ORDER"));
    for shown in [format!("{entry:?}"), format!("{inbox:?}"), format!("{:?}", inbox.store())] {
        assert!(!shown.contains("SECRET-ORDER"), "{shown}");
    }
    let error = paytend_inbox::HandlerError::retry("SECRET-ORDER");
    assert!(!format!("{error:?}").contains("SECRET-ORDER"));
}
