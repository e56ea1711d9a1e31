//! Tests for the data file.

use paytend_client::{Client, Environment};
use paytend_crypto::Keyring;
use paytend_crypto::rustcrypto;
use paytend_model::issuing::Topup;
use paytend_sandbox::{Sandbox, StartError, StoreError};
use paytend_vectors::Seeded;

#[tokio::test]
async fn state_survives_restarts() {
    let random = Seeded::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data.sqlite");
    let [paytend, own] = [(); 2].map(|()| rustcrypto::generate(1024, &random).unwrap());
    let start = || {
        Sandbox::builder().key(paytend.clone()).partner("888666000100777", own.public_key().clone()).data(&file).start()
    };
    let client = |sandbox: &Sandbox| {
        let keyring = Keyring::from_keys(&own, paytend.public_key()).unwrap();
        Client::builder(Environment::BaseUrl(sandbox.url()), "888666000100777", keyring).build().unwrap()
    };
    let topup = |order: String| {
        Topup::builder().card_id("1755902").order_no(order).amount("1.00".parse().unwrap()).currency("EUR").build()
    };
    // Restart several times, with enough events for a snapshot to be written.
    for life in 0..3 {
        let sandbox = start().await.unwrap();
        let client = client(&sandbox);
        for n in 0..800 {
            client.send(&topup(format!("T-{life}-{n}"))).await.unwrap();
        }
        let again = client.send(&topup("T-0-0".into())).await.unwrap_err();
        assert_eq!(again.api_code(), Some("S103"));
        assert_eq!(sandbox.card("1755902").unwrap().balance().to_string(), format!("{}.00", 800 * (life + 1)));
        assert!(sandbox.conserves_money());
    }
    let sandbox = start().await.unwrap();
    assert_eq!(sandbox.card("1755902").unwrap().balance().to_string(), "2400.00");
    // A second sandbox cannot use the file at the same time.
    assert!(matches!(start().await, Err(StartError::Store(StoreError::InUse))));
    drop(sandbox);
    let other =
        Sandbox::builder().key(paytend.clone()).partner("888666000100778", own.public_key().clone()).data(&file);
    assert!(matches!(other.start().await, Err(StartError::OtherPartners(_))));
    std::fs::write(folder.path().join("broken"), "not a database, but long enough to be examined").unwrap();
    let broken = Sandbox::builder().data(folder.path().join("broken")).start().await.unwrap_err();
    assert!(matches!(broken, StartError::Store(_)));
}

/// A query uses up its `requestId`, even across a restart. A refused request is not carried out later.
#[tokio::test]
async fn used_request_id_is_refused_after_a_restart() {
    let random = Seeded::new();
    use paytend_crypto::{Expected, Fields, Outgoing};
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data.sqlite");
    let [paytend, own] = [(); 2].map(|()| rustcrypto::generate(1024, &random).unwrap());
    let id = "888666000100777";
    let start = || Sandbox::builder().key(paytend.clone()).partner(id, own.public_key().clone()).data(&file).start();
    let keyring = Keyring::from_keys(&own, paytend.public_key()).unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = |url: String, path: &'static str, data: &'static str| {
        let fields = Fields::request(id, &"0123456789abcdef0123456789abcdef".parse().unwrap());
        let body = keyring.seal(&Outgoing::new(&fields).payload(data)).unwrap().into_document();
        let (sent, keyring) = (http.post(format!("{url}{path}")).body(body).send(), keyring.clone());
        async move {
            let answer = sent.await.unwrap().bytes().await.unwrap();
            keyring.open(&answer, &Expected::response()).unwrap().field("respCode").unwrap().to_owned()
        }
    };
    let sandbox = start().await.unwrap();
    let topup = r#"{"cardId":"1755902","orderNo":"T-1","amount":"100.00","currency":"EUR"}"#;
    assert_eq!(send(sandbox.url(), "/issuing/card/getCardBalance", r#"{"cardId":"1755902"}"#).await, "00");
    assert_eq!(send(sandbox.url(), "/issuing/card/topup", topup).await, "S006");
    drop(sandbox);
    let sandbox = start().await.unwrap();
    assert_eq!((sandbox.topup("T-1"), sandbox.funds("EUR").to_string()), (None, "10000.00".into()));
    assert_eq!(send(sandbox.url(), "/issuing/card/topup", topup).await, "S006");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
        }
    }
}

/// If the stored state would cause an endless loop, the sandbox does not start, and the file is not changed.
#[tokio::test]
async fn start_with_an_invalid_stored_state_fails_with_the_reason() {
    let random = Seeded::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data.sqlite");
    let own = rustcrypto::generate(1024, &random).unwrap();
    let start = || Sandbox::builder().partner("888666000100777", own.public_key().clone()).data(&file).start();
    let sandbox = start().await.unwrap();
    let control = crate::control::Control::of(&sandbox);
    let sound = control.get("/export").await;
    let mut world = sound.clone();
    let fee = serde_json::json!({"task": "monthlyFee", "id": "1755902"});
    let soon = (world["now"].as_u64().unwrap() + 5).to_string();
    world["partners"]["888666000100777"]["tasks"] = serde_json::json!({soon: vec![fee; 9]});
    let (status, answer) = control.post("/import", &world).await;
    assert!(status == 400 && answer["error"].as_str().unwrap().contains("more than one monthly fee"), "{answer}");
    assert_eq!(control.get("/export").await["partners"], sound["partners"]);
    drop((control, sandbox));
    drop(start().await.unwrap());

    // An older version without this check could have written an invalid state, either as an event or as a snapshot.
    let event = serde_json::json!({"event": "imported", "at": 0, "world": world.to_string()}).to_string();
    for (statement, text) in [
        ("INSERT INTO event (event) VALUES (?1)", &event),
        ("INSERT OR REPLACE INTO snapshot (id, last, world) VALUES (1, 1000000, ?1)", &world.to_string()),
    ] {
        let connection = rusqlite::Connection::open(&file).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        connection.execute(statement, [text]).unwrap();
        let count = |connection: &rusqlite::Connection| -> i64 {
            connection.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap()
        };
        let before = count(&connection);
        drop(connection);
        let error = start().await.unwrap_err();
        assert!(matches!(error, StartError::Store(StoreError::Flaw(_))), "{error:?}");
        assert!(error.to_string().contains("a card has more than one monthly fee task"), "{error}");
        let connection = rusqlite::Connection::open(&file).unwrap();
        assert_eq!(count(&connection), before);
    }
}

/// With invalid settings, the sandbox does not start and creates no file.
#[tokio::test]
async fn invalid_settings_are_refused_without_creating_a_file() {
    let mut timing = paytend_sandbox::Timing::instant();
    timing.topup = u64::MAX;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data.sqlite");
    for builder in [Sandbox::builder().timing(timing), Sandbox::builder().at(u64::MAX)] {
        let error = builder.data(&file).start().await.unwrap_err();
        assert!(matches!(error, StartError::Settings(_)), "{error:?}");
        assert!(!file.exists());
    }
}
