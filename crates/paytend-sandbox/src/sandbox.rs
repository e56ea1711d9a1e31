//! The running sandbox and its builder.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use paytend_crypto::rsa::Backend;
use paytend_crypto::rustcrypto::RustCrypto;
use paytend_crypto::{Keyring, OsRandom, PrivateKey, PublicKey, RandomSource};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::control;
use crate::faults::Fault;
use crate::keys::Keys;
use crate::keys::folder::KeyFolder;
use crate::profile_file::ProfileFile;
use crate::runtime::clock::{Clock, Pace};
use crate::runtime::core::{Core, Kept};
use crate::runtime::delivery::drive;
use crate::server::{router, serve};
use crate::start_error::StartError;
use crate::world::partner::FIRST_CARD;
use crate::world::settings::{Settings, Timing};
use crate::world::{Event, World};

/// The default partner identifier, taken from the documentation's example.
const DEFAULT_PARTNER: &str = "888666000100260";
/// The default length of generated keys in bits, which is also the length of the keys that Paytend uses today.
const DEFAULT_BITS: usize = 1024;

/// A running sandbox, which stops when it is dropped.
///
/// # Examples
///
/// ```no_run
/// use paytend_sandbox::Sandbox;
///
/// # async fn example() -> Result<(), paytend_sandbox::StartError> {
/// let sandbox = Sandbox::start().await?;
/// println!("{} {}", sandbox.url(), sandbox.partner_id());
/// # Ok(())
/// # }
/// ```
pub struct Sandbox {
    pub(crate) core: Arc<Core>,
    address: SocketAddr,
    generated: Option<PrivateKey>,
    partner_id: String,
    token: Option<String>,
    profile_file: Option<ProfileFile>,
    _stop: oneshot::Sender<()>,
    driver: tokio::task::JoinHandle<()>,
}

/// A builder for a [`Sandbox`].
///
/// # Examples
///
/// ```no_run
/// use paytend_sandbox::{Pace, Sandbox, Timing};
///
/// # async fn example() -> Result<(), paytend_sandbox::StartError> {
/// let sandbox = Sandbox::builder().port(8080).timing(Timing::realistic()).pace(Pace::Frozen).start().await?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct SandboxBuilder {
    address: SocketAddr,
    backend: Arc<dyn Backend>,
    bits: usize,
    key: Option<PrivateKey>,
    partners: Vec<(String, PublicKey)>,
    shared: bool,
    settings: Settings,
    pace: Pace,
    at: Option<u64>,
    faults: Vec<Fault>,
    folder: Option<KeyFolder>,
    data: Option<PathBuf>,
    danger_allow_remote: bool,
}

impl fmt::Debug for SandboxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxBuilder")
            .field("address", &self.address)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}

impl SandboxBuilder {
    /// Sets the address to listen on. The default is a free port on 127.0.0.1.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Sets the address to 127.0.0.1 with the given port; 0 selects a free port.
    pub fn port(self, port: u16) -> Self {
        self.address(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }

    /// Allows an address that other machines can reach. The control interface then requires a [token](Sandbox::token).
    pub fn danger_allow_remote(mut self) -> Self {
        self.danger_allow_remote = true;
        self
    }

    /// Sets the RSA backend. The default is the pure-Rust backend. A faster backend lets the sandbox
    /// serve more requests per second.
    ///
    /// ```no_run
    /// use paytend_crypto_aws_lc::AwsLc;
    ///
    /// # async fn example() -> Result<(), paytend_sandbox::StartError> {
    /// let sandbox = paytend_sandbox::Sandbox::builder().backend(AwsLc).start().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn backend(mut self, backend: impl Backend + 'static) -> Self {
        self.backend = Arc::new(backend);
        self
    }

    /// Sets the length of generated keys in bits. The default is 1024, the length that Paytend uses.
    pub fn bits(mut self, bits: usize) -> Self {
        self.bits = bits;
        self
    }

    /// Sets Paytend's private key. By default a new key is generated.
    pub fn key(mut self, key: PrivateKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Adds a partner with its public key. If no partner is added, the sandbox has one partner with a generated key
    /// pair.
    pub fn partner(mut self, id: impl Into<String>, key: PublicKey) -> Self {
        self.partners.push((id.into(), key));
        self
    }

    /// Uses one key pair for both sides, as in the public demo of Paytend's sandbox.
    pub fn shared_key(mut self) -> Self {
        self.shared = true;
        self
    }

    /// Uses the keys in a directory and adds its partner. [`start`](Self::start) also writes a `paytend.toml` file with
    /// client settings into the directory; see [`ProfileFile`].
    pub fn folder(mut self, folder: KeyFolder) -> Self {
        self.key = Some(folder.paytend.clone());
        self.partners.push((folder.partner_id.clone(), folder.partner.clone()));
        self.folder = Some(folder);
        self
    }

    /// Sets how long asynchronous processes take. The default is [`Timing::instant`].
    pub fn timing(mut self, timing: Timing) -> Self {
        self.settings.timing = timing;
        self
    }

    /// Replaces all settings, including the timing.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the pace of the sandbox's clock. The default is [`Pace::Real`].
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Sets the sandbox's start time, in milliseconds since 1970. The default is the current time.
    pub fn at(mut self, millis: u64) -> Self {
        self.at = Some(millis);
        self
    }

    /// Adds a fault that is active from the start.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Sets a data file that keeps the state across restarts and crashes. By default the state is kept only in memory.
    #[cfg(feature = "persist")]
    #[cfg_attr(docsrs, doc(cfg(feature = "persist")))]
    pub fn data(mut self, file: impl Into<PathBuf>) -> Self {
        self.data = Some(file.into());
        self
    }

    /// Opens the data file, if one is set, and returns the state that it contains.
    fn kept(&self) -> Result<(Kept, Option<World>), StartError> {
        #[cfg(feature = "persist")]
        if let Some(file) = &self.data {
            let (store, world) = crate::runtime::store::Store::open(file)?;
            return Ok((Kept::of(store), world));
        }
        let _ = &self.data;
        Ok((Kept::default(), None))
    }

    /// Starts the server.
    ///
    /// # Errors
    /// Returns [`StartError::NotLoopback`] if other machines can reach the address and
    /// [`danger_allow_remote`](Self::danger_allow_remote) was not called.
    ///
    /// Returns [`StartError::Listen`] if the sandbox cannot listen on the address.
    ///
    /// Returns a different [`StartError`] if keys cannot be generated, or if the settings or the data file cannot be
    /// used.
    pub async fn start(mut self) -> Result<Sandbox, StartError> {
        let loopback = self.address.ip().is_loopback();
        if !loopback && !self.danger_allow_remote {
            return Err(StartError::NotLoopback(self.address));
        }
        let faults: Vec<Fault> =
            std::mem::take(&mut self.faults).into_iter().map(Fault::checked).collect::<Result<_, _>>()?;
        let key = match self.key.take() {
            Some(key) => key,
            None => self.backend.generate(self.bits)?,
        };
        let generated = if self.partners.is_empty() {
            let own = if self.shared { key.clone() } else { self.backend.generate(self.bits)? };
            self.partners.push((DEFAULT_PARTNER.to_owned(), own.public_key().clone()));
            Some(own)
        } else {
            None
        };
        let partner_id = self.partners[0].0.clone();
        let partners: BTreeMap<String, PublicKey> = std::mem::take(&mut self.partners).into_iter().collect();
        let ids: Vec<String> = partners.keys().cloned().collect();
        let mut keys = Keys::new(Arc::clone(&self.backend), key, partners, self.bits)?;
        keys.folder = self.folder.take();

        let listen = |source| StartError::Listen { address: self.address, source };
        let listener = TcpListener::bind(self.address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let at = self.at.unwrap_or_else(Clock::machine);
        // Check the new state before creating the data file. An invalid stored state would prevent the next start.
        let new = World::new(at, &ids, self.settings.clone());
        if let Some(flaw) = new.flaw() {
            return Err(StartError::Settings(flaw));
        }
        let (kept, world) = self.kept()?;
        let fresh = world.is_none();
        let world = world.unwrap_or(new);
        if !world.partners.keys().eq(ids.iter()) {
            return Err(StartError::OtherPartners(ids.join(", ")));
        }
        // A stored world continues at its stored time, or at the start time if the start time is later.
        let clock = Clock::new(at.max(world.now), self.pace);
        let core = Arc::new(Core::new(world, kept, clock, keys).map_err(StartError::Http)?);
        if fresh {
            let settings = self.settings.clone();
            core.happen(|_| Event::Begin { at, partners: ids, settings }).map_err(|_| StartError::Write)?.ok();
        }
        // The current settings replace a stored world's settings.
        if core.look(|world| world.settings != self.settings) {
            let settings = self.settings.clone();
            core.happen(|at| Event::Configured { at, settings }).map_err(|_| StartError::Write)?.ok();
        }
        for fault in faults {
            core.faults().add(fault);
        }
        let token = if loopback { None } else { Some(new_token()?) };
        let (stop, stopped) = oneshot::channel::<()>();
        let app = control::router(Arc::clone(&core), token.clone(), address).merge(router(Arc::clone(&core)));
        tokio::spawn(serve(listener, app, stopped));
        let driver = tokio::spawn(drive(Arc::clone(&core)));
        // The profile file is written only now, because with port 0 the port is known only after binding.
        let profile_file = core.keys().folder.as_ref().map(|folder| ProfileFile::write(folder, address));
        if let Some(file @ (ProfileFile::Kept(_) | ProfileFile::Failed { .. })) = &profile_file {
            tracing::warn!("{file}");
        }
        Ok(Sandbox { core, address, generated, partner_id, token, profile_file, _stop: stop, driver })
    }
}

fn new_token() -> Result<String, paytend_crypto::Error> {
    let mut random = [0u8; 24];
    OsRandom.fill(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Sandbox {
    /// Creates a builder.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            backend: Arc::new(RustCrypto),
            bits: DEFAULT_BITS,
            key: None,
            partners: Vec::new(),
            shared: false,
            settings: Settings::default(),
            pace: Pace::Real,
            at: None,
            faults: Vec::new(),
            folder: None,
            data: None,
            danger_allow_remote: false,
        }
    }

    /// Starts a sandbox with new keys for both sides on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Returns [`StartError`] if keys cannot be generated or no port is available.
    pub async fn start() -> Result<Self, StartError> {
        Self::builder().start().await
    }

    /// Returns the base URL, such as `http://127.0.0.1:41234`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the URL of the control interface.
    pub fn control_url(&self) -> String {
        format!("{}/_sandbox", self.url())
    }

    /// Returns the URL of the web page.
    pub fn ui_url(&self) -> String {
        format!("{}/_sandbox/ui", self.url())
    }

    /// Returns the token that the control interface requires in `Authorization: Bearer …`. Returns `None` on the
    /// loopback interface, where no token is needed.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Returns the `paytend.toml` file in the key directory, or `None` if the sandbox has no key directory.
    pub fn profile_file(&self) -> Option<&ProfileFile> {
        self.profile_file.as_ref()
    }

    /// Returns Paytend's public key.
    pub fn public_key(&self) -> PublicKey {
        self.core.keys().paytend.public_key().clone()
    }

    /// Returns the first partner's identifier.
    pub fn partner_id(&self) -> &str {
        &self.partner_id
    }

    /// Returns the generated partner's private key, or `None` if partners were added to the builder.
    pub fn partner_key(&self) -> Option<&PrivateKey> {
        self.generated.as_ref()
    }

    /// Returns the generated partner's keyring, which uses the sandbox's RSA backend. Returns `None` if partners were
    /// added to the builder.
    pub fn partner_keyring(&self) -> Option<Keyring> {
        let own = self.generated.as_ref()?;
        let keys = self.core.keys();
        keys.keyring(own, keys.paytend.public_key()).ok()
    }

    /// Returns the identifier of the card that every partner has from the start. The card is active and empty.
    pub fn card_id(&self) -> &'static str {
        FIRST_CARD
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.core.close();
        self.driver.abort();
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("address", &self.address).finish_non_exhaustive()
    }
}
