//! Tests of a store that connects through PgBouncer. They are skipped if PgBouncer is not installed.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use paytend_inbox::{Store as _, StoreAdmin as _, StoreErrorKind, StoreKeys};
use paytend_store_postgres::PostgresOptions;
use paytend_store_postgres::tokio_postgres::{Config, NoTls};

use crate::server::{Server, execute, give, number};
use crate::support::{EFFECTS, accept, claim, open, process};

const LEASE: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(20);

struct Pooler(Child);

impl Pooler {
    /// Starts a pooler in front of a database. Returns the pooler and the settings for connecting to it. `mode` is the
    /// pool mode, which can be followed by additional lines of settings.
    async fn start(
        server: &Server,
        directory: &std::path::Path,
        database: &Config,
        mode: &str,
    ) -> Option<(Self, Config)> {
        let program =
            ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| std::path::Path::new(path).exists());
        let Some(program) = program else {
            assert!(std::env::var_os("PAYTEND_NOTHING_SKIPPED").is_none(), "PgBouncer is not installed");
            eprintln!("skipped: PgBouncer is not installed; run `cargo xtask setup`");
            return None;
        };
        let name = database.get_dbname().unwrap();
        let settings = format!(
            "[databases]\n{name} = host={} user=postgres\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n\
             unix_socket_dir = {}\nauth_type = any\npool_mode = {mode}\n",
            server.directory().display(),
            directory.display()
        );
        std::fs::write(directory.join("settings.ini"), settings).unwrap();
        give(directory);
        let mut command = server.command(program);
        command.arg("-q").arg(directory.join("settings.ini")).stdout(Stdio::null()).stderr(Stdio::null());
        let pooler = Self(command.spawn().unwrap());
        let mut config = Config::new();
        config.host_path(directory).port(6432).user("postgres").dbname(name);
        let deadline = Instant::now() + SOON;
        while config.connect(NoTls).await.is_err() {
            assert!(Instant::now() < deadline, "the pooler did not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some((pooler, config))
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn session_pooling_works() {
    let Some(server) = Server::start(&[]).await else { return };
    let database = server.database().await;
    execute(&database, EFFECTS).await;
    let directory = tempfile::tempdir().unwrap();
    let Some((_pooler, config)) = Pooler::start(&server, directory.path(), &database, "session").await else { return };
    let store = open(config, 2).await;
    let keys = Arc::new(StoreKeys::generate().unwrap());
    // The store receives a hint from a process that does not use the pooler.
    let receiver = open(database, 1).await;
    let deadline = Instant::now() + SOON;
    for number in 0.. {
        let mut changed = Box::pin(store.changed());
        assert!(changed.as_mut().now_or_never().is_none());
        accept(&receiver, &keys, &format!("hint{number}")).await.unwrap();
        // Hints are repeated, because the first hints can be sent before the connection listens.
        if tokio::time::timeout(Duration::from_secs(1), changed).await.is_ok() {
            break;
        }
        assert!(Instant::now() < deadline, "no hint arrived in time");
    }
    let claimed = claim(&store, 100, LEASE).await;
    for claimed in &claimed {
        assert!(process(&store, claimed).await);
    }
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

/// If the pooler has only one connection to the server, the check for a pooler must not wait for two minutes.
#[tokio::test(flavor = "multi_thread")]
async fn session_pooling_with_one_connection_opens_in_time() {
    let Some(server) = Server::start(&[]).await else { return };
    let database = server.database().await;
    let directory = tempfile::tempdir().unwrap();
    let mode = "session\ndefault_pool_size = 1";
    let Some((_pooler, config)) = Pooler::start(&server, directory.path(), &database, mode).await else { return };
    let opening = PostgresOptions::new(config).max_connections(1).without_listener().open();
    let store = tokio::time::timeout(Duration::from_secs(60), opening).await.expect("opened in time").unwrap();
    let keys = Arc::new(StoreKeys::generate().unwrap());
    assert!(accept(&store, &keys, "one").await.is_some());
}

/// PgBouncer before version 1.21 does not keep prepared statements. Newer versions keep them if they are configured to
/// do so.
#[tokio::test(flavor = "multi_thread")]
async fn transaction_pooling_works_or_is_refused() {
    let Some(server) = Server::start(&[]).await else { return };
    let database = server.database().await;
    let directory = tempfile::tempdir().unwrap();
    let started = Pooler::start(&server, directory.path(), &database, "transaction");
    let Some((_pooler, config)) = started.await else { return };
    let options = || PostgresOptions::new(config.clone()).max_connections(2);
    match options().open().await {
        Ok(store) => {
            execute(&database, EFFECTS).await;
            let keys = Arc::new(StoreKeys::generate().unwrap());
            for number in 0..20 {
                accept(&store, &keys, &number.to_string()).await.unwrap();
            }
            for claimed in claim(&store, 20, LEASE).await {
                assert!(process(&store, &claimed).await);
            }
            assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
        }
        Err(error) => {
            assert_eq!(error.kind(), StoreErrorKind::Configuration);
            assert!(error.to_string().contains("use session pooling"), "{error}");
            options().must_exist().open().await.unwrap_err();
            // The refused store has not created any tables.
            let tables = "SELECT count(*)::int FROM pg_class WHERE relname LIKE 'paytend%'";
            assert_eq!(number(&database, tables).await, 0);
        }
    }
}
