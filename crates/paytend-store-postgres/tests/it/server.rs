//! A PostgreSQL server in a temporary directory. It listens only on a Unix socket in this directory.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use paytend_store_postgres::tokio_postgres::{Config, NoTls};
use tempfile::TempDir;

/// Returns the directory with PostgreSQL's programs, or `None` if PostgreSQL is not installed.
fn programs() -> Option<PathBuf> {
    let given = std::env::var_os("PAYTEND_POSTGRES").map(PathBuf::from);
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|version| version.path().join("bin")).max();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = given.into_iter().chain(newest).chain(std::env::split_paths(&path));
    let found = places.find(|directory| directory.join("initdb").is_file());
    if found.is_none() {
        assert!(std::env::var_os("PAYTEND_NOTHING_SKIPPED").is_none(), "PostgreSQL is not installed");
        eprintln!("skipped: PostgreSQL is not installed; run `cargo xtask setup`");
    }
    found
}

pub(crate) struct Server {
    programs: PathBuf,
    directory: TempDir,
    settings: Vec<String>,
    /// The port number, which is part of the socket's name.
    port: u16,
    process: Option<Child>,
    next: AtomicUsize,
}

impl Server {
    /// Creates and starts a server, or returns `None` if PostgreSQL is not installed.
    pub(crate) async fn start(settings: &[&str]) -> Option<Self> {
        Self::create(settings.iter().map(ToString::to_string).collect(), 5432).await
    }

    /// Creates and starts a server on a TCP port that was free when it was selected.
    pub(crate) async fn start_on_port(settings: Vec<String>) -> Option<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::create(settings, port).await
    }

    async fn create(settings: Vec<String>, port: u16) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let programs = programs()?;
        let mut server = Self { programs, directory, settings, port, process: None, next: AtomicUsize::new(0) };
        give(server.directory.path());
        let created = server
            .command("initdb")
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "--pgdata"])
            .arg(server.data())
            .stdout(Stdio::null())
            .status();
        assert!(created.unwrap().success());
        server.run().await;
        Some(server)
    }

    /// Creates and starts a standby of this server. The server waits for the standby only if it is configured to.
    pub(crate) async fn standby(&self) -> Self {
        let directory = tempfile::tempdir().unwrap();
        give(directory.path());
        let programs = self.programs.clone();
        let (settings, port, next) = (Vec::new(), 5432, AtomicUsize::new(0));
        let mut standby = Self { programs, directory, settings, port, process: None, next };
        let copied = self
            .command("pg_basebackup")
            .args(["--username=postgres", "--wal-method=stream", "--write-recovery-conf", "--checkpoint=fast"])
            .args(["--no-sync", "--host"])
            .arg(self.directory.path())
            .arg("--pgdata")
            .arg(standby.data())
            .status();
        assert!(copied.unwrap().success());
        standby.run().await;
        standby
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the directory of the server's socket.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Returns a command that runs as an unprivileged user, because PostgreSQL refuses to run as root.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.directory.path());
        if let Some((user, group)) = server_user() {
            command.uid(user).gid(group);
        }
        command
    }

    /// Starts the server's process and waits until it accepts connections.
    pub(crate) async fn run(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.directory.path().join("log")).unwrap();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.directory.path());
        command.args(["-p", &self.port.to_string()]);
        command.args(["-c", "listen_addresses=", "-c", "max_connections=60"]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        self.process = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        self.answers().await;
    }

    /// Waits until the server accepts connections.
    pub(crate) async fn answers(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.config("postgres").connect(NoTls).await.is_err() {
            assert!(Instant::now() < deadline, "{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops the server immediately, as if all its processes had crashed. The next start recovers from the write-ahead
    /// log.
    pub(crate) fn crash(&mut self) {
        let mut process = self.process.take().unwrap();
        let id = rustix::process::Pid::from_child(&process);
        // SIGQUIT causes an immediate shutdown, in which the child processes are killed and nothing is written.
        rustix::process::kill_process(id, rustix::process::Signal::QUIT).unwrap();
        process.wait().unwrap();
    }

    /// Kills all processes of the server and deletes its files, as if the machine were lost.
    pub(crate) fn destroy(&mut self) {
        let mut process = self.process.take().unwrap();
        let id = rustix::process::Pid::from_child(&process);
        let children =
            std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", process.id())).unwrap_or_default();
        process.kill().unwrap();
        for child in children.split_whitespace().filter_map(|child| rustix::process::Pid::from_raw(child.parse().ok()?))
        {
            assert_ne!(child, id);
            let _ = rustix::process::kill_process(child, rustix::process::Signal::KILL);
        }
        process.wait().unwrap();
        std::fs::remove_dir_all(self.data()).unwrap();
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Returns the settings for a connection to a database.
    pub(crate) fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config.host_path(self.directory.path()).port(self.port).user("postgres").dbname(database);
        config
    }

    /// Creates an empty database.
    pub(crate) async fn database(&self) -> Config {
        let name = format!("test{}", self.next.fetch_add(1, Ordering::SeqCst));
        execute(&self.config("postgres"), &format!("CREATE DATABASE {name}")).await;
        self.config(&name)
    }
}

/// Runs SQL on a new connection.
pub(crate) async fn execute(config: &Config, sql: &str) {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    let running = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    running.await.unwrap().unwrap();
}

/// Runs a query that returns a number on a new connection.
pub(crate) async fn number(config: &Config, sql: &str) -> i32 {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    let running = tokio::spawn(connection);
    let number = client.query_one(sql, &[]).await.unwrap().get(0);
    drop(client);
    running.await.unwrap().unwrap();
    number
}

/// Changes the owner of a file or directory to the user that runs the servers.
pub(crate) fn give(path: &Path) {
    if let Some((user, group)) = server_user() {
        std::os::unix::fs::chown(path, Some(user), Some(group)).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let id = rustix::process::Pid::from_child(&process);
            let _ = rustix::process::kill_process(id, rustix::process::Signal::QUIT);
            let _ = process.wait();
        }
    }
}

/// Returns the user ID and group ID under which the server runs, or `None` if the tests do not run as root.
fn server_user() -> Option<(u32, u32)> {
    static USER: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *USER.get_or_init(|| {
        let number = |arguments: &[&str]| -> u32 {
            let output = Command::new("id").args(arguments).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
        };
        (number(&["-u"]) == 0).then(|| (number(&["-u", "postgres"]), number(&["-g", "postgres"])))
    })
}

/// The paths of Unix sockets are limited to about 100 characters.
#[test]
fn socket_path_fits() {
    let directory = tempfile::tempdir().unwrap();
    assert!(Path::new(directory.path()).join(".s.PGSQL.5432").as_os_str().len() < 100);
}
