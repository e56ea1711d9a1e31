//! The server settings that durability depends on.

use paytend_inbox::{StoreError, StoreErrorKind};
use tokio_postgres::{Client, Error};

/// The SQLSTATE that the schema's trigger reports when it refuses a commit that a crash could undo.
pub(crate) const UNSAFE: &str = "PY001";

/// The minimum supported PostgreSQL version, in the format of `server_version_num`.
const MIN_VERSION: i32 = 140_000;

/// Reads the settings.
pub(crate) async fn read(client: &Client) -> Result<Vec<(&'static str, String)>, Error> {
    let row = client
        .query_one(
            "SELECT current_setting('server_version_num'), current_setting('fsync'), \
             current_setting('synchronous_commit'), current_setting('full_page_writes'), \
             current_setting('synchronous_standby_names')",
            &[],
        )
        .await?;
    let names = ["server_version_num", "fsync", "synchronous_commit", "full_page_writes", "synchronous_standby_names"];
    let mut settings = vec![("engine", "PostgreSQL".to_owned())];
    for (index, name) in names.into_iter().enumerate() {
        settings.push((name, row.try_get(index)?));
    }
    Ok(settings)
}

/// Returns a description of each setting whose value could cause acknowledged notifications to be lost.
pub(crate) fn problems(settings: &[(&'static str, String)]) -> Vec<String> {
    let value = |wanted: &str| settings.iter().find(|(name, _)| *name == wanted).map_or("", |(_, value)| value);
    let mut problems = Vec::new();
    for name in ["fsync", "full_page_writes"] {
        if value(name) != "on" {
            problems.push(format!("the setting {name} must be on"));
        }
    }
    match value("synchronous_commit") {
        "on" | "remote_apply" => {}
        "off" => problems.push("the setting synchronous_commit must not be off".to_owned()),
        // With other values, the standby may not have written the data to its disk when the commit returns.
        _ if !value("synchronous_standby_names").is_empty() => problems.push(
            "the setting synchronous_commit must be on or remote_apply if synchronous_standby_names is set".to_owned(),
        ),
        _ => {}
    }
    if value("server_version_num").parse::<i32>().is_ok_and(|version| version < MIN_VERSION) {
        problems.push("the server must be PostgreSQL 14 or newer".to_owned());
    }
    problems
}

/// Returns an error if the server could lose acknowledged notifications.
pub(crate) fn check(settings: &[(&'static str, String)]) -> Result<(), StoreError> {
    let problems = problems(settings);
    if problems.is_empty() {
        return Ok(());
    }
    let message = format!("the server can lose acknowledged notifications: {}", problems.join("; "));
    Err(StoreError::new(StoreErrorKind::Configuration, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_settings_are_reported() {
        let settings = |version: &str, fsync: &str, commit: &str, pages: &str, standbys: &str| {
            vec![
                ("server_version_num", version.to_owned()),
                ("fsync", fsync.to_owned()),
                ("synchronous_commit", commit.to_owned()),
                ("full_page_writes", pages.to_owned()),
                ("synchronous_standby_names", standbys.to_owned()),
            ]
        };
        for commit in ["on", "local", "remote_write", "remote_apply"] {
            assert!(check(&settings("150017", "on", commit, "on", "")).is_ok(), "{commit}");
        }
        for commit in ["on", "remote_apply"] {
            assert!(check(&settings("150017", "on", commit, "on", "standby")).is_ok(), "{commit}");
        }
        for (unsafe_settings, named) in [
            (settings("150017", "off", "on", "on", ""), "fsync"),
            (settings("150017", "on", "off", "on", ""), "synchronous_commit must not be off"),
            (settings("150017", "on", "off", "on", "standby"), "synchronous_commit must not be off"),
            (settings("150017", "on", "local", "on", "standby"), "synchronous_commit must be on or remote_apply"),
            (settings("150017", "on", "remote_write", "on", "*"), "synchronous_commit must be on or remote_apply"),
            (settings("150017", "on", "on", "off", ""), "full_page_writes"),
            (settings("130001", "on", "on", "on", ""), "PostgreSQL 14"),
        ] {
            assert!(check(&unsafe_settings).unwrap_err().to_string().contains(named), "{named}");
        }
    }
}
