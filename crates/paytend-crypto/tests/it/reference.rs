//! Tests against an independent implementation: each implementation opens the messages that the other implementation
//! seals.
//!
//! The reference implementation is a Python program: the file at the path in `PAYTEND_REFERENCE`, or else the copy
//! beside the repository in `../shared/reference/`, or else the copy in `vectors/reference/`. `PAYTEND_PYTHON` is the
//! path to a Python interpreter with the `cryptography` package, which `cargo xtask setup` installs. Without such an
//! interpreter the tests are skipped. `cargo xtask test` reports skipped tests, and `cargo xtask ci` fails if a test is
//! skipped.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use paytend_crypto::{Expected, Fields, Kind, Outgoing, detached};
use paytend_vectors::Seeded;
use serde_json::{Value, json};

use crate::support::{PARTNER_ID, key, keyring};

const MESSAGES: usize = 240;

#[test]
fn reference_opens_messages_sealed_by_rust() {
    let Some(reference) = Reference::find() else { return };
    let mut dice = Dice::new();
    let (mut jobs, mut sealed) = (Vec::new(), Vec::new());
    for n in 0..MESSAGES {
        let message = dice.message(n);
        let fields = message.fields();
        let mut outgoing = Outgoing::new(&fields).payload(&message.payload);
        if !message.signed {
            outgoing = outgoing.unsigned_payload();
        }
        let document = keyring(message.sender, message.receiver).seal(&outgoing).unwrap();
        jobs.push(json!({"command": "open", "job": {
            "wire": serde_json::from_str::<Value>(document.document()).unwrap(),
            "payload_field": message.kind.payload_field(),
            "sign_payload": message.signed,
            "decrypt_key": key(message.receiver).data.private,
            "verify_key": key(message.sender).data.public,
        }}));
        sealed.push((message, document));
    }
    for (response, (message, document)) in reference.run(&jobs).iter().zip(&sealed) {
        assert_eq!(text(response, "payload"), message.payload);
        assert_eq!(text(response, "canonical"), *document.canonical(&message.payload));
    }
}

#[test]
fn rust_opens_messages_sealed_by_the_reference() {
    let Some(reference) = Reference::find() else { return };
    let mut dice = Dice::new();
    let messages: Vec<_> = (0..MESSAGES).map(|n| dice.message(n)).collect();
    let jobs: Vec<_> = messages
        .iter()
        .map(|message| {
            let fields: serde_json::Map<_, _> =
                message.fields().iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            json!({"command": "seal", "job": {
                "fields": fields,
                "payload_field": message.kind.payload_field(),
                "payload": message.payload,
                "sign_payload": message.signed,
                "sign_key": key(message.sender).data.private,
                "encrypt_key": key(message.receiver).data.public,
            }})
        })
        .collect();
    for (wire, message) in reference.run(&jobs).iter().zip(&messages) {
        let mut expected = match message.kind {
            Kind::Request => Expected::request(PARTNER_ID),
            Kind::Response => Expected::response(),
            Kind::Notification => Expected::notification(PARTNER_ID),
        }
        .with_max_bytes(1 << 20);
        if !message.signed {
            expected = expected.unsigned_payload();
        }
        let opened = keyring(message.receiver, message.sender).open(wire.to_string().as_bytes(), &expected).unwrap();
        assert_eq!(opened.payload_text(), Some(&*message.payload));
        let mut sent: Vec<_> = message.fields().iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        sent.sort();
        assert_eq!(opened.fields().map(|(n, v)| (n.to_owned(), v.to_owned())).collect::<Vec<_>>(), sent);
    }
}

#[test]
fn detached_signatures_match_the_reference() {
    let Some(reference) = Reference::find() else { return };
    let mut dice = Dice::new();
    let cases: Vec<_> = (0..MESSAGES).map(|n| (["payby", "payermax", "partner"][n % 3], dice.json())).collect();
    let jobs: Vec<_> = cases
        .iter()
        .map(|(name, body)| json!({"command": "sign-detached", "job": {"key": key(name).data.private, "body": body}}))
        .collect();
    let mut back = Vec::new();
    for (response, (name, body)) in reference.run(&jobs).iter().zip(&cases) {
        let ours = detached::sign(&*key(name).private, body.as_bytes()).unwrap();
        assert_eq!(text(response, "sign"), ours);
        for (body, valid) in [(body.clone(), true), (format!("{body}\n"), false)] {
            let job = json!({"key": key(name).data.public, "body": body, "sign": ours});
            back.push((json!({"command": "verify-detached", "job": job}), valid));
        }
    }
    let jobs: Vec<_> = back.iter().map(|(job, _)| job.clone()).collect();
    for (response, (_, valid)) in reference.run(&jobs).iter().zip(&back) {
        assert_eq!(response["valid"], *valid);
    }
}

/// Returns a string field of a response from the reference implementation.
fn text<'a>(response: &'a Value, name: &str) -> &'a str {
    response[name].as_str().unwrap_or_else(|| panic!("{name} in {response}"))
}

struct Reference {
    python: PathBuf,
    folder: PathBuf,
}

impl Reference {
    fn find() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let program = match std::env::var_os("PAYTEND_REFERENCE") {
            Some(named) => {
                let named = PathBuf::from(named);
                assert!(named.is_file(), "PAYTEND_REFERENCE is not the path of a file: {}", named.display());
                named
            }
            None => [root.join("../shared/reference"), root.join("vectors/reference")]
                .map(|folder| folder.join("paytend_reference.py"))
                .into_iter()
                .find(|program| program.is_file())?,
        };
        let folder = program.parent()?.to_path_buf();
        let named = std::env::var_os("PAYTEND_PYTHON");
        let python = PathBuf::from(named.clone().unwrap_or_else(|| "python3".into()));
        let usable = Command::new(&python)
            .args(["-c", "import cryptography"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        assert!(usable || named.is_none(), "PAYTEND_PYTHON cannot import cryptography: {}", python.display());
        if !usable {
            let required = std::env::var_os("PAYTEND_NOTHING_SKIPPED").is_some();
            assert!(!required, "no Python with the cryptography package: run `cargo xtask setup`");
            eprintln!("skipped: no Python with the cryptography package (run `cargo xtask setup`)");
            return None;
        }
        Some(Self { python, folder })
    }

    /// Runs the jobs in the reference implementation and returns the responses, in order.
    fn run(&self, jobs: &[Value]) -> Vec<Value> {
        let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/reference_driver.py");
        let mut child = Command::new(&self.python)
            .arg("-B")
            .arg(driver)
            .arg(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input: String = jobs.iter().map(|job| format!("{job}\n")).collect();
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let responses: Vec<Value> = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect();
        writer.join().unwrap().unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(responses.len(), jobs.len(), "the numbers of responses and jobs differ");
        responses
    }
}

struct Message {
    kind: Kind,
    payload: String,
    signed: bool,
    sender: &'static str,
    receiver: &'static str,
    extra: Option<String>,
}

impl Message {
    fn fields(&self) -> Fields {
        let fields = match self.kind {
            Kind::Request => Fields::request(PARTNER_ID, &"88866600010026020231025095118321".parse().unwrap()),
            Kind::Response => Fields::response("1007", "amount > 0 & <= 5000; žąsis 自动化"),
            Kind::Notification => Fields::notification(PARTNER_ID, "2"),
        };
        match &self.extra {
            Some(value) => fields.with("traceId", value),
            None => fields,
        }
    }
}

/// A generator of random messages. A failing test prints its seed.
struct Dice(Seeded);

impl Dice {
    fn new() -> Self {
        Self(Seeded::new())
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound)
    }

    /// Returns text in one of several scripts, including characters that JSON must escape.
    fn text(&mut self, length: usize) -> String {
        let scripts: [&[char]; 6] = [
            &['a', 'Z', '0', ' ', '.', '-'],
            &['ž', 'ą', 'é', 'ß', 'ø', 'Ę'],
            &['自', '动', '化', '名', '円', '한'],
            &['م', 'ر', 'ح', 'ב', 'ש', 'ל'],
            &['"', '\\', '\n', '\t', '\u{1}', '/'],
            &['&', '=', '{', '}', '😀', '\u{2028}'],
        ];
        (0..length)
            .map(|_| {
                let script = scripts[self.below(scripts.len())];
                script[self.below(script.len())]
            })
            .collect()
    }

    /// Returns an object of 0 to about 40,000 bytes.
    fn json(&mut self) -> String {
        let mut object = serde_json::Map::new();
        for n in 0..self.below(6) {
            let length = [3, 20, 200, 3000][self.below(4)];
            let value = match self.below(5) {
                0 => json!(self.below(1 << 20)),
                1 => json!([self.text(length), null, true]),
                2 => json!({"nested": {"deep": self.text(length)}}),
                _ => json!(self.text(length)),
            };
            object.insert(format!("{}{n}", self.text(2)), value);
        }
        let object = Value::Object(object);
        if self.below(3) == 0 { serde_json::to_string_pretty(&object).unwrap() } else { object.to_string() }
    }

    fn message(&mut self, n: usize) -> Message {
        let kind = [Kind::Request, Kind::Response, Kind::Notification][n % 3];
        let (partner, paytend) =
            if n.is_multiple_of(5) { ("partner_2048", "paytend_2048") } else { ("partner", "paytend") };
        let (sender, receiver) = if kind == Kind::Request { (partner, paytend) } else { (paytend, partner) };
        Message {
            kind,
            payload: if n.is_multiple_of(17) { String::new() } else { self.json() },
            signed: kind != Kind::Request || n.is_multiple_of(2),
            sender,
            receiver,
            extra: n.is_multiple_of(4).then(|| format!("t{}", self.below(1 << 30))),
        }
    }
}
