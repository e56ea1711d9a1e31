//! Tests of the search for messages.

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
    // A single deflate block with the fixed Huffman codes: the letter `a`, repetitions of 258 bytes each, and the end
    // of the block.
    push("110");
    push("10010001");
    (0..kilobytes * 4).for_each(|_| push("1100010100000"));
    push("0000000");
    bytes
}

/// If many short pieces expand to megabytes, the search stops unwrapping pieces. It still finds a message that is not
/// wrapped.
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

/// A message can begin in the middle of a line of the decoded text.
#[test]
fn lines_of_a_dump_are_those_of_the_file() {
    let encoded = STANDARD.encode(MESSAGE);
    let log = format!("{{\"level\":\"info\",\"x\":\"{}\"}} {MESSAGE}", "y".repeat(40));
    let texts = [("\n\n", MESSAGE, MESSAGE), ("\n", &*log, MESSAGE), ("id=0123456789 body=", &*encoded, &*encoded)];
    for (before, text, message) in texts {
        let mut dump = "== Info: Connected\n=> Send data, 99 bytes (0x63)\n".to_owned();
        let bytes = format!("POST /payby HTTP/1.1\r\n{before}{text}");
        for (number, row) in bytes.as_bytes().chunks(16).enumerate() {
            let digits: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
            dump.push_str(&format!("{:04x}: {:47} .\n", number * 16, digits.join(" ")));
        }
        let search = Search::of(dump.as_bytes());
        let line = 3 + bytes.rfind(message).unwrap() / 16;
        let places: Vec<Place> = search.found.iter().map(|found| found.place).collect();
        assert_eq!(places, [Place::Line(line)], "{dump}");
    }
}
