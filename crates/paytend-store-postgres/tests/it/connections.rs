//! Tests that the store requires TLS and selects the primary.

use paytend_inbox::StoreErrorKind;
use paytend_store_postgres::PostgresOptions;
use paytend_store_postgres::tokio_postgres::config::{SslMode, TargetSessionAttrs};

use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_required_on_the_same_machine_if_the_url_requires_it() {
    let Some(server) = Server::start(&[]).await else { return };
    let mut config = server.database().await;
    config.ssl_mode(SslMode::Require);
    let error = PostgresOptions::new(config).open().await.unwrap_err();
    assert!(error.to_string().contains("TLS"), "{error}");
}

#[tokio::test]
async fn plain_connections_to_other_machines_are_refused() {
    let options = PostgresOptions::from_url("postgres://db.example.com/db?sslmode=disable").unwrap();
    let error = options.open().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Configuration);
    assert!(error.to_string().contains("sslmode=disable"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn standby_is_refused_and_the_primary_is_found() {
    let Some(primary) = Server::start(&[]).await else { return };
    let config = primary.database().await;
    let standby = primary.standby().await;
    let name = config.get_dbname().unwrap();
    let error = PostgresOptions::new(standby.config(name)).open().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("standby"), "{error}");
    let mut both = standby.config(name);
    both.host_path(primary.directory());
    PostgresOptions::new(both.clone()).open().await.unwrap();
    both.target_session_attrs(TargetSessionAttrs::ReadOnly);
    let error = PostgresOptions::new(both).open().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Configuration);
}
