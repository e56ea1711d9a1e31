//! Starting and stopping, and the keys.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use paytend_crypto::{Keyring, OsRandom, PrivateKey, PublicKey, rustcrypto};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::core::{Core, Partner};
use crate::server::router;
use crate::state::State;

/// The partner that a sandbox has if none is given: the documentation's example.
const DEFAULT_PARTNER: &str = "888666000100260";
/// The card that every partner has from the start.
const CARD_ID: &str = "1755902";
/// The currency of everything.
const CURRENCY: &str = "EUR";
/// Length of generated keys: what Paytend uses today.
const DEFAULT_BITS: usize = 1024;

/// A running sandbox. It stops when it is dropped.
pub struct Sandbox {
    pub(crate) core: Arc<Core>,
    pub(crate) http: reqwest::Client,
    address: SocketAddr,
    public_key: PublicKey,
    generated: Option<PrivateKey>,
    partner_id: String,
    _stop: oneshot::Sender<()>,
}

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A key cannot be made or used.
    #[error("a key cannot be made or used")]
    Key(#[from] paytend_crypto::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The client that posts notifications cannot be made.
    #[error("cannot make the client that posts notifications")]
    Http(#[source] reqwest::Error),
}

/// Configures a sandbox.
#[must_use]
#[derive(Debug)]
pub struct Builder {
    address: SocketAddr,
    bits: usize,
    key: Option<PrivateKey>,
    partners: Vec<(String, PublicKey)>,
}

impl Builder {
    /// Where to listen (default: a free port of 127.0.0.1).
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// The port of 127.0.0.1 to listen on; 0 for a free one.
    pub fn port(self, port: u16) -> Self {
        self.address(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }

    /// The length of keys that are generated (default 1024, which is what Paytend uses).
    pub fn bits(mut self, bits: usize) -> Self {
        self.bits = bits;
        self
    }

    /// Paytend's key (default: a new one).
    pub fn key(mut self, key: PrivateKey) -> Self {
        self.key = Some(key);
        self
    }

    /// A partner and his public key. Without any, there is one with a new key pair.
    pub fn partner(mut self, id: impl Into<String>, key: PublicKey) -> Self {
        self.partners.push((id.into(), key));
        self
    }

    /// Starts the server.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(self) -> Result<Sandbox, StartError> {
        let key = match self.key {
            Some(key) => key,
            None => rustcrypto::generate(self.bits, &OsRandom)?,
        };
        let mut partners = self.partners;
        let generated = if partners.is_empty() {
            let own = rustcrypto::generate(self.bits, &OsRandom)?;
            partners.push((DEFAULT_PARTNER.to_owned(), own.public_key().clone()));
            Some(own)
        } else {
            None
        };
        let partner_id = partners[0].0.clone();
        let core = Arc::new(Core::new(
            partners
                .into_iter()
                .map(|(id, public)| {
                    let keyring = Keyring::from_keys(&key, &public)?;
                    let state = State::new(funds("10000.00"), CURRENCY, CARD_ID, funds("0.00"));
                    Ok((id, Partner::new(keyring, state)))
                })
                .collect::<Result<_, paytend_crypto::Error>>()?,
        ));

        let listen = |source| StartError::Listen { address: self.address, source };
        let listener = TcpListener::bind(self.address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        // A sandbox is asked to post to the machine itself; a proxy would only be in the way.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(std::time::Duration::from_secs(10))
            .build()
            .map_err(StartError::Http)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let app = router(Arc::clone(&core));
        tokio::spawn(async move {
            let served = axum::serve(listener, app).with_graceful_shutdown(async move {
                // Ends when the sandbox is dropped, which drops the sender.
                let _ = stopped.await;
            });
            if let Err(error) = served.await {
                tracing::error!(%error, "the sandbox stopped");
            }
        });
        Ok(Sandbox { core, http, address, public_key: key.public_key().clone(), generated, partner_id, _stop: stop })
    }
}

/// An amount that is written in this file.
fn funds(text: &'static str) -> paytend_model::Amount {
    // Two constants, both tested by every start.
    #[allow(clippy::expect_used)]
    text.parse().expect("a decimal constant")
}

impl Sandbox {
    /// Configures a sandbox.
    pub fn builder() -> Builder {
        let builder = Builder {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            bits: DEFAULT_BITS,
            key: None,
            partners: Vec::new(),
        };
        builder.port(0)
    }

    /// Starts one with new keys for both sides, on a free port.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start() -> Result<Self, StartError> {
        Self::builder().start().await
    }

    /// The base URL, such as `http://127.0.0.1:41234`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Paytend's public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The first partner's identifier.
    pub fn partner_id(&self) -> &str {
        &self.partner_id
    }

    /// The generated partner's key; `None` if partners were given.
    pub fn partner_key(&self) -> Option<&PrivateKey> {
        self.generated.as_ref()
    }

    /// The generated partner's keyring; `None` if partners were given.
    pub fn partner_keyring(&self) -> Option<Keyring> {
        self.generated.as_ref().and_then(|own| Keyring::from_keys(own, &self.public_key).ok())
    }

    /// A card that every partner has from the start, active and empty.
    pub fn card_id(&self) -> &str {
        CARD_ID
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("address", &self.address).field("key", &self.public_key).finish_non_exhaustive()
    }
}
