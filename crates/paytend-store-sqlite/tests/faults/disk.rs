//! Tests with a disk that is full or that reports errors.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::parent::{Reported, Running, finish_and_check};

/// Compiles the library that records disk operations and simulates failures. This requires a C compiler, as building
/// SQLite does.
pub(crate) fn library(directory: &Path) -> PathBuf {
    let library = directory.join("disk.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/disk.c");
    let compiler = std::env::var_os("CC").unwrap_or("cc".into());
    let compiled =
        Command::new(compiler).args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status();
    assert!(compiled.unwrap().success());
    library
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_notification_is_lost_after_disk_failures() {
    let (directory, tools) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let library = library(tools.path());
    let fault = tools.path().join("fault");
    let environment = [("LD_PRELOAD", library.to_str().unwrap()), ("PAYTEND_DISK_FAULT", fault.to_str().unwrap())];
    let mut reported = Reported::default();
    let child = Running::start("failing disk", directory.path(), 0, &environment);
    let mut ended = false;
    child.read_until(&mut reported, |line| {
        ended |= line == "end";
        ended
    });
    child.kill(&mut reported);
    assert!(ended, "the child failed; its output is above");
    assert_eq!(reported.accepted.len(), 62);
    finish_and_check(directory.path(), &reported).await;
}
