//! Reads and changes the file that contains the connection profiles.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use etcetera::app_strategy::{AppStrategy as _, AppStrategyArgs, choose_app_strategy};
use toml_edit::{DocumentMut, Item, Table};

use crate::exit::{Category, Failure};
use crate::suggest;

/// The environment variable that contains the path of the profile file.
pub(crate) const FILE_VARIABLE: &str = "PAYTEND_CONFIG";
/// The environment variable that contains the name of the profile to use.
pub(crate) const PROFILE_VARIABLE: &str = "PAYTEND_PROFILE";
/// The name of the profile that is used if none is specified.
const DEFAULT: &str = "default";

/// A file with profiles, as `ClientBuilder::from_file` in the `paytend-client` crate reads it.
pub(crate) struct ProfilesFile {
    pub(crate) path: PathBuf,
}

impl ProfilesFile {
    /// Returns the file in `PAYTEND_CONFIG`, or `paytend/config.toml` in the platform's configuration directory.
    pub(crate) fn locate() -> Result<Self, Failure> {
        if let Some(path) = variable(FILE_VARIABLE) {
            return Ok(Self { path: path.into() });
        }
        let app =
            AppStrategyArgs { top_level_domain: "com".into(), author: "paytend".into(), app_name: "paytend".into() };
        let folder = choose_app_strategy(app).map_err(|_| {
            Failure::new(Category::Configuration, format!("there is no home directory: set {FILE_VARIABLE} to a file"))
        })?;
        Ok(Self { path: folder.in_config_dir("config.toml") })
    }

    /// Reads the file. Returns an empty document if the file does not exist.
    pub(crate) fn read(&self) -> Result<DocumentMut, Failure> {
        let name = self.path.display();
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Failure::new(Category::Configuration, format!("cannot read {name}: {error}"))),
        };
        text.parse::<DocumentMut>().map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            // The parser's message is left out, because it contains the invalid line, which can contain a key.
            let line = before.matches('\n').count() + 1;
            Failure::new(Category::Configuration, format!("{name}, line {line}: not valid TOML"))
        })
    }

    /// Returns the name of the profile to use: the given name, the value of `PAYTEND_PROFILE`, `default` if it exists,
    /// or the only profile. Returns `None` in all other cases.
    pub(crate) fn selected(&self, given: Option<&str>, document: &DocumentMut) -> Result<Option<String>, Failure> {
        let names = names(document);
        if let Some(name) = given.map(str::to_owned).or_else(|| variable(PROFILE_VARIABLE)) {
            return match names.contains(&name) {
                true => Ok(Some(name)),
                false => Err(self.unknown(&name, &names)),
            };
        }
        Ok(match names.as_slice() {
            [only] => Some(only.clone()),
            names => names.iter().find(|name| *name == DEFAULT).cloned(),
        })
    }

    fn unknown(&self, name: &str, names: &[String]) -> Failure {
        let hint = suggest::did_you_mean(name, names.iter().map(String::as_str));
        let hint = match (hint, names.is_empty()) {
            (Some(hint), _) => hint,
            (None, true) => "create it with `paytend config init`".to_owned(),
            (None, false) => format!("the profiles are {}", names.join(", ")),
        };
        Failure::new(Category::Configuration, format!("no profile `{name}` in {}: {hint}", self.path.display()))
    }

    /// Changes the file atomically. Waits while another process is changing the file. First calls `change` with the
    /// document, and then `check` with the draft of the new file and the value that `change` returned. Replaces the
    /// file if both succeed.
    pub(crate) fn change<T, C>(
        &self,
        change: impl FnOnce(&mut DocumentMut) -> Result<T, Failure>,
        check: impl FnOnce(&Path, T) -> Result<C, Failure>,
    ) -> Result<C, Failure> {
        let name = self.path.display().to_string();
        let unwritten =
            |error: io::Error| Failure::new(Category::Configuration, format!("cannot write {name}: {error}"));
        // Resolves symbolic links, so that the file is replaced and not the link.
        let target = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        create_private_dir(folder).map_err(unwritten)?;
        // `.lock` is appended to the whole name, and the file is not truncated, because a file with this name may
        // belong to a different program.
        let mut lock = target.clone().into_os_string();
        lock.push(".lock");
        let lock = File::options().create(true).write(true).truncate(false).open(lock).map_err(unwritten)?;
        lock.lock().map_err(unwritten)?;
        let mut document = self.read()?;
        let changed = change(&mut document)?;
        // The changed file is first written to a temporary draft with mode 0600. The draft is in the same folder,
        // because `check` resolves the paths in a profile relative to the file.
        let mut draft = tempfile::NamedTempFile::new_in(folder).map_err(unwritten)?;
        draft.write_all(document.to_string().as_bytes()).map_err(unwritten)?;
        draft.as_file().sync_all().map_err(unwritten)?;
        let checked = check(draft.path(), changed)?;
        draft.persist(&target).map_err(|error| unwritten(error.error))?;
        Ok(checked)
    }
}

/// Returns the value of an environment variable that is not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
}

/// Returns the names of the profiles in a file.
pub(crate) fn names(document: &DocumentMut) -> Vec<String> {
    let profiles = document.get("profiles").and_then(Item::as_table_like);
    profiles.map(|profiles| profiles.iter().map(|(name, _)| name.to_owned()).collect()).unwrap_or_default()
}

/// Returns the settings of a profile, which is created if it does not exist.
pub(crate) fn profile_mut<'d>(
    document: &'d mut DocumentMut,
    name: &str,
) -> Result<&'d mut dyn toml_edit::TableLike, Failure> {
    let unusable = || Failure::new(Category::Configuration, format!("`profiles.{name}` is not a table"));
    let profiles = document.entry("profiles").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let profiles = profiles.as_table_like_mut().ok_or_else(unusable)?;
    profiles.entry(name).or_insert_with(|| Item::Table(Table::new())).as_table_like_mut().ok_or_else(unusable)
}

/// Creates a directory that only its owner can open.
fn create_private_dir(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
