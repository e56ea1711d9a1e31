//! Checks that the traces from all tests in this binary contain no secrets or personal data. Traces at all levels and
//! from dependencies are included.

use crate::traces::TRACE_TO;

/// Runs all tests in this binary again with traces written to a file, and searches the file for secrets.
#[test]
fn traces_of_all_tests_contain_no_secrets_or_personal_data() {
    if std::env::var_os(TRACE_TO).is_some() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces");
    let ran = std::process::Command::new(std::env::current_exe().unwrap()).env(TRACE_TO, &path).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().count() > 1000 && text.contains("hyper"), "{} lines", text.lines().count());
    // The secrets to search for: the test data, the canonical strings and the keys.
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
