//! Tests for `paytend inspect`, with messages in the formats in which other programs capture them.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paytend_crypto::{PrivateKey, PublicKey};
use paytend_vectors::Seeded;
use paytend_webhook::testing::{DetachedSender, PaytendSender};
use serde_json::{Value, json};

use crate::running::RunningSandbox;
use crate::schema::checked;
use crate::support::{RunOutput, command, finish, run};

/// The content of a deposit, with personal data.
const DEPOSIT: &str = concat!(
    r#"{"transactionId":"T1","orderNo":"F1","accountNum":"CANARY-ACCOUNT","amount":1250.070,"currency":"EUR","#,
    r#""counterpartyAccountName":"CANARY Person","reference":"CANARY reference","CANARY":"CANARY"}"#
);
const PAYBY: &str = concat!(
    r#"{"notify_timestamp":1762000000000,"notify_id":"1","_input_charset":"UTF-8","#,
    r#""transferToBankOrder":{"merchantOrderNo":"M1","orderNo":"911","status":"SUCCESS","#,
    r#""holderName":"CANARY Person","iban":"AE070331234567890123456","#,
    r#""amount":{"amount":100.250,"currency":"AED"},"memo":"CANARY"}}"#
);

/// A running sandbox, its keys, and messages that were sealed with them.
struct Place {
    sandbox: RunningSandbox,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let sandbox = RunningSandbox::start(&["--keys", keys.to_str().unwrap(), "--timing", "instant"]);
        Self { sandbox, folder }
    }

    fn keys(&self, file: &str) -> PathBuf {
        self.folder.path().join("keys").join(file)
    }

    fn private(&self, name: &str) -> PrivateKey {
        PrivateKey::from_file(self.keys(&format!("{name}-private.pem"))).unwrap()
    }

    /// Returns a deposit notification.
    fn deposit(&self) -> String {
        let id = std::fs::read_to_string(self.keys("partner-id")).unwrap();
        let partner = PublicKey::from_file(self.keys("partner-public.b64")).unwrap();
        let sender = PaytendSender::new(id.trim(), &self.private("paytend"), &partner).unwrap();
        text(sender.raw("2", DEPOSIT).unwrap().body())
    }

    /// Returns the `sign` header and the body of a PayBy notification.
    fn payby(&self) -> (String, String) {
        let sent = DetachedSender::new(&self.private("payby")).unwrap().raw(PAYBY).unwrap();
        (sent.headers()["sign"].to_str().unwrap().to_owned(), text(sent.body()))
    }

    /// Returns a sealed request for a topup.
    fn topup(&self) -> String {
        let fields = ["-f", "cardId=1755902", "-f", "orderNo=T-1", "-f", "amount=25.50", "-f", "currency=EUR"];
        let keys = self.keys("");
        let args = ["call", "topup", "--dry-run", "--json", "--keys", keys.to_str().unwrap()];
        let ran = run(&[&args[..], &fields].concat(), b"");
        let dry: Value = serde_json::from_str(&ran.stdout).unwrap();
        dry["document"].to_string()
    }

    fn inspect(&self, captured: &[u8], args: &[&str]) -> RunOutput {
        let keys = self.keys("");
        finish(command().args(["inspect", "-", "--keys", keys.to_str().unwrap()]).args(args), captured)
    }

    /// Inspects a text that contains one message, and returns its description.
    #[track_caller]
    fn one(&self, captured: &str) -> Value {
        let ran = self.inspect(captured.as_bytes(), &["--json"]);
        assert_eq!(ran.stdout.lines().count(), 1, "{captured}\n{}{}", ran.stdout, ran.stderr);
        assert!(!ran.stdout.contains("CANARY"), "{}", ran.stdout);
        checked("inspect", &ran.stdout)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Returns a text as a JSON string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[test]
fn notification_is_described_with_and_without_keys() {
    let place = Place::new();
    let document = place.deposit();
    let without = run(&["inspect", "-", "--json"], document.as_bytes());
    let shown = checked("inspect", &without.stdout);
    assert_eq!((without.code, &shown["kind"], &shown["verdict"]), (0, &"Paytend notification".into(), &Value::Null));
    assert_eq!((&shown["fields"]["notifyType"], &shown["receiver_key_bits"]), (&"2".into(), &1024.into()));
    assert!(shown["data"].is_null() && shown["encrypted_bytes"].as_u64().unwrap() > 100, "{shown}");
    let with = place.one(&document);
    assert_eq!((&with["verdict"], &with["place"]), (&"authentic".into(), &"line 1".into()));
    let expected = json!({"transactionId": "T1", "orderNo": "F1", "accountNum": "***", "currency": "EUR",
        "counterpartyAccountName": "***", "reference": "***"});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&with["data"][name], value, "{name}: {with}");
    }
    assert_eq!(with["hidden"], 4);
    // Amounts are printed with all their digits, and hidden values are counted.
    let printed = place.inspect(document.as_bytes(), &[]);
    assert!(
        printed.stdout.contains("1250.070") && printed.stdout.contains("4 values are hidden"),
        "{}",
        printed.stdout
    );
    let revealed = place.inspect(document.as_bytes(), &["--reveal"]);
    assert!(revealed.stdout.contains(DEPOSIT), "{}", revealed.stdout);
    // This document has a changed signature.
    let forged = document.replacen("\"signature\":\"", "\"signature\":\"AAAA", 1);
    let forged = place.inspect(forged.as_bytes(), &["--json"]);
    assert_eq!((forged.code, &checked("inspect", &forged.stdout)["verdict"]), (4, &"not_authentic".into()));
}

/// Returns log excerpts that contain the message, in the formats of various programs, each with the name of the format.
fn logged(document: &str) -> Vec<(&'static str, String)> {
    let json_log = json!({"level": "info", "time": "2026-11-28T10:00:00Z", "msg": "received", "body": document});
    let nested = json!({"_index": "logs", "_source": {"message": json_log.to_string(), "host": {"name": "a"}}});
    let nginx: String = document.chars().map(|c| if c == '"' { r"\x22".to_owned() } else { c.to_string() }).collect();
    let percent: String = document.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(document).unwrap()).unwrap();
    let mitmproxy: String = pretty.lines().map(|line| format!("    {line}\n")).collect();
    vec![
        ("log4j", format!("2026-11-28 10:00:00,123 INFO [http-1] c.e.Hook - body={document} took 3 ms")),
        ("JSON log", json_log.to_string()),
        ("JSON log with an object", format!(r#"{{"level":"info","request":{{"body":{document}}}}}"#)),
        ("Docker and JSON log", json!({"log": format!("{json_log}\n"), "stream": "stdout"}).to_string()),
        ("Elasticsearch", nested.to_string()),
        ("quoted in a line", format!("10:00:00 hook: payload {} (200)", quoted(document))),
        ("quoted twice", format!("10:00:00 hook: {}", quoted(&quoted(document)))),
        ("nginx", format!(r#"203.0.113.5 - - [28/Nov/2026:10:00:00 +0000] "POST /hook HTTP/1.1" 200 2 "{nginx}""#)),
        ("base64", STANDARD.encode(document)),
        ("base64 in a line", format!("{{\"isBase64Encoded\":true,\"body\":\"{}\"}}", STANDARD.encode(document))),
        ("base64 in a log", format!("10:00:00 body_b64={} done", STANDARD.encode(document))),
        ("percent", format!("GET /log?body={percent}")),
        ("Python", format!("DEBUG:hook:b'{document}'")),
        (
            "tcpdump",
            format!("10:00:00.1 IP a.1 > b.80: Flags [P.]\nE..4..@.@....POST /hook HTTP/1.1\nHost: b\n\n{document}\n"),
        ),
        ("mitmproxy", format!("127.0.0.1:5: POST http://b/hook HTTP/1.1\n    Host: b\n\n{mitmproxy}\n << 200 OK 3b\n")),
        ("curl", format!("* Connected\n> POST /hook HTTP/1.1\r\n> Host: b\r\n> \r\n{document}< HTTP/1.1 200 OK\r\n")),
    ]
}

#[test]
fn envelope_is_found_in_logs_and_dumps() {
    let place = Place::new();
    let document = place.deposit();
    for (name, captured) in logged(&document) {
        // The surrounding lines contain no messages.
        let captured = format!("start {{}}\n{captured}\n[end]\n");
        let shown = place.one(&captured);
        assert_eq!(
            (&shown["kind"], &shown["verdict"]),
            (&"Paytend notification".into(), &"authentic".into()),
            "{name}"
        );
        assert_ne!(shown["place"], "line 1", "{name}: {shown}");
    }
}

/// Returns a HAR file in which one entry contains the message as a request and another as a response. The order of the
/// members varies, as it does between browsers.
fn har(headers: &Value, body: &str, encoding: Option<&str>) -> String {
    let mut content = json!({"size": 3, "mimeType": "application/json", "text": body});
    if let Some(encoding) = encoding {
        content["encoding"] = encoding.into();
    }
    let image = json!({"startedDateTime": "2026-11-28T10:00:00Z", "time": 1,
        "request": {"method": "GET", "url": "https://a.example/x.png", "headers": [], "bodySize": 0},
        "response": {"status": 200, "headers": [], "content": {"size": 0, "text": ""}}});
    let sent = json!({"_initiator": {"type": "other"},
        "request": {"method": "POST", "url": "https://a.example/payby?token=CANARY", "headers": headers,
            "postData": {"mimeType": "application/json", "text": body, "params": []}},
        "response": {"status": 502, "headers": [{"name": "X", "value": "CANARY"}], "content": {"text": "bad"}}});
    let read = json!({"request": {"method": "GET", "url": "https://a.example/log", "headers": []},
        "response": {"status": 200, "statusText": "OK", "headers": headers, "content": content}});
    let creator = json!({"name": "WebInspector", "version": "537.36"});
    json!({"log": {"version": "1.2", "creator": creator, "pages": [], "entries": [image, sent, read]}}).to_string()
}

#[test]
fn detached_signature_is_found_with_its_body() {
    let place = Place::new();
    let (sign, body) = place.payby();
    let headers = json!([{"name": "Authorization", "value": "Bearer CANARY"}, {"name": "Sign", "value": sign}]);
    for (body, encoding) in [(body.clone(), None), (STANDARD.encode(&body), Some("base64"))] {
        let captured = har(&headers, &body, encoding);
        let ran = place.inspect(captured.as_bytes(), &["--json"]);
        assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
        let shown: Vec<Value> = ran.stdout.lines().map(|line| checked("inspect", line)).collect();
        assert_eq!(shown.len(), 2, "{}", ran.stdout);
        assert_eq!((&shown[0]["place"], &shown[1]["place"]), (&"entry 2".into(), &"entry 3".into()));
        assert_eq!((&shown[0]["http_status"], &shown[1]["http_status"]), (&Value::Null, &200.into()));
        assert!(shown.iter().all(|one| one["verdict"] == "authentic"), "{}", ran.stdout);
        assert!(!ran.stdout.contains("CANARY") && !ran.stdout.contains("AE0703"), "{}", ran.stdout);
    }
    let dump = format!("> POST /payby HTTP/1.1\r\n> sign: {sign}\r\n> X: CANARY\r\n> \r\n{body}\n");
    let shown = place.one(&dump);
    assert_eq!((&shown["verdict"], &shown["kind"]), (&"authentic".into(), &"PayBy notification".into()));
    assert_eq!(shown["data"]["transferToBankOrder"]["amount"]["currency"], "AED");
    let log = json!({"headers": {"Sign": [sign]}, "body": body});
    assert_eq!(place.one(&log.to_string())["verdict"], "authentic");
    // Without the header, the signature cannot be checked. With a different header, it is not valid.
    let alone = place.one(&body);
    assert!(alone["verdict"].is_null() && alone["findings"][0].as_str().unwrap().contains("not captured"), "{alone}");
    let (other, _) = DetachedSender::new(&place.private("payermax")).unwrap().raw(PAYBY).unwrap().into_parts();
    let wrong = format!("sign: {}\n\n{body}", other.headers["sign"].to_str().unwrap());
    assert_eq!(place.one(&wrong)["verdict"], "not_authentic");
}

#[test]
fn profile_verifies_notifications_of_all_providers() {
    let place = Place::new();
    let config = place.folder.path().join("config.toml");
    let with = |args: &[&str], captured: &str| {
        finish(command().env("PAYTEND_CONFIG", &config).args(args), captured.as_bytes())
    };
    let keys = place.keys("");
    let init = ["config", "init", "local", "--from-sandbox", keys.to_str().unwrap()];
    assert_eq!(with(&init, "").code, 0);
    let (sign, body) = place.payby();
    let forged = DetachedSender::new(&place.private("payermax")).unwrap().raw(PAYBY).unwrap();
    let forged = forged.headers()["sign"].to_str().unwrap();
    let inspect = ["inspect", "-", "--profile", "local"];
    for (sign, code, verdict) in [(&*sign, 0, "authentic"), (forged, 4, "not_authentic")] {
        let captured = format!("sign: {sign}\n\n{body}\n");
        let ran = with(&[&inspect[..], &["--json"]].concat(), &captured);
        let shown = checked("inspect", &ran.stdout);
        assert_eq!((ran.code, &shown["verdict"], &shown["search_complete"]), (code, &verdict.into(), &true.into()));
    }
    // Without the setting, the output says which key is needed.
    let captured = format!("sign: {sign}\n\n{body}\n");
    assert_eq!(with(&["config", "set", "payby_public_key_file", ""], "").code, 0);
    let unchecked = with(&inspect, &captured);
    let needed = "not checked: pass --keys DIR with payby-public.b64, or --profile NAME with payby_public_key_file";
    assert!(unchecked.code == 0 && unchecked.stdout.contains(needed), "{}", unchecked.stdout);
    assert_eq!(with(&["config", "set", "payby_public_key_file", "/no/such/file"], "").code, 0);
    assert_eq!(with(&inspect, &captured).code, 3);
}

/// The second line is too deeply nested, so it is not searched. The command fails, because a message in it would not
/// have been checked.
#[test]
fn command_fails_if_only_part_of_the_text_was_searched() {
    let place = Place::new();
    let deep = format!("{{\"a\":{}{{\"a\":1}}{}}}", "[".repeat(12), "]".repeat(12));
    let ran = place.inspect(format!("{}\n{deep}\n", place.deposit()).as_bytes(), &["--json"]);
    let shown = checked("inspect", &ran.stdout);
    assert_eq!((ran.code, &shown["verdict"], &shown["search_complete"]), (1, &"authentic".into(), &false.into()));
    assert!(ran.stderr.contains("only part of it was searched"), "{}", ran.stderr);
}

/// By mistake, a partner could write a card number to a field that is not encrypted.
#[test]
fn fields_with_card_numbers_are_hidden() {
    for number in ["4111111111111111", "4111-1111-1111-1111", "378282246310005", "LT121000011101001000"] {
        let request = json!({"partnerId": number, "requestId": number, "randomKey": "a", "bizData": "a"}).to_string();
        let shown = checked("inspect", &run(&["inspect", "-", "--json"], request.as_bytes()).stdout);
        assert_eq!((&shown["fields"], &shown["hidden"]), (&json!({}), &2.into()));
    }
    let request = json!({"partnerId": paytend_vectors::PARTNER_ID, "requestId": "0123456789abcdef", "bizData": "a",
        "randomKey": "a"});
    let shown = checked("inspect", &run(&["inspect", "-", "--json"], request.to_string().as_bytes()).stdout);
    assert_eq!(shown["fields"]["partnerId"], paytend_vectors::PARTNER_ID);
    assert_eq!(shown["fields"]["requestId"], "0123456789abcdef");
}

#[test]
fn messages_are_found_in_the_output_of_curl() {
    let place = Place::new();
    let request = place.folder.path().join("request.json");
    std::fs::write(&request, place.topup()).unwrap();
    let curl = |options: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(options).args(["--noproxy", "*", "-H", "Content-Type: application/json", "--data-binary"]);
        curl.arg(format!("@{}", request.display()))
            .arg(format!("{}/issuing/card/topup", place.sandbox.url("base_url")));
        curl.stdin(Stdio::null()).output()
    };
    let Ok(verbose) = curl(&["-sv"]) else { return };
    let captured = format!("{}{}", text(&verbose.stderr), text(&verbose.stdout));
    let shown = place.one(&captured);
    assert_eq!((&shown["kind"], &shown["verdict"]), (&"Paytend response".into(), &"authentic".into()), "{captured}");
    assert_eq!((&shown["operation"], &shown["http_status"]), (&"issuing.topup".into(), &200.into()));
    assert_eq!(shown["data"]["orderNo"], "T-1");
    // In contrast to `-v`, a trace also contains the body of the request.
    std::fs::write(&request, place.topup()).unwrap();
    let trace = curl(&["-s", "-o", "/dev/null", "--trace-ascii", "-"]).unwrap();
    let ran = place.inspect(&trace.stdout, &["--json"]);
    let shown: Vec<Value> = ran.stdout.lines().map(|line| checked("inspect", line)).collect();
    let kinds: Vec<_> = shown.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Paytend request", "Paytend response"], "{}", text(&trace.stdout));
    assert_eq!(shown[0]["data"]["amount"], "25.50", "{}", ran.stdout);
}

#[test]
fn text_without_a_message_causes_a_failure() {
    for captured in
        [&b""[..], b"{}", b"[]", b"\xff\xfe\x00", b"{\"log\":{\"entries\":[]}}", "{\"".repeat(5000).as_bytes()]
    {
        let ran = run(&["inspect", "-"], captured);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("message was found"), "{}", ran.stderr);
    }
    assert_eq!(run(&["inspect", "/no/such/file"], b"").code, 3);
}

/// Damages captures at random places. The command must neither print personal data nor panic.
#[test]
fn damaged_captures_show_no_personal_data() {
    let place = Place::new();
    let random = Seeded::new();
    let pick = |count: usize| usize::try_from(random.next() % count as u64).unwrap();
    let (sign, payby) = place.payby();
    let response = json!({"respCode": "1", "respMsg": "CANARY Person", "CANARY": 1}).to_string();
    let sources = [place.deposit(), payby.clone(), format!("sign: {sign}\n\n{payby}"), response];
    for _ in 0..40 {
        let mut captured = sources[pick(sources.len())].clone();
        if serde_json::from_str::<Value>(&captured).is_ok() {
            let forms = logged(&captured);
            captured = forms[pick(forms.len())].1.clone();
        }
        let mut bytes = captured.into_bytes();
        for _ in 0..pick(4) {
            let at = pick(bytes.len());
            match pick(3) {
                0 => bytes[at] = u8::try_from(pick(256)).unwrap(),
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"{\"\\\n"[pick(4)]),
            }
        }
        if pick(4) == 0 {
            bytes.truncate(1 + pick(bytes.len()));
        }
        let args: &[&str] = if pick(2) == 0 { &["--json"] } else { &[] };
        let ran = place.inspect(&bytes, args);
        let shown = format!("{}{}", ran.stdout, ran.stderr);
        assert!([0, 1, 4].contains(&ran.code), "{} {shown}", ran.code);
        assert!(!shown.contains("CANARY") && !shown.contains("AE0703"), "{}\n{shown}", String::from_utf8_lossy(&bytes));
    }
}
