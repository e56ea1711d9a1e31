//! A file that outlives the sandbox.

use paytend_client::{Client, Environment};
use paytend_crypto::rustcrypto;
use paytend_crypto::{Keyring, OsRandom};
use paytend_model::issuing::Topup;
use paytend_sandbox::{Sandbox, StartError};

#[tokio::test]
async fn what_happened_is_still_so_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data.sqlite");
    let [paytend, own] = [(); 2].map(|()| rustcrypto::generate(1024, &OsRandom).unwrap());
    let start = || {
        Sandbox::builder().key(paytend.clone()).partner("888666000100777", own.public_key().clone()).data(&file).start()
    };
    let client = |sandbox: &Sandbox| {
        let keyring = Keyring::from_keys(&own, paytend.public_key()).unwrap();
        Client::builder(Environment::BaseUrl(sandbox.url()), "888666000100777", keyring).build().unwrap()
    };
    let topup = |order: String| Topup::new("1755902".into(), order.into(), "1.00".parse().unwrap(), "EUR".into());
    // More than one life, and more events than are kept without a snapshot.
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
    let other =
        Sandbox::builder().key(paytend.clone()).partner("888666000100778", own.public_key().clone()).data(&file);
    assert!(matches!(other.start().await, Err(StartError::OtherPartners(_))));
    std::fs::write(folder.path().join("broken"), "not a database, and long enough to be looked at").unwrap();
    let broken = Sandbox::builder().data(folder.path().join("broken")).start().await.unwrap_err();
    assert!(matches!(broken, StartError::Store(_)));
}
