//! A table of alterations that can happen to a body before it is verified.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use paytend_vectors::Seeded;
use unicode_normalization::UnicodeNormalization as _;

use super::json::{COMPACT, Json, PYTHON, read};
use super::programs::Program;

/// An alteration of a body.
pub(super) struct Alteration {
    pub(super) name: &'static str,
    pub(super) alter: fn(&[u8], &Seeded) -> Option<Vec<u8>>,
    /// The names of the changes that may be reported.
    pub(super) changes: &'static [&'static str],
    /// The acceptable findings for an alteration that cannot be undone. At least one of them must be reported.
    pub(super) lost: &'static [&'static str],
}

const REWRITTEN: &[&str] = &[
    "WhiteSpace",
    "Order",
    "Escapes",
    "Numbers",
    "Rounded",
    "MembersDropped",
    "NewlineLost",
    "WhiteSpaceAdded",
    "LineEnds",
];

macro_rules! table {
    ($($name:literal, $alter:expr, $changes:expr, $lost:expr;)+) => {
        &[$(Alteration { name: $name, alter: $alter, changes: $changes, lost: $lost }),+]
    };
}

pub(super) const ALTERATIONS: &[Alteration] = table! {
    "re-serialized", |body, random| Program::any(random).run(body), REWRITTEN, &[];
    "re-serialized (2)", |body, random| Program::any(random).run(body), REWRITTEN, &[];
    "re-serialized (3)", |body, random| Program::any(random).run(body), REWRITTEN, &[];
    "re-serialized (4)", |body, random| Program::any(random).run(body), REWRITTEN, &[];
    "nulls dropped", nulls_dropped, &["MembersDropped"], &[];
    "base64", |body, _| Some(STANDARD.encode(body).into_bytes()), &["Base64"], &[];
    "base64 with line breaks", base64_lines, &["Base64"], &[];
    "base64url", |body, _| Some(URL_SAFE_NO_PAD.encode(body).into_bytes()), &["Base64"], &[];
    "JSON string", |body, _| string(body, false), &["JsonString"], &[];
    "JSON string, as written by Python", |body, _| string(body, true), &["JsonString"], &[];
    "form field", form_field, &["FormField", "PercentEncoding"], &[];
    "form key", form_key, &["FormKey", "PercentEncoding"], &[];
    "Express form key", express_key, &["FormKey"], &[];
    "gateway event", gateway_event, &["Member", "Base64"], &[];
    "Python repr of a dict", python_repr,
        &["StructureLiteral", "TextLiteral", "WhiteSpace", "Escapes", "Numbers", "Rounded"], &[];
    "Python repr of bytes", python_bytes, &["TextLiteral"], &[];
    "chunked", chunked, &["Chunked"], &[];
    "gzip", |body, _| Some(gzip(body)), &["Compressed"], &[];
    "UTF-16LE", |body, _| utf16(body, true), &["Unicode"], &[];
    "UTF-16BE", |body, _| utf16(body, false), &["Unicode"], &[];
    // If another alteration turns the byte order mark into "?", the "?" is reported as a character before the signed
    // text.
    "byte order mark", |body, _| Some([b"\xEF\xBB\xBF", body].concat()), &["ByteOrderMark", "Surrounded"], &[];
    "trailing NUL", |body, _| Some([body, b"\0"].concat()), &["Nul"], &[];
    "newline added", |body, _| Some([body, b"\n"].concat()), &["WhiteSpaceAdded"], &[];
    "newline cut off", |body, _| body.strip_suffix(b"\n").map(<[u8]>::to_vec), &["NewlineLost"], &[];
    "HTML-escaped", html, &["HtmlEntities", "HtmlEscaped"], &[];
    "percent-encoded", |body, _| Some(percent(body).into_bytes()), &["PercentEncoding", "FormKey"], &[];
    "decomposed",
        |body, _| Some(std::str::from_utf8(body).ok()?.nfd().collect::<String>().into()), &["NormalForm"], &[];
    "read as windows-1252", misread, &["Misread"], &[];
    "log line", |body, _| Some([b"body: ", body].concat()), &["Surrounded"], &[];
    "one-character ASCII", ascii, &[], &["QuestionMarks", "MembersLost"];
    "decoded in pieces", in_pieces, &["Surrounded"], &["ReplacementCharacters"];
    "cut off", |body, _| Some(body.get(..body.len() * 2 / 3)?.to_vec()), &["EndLost"], &["CutOff", "NotJson"];
    "[object Object]", |_, _| Some(b"[object Object]".to_vec()), &[], &["NotJson"];
    "empty", |_, _| Some(Vec::new()), &[], &["NotJson"];
};

fn nulls_dropped(body: &[u8], _: &Seeded) -> Option<Vec<u8>> {
    let mut json = read(body)?;
    json.each_object(&mut |members| members.retain(|(_, value)| *value != Json::Word("null")));
    // Apply this alteration only to compact JSON. Any other JSON would also get different whitespace when it is written
    // again.
    let is_compact = COMPACT.write(&read(body)?).into_bytes() == body;
    is_compact.then(|| COMPACT.write(&json).into_bytes())
}

fn base64_lines(body: &[u8], _: &Seeded) -> Option<Vec<u8>> {
    let text = STANDARD.encode(body);
    let lines: Vec<&str> = text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    Some((lines.join("\r\n") + "\r\n").into_bytes())
}

fn string(body: &[u8], ascii: bool) -> Option<Vec<u8>> {
    let text = Json::Text(std::str::from_utf8(body).ok()?.to_owned());
    Some(if ascii { PYTHON.write(&text) } else { COMPACT.write(&text) }.into_bytes())
}

/// Percent-encodes text as HTML forms do.
fn percent(body: &[u8]) -> String {
    let encode = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => char::from(*byte).to_string(),
        b' ' => "+".to_owned(),
        other => format!("%{other:02X}"),
    };
    body.iter().map(encode).collect()
}

fn form_field(body: &[u8], random: &Seeded) -> Option<Vec<u8>> {
    let field = ["payload", "data", "body"][random.below(3)];
    let suffix = ["", "&v=1"][random.below(2)];
    Some(format!("{field}={}{suffix}", percent(body)).into_bytes())
}

fn form_key(body: &[u8], _: &Seeded) -> Option<Vec<u8>> {
    Some((percent(body) + "=").into_bytes())
}

/// Returns the JSON that a program writes after `express.urlencoded` has parsed the body as a form.
fn express_key(body: &[u8], _: &Seeded) -> Option<Vec<u8>> {
    let text =
        std::str::from_utf8(body).ok().filter(|text| !text.is_empty() && !text.contains(['&', '=', '+', '%', '[']))?;
    Some(COMPACT.write(&Json::Object(vec![(text.to_owned(), Json::Text(String::new()))])).into_bytes())
}

fn gateway_event(body: &[u8], _: &Seeded) -> Option<Vec<u8>> {
    if body.is_empty() {
        return None;
    }
    let members = vec![
        ("path".to_owned(), Json::Text("/hook".into())),
        ("body".to_owned(), Json::Text(STANDARD.encode(body))),
        ("isBase64Encoded".to_owned(), Json::Word("true")),
    ];
    Some(COMPACT.write(&Json::Object(members)).into_bytes())
}

fn python_repr(body: &[u8], _: &Seeded) -> Option<Vec<u8>> {
    fn repr(json: &Json) -> String {
        let joined = |items: Vec<String>| items.join(", ");
        match json {
            Json::Object(members) => {
                let member = |(name, value): &(String, Json)| format!("{}: {}", quoted(name), repr(value));
                format!("{{{}}}", joined(members.iter().map(member).collect()))
            }
            Json::Array(elements) => format!("[{}]", joined(elements.iter().map(repr).collect())),
            Json::Text(text) => quoted(text),
            Json::Number(number) => number.clone(),
            Json::Word("true") => "True".into(),
            Json::Word("false") => "False".into(),
            Json::Word(_) => "None".into(),
        }
    }
    fn quoted(text: &str) -> String {
        let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
        let escape = |c: char| match c {
            '\\' => "\\\\".to_owned(),
            '\n' => "\\n".to_owned(),
            '\u{2028}' => "\\u2028".to_owned(),
            c if c == quote => format!("\\{c}"),
            c => c.to_string(),
        };
        format!("{quote}{}{quote}", text.chars().map(escape).collect::<String>())
    }
    // This program formats floats and handles duplicate names as Python does.
    let program = super::programs::programs().into_iter().find(|program| program.name == "Newtonsoft")?;
    Some(repr(&read(&program.run(body)?)?).into_bytes())
}

fn python_bytes(body: &[u8], _: &Seeded) -> Option<Vec<u8>> {
    let escape = |byte: &u8| match byte {
        b'\n' => "\\n".to_owned(),
        b'\r' => "\\r".to_owned(),
        b'\t' => "\\t".to_owned(),
        b'\\' => "\\\\".to_owned(),
        b'\'' => "\\'".to_owned(),
        b' '..=b'~' => char::from(*byte).to_string(),
        other => format!("\\x{other:02x}"),
    };
    Some(format!("b'{}'", body.iter().map(escape).collect::<String>()).into_bytes())
}

fn chunked(body: &[u8], random: &Seeded) -> Option<Vec<u8>> {
    let size = 1 + random.below(body.len().max(1));
    let mut out = Vec::new();
    for chunk in body.chunks(size) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    Some(out)
}

/// Compresses the body with gzip. The checksum is zero, because the decoder does not verify it.
fn gzip(body: &[u8]) -> Vec<u8> {
    let deflated = miniz_oxide::deflate::compress_to_vec(body, 6);
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    [b"\x1f\x8b\x08\0\0\0\0\0\x02\x03", &deflated[..], &[0; 4], &length].concat()
}

fn utf16(body: &[u8], little: bool) -> Option<Vec<u8>> {
    let units = std::str::from_utf8(body).ok()?.encode_utf16();
    let bytes = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
    Some(std::iter::once(0xfeff).chain(units).flat_map(bytes).collect())
}

fn html(body: &[u8], _: &Seeded) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Some(text.replace('"', "&quot;").replace('\'', "&#39;").into_bytes())
}

fn misread(body: &[u8], _: &Seeded) -> Option<Vec<u8>> {
    let (text, lossy) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(body);
    (!lossy).then(|| text.into_owned().into_bytes())
}

fn ascii(body: &[u8], _: &Seeded) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let replaced: String = text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    Some(replaced.into_bytes())
}

/// Decodes the body in two pieces that are split within a character.
fn in_pieces(body: &[u8], _: &Seeded) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let at = text.char_indices().find(|(_, c)| !c.is_ascii())?.0 + 1;
    let pieces = [&body[..at], &body[at..]].map(String::from_utf8_lossy);
    Some(pieces.concat().into_bytes())
}
