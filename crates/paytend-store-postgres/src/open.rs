//! Opens a store.

use paytend_inbox::StoreError;

use crate::connect::Server;
use crate::error::{pool_error, store_error};
use crate::options::PostgresOptions;
use crate::store::{PostgresStore, Rules};
use crate::{pooler, schema, settings};

impl PostgresOptions {
    /// Connects, checks the server's settings, and creates or upgrades the schema.
    ///
    /// With `sslmode=require`, TLS is used and the certificate is verified with the operating system's root
    /// certificates. If any host of the URL is a different machine, all connections use TLS. `sslmode=prefer`, the
    /// default, is changed to `require`, and `disable` is refused. Connections to this machine use TLS only with
    /// `sslmode=require`. A host with a `hostaddr` is treated as this machine only if the `hostaddr` is also a loopback
    /// address.
    ///
    /// The store uses only servers that accept writes. If the URL contains the hosts of a primary and its standbys, the
    /// store connects to the primary.
    ///
    /// If `synchronous_standby_names` is set, `synchronous_commit` must be `on` or `remote_apply`.
    ///
    /// # Errors
    /// - Returns [`StoreError`] if no server is reachable, if the server refuses the login, or if it is a standby.
    /// - Returns [`StoreError`] if the URL disables TLS for a different machine.
    /// - Returns [`StoreError`] if acknowledged notifications could be lost with the server's settings.
    /// - Returns [`StoreError`] if the server is behind a pooler in transaction mode that does not keep prepared
    ///   statements, such as PgBouncer before version 1.21.
    /// - Returns [`StoreError`] if the schema has an incompatible version, or if [`must_exist`](Self::must_exist) is
    ///   set and the schema is absent or older.
    pub async fn open(self) -> Result<PostgresStore, StoreError> {
        let server = Server::new(&self)?;
        let pool = server.pool(&self)?;
        let mut client = pool.get().await.map_err(|error| pool_error("connect", error))?;
        let settings = settings::read(&client).await.map_err(|error| store_error("read the settings", error))?;
        if !self.danger_any_settings {
            settings::check(&settings)?;
        }
        let is_pooled = pooler::is_transaction_pooler(&server, &client).await?;
        if is_pooled && self.listen {
            tracing::warn!("a pooler in transaction mode delivers no hints from other processes; workers only poll");
        }
        if self.create {
            schema::migrate(&mut client).await?;
        } else {
            schema::require(&client).await?;
        }
        drop(client);
        let rules = Rules {
            effect_timeout: self.effect_timeout,
            danger_any_settings: self.danger_any_settings,
            listen: self.listen && !is_pooled,
        };
        let store = PostgresStore::new(server, pool, rules);
        if self.create {
            store.add_days().await;
            store.repair_times().await?;
        }
        Ok(store)
    }
}
