//! Tests of simulated power cuts. Synced data survives, and random sectors that were written after the last sync are
//! lost.

use std::collections::BTreeMap;
use std::path::Path;

use paytend_vectors::Seeded;

use crate::child::open;
use crate::disk::library;
use crate::parent::{Losses, Reported, Running, finish_and_check, losses, rounds};

const SECTOR: usize = 512;

/// A file on a simulated disk.
#[derive(Default)]
struct Image {
    /// The content that a power cut cannot remove.
    durable: Vec<u8>,
    /// The operations since the last sync.
    pending: Vec<Change>,
}

enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Image {
    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            match change {
                Change::Write(offset, data) => write(&mut self.durable, offset, &data),
                Change::Truncate(size) => self.durable.resize(size, 0),
            }
        }
    }

    /// Simulates a power cut, and returns the content of the file.
    fn cut(mut self, random: &Seeded) -> Vec<u8> {
        for change in self.pending {
            match change {
                Change::Write(offset, data) => {
                    let mut start = 0;
                    while start < data.len() {
                        let end = data.len().min((offset + start) / SECTOR * SECTOR + SECTOR - offset);
                        if random.below(2) == 0 {
                            write(&mut self.durable, offset + start, &data[start..end]);
                        }
                        start = end;
                    }
                }
                Change::Truncate(size) => {
                    if random.below(2) == 0 {
                        self.durable.resize(size, 0);
                    }
                }
            }
        }
        self.durable
    }
}

fn write(file: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[offset..end].copy_from_slice(data);
}

/// Applies the operations recorded in a log to the file images.
fn replay(log: &[u8], images: &mut BTreeMap<u8, Image>) {
    let mut rest = log;
    // The last record can be incomplete.
    while rest.len() >= 18 {
        let number = |at: usize| usize::try_from(u64::from_ne_bytes(rest[at..at + 8].try_into().unwrap())).unwrap();
        let (operation, file, offset, length) = (rest[0], rest[1], number(2), number(10));
        let Some(data) = rest.get(18..18 + length) else { return };
        let image = images.get_mut(&file).unwrap();
        match operation {
            b'w' => image.pending.push(Change::Write(offset, data.to_vec())),
            b't' => image.pending.push(Change::Truncate(offset)),
            b's' => image.sync(),
            other => panic!("unknown operation {other}"),
        }
        rest = &rest[18 + length..];
    }
}

/// Runs a child under load, cuts the power, and returns the losses. The directory then contains the data on disk.
async fn cut(task: &str, directory: &Path, round: usize, reported: &mut Reported, random: &Seeded) -> Losses {
    let tools = tempfile::tempdir().unwrap();
    let (library, log) = (library(tools.path()), tools.path().join("log"));
    let names = [(b'm', "inbox.db"), (b'l', "inbox.db-wal")];
    let mut images: BTreeMap<u8, Image> = names
        .iter()
        .map(|(file, name)| {
            let durable = std::fs::read(directory.join(name)).unwrap_or_default();
            (*file, Image { durable, pending: Vec::new() })
        })
        .collect();
    let environment = [("LD_PRELOAD", library.to_str().unwrap()), ("PAYTEND_DISK_LOG", log.to_str().unwrap())];
    let child = Running::start(task, directory, round, &environment);
    let mut left = 50 + random.below(800);
    child.read_until(reported, |line| {
        left = left.saturating_sub(usize::from(line.contains(' ')));
        left == 0
    });
    child.kill(reported);
    replay(&std::fs::read(log).unwrap(), &mut images);
    for (file, name) in names {
        std::fs::write(directory.join(name), images.remove(&file).unwrap().cut(random)).unwrap();
    }
    let _ = std::fs::remove_file(directory.join("inbox.db-shm"));
    let opened = std::panic::AssertUnwindSafe(open(directory, false));
    let opened = futures_util::FutureExt::catch_unwind(opened).await;
    match opened {
        Ok(opened) => losses(&opened, reported).await,
        Err(_) => Losses {
            accepted: Vec::new(),
            completed: Vec::new(),
            problems: vec!["the file cannot be opened".into()],
            repeated: Vec::new(),
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_notification_is_lost_in_power_cuts() {
    let random = Seeded::new();
    let directory = tempfile::tempdir().unwrap();
    let mut reported = Reported::default();
    for round in 0..rounds(6) {
        cut("load", directory.path(), round, &mut reported, &random).await.assert_none();
    }
    assert!(reported.accepted.len() > 100, "{}", reported.accepted.len());
    finish_and_check(directory.path(), &reported).await;
}

/// Checks that the test above can detect lost notifications, by disabling `synchronous`.
#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_notifications_are_lost_without_sync() {
    let random = Seeded::new();
    for round in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let mut reported = Reported::default();
        let losses = cut("load without sync", directory.path(), round, &mut reported, &random).await;
        if !losses.are_none() {
            return;
        }
    }
    panic!("no loss was detected in 20 power cuts");
}
