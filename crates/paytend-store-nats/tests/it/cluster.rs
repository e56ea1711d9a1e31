//! A cluster of NATS servers on the loopback interface, whose data is in a temporary directory.

use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use paytend_store_nats::async_nats::jetstream::{self, Context};
use paytend_store_nats::async_nats::{ConnectOptions, ServerAddr};
use tempfile::TempDir;

const START_TIMEOUT: Duration = Duration::from_secs(120);

/// Returns the path of the server program, or `None` if it is not installed.
pub(crate) fn program() -> Option<PathBuf> {
    let given = std::env::var_os("PAYTEND_NATS_SERVER").map(PathBuf::from);
    let name = format!("nats-server{}", std::env::consts::EXE_SUFFIX);
    // `cargo xtask setup` installs the server in the target directory, which also contains the test program.
    let test = std::env::current_exe().unwrap();
    let installed = test.ancestors().map(|directory| directory.join("xtask/nats").join(&name));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|directory| directory.join(&name)).collect::<Vec<_>>();
    let found = given.into_iter().chain(installed).chain(on_path).find(|program| program.is_file());
    if found.is_none() {
        assert!(std::env::var_os("PAYTEND_NOTHING_SKIPPED").is_none(), "nats-server is not installed");
        eprintln!("skipped: nats-server is not installed; run `cargo xtask setup`");
    }
    found
}

/// The servers' configuration.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) servers: usize,
    /// The configuration line that sets `sync_interval`. It is empty for the default.
    pub(crate) sync: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self { servers: 3, sync: "sync_interval: always" }
    }
}

struct Server {
    name: String,
    client_port: u16,
    config: PathBuf,
    process: Option<Child>,
}

/// The cluster that concurrently running tests share.
static SHARED: tokio::sync::Mutex<Weak<Cluster>> = tokio::sync::Mutex::const_new(Weak::new());

pub(crate) struct Cluster {
    program: PathBuf,
    directory: TempDir,
    servers: Vec<Server>,
    next: AtomicUsize,
}

impl Cluster {
    /// Returns a cluster that other tests also use, or `None` if the server is not installed.
    pub(crate) async fn shared() -> Option<Arc<Self>> {
        let mut shared = SHARED.lock().await;
        if let Some(cluster) = shared.upgrade() {
            return Some(cluster);
        }
        let cluster = Arc::new(Self::start(Setup::default()).await?);
        *shared = Arc::downgrade(&cluster);
        Some(cluster)
    }

    /// Starts a cluster, or returns `None` if the server is not installed.
    pub(crate) async fn start(setup: Setup) -> Option<Self> {
        let program = program()?;
        // A different program can take a port before the server binds it, so the start is repeated.
        for _ in 0..5 {
            let cluster = Self::prepare(program.clone(), setup);
            if let Some(cluster) = cluster.run_all().await {
                return Some(cluster);
            }
        }
        panic!("the servers did not start");
    }

    fn prepare(program: PathBuf, setup: Setup) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listeners: Vec<_> = (0..setup.servers * 2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        drop(listeners);
        let (clients, routes) = ports.split_at(setup.servers);
        let all = routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect::<Vec<_>>().join(", ");
        let servers = (0..setup.servers).map(|number| {
            let name = format!("n{number}");
            let data = directory.path().join(&name);
            let mut config = String::new();
            write!(
                config,
                "server_name: {name}\nlisten: 127.0.0.1:{client}\n\
                 jetstream {{ store_dir: {data:?}, max_file_store: 8GB, max_memory_store: 64MB, {sync} }}\n\
                 accounts {{\n  SYS {{ users: [ {{ user: system, password: secret }} ] }}\n  \
                 APP {{ jetstream: enabled, users: [ {{ user: inbox, password: secret }} ] }}\n}}\n\
                 system_account: SYS\nmax_traced_msg_len: 100\n",
                client = clients[number],
                sync = setup.sync,
            )
            .unwrap();
            if setup.servers > 1 {
                let route = routes[number];
                writeln!(config, "cluster {{ name: test, listen: 127.0.0.1:{route}, routes: [ {all} ] }}").unwrap();
            }
            let path = directory.path().join(format!("{name}.conf"));
            std::fs::write(&path, config).unwrap();
            Server { name, client_port: clients[number], config: path, process: None }
        });
        let servers = servers.collect();
        Self { program, directory, servers, next: AtomicUsize::new(0) }
    }

    async fn run_all(mut self) -> Option<Self> {
        for number in 0..self.servers.len() {
            self.spawn(number);
        }
        let deadline = Instant::now() + START_TIMEOUT;
        while !self.is_ready().await {
            assert!(Instant::now() < deadline, "{}", self.log());
            let exited = |server: &mut Server| server.process.as_mut().unwrap().try_wait().unwrap().is_some();
            if self.servers.iter_mut().any(exited) {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(self)
    }

    /// Returns whether the cluster has elected a leader that can create streams.
    async fn is_ready(&self) -> bool {
        let Some(mut context) = self.connect().await else { return false };
        // Servers do not respond to requests before they have elected a leader.
        context.set_timeout(Duration::from_secs(1));
        let name = "ready".to_owned();
        let config = jetstream::stream::Config { name, num_replicas: self.servers.len().min(3), ..Default::default() };
        context.get_or_create_stream(config).await.is_ok() && context.delete_stream("ready").await.is_ok()
    }

    async fn connect(&self) -> Option<Context> {
        let addresses: Vec<ServerAddr> = (0..self.size()).map(|number| self.address(number).parse().unwrap()).collect();
        let options = ConnectOptions::with_user_and_password("inbox".into(), "secret".into());
        let client = options.connect(addresses.as_slice()).await.ok()?;
        let mut context = jetstream::new(client);
        context.set_timeout(Duration::from_secs(60));
        Some(context)
    }

    /// Connects to the servers without the store.
    pub(crate) async fn context(&self) -> Context {
        self.connect().await.unwrap()
    }

    /// Waits until all replicas of a store's streams are up to date. Returns the name of a server that leads a stream.
    pub(crate) async fn wait_until_current(&self, store: &str) -> String {
        let context = self.context().await;
        let deadline = Instant::now() + START_TIMEOUT;
        let mut leader = String::new();
        for stream in [format!("{store}-work"), format!("{store}-inbox")] {
            loop {
                let handle = context.get_stream(&stream).await;
                let cluster = handle.ok().and_then(|stream| stream.cached_info().cluster.clone());
                if let Some(cluster) = cluster
                    && cluster.replicas.len() == 2
                    && cluster.replicas.iter().all(|peer| peer.current && !peer.offline)
                    && let Some(name) = cluster.leader
                {
                    leader = name;
                    break;
                }
                assert!(Instant::now() < deadline, "the replicas did not recover: {}", self.log());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        leader
    }

    fn spawn(&mut self, number: usize) {
        let log = std::fs::File::options().create(true).append(true).open(self.directory.path().join("log")).unwrap();
        let server = &mut self.servers[number];
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(&server.config).stdout(Stdio::null()).stderr(log);
        server.process = Some(command.spawn().unwrap());
    }

    /// Kills a server immediately.
    pub(crate) fn kill(&mut self, number: usize) {
        let mut process = self.servers[number].process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Starts a server that was killed, and waits until it accepts connections.
    pub(crate) async fn restart(&mut self, number: usize) {
        let deadline = Instant::now() + START_TIMEOUT;
        self.spawn(number);
        while TcpStream::connect(("127.0.0.1", self.servers[number].client_port)).is_err() {
            assert!(Instant::now() < deadline, "{}", self.log());
            // The server ends if a different program is using its port at this time, so it is started again.
            if self.servers[number].process.as_mut().unwrap().try_wait().unwrap().is_some() {
                self.spawn(number);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.servers.len()
    }

    /// Returns the index of the server with this name.
    pub(crate) fn number(&self, name: &str) -> usize {
        self.servers.iter().position(|server| server.name == name).unwrap()
    }

    #[allow(dead_code, reason = "the tests of the command do not use it")]
    pub(crate) fn port(&self, number: usize) -> u16 {
        self.servers[number].client_port
    }

    fn address(&self, number: usize) -> String {
        format!("nats://127.0.0.1:{}", self.servers[number].client_port)
    }

    fn url_of(&self, user: &str) -> String {
        let urls = self.servers.iter().map(|server| format!("nats://{user}:secret@127.0.0.1:{}", server.client_port));
        urls.collect::<Vec<_>>().join(",")
    }

    /// Returns the URL of all servers, with the password.
    pub(crate) fn url(&self) -> String {
        self.url_of("inbox")
    }

    /// Returns the URL for the system account.
    pub(crate) fn system_url(&self) -> String {
        self.url_of("system")
    }

    /// Returns a name for a new store.
    pub(crate) fn store_name(&self) -> String {
        format!("test{}", self.next.fetch_add(1, Ordering::SeqCst))
    }

    pub(crate) fn log(&self) -> String {
        let text = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    #[allow(dead_code, reason = "the tests of the command use it")]
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in self.servers.iter_mut().filter_map(|server| server.process.as_mut()) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
