//! Finds messages in captured text: documents, HTTP dumps, HAR files and log lines.

use std::cell::Cell;

use paytend_webhook::explain::unwrapped;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::kind::{Head, Members, MessageKind, read, read_head};
use super::{dump, trace};

/// The maximum depth of nested texts, such as JSON in a JSON string.
const DEPTH: usize = 10;
/// The maximum number of messages that a search returns.
const MAX_FOUND: usize = 10_000;
/// The limit on the number of bytes that a search examines: a factor that is multiplied by the size of the input, and a
/// minimum in bytes.
const WORK: (usize, usize) = (32, 64 << 20);
/// The limit on the total size of all intermediate results when wrappings such as base64 are removed. Its parts have
/// the same meaning as in `WORK`. It is lower, because about twenty decoders are tried on each result.
const UNWRAPPED: (usize, usize) = (8, 64 << 20);
/// The minimum length of a wrapped message, in bytes.
const SHORTEST: usize = 40;
/// The maximum length, in bytes, of a piece of text that is searched for a wrapped message.
const LONGEST: usize = 4 << 20;
/// The maximum number of pieces of text that are searched for a wrapped message.
const MAX_PIECES: usize = 5_000;

/// A message in the captured text.
pub(super) struct Found {
    pub(super) kind: MessageKind,
    pub(super) bytes: Vec<u8>,
    /// The number of the line, starting at 1, or the number of the entry in a HAR file.
    pub(super) place: Place,
    pub(super) head: Head,
    /// The wrappings around the message, such as base64, with the outermost first.
    pub(super) wrappings: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Line(usize),
    Entry(usize),
}

/// The messages found in a captured text.
pub(super) struct Search {
    pub(super) found: Vec<Found>,
    /// Whether the search ended early, because the text is too large or too deeply nested.
    pub(super) incomplete: bool,
    /// The number of bytes that the search may still examine; see [`WORK`].
    left: usize,
    /// The number of bytes that further intermediate results may have; see [`UNWRAPPED`].
    left_unwrapped: usize,
    pieces: usize,
    /// For each line of the searched text, the number of the line in the captured text. `None` if the lines are the
    /// same.
    lines: Option<Vec<usize>>,
}

/// Where a text was found, and what is known about it.
#[derive(Clone)]
struct Context {
    place: Option<Place>,
    head: Head,
    wrappings: Vec<String>,
    depth: usize,
}

impl Search {
    pub(super) fn of(captured: &[u8]) -> Self {
        let budget = |(times, least): (usize, usize)| captured.len().saturating_mul(times).max(least);
        let (left, left_unwrapped) = (budget(WORK), budget(UNWRAPPED));
        let plain = dump::without_colours(captured);
        let captured = plain.as_deref().unwrap_or(captured);
        let (joined, lines) = match dump::decoded(captured) {
            Some(decoded) => (Some(decoded), None),
            None => trace::joined(captured).unzip(),
        };
        let captured = joined.as_deref().unwrap_or(captured);
        let mut search = Self { found: Vec::new(), incomplete: false, left, left_unwrapped, pieces: 0, lines };
        let context = Context { place: None, head: Head::default(), wrappings: Vec::new(), depth: 0 };
        search.text(captured, &context);
        // If no part of the text is a message, the whole text can be a wrapped message, such as compressed data or
        // base64 in several lines.
        if search.found.is_empty() {
            search.piece(captured, &context);
        }
        search
    }

    /// Subtracts a number of bytes from the limit [`WORK`]. Returns false if the search must end because the limit is
    /// exceeded.
    fn spend(&mut self, bytes: usize) -> bool {
        let enough = bytes <= self.left && self.found.len() < MAX_FOUND;
        self.left = self.left.saturating_sub(bytes.max(1));
        self.incomplete |= !enough;
        enough
    }

    /// Converts the number of a line in the searched text to its number in the captured text.
    fn original(&self, number: usize) -> usize {
        self.lines.as_ref().and_then(|lines| lines.get(number - 1)).copied().unwrap_or(number)
    }

    /// Searches a text for JSON objects and for pieces that contain a wrapped message.
    fn text(&mut self, text: &[u8], context: &Context) {
        if context.depth > DEPTH {
            self.incomplete = true;
            return;
        }
        let mut context = context.clone();
        let (mut at, mut number) = (0, 1);
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let length = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
            let (line, _) = rest.split_at(length);
            if !self.spend(length) {
                return;
            }
            let mut inner = context.clone();
            inner.place = inner.place.or_else(|| Some(Place::Line(self.original(number))));
            inner.head.read_line(&String::from_utf8_lossy(line.get(..line.len().min(8192)).unwrap_or_default()));
            let before = self.found.len();
            let end = self.objects(rest, line.len(), &inner);
            // After a message, its headers are forgotten. Only its path is kept, because the response can follow.
            let path = inner.head.path.clone();
            context.head =
                if self.found.len() > before { Head { path, ..Head::default() } } else { inner.head.clone() };
            if self.found.len() == before {
                self.pieces_of(line, &inner);
            }
            let next = at + end.max(length);
            number += text.get(at..next).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
            at = next;
        }
    }

    /// Reads the JSON objects that begin in the first `line` bytes of a text, which are its first line. Returns the
    /// position after the last object.
    fn objects(&mut self, text: &[u8], line: usize, context: &Context) -> usize {
        let mut at = 0;
        while at < line {
            let Some(start) = text.get(at..line).and_then(|rest| rest.iter().position(|byte| *byte == b'{')) else {
                break;
            };
            let start = at + start;
            let rest = text.get(start..).unwrap_or_default();
            let mut documents = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
            if let Some(Err(error)) = documents.next() {
                // Only the bytes up to the error have been examined. If the object is incomplete, they extend to the
                // end of the text.
                if !self.spend(read_before(&error, rest)) {
                    return line;
                }
                at = start + 1;
                continue;
            }
            let parsed = documents.byte_offset();
            let object = rest.get(..parsed).unwrap_or_default();
            if !self.spend(parsed) {
                return line;
            }
            self.object(object, context);
            at = start + parsed;
        }
        at
    }

    /// Adds the object to the results if it is a message. Otherwise, searches its members.
    fn object(&mut self, bytes: &[u8], context: &Context) {
        let Ok(members) = serde_json::from_slice::<Members<'_>>(bytes) else { return };
        match MessageKind::of_members(&members) {
            Some(kind) => self.add(kind, bytes.to_vec(), context),
            None => self.members(&members, context),
        }
    }

    fn add(&mut self, kind: MessageKind, bytes: Vec<u8>, context: &Context) {
        if self.found.len() >= MAX_FOUND {
            self.incomplete = true;
            return;
        }
        let place = context.place.unwrap_or(Place::Line(1));
        let (head, wrappings) = (context.head.clone(), context.wrappings.clone());
        self.found.push(Found { kind, bytes, place, head, wrappings });
    }

    /// Searches the members of an object in a log or a HAR file.
    fn members(&mut self, members: &Members<'_>, context: &Context) {
        if context.depth > DEPTH {
            self.incomplete = true;
            return;
        }
        let log = members.get("log").and_then(|log| read::<Members<'_>>(log));
        if let Some(entries) = log.and_then(|log| read::<Vec<Members<'_>>>(log.get("entries")?)) {
            for (index, entry) in entries.iter().enumerate() {
                self.entry(entry, &Context { place: Some(Place::Entry(index + 1)), ..context.clone() });
            }
            return;
        }
        let mut context = context.clone();
        read_head(members, &mut context.head);
        for value in members.values() {
            self.value(value, &context);
        }
    }

    /// Searches an entry of a HAR file: a request and its response.
    fn entry(&mut self, entry: &Members<'_>, context: &Context) {
        let mut context = context.clone();
        for part in ["request", "response"] {
            let Some(value) = entry.get(part) else { continue };
            // The response has the same URL as the request, but different headers.
            context.head.sign = None;
            if let Some(members) = read::<Members<'_>>(value) {
                read_head(&members, &mut context.head);
            }
            self.value(value, &context);
        }
    }

    fn value(&mut self, value: &RawValue, context: &Context) {
        let raw = value.get();
        let mut context = context.clone();
        context.depth += 1;
        if !self.spend(raw.len()) {
            return;
        }
        match raw.as_bytes().first() {
            Some(b'"') if raw.len() >= SHORTEST => {
                if let Some(text) = read::<String>(value) {
                    context.wrappings.push("JSON string".to_owned());
                    self.text(text.as_bytes(), &context);
                }
            }
            Some(b'[') => {
                for value in read::<Vec<&RawValue>>(value).unwrap_or_default() {
                    self.value(value, &context);
                }
            }
            Some(b'{') => self.object(raw.as_bytes(), &context),
            _ => {}
        }
    }

    /// Searches each piece of a line that could be a wrapped message: the whole line, and its long words.
    fn pieces_of(&mut self, line: &[u8], context: &Context) {
        let before = self.found.len();
        let is_wrapped = |piece: &[u8]| {
            let long = piece.len() >= SHORTEST;
            long && (piece.contains(&b'{')
                || [&b"%7b"[..], b"%7B", b"&#123;", b"7b22", b"7B22"]
                    .iter()
                    .any(|mark| piece.windows(mark.len()).any(|window| window == *mark)))
        };
        let line = line.trim_ascii();
        if is_wrapped(line) {
            self.piece(line, context);
        }
        if self.found.len() == before
            && let Some(text) = without_hex_escapes(line)
        {
            let mut context = context.clone();
            context.depth += 1;
            context.wrappings.push("a copy of it with \\x escapes".to_owned());
            self.text(&text, &context);
        }
        let separators = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`,;:()[]<>|&".contains(byte);
        for word in line.split(separators).filter(|word| word.len() >= SHORTEST) {
            // The word can begin with the name of a field, as in `body=…`, so the part after `=` is also tried.
            let name = word.iter().take(SHORTEST).position(|byte| *byte == b'=');
            for word in [Some(word), name.and_then(|at| word.get(at + 1..))].into_iter().flatten() {
                let encoded = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
                if self.found.len() == before && word.len() >= SHORTEST && word.iter().all(encoded) {
                    self.piece(word, context);
                }
            }
        }
    }

    /// Removes the wrappings of a piece until the piece is a message or contains one.
    fn piece(&mut self, piece: &[u8], context: &Context) {
        let exhausted = self.pieces >= MAX_PIECES || self.left_unwrapped == 0;
        if piece.len() > LONGEST || exhausted || !self.spend(piece.len()) {
            self.incomplete = true;
            return;
        }
        self.pieces += 1;
        // A short piece can expand to many bytes, so the sizes of all intermediate results are added up.
        let walked = Cell::new(0);
        let unwrapped = unwrapped(piece, |bytes| {
            walked.set(walked.get() + bytes.len());
            MessageKind::of(bytes).is_some()
        });
        self.left_unwrapped = self.left_unwrapped.saturating_sub(walked.get());
        if let Some((bytes, changes)) = unwrapped
            && let Some(kind) = MessageKind::of(&bytes)
        {
            let mut context = context.clone();
            context.wrappings.extend(changes.iter().map(ToString::to_string));
            self.add(kind, bytes.to_vec(), &context);
        }
    }
}

/// Returns the number of bytes that the parser had read when the error occurred.
fn read_before(error: &serde_json::Error, text: &[u8]) -> usize {
    if error.is_eof() {
        return text.len();
    }
    let lines = text.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    lines.map(<[u8]>::len).sum::<usize>() + error.column()
}

/// Replaces escapes such as `\x22`, which nginx writes to its logs. Returns `None` if the line contains no `\x22`.
fn without_hex_escapes(line: &[u8]) -> Option<Vec<u8>> {
    if !line.windows(4).any(|window| window == br"\x22") {
        return None;
    }
    let (mut out, mut rest) = (Vec::with_capacity(line.len()), line);
    while let Some((first, after)) = rest.split_first() {
        let digits = rest.strip_prefix(br"\x").and_then(|hex| hex.get(..2));
        let byte =
            digits.and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                rest = rest.get(4..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const MESSAGE: &str = r#"{"notify_id":"1","notify_timestamp":1762000000000}"#;

    /// Returns data in deflate format that expands to the given number of kilobytes.
    fn bomb(kilobytes: usize) -> Vec<u8> {
        let (mut bytes, mut filled) = (vec![0u8], 0);
        let mut push = |bits: &str| {
            for bit in bits.bytes() {
                if filled == 8 {
                    bytes.push(0);
                    filled = 0;
                }
                *bytes.last_mut().unwrap() |= (bit - b'0') << filled;
                filled += 1;
            }
        };
        // A single deflate block with the fixed Huffman codes: the letter `a`, repetitions of 258 bytes each, and the
        // end of the block.
        push("110");
        push("10010001");
        (0..kilobytes * 4).for_each(|_| push("1100010100000"));
        push("0000000");
        bytes
    }

    /// If many short pieces expand to megabytes, the search stops unwrapping pieces. It still finds a message that is
    /// not wrapped.
    #[test]
    fn work_on_pieces_that_expand_is_limited() {
        let piece = STANDARD.encode(bomb(1024));
        assert!(piece.len() < 12_000, "{}", piece.len());
        let pieces: String = (0..400).map(|number| format!("{number} {piece}\n")).collect();
        let search = Search::of(format!("{pieces}{MESSAGE}\n").as_bytes());
        assert!(search.incomplete && search.pieces < 100, "{}", search.pieces);
        assert_eq!((search.found.len(), search.found[0].place), (1, Place::Line(401)));
        let complete = Search::of(format!("{piece}\n{MESSAGE}\n").as_bytes());
        assert!(!complete.incomplete && complete.found.len() == 1);
    }

    #[test]
    fn lines_of_a_trace_are_those_of_the_file() {
        let message = format!("{{\"x\":\"{}\",{}", "y".repeat(100), &MESSAGE[1..]);
        let (first, rest) = message.split_at(64);
        let (second, third) = rest.split_at(64);
        let data = format!("=> Send data, {} bytes\n0000: {first}\n0040: {second}\n0080: {third}\n", message.len());
        let head = "== Info: Connected\n=> Send header, 20 bytes\n0000: POST /payby HTTP/1.1\n0016: \n";
        let search = Search::of(format!("{head}{data}{head}{data}").as_bytes());
        let places: Vec<Place> = search.found.iter().map(|found| found.place).collect();
        assert_eq!(places, [Place::Line(6), Place::Line(14)]);
        assert_eq!(search.found[1].bytes, message.as_bytes());
        assert_eq!(search.found[1].head.path.as_deref(), Some("/payby"));
    }
}
