//! Tests for a sandbox with a key directory, and for a client that is configured by its `paytend.toml`.

use std::path::Path;
use std::time::Duration;

use paytend_client::{ClientBuilder, OrderState, OrderStates, Outcome, Resolution};
use paytend_model::issuing::{QueryPartnerBalance, QueryTopupResult, Topup};
use paytend_sandbox::{FolderOptions, KeyFolder, ProfileFile, Sandbox};

async fn start(folder: &Path) -> Sandbox {
    let folder = KeyFolder::open(folder, &FolderOptions::new()).unwrap();
    Sandbox::builder().folder(folder).start().await.unwrap()
}

fn client(file: &Path) -> ClientBuilder {
    ClientBuilder::from_file(file, "sandbox").unwrap()
}

#[tokio::test]
async fn client_from_profile_file_resolves_orders_and_reports_unknown_orders() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = start(folder.path()).await;
    let file = sandbox.profile_file().unwrap();
    assert!(matches!(file, ProfileFile::Written(path) if *path == folder.path().join("paytend.toml")), "{file}");

    let client = client(file.path()).deadline(Duration::from_secs(20)).build().unwrap();
    let topup = Topup::builder()
        .card_id(sandbox.card_id())
        .order_no("T-1")
        .amount("25.00".parse().unwrap())
        .currency("EUR")
        .build();
    let resolved = client.send_and_wait(&topup).await.unwrap();
    assert_eq!(resolved.state(), &OrderState::Succeeded);

    let codes = profile(file.path());
    let unknown = client.send(&QueryTopupResult::new("T-2")).await.unwrap_err();
    assert_eq!((unknown.outcome(), unknown.api_code()), (Outcome::Rejected, codes["unknown_order_codes"][0].as_str()));
}

/// The sandbox does not depend on the client's crate, so this test compares the codes in the file with the client's.
#[tokio::test]
async fn profile_file_codes_match_the_clients_local_sandbox_settings() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = start(folder.path()).await;
    let profile = profile(sandbox.profile_file().unwrap().path());
    let list = |value: &toml::Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect()
    };
    let resolution = Resolution::new().unknown_order_codes(list(&profile["unknown_order_codes"]));
    assert_eq!(resolution, Resolution::local_sandbox());
    let states = &profile["order_states"];
    let states = OrderStates::new()
        .processing(list(&states["processing"]))
        .succeeded(list(&states["succeeded"]))
        .failed(list(&states["failed"]));
    assert_eq!(states, OrderStates::local_sandbox());
}

fn profile(file: &Path) -> toml::Value {
    let text = std::fs::read_to_string(file).unwrap();
    toml::from_str::<toml::Value>(&text).unwrap()["profiles"]["sandbox"].clone()
}

#[tokio::test]
async fn profile_file_without_its_first_line_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    drop(start(folder.path()).await);
    let file = folder.path().join("paytend.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let changed = format!("{}deadline_seconds = 5\n", text.split_once('\n').unwrap().1);
    std::fs::write(&file, &changed).unwrap();

    let sandbox = start(folder.path()).await;
    let kept = sandbox.profile_file().unwrap();
    assert!(matches!(kept, ProfileFile::Kept(_)) && kept.to_string().contains("delete the file"), "{kept}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), changed);
    // The file still contains the URL of the first sandbox, which has stopped, so the test passes the URL of the second
    // one.
    let client = client(&file).environment(paytend_client::Environment::BaseUrl(sandbox.url()));
    client.deadline(Duration::from_secs(30)).build().unwrap().send(&QueryPartnerBalance::new()).await.unwrap();
}

#[tokio::test]
async fn sandbox_without_key_directory_has_no_profile_file() {
    assert!(Sandbox::start().await.unwrap().profile_file().is_none());
}
