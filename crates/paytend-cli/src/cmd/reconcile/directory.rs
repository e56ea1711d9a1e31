//! The directory that contains the fetched lists. An interrupted fetch can be continued.
//!
//! Each part of an unfinished fetch is a file in `lists.partial`. When all parts are complete, the directory is renamed
//! to `lists` and replaces the previous `lists`. A file gets its final name only when it is complete.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::exit::{Category, Failure};

const COMPLETE: &str = "lists";
const PARTIAL: &str = "lists.partial";
const OLD: &str = "lists.old";
const LOCK: &str = "lock";
/// The file that describes the fetch.
const MANIFEST: &str = "fetch.json";
/// The format version of the file that describes the fetch.
pub(super) const VERSION: u32 = 1;
/// The maximum age of a fetch that can be continued, in hours.
const MAX_AGE_HOURS: i64 = 24;

/// A description of a fetch: the source, the days and the start time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) version: u32,
    pub(super) source: String,
    pub(super) first_day: String,
    pub(super) last_day: String,
    pub(super) started_at: Timestamp,
    /// The cards whose lists are fetched.
    pub(super) cards: BTreeSet<String>,
    /// Messages about the queries that the provider rejected.
    #[serde(default)]
    pub(super) problems: Vec<String>,
}

impl Manifest {
    /// Returns whether this fetch can reuse the parts that an interrupted `earlier` fetch has stored.
    fn continues(&self, earlier: &Self) -> bool {
        let age = self.started_at.duration_since(earlier.started_at);
        (self.version, &self.source) == (earlier.version, &earlier.source)
            && (&self.first_day, &self.last_day) == (&earlier.first_day, &earlier.last_day)
            && !age.is_negative()
            && age.as_hours() < MAX_AGE_HOURS
    }

    /// Reads the description of a complete fetch. Returns `None` for exported lists, which have no description.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, Failure> {
        let path = folder.join(MANIFEST);
        if !path.exists() {
            return Ok(None);
        }
        match read_lines::<Self>(&path)?.pop() {
            Some(manifest) if manifest.version == VERSION => Ok(Some(manifest)),
            _ => {
                let text = format!("{} was written by a different version: fetch the lists again", path.display());
                Err(Failure::new(Category::Configuration, text))
            }
        }
    }
}

/// The directory of a fetch. It is locked, so that no other process can use it at the same time.
pub(super) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Opens the directory, and creates it if it does not exist. Removes the stored parts of an earlier fetch that this
    /// fetch cannot continue.
    pub(super) fn open(path: &Path, manifest: &Manifest) -> Result<Self, Failure> {
        let failed = |error: io::Error| failure(path, "cannot use", &error);
        create_private(path).map_err(failed)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = format!("{} is in use by a different process", path.display());
                return Err(Failure::new(Category::Configuration, text));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let directory = Self { path: path.to_owned(), _lock: lock };
        let earlier = std::fs::read(directory.partial().join(MANIFEST)).ok();
        let earlier: Option<Manifest> = earlier.and_then(|text| serde_json::from_slice(&text).ok());
        if !earlier.is_some_and(|earlier| manifest.continues(&earlier)) {
            remove(&directory.partial()).map_err(failed)?;
            create_private(&directory.partial()).map_err(failed)?;
            directory.write(MANIFEST, [manifest])?;
        }
        Ok(directory)
    }

    fn partial(&self) -> PathBuf {
        self.path.join(PARTIAL)
    }

    /// Reads a part. Returns `None` if the part is not complete.
    pub(super) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<Vec<T>>, Failure> {
        let path = self.partial().join(name);
        if path.exists() { read_lines(&path).map(Some) } else { Ok(None) }
    }

    /// Writes a part, one row per line. Renames the file to its final name after it is synced to disk.
    pub(super) fn write<'r, T: Serialize + 'r>(
        &self,
        name: &str,
        rows: impl IntoIterator<Item = &'r T>,
    ) -> Result<(), Failure> {
        let path = self.partial().join(name);
        let draft = self.partial().join(format!("{name}.draft"));
        let write = || {
            let mut file = BufWriter::new(private_file(&draft)?);
            for row in rows {
                serde_json::to_writer(&mut file, row)?;
                file.write_all(b"\n")?;
            }
            file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            std::fs::rename(&draft, &path)
        };
        write().map_err(|error| failure(&path, "cannot write", &error))
    }

    /// Replaces the previous fetch's lists with this fetch's lists.
    pub(super) fn complete(&self, manifest: &Manifest) -> Result<(), Failure> {
        self.write(MANIFEST, [manifest])?;
        let (current, old) = (self.path.join(COMPLETE), self.path.join(OLD));
        let replace = || {
            remove(&old)?;
            if current.exists() {
                std::fs::rename(&current, &old)?;
            }
            std::fs::rename(self.partial(), &current)?;
            remove(&old)
        };
        replace().map_err(|error| failure(&current, "cannot write", &error))
    }
}

/// Returns the directory that contains the lists: the `lists` subdirectory if the given directory contains a complete
/// fetch, and the given directory otherwise.
pub(super) fn lists_in(path: &Path) -> PathBuf {
    let complete = path.join(COMPLETE);
    if complete.is_dir() { complete } else { path.to_owned() }
}

/// Reads a file that contains one JSON value per line.
pub(super) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Failure> {
    let file = File::open(path).map_err(|error| failure(path, "cannot read", &error))?;
    let mut rows = Vec::new();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| failure(path, "cannot read", &error))?;
        if line.trim().is_empty() {
            continue;
        }
        // The parser's message is left out, because it can contain values from the row.
        let row = serde_json::from_str(&line).map_err(|error| {
            let place = format!("{}, line {}, column {}", path.display(), index + 1, error.column());
            Failure::new(Category::Configuration, format!("{place}: invalid row; expected one JSON object per line"))
        })?;
        rows.push(row);
    }
    Ok(rows)
}

/// Creates a file that only its owner can access.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Creates a directory that only its owner can access. Does nothing if the directory exists.
fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Removes a directory from an earlier fetch, if it exists.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn failure(path: &Path, what: &str, error: &io::Error) -> Failure {
    Failure::new(Category::Configuration, format!("{what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(started_at: &str) -> Manifest {
        Manifest {
            version: 1,
            source: "a".into(),
            first_day: "2026-11-26".into(),
            last_day: "2026-11-28".into(),
            started_at: started_at.parse().unwrap(),
            cards: BTreeSet::new(),
            problems: Vec::new(),
        }
    }

    #[test]
    fn only_a_recent_fetch_with_the_same_parameters_is_continued() {
        let first = manifest("2026-11-28T00:00:00Z");
        let later = manifest("2026-11-28T23:00:00Z");
        assert!(later.continues(&first));
        assert!(!first.continues(&later), "the clock was set back");
        assert!(!manifest("2026-11-29T01:00:00Z").continues(&first));
        for change in [
            |manifest: &mut Manifest| manifest.source = "b".into(),
            |manifest: &mut Manifest| manifest.last_day = "2026-11-27".into(),
            |manifest: &mut Manifest| manifest.version = 2,
        ] {
            let mut other = later.clone();
            change(&mut other);
            assert!(!other.continues(&first));
        }
    }

    #[test]
    fn parts_are_kept_until_the_fetch_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/out");
        let first = manifest("2026-11-28T00:00:00Z");
        let directory = Directory::open(&path, &first).unwrap();
        assert!(Directory::open(&path, &first).err().unwrap().message().ends_with("in use by a different process"));
        directory.write("a.jsonl", [&1, &2]).unwrap();
        std::fs::write(path.join("lists.partial/b.jsonl.draft"), "unfinished").unwrap();
        drop(directory);
        let directory = Directory::open(&path, &manifest("2026-11-28T01:00:00Z")).unwrap();
        assert_eq!(directory.read::<u32>("a.jsonl").unwrap(), Some(vec![1, 2]));
        assert_eq!(directory.read::<u32>("b.jsonl").unwrap(), None);
        directory.complete(&first).unwrap();
        assert_eq!(lists_in(&path), path.join("lists"));
        drop(directory);
        // A second fetch replaces the lists of the first fetch only when it is complete.
        let directory = Directory::open(&path, &first).unwrap();
        assert_eq!(directory.read::<u32>("a.jsonl").unwrap(), None);
        assert!(path.join("lists/a.jsonl").exists());
        directory.write("c.jsonl", [&3]).unwrap();
        directory.complete(&first).unwrap();
        assert!(path.join("lists/c.jsonl").exists() && !path.join("lists/a.jsonl").exists());
        assert!(!path.join("lists.old").exists() && !path.join("lists.partial").exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |name: &str| std::fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode("lists"), mode("lists/c.jsonl")), (0o700, 0o600));
        }
    }
}
