//! What all tests of this program trace: nothing secret or personal, at the lowest level, from the libraries below as
//! well.

use crate::traces::TRACE_TO;

/// This whole program once more, every test of it, with everything written down that is traced.
#[test]
fn nothing_secret_or_personal_is_traced_by_any_test() {
    if std::env::var_os(TRACE_TO).is_some() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces");
    let ran = std::process::Command::new(std::env::current_exe().unwrap()).env(TRACE_TO, &path).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().count() > 1000 && text.contains("hyper"), "{} lines", text.lines().count());
    // What tests send, what is signed, and keys.
    let mut secrets: Vec<String> = [
        "CANARY",
        "8613261402222",
        "bizData=",
        "&randomKey=",
        "\"cardId\"",
        "\"orderNo\"",
        "user:secret",
        "PRIVATE KEY",
    ]
    .map(str::to_owned)
    .into();
    secrets.extend(paytend_vectors::keys().values().map(|key| key.private[60..100].to_owned()));
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret} in {}", text.lines().find(|line| line.contains(&secret)).unwrap());
    }
}
