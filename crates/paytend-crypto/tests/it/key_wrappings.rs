//! Tests with random wrappings: a wrapped key is read unchanged, and random bytes never cause a panic.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use paytend_crypto::keys::read;
use paytend_crypto::{PrivateKey, PublicKey};
use paytend_vectors::{KeyFormCase, KeyFormResult, Seeded, key_forms};

/// A change in encoding or formatting that is common in key files and environment variables. The key itself is
/// unchanged.
type Wrap = (&'static str, fn(&str, &Seeded) -> String);

const WRAPS: [Wrap; 16] = [
    ("escaped newlines", |text, _| text.replace('\\', "\\\\").replace('\n', "\\n")),
    ("quotes", |text, random| {
        let (before, after) = [("\"", "\""), ("'", "'"), ("\u{201c}", "\u{201d}"), ("`", "`")][random.below(4)];
        format!("{before}{text}{after}")
    }),
    ("base64", |text, _| STANDARD.encode(text)),
    ("base64 without padding", |text, _| STANDARD_NO_PAD.encode(text)),
    ("URL-safe base64", |text, _| URL_SAFE_NO_PAD.encode(text)),
    ("JSON", |text, _| serde_json::Value::from(text).to_string()),
    ("percent-encoding", |text, _| {
        let encoded = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '-';
        text.chars().map(|c| if encoded(c) { format!("%{:02X}", c as u32) } else { c.to_string() }).collect()
    }),
    ("environment file", |text, _| format!("export PAYTEND_PRIVATE_KEY='{text}'\n")),
    ("YAML", |text, _| text.lines().fold("key: |\n".to_owned(), |all, line| format!("{all}  {line}\n"))),
    ("byte order mark", |text, _| format!("\u{feff}{text}")),
    ("invisible characters", |text, random| {
        let invisible = ["\u{200b}", "\u{2060}", "\u{ad}", "\u{200e}"];
        text.chars()
            .map(|c| if random.below(20) == 0 { format!("{}{c}", invisible[random.below(4)]) } else { c.to_string() })
            .collect()
    }),
    ("no-break spaces", |text, _| format!("\u{a0}{}\u{a0}\n", text.replace(' ', "\u{a0}"))),
    ("CR LF", |text, _| text.replace('\n', "\r\n")),
    ("CR", |text, _| text.replace('\n', "\r")),
    ("indentation", |text, _| text.lines().map(|line| format!("\t  {line}  \n")).collect()),
    ("whitespace around", |text, _| format!("\n\n  {text}\n\n")),
];

/// Returns the key in each text format. Binary formats are encoded as base64.
fn forms() -> (String, Vec<(KeyFormCase, String)>) {
    let (fingerprint, cases) = key_forms();
    let readable = cases.into_iter().filter(|case| {
        let read = |result: &KeyFormResult| matches!(result, KeyFormResult::Read { encrypted: false, .. });
        read(&case.private) || read(&case.public)
    });
    let texts = readable.map(|case| {
        let text = String::from_utf8(case.data()).ok().filter(|text| !text.contains('\0'));
        let text = text.unwrap_or_else(|| STANDARD.encode(case.data()));
        (case, text)
    });
    (fingerprint, texts.collect())
}

#[test]
fn key_is_read_from_two_nested_wrappings() {
    let random = Seeded::new();
    let (fingerprint, forms) = forms();
    for (case, text) in &forms {
        for _ in 0..24 {
            let (first, second) = (WRAPS[random.below(WRAPS.len())], WRAPS[random.below(WRAPS.len())]);
            let wrapped = second.1(&first.1(text, &random), &random);
            let wide: Vec<u8> = wrapped.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let data = if random.below(4) == 0 { wide } else { wrapped.into_bytes() };
            let name = format!("{} in {}, in {}", case.file, first.0, second.0);
            if matches!(case.private, KeyFormResult::Read { .. }) {
                let key = PrivateKey::from_bytes(&data).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(key.public_key().fingerprint().to_string(), fingerprint, "{name}");
            } else {
                let key = PublicKey::from_bytes(&data).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(key.fingerprint().to_string(), fingerprint, "{name}");
            }
        }
    }
}

#[test]
fn damaged_forms_and_random_bytes_never_panic() {
    let random = Seeded::new();
    let (fingerprint, cases) = key_forms();
    let pieces: [&[u8]; 12] = [
        b"-----BEGIN ",
        b"-----END ",
        b"-----",
        b"\\n",
        b"\\u00",
        b"%0",
        b"\"",
        b"\xff\xfe",
        b"\0",
        b"0\x82",
        b"MII",
        b"=",
    ];
    let mut read_anyway = 0;
    for case in &cases {
        for _ in 0..40 {
            let mut data = case.data();
            for _ in 0..=random.below(3) {
                let at = random.below(data.len() + 1);
                let piece = pieces[random.below(pieces.len())];
                match random.below(3) {
                    0 => drop(data.splice(at..at, piece.iter().copied())),
                    1 => data.truncate(at),
                    _ if at < data.len() => data[at] ^= 1 << random.below(8),
                    _ => {}
                }
            }
            // If a bit in the DER of a public key is changed, the result can be a different valid key.
            if let Ok((key, _)) = read(&data, None) {
                read_anyway += usize::from(!format!("{key:?}").contains(&fingerprint));
            }
        }
    }
    assert!(read_anyway < cases.len() * 10, "{read_anyway}");
    for length in 0..400 {
        let mut data = vec![0; length];
        random.fill(&mut data);
        assert!(read(&data, None).is_err());
        // Builds text from a random sequence of the pieces above.
        let text: Vec<u8> = data.iter().flat_map(|byte| pieces[usize::from(*byte) % pieces.len()].to_vec()).collect();
        assert!(read(&text, None).is_err());
    }
}
