//! Tests for the control interface over HTTP.

use paytend_model::Product;
use paytend_model::funding::SetCallbackUrl;
use paytend_model::iban::VerifyMobileNumber;
use paytend_model::issuing::QueryPartnerBalance;
use paytend_sandbox::{Sandbox, StartError};
use serde_json::{Value, json};

use crate::client;
use crate::hook::{PAYBY, PAYTEND, hook};

pub(crate) struct Control {
    http: reqwest::Client,
    url: String,
}

impl Control {
    pub(crate) fn of(sandbox: &Sandbox) -> Self {
        Self { http: reqwest::Client::builder().no_proxy().build().unwrap(), url: sandbox.control_url() }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.http.post(format!("{}{path}", self.url)).body(body.to_string()).send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }
}

#[tokio::test]
async fn control_interface_changes_the_state_of_the_sandbox() {
    let sandbox = Sandbox::start().await.unwrap();
    let (control, client) = (Control::of(&sandbox), client(&sandbox));
    let info = control.get("").await;
    assert_eq!(
        (info["operations"].as_array().unwrap().len(), info["notifications"].as_array().unwrap().len()),
        (37, 9)
    );
    let (url, came) = hook(&[], PAYTEND).await;
    client.send(&SetCallbackUrl::builder().type_("1").url(url).build()).await.unwrap();
    let (status, made) =
        control.post("/trigger", &json!({"product": "baas", "notifyType": "2", "content": {"reference": "R"}})).await;
    assert_eq!((status, &made), (200, &json!({"deliveries": [1]})));
    assert_eq!(came.lock().unwrap().len(), 1);
    let delivery = control.get("/deliveries/1").await;
    assert_eq!((&delivery["state"], &delivery["what"]), (&json!("acknowledged"), &json!("baas 2")));
    assert!(delivery["wire"].as_str().unwrap().contains("signature"));
    let (payby, came) = hook(&[], PAYBY).await;
    assert_eq!(control.post("/trigger", &json!({"product": "payby", "url": payby})).await.0, 200);
    assert!(came.lock().unwrap()[0].0.contains_key("sign"));
    // Test seeding, faults and the clock.
    assert_eq!(control.post("/seed", &json!({"funds": "5.50"})).await.0, 200);
    let state = control.get("/state").await;
    assert_eq!(state["partners"][sandbox.partner_id()]["funds"]["EUR"], "10005.50");
    let fault = json!({"on": "getPartnerBalance", "fault": {"kind": "html502"}, "times": 1});
    assert_eq!(control.post("/faults", &fault).await.1["faults"][0]["times"], 1);
    assert!(client.send(&QueryPartnerBalance::new()).await.is_err());
    let seen = control.get("/log").await["entries"].as_array().unwrap().last().cloned().unwrap();
    assert_eq!((&seen["verdict"], &seen["good"]), (&json!("not carried out: 502, from a proxy"), &json!(false)));
    assert_eq!(control.get("/faults").await, json!({"faults": []}));
    assert_eq!(control.post("/clock", &json!({"pace": "frozen"})).await.1["pace"], "frozen");
    let before = control.get("/clock").await["now"].as_u64().unwrap();
    let after = control.post("/clock/advance", &json!({"by": "15h"})).await.1["now"].as_u64().unwrap();
    assert_eq!(after - before, 15 * 3_600_000);
    // Export the state, change it, and import the export.
    let world = control.get("/export").await;
    control.post("/seed", &json!({"funds": "100.00"})).await;
    assert_eq!(control.post("/import", &world).await.0, 200);
    assert_eq!(control.get("/state").await["partners"][sandbox.partner_id()]["funds"]["EUR"], "10005.50");
    assert_eq!(control.post("/reset", &json!({})).await.0, 200);
    assert_eq!(control.get("/state").await["partners"][sandbox.partner_id()]["funds"]["EUR"], "10000.00");
    let keys = control.get("/keys").await;
    let (_, rotated) = control.post("/keys/rotate", &json!({})).await;
    assert_ne!(keys["paytend"], rotated["paytend"]);
}

#[tokio::test]
async fn invalid_requests_get_an_error_message() {
    let sandbox = Sandbox::start().await.unwrap();
    let control = Control::of(&sandbox);
    for (path, body, status, word) in [
        ("/trigger", json!({"product": "baas"}), 400, "notifyType"),
        ("/trigger", json!({"product": "baas", "notifyType": "2", "url": "http://x/"}), 400, "payby and payermax"),
        ("/callback", json!({"product": "payout", "url": "http://x/"}), 400, "payout"),
        ("/callback", json!({"product": "payby"}), 400, "url"),
        ("/callback", json!({"product": "payby", "url": "ftp://x/"}), 409, "http or https"),
        ("/deliveries/7/resend", json!({}), 404, "delivery"),
        ("/deliveries/7/resend", json!({"to": "http://x/"}), 400, "to"),
        ("/trigger", json!({"product": "payout", "notifyType": "1"}), 409, "baas or issuing"),
        ("/trigger", json!({"product": "baas", "notifyType": "2", "content": {"amount": "much"}}), 409, "amount"),
        ("/trigger", json!({"product": "baas", "notifyType": "2", "partner": "1"}), 404, "partner"),
        ("/faults", json!({"on": "topup", "fault": {"kind": "explode"}}), 400, "explode"),
        ("/clock/advance", json!({"by": "soon"}), 400, "3d"),
        ("/clock/advance", json!({"by": "4000d"}), 400, "ten years"),
        ("/clock/advance", json!({"by": "-1h"}), 400, "negative"),
        ("/clock", json!({"pace": "slow"}), 400, "slow"),
        ("/seed", json!({"funds": "0"}), 400, "above zero"),
        ("/seed", json!({"fund": "1"}), 400, "fund"),
        ("/import", json!({}), 400, "missing"),
        ("/faults", json!({"on": "topupp", "fault": {"kind": "hang"}}), 400, "topupp"),
        ("/faults", json!({"on": "notify payby", "fault": {"kind": "hang"}}), 400, "notifications"),
        ("/clock", json!({"pace": {"accelerated": 0}}), 400, "frozen"),
        ("/typo", json!({}), 404, "command"),
    ] {
        let (found, answer) = control.post(path, &body).await;
        let error = answer["error"].as_str().unwrap();
        assert!(found == status && error.contains(word), "{path} {body}: {found} {error}");
    }
}

fn many(quantity: u64) -> Value {
    json!({"holder": null, "scheme": "3", "type": "2", "sku": "SKU001", "quantity": quantity, "cards": []})
}

/// An inconsistent state is refused, because it could cause an endless loop or a counter overflow.
#[tokio::test]
async fn import_of_an_invalid_state_is_refused() {
    let sandbox = Sandbox::start().await.unwrap();
    let control = Control::of(&sandbox);
    assert!(sandbox.notify(Product::Baas, "2", "{}").await.is_err());
    let world = control.get("/export").await;
    let id = sandbox.partner_id();
    type Change<'a> = &'a dyn Fn(&mut Value);
    let changes: [(Change<'_>, &str); 13] = [
        (&|world| world["now"] = u64::MAX.into(), "9000"),
        (&|world| world["outbox"]["deliveries"][0]["id"] = 7.into(), "IDs of the deliveries"),
        (&|world| world["partners"][id]["ledger"]["funds"]["EUR"] = 5.into(), "money"),
        (&|world| world["partners"] = json!({}), "partners"),
        // Without the check, the sandbox would loop forever in each of these states.
        (&|world| world["outbox"]["deliveries"][0]["nextAt"] = 1.into(), "completed delivery still"),
        (&|world| world["outbox"]["deliveries"][0]["state"] = "acknowledged".into(), "completed delivery still"),
        (&|world| world["outbox"]["deliveries"][0]["state"] = "pending".into(), "has no URL or no scheduled"),
        (
            &|world| world["partners"][id]["tasks"] = json!({"1": [{"task": "monthlyFee", "id": "1755902"}]}),
            "ten years",
        ),
        (
            &|world| {
                let at = world["now"].as_u64().unwrap() + 5;
                let fee = json!({"task": "monthlyFee", "id": "1755902"});
                world["partners"][id]["tasks"] = json!({at.to_string(): vec![fee; 1000]});
            },
            "more than one monthly fee",
        ),
        (&|world| world["partners"][id]["applications"] = json!({"A": many(u64::MAX)}), "too many"),
        (&|world| world["partners"][id]["counters"] = json!({"card": u64::MAX}), "counter"),
        (&|world| world["settings"]["monthlyFee"] = (-1).into(), "negative"),
        (&|world| world["settings"]["timing"]["topup"] = u64::MAX.into(), "ten years"),
    ];
    for (change, word) in changes {
        let mut broken = world.clone();
        if word.starts_with("completed delivery") {
            broken["outbox"]["deliveries"][0]["nextAt"] = 1.into();
        }
        change(&mut broken);
        let (status, answer) = control.post("/import", &broken).await;
        assert!(status == 400 && answer["error"].as_str().unwrap().contains(word), "{answer}");
    }
    assert_eq!(control.post("/import", &world).await.0, 200);
}

#[tokio::test]
async fn log_shows_both_sides_and_hides_personal_data_by_default() {
    let sandbox = Sandbox::start().await.unwrap();
    let (control, client) = (Control::of(&sandbox), client(&sandbox));
    client
        .send(&paytend_model::iban::VerifyMobileNumber::builder().mobile("8613261402222").type_("1").build())
        .await
        .unwrap();
    client.send(&paytend_model::iban::CreateIndividual::new("37060000000")).await.unwrap();
    let log = control.get("/log").await;
    assert!(!log.to_string().contains("8613261402222"));
    let id = log["entries"][0]["id"].as_u64().unwrap();
    let entry = control.get(&format!("/log/{id}")).await;
    assert!(entry["sent"]["payload"].as_str().unwrap().contains("8613261402222"));
    assert!(entry["sent"]["canonical"].as_str().unwrap().contains("randomKey="));
    assert!(entry["answered"]["canonical"].as_str().unwrap().contains("respCode=00"));
    assert_eq!((&entry["verdict"], &entry["what"]), (&json!("00 success"), &json!("verifyMobileNumber")));
    assert_eq!(control.get(&format!("/log?after={id}")).await["entries"].as_array().unwrap().len(), 1);
    assert!(!control.get("/state").await.to_string().contains("37060000000"));
    assert!(control.get("/state?personal=true").await.to_string().contains("37060000000"));
    assert_eq!(sandbox.calls::<VerifyMobileNumber>(), 1);
}

#[tokio::test]
async fn log_entries_are_streamed() {
    let sandbox = Sandbox::start().await.unwrap();
    let control = Control::of(&sandbox);
    let mut events = control.http.get(format!("{}/events", control.url)).send().await.unwrap();
    client(&sandbox).send(&QueryPartnerBalance::new()).await.unwrap();
    let chunk = events.chunk().await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&chunk);
    assert!(text.contains("event: entry") && text.contains("getPartnerBalance"), "{text}");
}

#[tokio::test]
async fn page_loads_only_its_own_files_and_other_origins_are_refused() {
    let sandbox = Sandbox::start().await.unwrap();
    let control = Control::of(&sandbox);
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/ui")).unwrap();
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    for file in files.map(|name| if name == "index.html" { "/ui".to_owned() } else { format!("/ui/{name}") }) {
        let answer = control.http.get(format!("{}{file}", control.url)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{file}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let text = answer.text().await.unwrap();
        for word in ["http://", "https://", "innerHTML", "eval("] {
            let found =
                text.matches(word).count() - text.matches("http://www.w3.org").count().min(text.matches(word).count());
            assert!(word.starts_with("http") || found == 0, "{file}: {word}");
        }
    }
    let foreign = control
        .http
        .post(format!("{}/reset", control.url))
        .header("origin", "https://elsewhere.example")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(foreign.status(), 403);
    assert!(foreign.headers().get("access-control-allow-origin").is_none());
}

/// The OpenAPI description lists exactly the server's routes.
#[tokio::test]
async fn openapi_description_matches_routes() {
    let sandbox = Sandbox::start().await.unwrap();
    let control = Control::of(&sandbox);
    let described = control.get("/openapi.json").await;
    let source = include_str!("../../src/control/mod.rs");
    let mut routes: Vec<&str> = source
        .match_indices(".route(\"")
        .map(|(at, _)| {
            let rest = &source[at + 8..];
            &rest[..rest.find('"').unwrap()]
        })
        .collect();
    routes.push("/_sandbox/openapi.json");
    routes.retain(|path| !path.contains('*'));
    routes.sort_unstable();
    routes.dedup();
    let mut paths: Vec<&str> = described["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    paths.retain(|path| !path.starts_with("/_sandbox/ui"));
    paths.sort_unstable();
    assert_eq!(paths, routes);
}

#[tokio::test]
async fn address_that_is_not_loopback_needs_permission_and_a_token() {
    let anywhere = "0.0.0.0:0".parse().unwrap();
    let refused = Sandbox::builder().address(anywhere).start().await.unwrap_err();
    assert!(matches!(refused, StartError::NotLoopback(_)));
    let sandbox = Sandbox::builder().address(anywhere).danger_allow_remote().start().await.unwrap();
    let port = sandbox.url().rsplit(':').next().unwrap().to_owned();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let state = |token: Option<&str>| {
        let mut request = http.get(format!("http://127.0.0.1:{port}/_sandbox/state"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(state(None).await, 401);
    assert_eq!(state(Some("guess")).await, 401);
    assert_eq!(state(sandbox.token()).await, 200);
}
