//! Tests that invalid configurations are reported by `build`, or when a file is read.

use std::time::Duration;

use paytend_client::{Client, ClientBuilder, Environment, ErrorKind};
use paytend_vectors::PARTNER_ID;

use crate::scripted::Scripted;
use crate::server::{client, once, partner};

fn builder() -> ClientBuilder {
    Client::builder(Environment::Sandbox, PARTNER_ID, partner())
}

#[test]
fn build_reports_invalid_settings() {
    assert!(builder().build().is_ok());
    for (builder, part) in [
        (builder().attempt_timeout(Duration::ZERO), "must be greater than zero"),
        (builder().deadline(Duration::ZERO), "must be greater than zero"),
        (builder().max_in_flight(0), "must be greater than zero"),
        (builder().max_in_flight(usize::MAX), "max_in_flight is too large"),
        (builder().rate_limit(0, Duration::from_secs(1)), "values of rate_limit must be greater than zero"),
        (builder().rate_limit(1, Duration::ZERO), "values of rate_limit must be greater than zero"),
        (builder().max_response_bytes(0), "max_response_bytes must be greater than zero"),
        (builder().user_agent("a\nb"), "user_agent"),
        (builder().path("nothing", "/x"), "path of `nothing`: no operation"),
        (builder().path("getCities", "/x"), "both products"),
        (builder().path("topup", "x"), "begin with one slash"),
        (builder().path("topup", "//elsewhere.example/x"), "begin with one slash"),
        (builder().path("topup", "/x?y"), "query"),
        (builder().path("topup", "/x y"), "spaces"),
        (builder().path("topup", "/x").path("/issuing/card/topup", "/y"), "set twice"),
        (builder().proxy("CANARY"), "the proxy is not a URL"),
        (builder().root_certificates("CANARY"), "a root certificate is not PEM"),
        (builder().client_certificate("CANARY"), "the client certificate must be PEM"),
        (builder().transport(Scripted::new([])).pool_max_idle(1), "would ignore them"),
        (builder().http_client(|| Ok(reqwest::Client::new())).no_proxy(), "would ignore them"),
        (
            Client::builder(Environment::BaseUrl("http://127.0.0.1:1".into()), PARTNER_ID, partner())
                .proxy("http://p:1"),
            "cannot reach a base URL on the local machine",
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(part) && !shown.contains("CANARY"), "{shown}");
    }
}

#[test]
fn for_partner_refuses_an_empty_partner_id() {
    let client = builder().build().unwrap();
    assert!(client.for_partner("888666000100261", partner()).is_ok());
    assert_eq!(client.for_partner("", partner()).unwrap_err().kind(), ErrorKind::Configuration);
}

/// The test runs itself in a child process, because environment variables are global to a process.
#[test]
fn invalid_proxy_in_the_environment_is_an_error() {
    const CHILD: &str = "PAYTEND_TEST_WRONG_PROXY";
    if std::env::var_os(CHILD).is_some() {
        let error = builder().build().unwrap_err();
        assert!(error.to_string().contains("HTTPS_PROXY") && !error.to_string().contains("CANARY"), "{error}");
        assert!(builder().no_proxy().build().is_ok());
        return;
    }
    let ran = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "configuration::invalid_proxy_in_the_environment_is_an_error"])
        .env(CHILD, "1")
        .env("HTTPS_PROXY", "http://CANARY:99999")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && text.contains("1 passed"), "{text}");
}

/// A redirect would send a signed request to an unintended host.
#[tokio::test]
async fn redirect_is_not_followed() {
    use tokio::io::AsyncWriteExt;
    let (elsewhere, reached) = once(|_, _| async {}).await;
    let (url, _) = once(move |_, mut stream| async move {
        let head = format!("HTTP/1.1 303 See Other\r\nLocation: {elsewhere}/x\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
    })
    .await;
    let error = client(&url).send(&paytend_model::issuing::QueryPartnerBalance::new()).await.unwrap_err();
    assert_eq!((error.kind(), error.http_status()), (ErrorKind::InvalidResponse, Some(303)));
    assert!(!reached.is_finished());
}

/// If the proxy is unusable, the call fails. The client does not connect directly.
#[tokio::test]
async fn unreachable_proxy_is_not_bypassed() {
    let (url, reached) = once(|_, _| async {}).await;
    for proxy in ["http://127.0.0.1:9", "socks5://127.0.0.1:9"] {
        // The client uses the proxy for this base URL. Without the proxy the request would reach the local server.
        let port = url.rsplit(':').next().unwrap();
        let client = Client::builder(Environment::BaseUrl(format!("https://localhost:{port}")), PARTNER_ID, partner())
            .proxy(proxy)
            .retry(paytend_client::RetryPolicy::never())
            .build()
            .unwrap();
        let error = client.send(&paytend_model::issuing::QueryPartnerBalance::new()).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Connect, paytend_client::Outcome::NotSent));
        assert!(!format!("{error:?}").contains("localhost"), "{error:?}");
    }
    assert!(!reached.is_finished());
}

#[tokio::test]
async fn request_is_sent_through_the_configured_proxy() {
    use tokio::io::AsyncReadExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://user:secret@{}", listener.local_addr().unwrap());
    let received = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = vec![0; 4096];
        let read = stream.read(&mut bytes).await.unwrap();
        String::from_utf8(bytes[..read].to_vec()).unwrap()
    });
    let client = Client::builder(Environment::BaseUrl("https://api.example.com".into()), PARTNER_ID, partner())
        .proxy(proxy)
        .retry(paytend_client::RetryPolicy::never())
        .build()
        .unwrap();
    let error = client.send(&paytend_model::issuing::QueryPartnerBalance::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(!format!("{error:?}").contains("secret"));
    let received = received.await.unwrap().to_lowercase();
    assert!(
        received.starts_with("connect api.example.com:443") && received.contains("proxy-authorization: basic"),
        "{received}"
    );
}

#[test]
fn configuration_file_error_states_the_line_or_the_field() {
    let folder = tempfile::tempdir().unwrap();
    let keys = paytend_vectors::keys();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path
    };
    write("partner.pem", &keys["partner"].private_pkcs8_pem);
    write("roots.pem", "CANARY");
    let public = &keys["paytend"].public;
    let good = format!(
        r#"
[profiles.test]
base_url = "https://api.example.com"
partner_id = "{PARTNER_ID}"
private_key_file = "partner.pem"
public_key = "{public}"
deadline_seconds = 5
max_in_flight = 2
unknown_order_codes = ["X1"]
order_states = {{ succeeded = ["2"], failed = ["3"] }}
response_names = {{ topup = ["orderNo"] }}
paths = {{ "baas.getUser" = "/v2/user" }}
"#
    );
    let path = write("paytend.toml", &good);
    let client = ClientBuilder::from_file(&path, "test").unwrap().build().unwrap();
    let shown = format!("{client:?}");
    assert!(shown.contains("https://api.example.com") && shown.contains(PARTNER_ID), "{shown}");
    // The settings from the file can be changed before the client is built.
    let changed = ClientBuilder::from_file(&path, "test").unwrap();
    let changed = changed.environment(Environment::BaseUrl("https://other.example.com".into())).partner_id("100000");
    let shown = format!("{:?}", changed.build().unwrap());
    assert!(shown.contains("https://other.example.com") && shown.contains("100000"), "{shown}");
    let from = |text: &str, profile: &str| {
        let path = write("other.toml", text);
        ClientBuilder::from_file(path, profile).and_then(ClientBuilder::build).unwrap_err()
    };
    for (change, to, part) in [
        ("deadline_seconds = 5", "deadline = 5", "line 7: unknown field `deadline`"),
        ("deadline_seconds = 5", "deadline_seconds = 'CANARY'", "line 7: invalid value, expected u32"),
        ("deadline_seconds = 5", "deadline_seconds = -1", "line 7"),
        ("deadline_seconds = 5", "proxy = 'CANARY'", "the proxy is not a URL"),
        ("deadline_seconds = 5", "root_certificates_file = 'roots.pem'", "a root certificate is not PEM"),
        (
            "deadline_seconds = 5",
            "client_certificate_file = 'none.pem'",
            "client_certificate_file: cannot read the key file",
        ),
        ("deadline_seconds = 5", "environment = 'sandbox'", "profile \"test\": environment and base_url: set one"),
        ("partner.pem", "none.pem", "profile \"test\": private_key_file: "),
        ("[profiles.test]", "[profiles.test", "line 2"),
        ("baas.getUser", "getUsers", "path of `getUsers`"),
        ("failed = [\"3\"]", "failed = [\"2\"]", "order states of all operations: the code `2` has two meanings"),
        ("failed = [\"3\"]", "done = [\"3\"]", "line 10: unknown field `done`"),
        ("topup = ", "toppup = ", "response names of `toppup`"),
    ] {
        let text = good.replace(change, to);
        assert_ne!(text, good);
        let error = from(&text, "test");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(part) && !shown.contains("CANARY"), "{to}: {shown}");
    }
    let error = from(&good, "production").to_string();
    assert!(error.contains("profile `production`: not found; available profiles: test"), "{error}");
    let error = ClientBuilder::from_file(folder.path().join("nowhere.toml"), "test").unwrap_err().to_string();
    assert!(error.contains("cannot read the configuration file ") && error.contains(": entity not found"), "{error}");
}

#[cfg(unix)]
#[test]
fn file_with_a_private_key_is_refused_if_others_have_access() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let keys = paytend_vectors::keys();
    let write = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let pair = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["client".into()]).unwrap().self_signed(&pair).unwrap();
    let identity = format!("{}{}", certificate.pem(), pair.serialize_pem());
    let (private, public) = (&keys["partner"].private, &keys["paytend"].public);
    let start =
        format!("base_url = \"https://api.example.com\"\npartner_id = \"{PARTNER_ID}\"\npublic_key = \"{public}\"\n");
    let [beside, inside, both] = [
        "private_key_file = 'partner.pem'\n".to_owned(),
        format!("private_key = \"{private}\"\n"),
        "private_key_file = 'partner.pem'\nclient_certificate_file = 'client.pem'\n".to_owned(),
    ];
    // Each case contains the profile, the modes of the configuration file, the key file and the certificate file, and
    // the field that the error must name.
    for (profile, modes, refused) in [
        (&beside, [0o644, 0o600, 0o600], None),
        (&beside, [0o644, 0o444, 0o600], Some("private_key_file: ")),
        (&beside, [0o644, 0o640, 0o600], Some("private_key_file: ")),
        (&inside, [0o600, 0o600, 0o600], None),
        (&inside, [0o644, 0o600, 0o600], Some("private_key: ")),
        (&inside, [0o440, 0o600, 0o600], Some("private_key: ")),
        (&both, [0o644, 0o600, 0o400], None),
        (&both, [0o644, 0o600, 0o440], Some("client_certificate_file: ")),
        (&both, [0o644, 0o600, 0o604], Some("client_certificate_file: ")),
    ] {
        write("partner.pem", &keys["partner"].private_pkcs8_pem, modes[1]);
        write("client.pem", &identity, modes[2]);
        let load = |more: &str| {
            let path = write("paytend.toml", &format!("[profiles.test]\n{start}{profile}{more}"), modes[0]);
            ClientBuilder::from_file(path, "test").and_then(ClientBuilder::build).map(drop)
        };
        match (load(""), refused) {
            (Ok(()), None) => {}
            (Err(error), Some(field)) => {
                let shown = error.to_string();
                for part in
                    [field, "is accessible to other users (mode ", "chmod 600", "PAYTEND_DANGER_ANY_PERMISSIONS=1"]
                {
                    assert!(shown.contains(part), "{modes:?}: {part} in {shown}");
                }
                assert!(!format!("{error:?}").contains(&private[..40]));
            }
            (loaded, expected) => panic!("{profile} {modes:?}: {loaded:?} is not {expected:?}"),
        }
        load("danger_any_permissions = true\n").unwrap();
    }
    // The permissions are checked even if only another profile has a private key.
    let other = format!("[profiles.test]\n{start}{beside}[profiles.other]\n{start}{inside}");
    write("partner.pem", &keys["partner"].private_pkcs8_pem, 0o600);
    let error = ClientBuilder::from_file(write("paytend.toml", &other, 0o644), "test").unwrap_err().to_string();
    assert!(error.contains("private_key: ") && error.contains("is accessible to other users"), "{error}");

    // If one profile accepts any permissions, the file is still refused because of another profile's key.
    let accepted =
        format!("[profiles.test]\n{start}{beside}danger_any_permissions = true\n[profiles.other]\n{start}{inside}");
    let error = ClientBuilder::from_file(write("paytend.toml", &accepted, 0o644), "test").unwrap_err().to_string();
    assert!(error.contains("private_key: ") && error.contains("is accessible to other users"), "{error}");

    // The builder also refuses a certificate file that other users can read.
    let path = write("client.pem", &identity, 0o444);
    let refused = builder().client_certificate_file(&path).build().unwrap_err().to_string();
    assert!(
        refused.contains("client_certificate_file: ") && refused.contains("is accessible to other users"),
        "{refused}"
    );
    builder().danger_any_permissions(true).client_certificate_file(&path).build().unwrap();
    builder().client_certificate_file(write("client.pem", &identity, 0o600)).build().unwrap();
}

#[test]
fn client_is_one_pointer_wide_and_its_debug_output_shows_no_keys() {
    let one = client("http://127.0.0.1:9");
    assert_eq!(size_of_val(&one), size_of::<usize>());
    let shown = format!("{:?} {:?}", one.clone(), builder());
    for key in paytend_vectors::keys().values() {
        assert!(!shown.contains(&key.private[..40]));
    }
}
