//! Removes terminal colours, and decodes dumps of bytes: the packets of `tcpdump -A` and `tcpdump -X`, and the rows of
//! `curl --trace`, `xxd` and `hexdump -C`.

use std::collections::HashMap;

/// The number of bytes in a row of a dump.
const ROW: usize = 16;
/// The first byte of an IP header and the size of the header, for IPv4 without options and for IPv6.
const IP_HEADERS: [(u8, usize); 2] = [(b'E', 20), (b'`', 40)];
/// The index of the byte in a TCP header that contains the size of the header.
const TCP_SIZE: usize = 12;

/// Returns the captured text with its dumps decoded, or `None` if it contains no dumps.
pub(super) fn decoded(captured: &[u8]) -> Option<Vec<u8>> {
    packets(captured).or_else(|| rows(captured))
}

/// Removes the escape sequences of terminal colours. Returns `None` if there are none.
pub(super) fn without_colours(captured: &[u8]) -> Option<Vec<u8>> {
    let mut parts = captured.split(|byte| *byte == 0x1b);
    let mut plain = parts.next().unwrap_or_default().to_vec();
    let mut found = false;
    for part in parts {
        let end = part.iter().position(|byte| !byte.is_ascii_digit() && !b"[;".contains(byte));
        match end.filter(|end| part.starts_with(b"[") && part.get(*end) == Some(&b'm')) {
            Some(end) => {
                plain.extend_from_slice(part.get(end + 1..).unwrap_or_default());
                found = true;
            }
            None => {
                plain.push(0x1b);
                plain.extend_from_slice(part);
            }
        }
    }
    found.then_some(plain)
}

/// The line that tcpdump prints before the bytes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PacketLine {
    from: String,
    to: String,
    /// The sequence number of the packet's first byte.
    first: Option<u64>,
    length: usize,
}

impl PacketLine {
    fn read(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let (before, after) = line.split_once(" > ")?;
        let (to, rest) = after.split_once(": Flags [")?;
        let number =
            |text: &str| text.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok());
        let of = |name: &str| rest.split_once(name).and_then(|(_, text)| number(text));
        let length = usize::try_from(of(", length ")?).ok()?;
        Some(Self { from: before.split(' ').next_back()?.to_owned(), to: to.to_owned(), first: of(", seq "), length })
    }
}

/// Successive data from one side of a connection, up to the next data from the other side.
struct Segment {
    line: PacketLine,
    data: Vec<u8>,
}

/// Joins the packets of each connection, because a message can be in several packets. Text before the first packet is
/// kept.
fn packets(captured: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut packets: Vec<(PacketLine, Vec<u8>)> = Vec::new();
    for line in captured.split_inclusive(|byte| *byte == b'\n') {
        match (PacketLine::read(line), packets.last_mut()) {
            (Some(packet), _) => packets.push((packet, Vec::new())),
            (None, Some((_, body))) => body.extend_from_slice(line),
            (None, None) => decoded.extend_from_slice(line),
        }
    }
    let mut segments: Vec<Segment> = Vec::new();
    // For each connection, the index of its last segment in `segments`.
    let mut last = HashMap::new();
    for (line, body) in packets {
        let data = payload(&body, line.length);
        let ends = (line.from.clone().min(line.to.clone()), line.from.clone().max(line.to.clone()));
        let number = last.get(&ends).copied().unwrap_or(usize::MAX);
        match segments.get_mut(number) {
            _ if data.is_empty() => {}
            // The same packet was captured or sent twice, so it is skipped.
            Some(segment) if segment.line == line => {}
            Some(segment) if segment.line.from == line.from => {
                segment.data.extend(data);
                segment.line = line;
            }
            _ => {
                last.insert(ends, segments.len());
                segments.push(Segment { line, data });
            }
        }
    }
    if segments.is_empty() {
        return None;
    }
    for segment in segments {
        decoded.push(b'\n');
        decoded.extend(segment.data);
    }
    Some(decoded)
}

/// Returns the data of a packet without its headers. tcpdump prints packets as hexadecimal rows (`-X`) or as text
/// (`-A`).
fn payload(body: &[u8], length: usize) -> Vec<u8> {
    if length == 0 {
        return Vec::new();
    }
    if body.trim_ascii_start().starts_with(b"0x0000:") {
        let rows = body.split(|byte| *byte == b'\n').filter_map(row);
        let packet: Vec<u8> = rows.flat_map(|(_, bytes)| bytes).collect();
        return packet.get(packet.len().saturating_sub(length)..).unwrap_or_default().to_vec();
    }
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    let start = IP_HEADERS.iter().find(|(first, _)| body.first() == Some(first)).map(|(_, size)| {
        // The first four bits of this byte are the size of the TCP header, in words of four bytes. tcpdump prints other
        // sizes as a dot, because their bytes are not printable. The most frequent of these sizes is 32 bytes.
        let tcp = match body.get(size + TCP_SIZE) {
            Some(b'P') => 20,
            Some(b'`') => 24,
            Some(b'p') => 28,
            _ => 32,
        };
        size + tcp
    });
    body.get(start.unwrap_or_default()..).unwrap_or(body).to_vec()
}

/// Decodes the rows of hexadecimal dumps. Returns `None` if there are no such rows.
fn rows(captured: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(captured.len() / 3);
    let (mut expected, mut found, mut direction) = (0, false, None);
    for line in captured.split_inclusive(|byte| *byte == b'\n') {
        let row = row(line).filter(|(offset, _)| *offset == expected || *offset == 0);
        if let Some((offset, bytes)) = row {
            expected = if bytes.len() == ROW { offset + ROW } else { 0 };
            found = true;
            decoded.extend(bytes);
            continue;
        }
        expected = 0;
        match trace_direction(line) {
            // The direction is unchanged, so curl has only split the data into several blocks.
            Some(next) if direction == Some(next) => {}
            Some(next) => {
                direction = Some(next);
                decoded.push(b'\n');
            }
            None if is_trace_information(line) => {}
            None => {
                if !matches!(decoded.last(), None | Some(b'\n')) {
                    decoded.push(b'\n');
                }
                decoded.extend_from_slice(line);
            }
        }
    }
    found.then_some(decoded)
}

/// Returns the direction in a line such as `=> Send data, 5 bytes (0x5)` of `curl --trace`.
fn trace_direction(line: &[u8]) -> Option<bool> {
    let contains = |text: &[u8]| line.windows(text.len()).take(40).any(|window| window == text);
    match (contains(b"=> Send "), contains(b"<= Recv ")) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

fn is_trace_information(line: &[u8]) -> bool {
    line.windows(8).take(40).any(|window| window == b"== Info:")
}

/// Reads a row of a dump: an offset, groups of two or four hexadecimal digits, and the bytes as text. A line such as
/// `0000: 7a`, which has no text after the digits, is not a row. `curl --trace-ascii` prints such lines for the sizes
/// of chunks.
fn row(line: &[u8]) -> Option<(usize, Vec<u8>)> {
    let line = line.trim_ascii_start();
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"0x").unwrap_or(line);
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (offset, rest) = line.split_at_checked(digits).filter(|_| (4..=8).contains(&digits))?;
    let offset = usize::from_str_radix(std::str::from_utf8(offset).ok()?, 16).ok()?;
    let rest = rest.strip_prefix(b":").unwrap_or(rest);
    if !rest.starts_with(b" ") {
        return None;
    }
    let mut bytes = Vec::with_capacity(ROW);
    let mut groups = rest.trim_ascii_start().split(|byte| *byte == b' ').peekable();
    let mut has_text = false;
    while let Some(group) = groups.next() {
        // `hexdump -C` prints an additional space in the middle of a row.
        let is_middle = group.is_empty() && bytes.len() == ROW / 2 && groups.peek().is_some_and(|next| next.len() == 2);
        if is_middle {
            continue;
        }
        let pairs = group.chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            pair.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u8::from_str_radix(pair, 16).ok()).flatten()
        });
        match pairs.collect::<Option<Vec<u8>>>().filter(|pairs| matches!(pairs.len(), 1 | 2)) {
            Some(pairs) if bytes.len() + pairs.len() <= ROW => bytes.extend(pairs),
            _ => {
                has_text = true;
                break;
            }
        }
        if bytes.len() == ROW {
            has_text = groups.peek().is_some();
            break;
        }
    }
    (has_text && !bytes.is_empty()).then_some((offset, bytes))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// Returns a dump of `bytes`, with a space after each `group` of bytes.
    fn dump(bytes: &[u8], prefix: &str, group: usize, width: usize) -> String {
        let mut dump = String::new();
        for (number, row) in bytes.chunks(ROW).enumerate() {
            let mut digits = String::new();
            for (index, byte) in row.iter().enumerate() {
                let end = if (index + 1) % group == 0 { " " } else { "" };
                write!(digits, "{byte:02x}{end}").unwrap();
            }
            let text: String = row.iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '.' }).collect();
            writeln!(dump, "{prefix}{:04x}: {digits:width$}{text}", number * ROW).unwrap();
        }
        dump
    }

    #[test]
    fn sizes_of_chunks_are_not_rows() {
        for size in ["7a", "1a2b", "7a \n"] {
            let trace = format!("<= Recv data, 70 bytes (0x46)\n0000: {}\n0004: {{\"sign\":\"", size.trim_end());
            assert_eq!(decoded(trace.as_bytes()), None, "{size}");
        }
        assert_eq!(row(b"0000: 7b 22                                           {\"\n"), Some((0, b"{\"".to_vec())));
        assert_eq!(row(b"0000: 20 20                                             \n"), Some((0, b"  ".to_vec())));
    }

    #[test]
    fn colours_are_removed() {
        let coloured = b"\x1b[32mPOST\x1b[39;49;00m \x1b[04m/x\x1b[m\x1b[2K\x1b";
        assert_eq!(without_colours(coloured).unwrap(), b"POST /x\x1b[2K\x1b");
        assert_eq!(without_colours(b"\x1b[1;2"), None);
        assert_eq!(without_colours(b"m"), None);
    }

    #[test]
    fn rows_of_all_lengths_are_decoded() {
        let bytes: Vec<u8> = (0..=255).chain(*b"{\"a\":\"abcd ef 12\"}").collect();
        for length in 1..bytes.len() {
            let bytes = &bytes[..length];
            for dump in [dump(bytes, "", 1, 48), dump(bytes, "0000", 2, 41), dump(bytes, "\t0x", 2, 42)] {
                assert_eq!(rows(dump.as_bytes()).unwrap(), bytes, "{dump}");
            }
        }
        let hexdump = "00000000  7b 22 61 22 3a 20 22 62  63 22 7d 20 20 20 20 20  |{\"a\": \"bc\"}     |\n\
                       00000010  0a                                                |.|\n00000011\n";
        assert_eq!(rows(hexdump.as_bytes()).unwrap(), b"{\"a\": \"bc\"}     \n00000011\n");
        for other in ["", "{\"a\":1}", "0000: POST / HTTP/1.1", "2026-11-28 10:00:00 abcd", "0040: 61 62"] {
            assert_eq!(rows(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn parts_of_a_trace_are_joined() {
        let part = |label: &str, bytes: &[u8]| format!("{label}\n{}", dump(bytes, "", 1, 48));
        let trace = [
            "== Info: Connected\n".to_owned(),
            part("=> Send header, 20 bytes (0x14)", b"POST / HTTP/1.1\r\n\r\n"),
            part("=> Send data, 6 bytes (0x6)", b"{\"a\":1"),
            "== Info: upload completely sent off\n".to_owned(),
            part("10:00:00.1 => Send data, 1 bytes (0x1)", b"}"),
            part("<= Recv header, 17 bytes (0x11)", b"HTTP/1.1 200 OK\r\n"),
        ];
        let expected = "\nPOST / HTTP/1.1\r\n\r\n{\"a\":1}\nHTTP/1.1 200 OK\r\n";
        assert_eq!(String::from_utf8(decoded(trace.concat().as_bytes()).unwrap()).unwrap(), expected);
    }

    #[test]
    fn packets_of_each_connection_are_joined() {
        let line = |from: &str, to: &str, first: usize, length: usize| {
            format!("10:00:00.1 IP {from} > {to}: Flags [P.], seq {first}:{}, ack 1, length {length}\n", first + length)
        };
        let headers = |ip: usize, tcp: u8, size: usize| {
            let mut headers = vec![b'.'; ip + size];
            headers[0] = if ip == 20 { b'E' } else { b'`' };
            headers[ip + TCP_SIZE] = tcp;
            headers
        };
        let text = |from: &str, to: &str, first: usize, data: &str, headers: Vec<u8>| {
            format!("{}{}{data}\n", line(from, to, first, data.len()), String::from_utf8(headers).unwrap())
        };
        let hex = |from: &str, to: &str, first: usize, data: &str, headers: Vec<u8>| {
            let packet = [&headers, data.as_bytes()].concat();
            format!("{}{}", line(from, to, first, data.len()), dump(&packet, "\t0x", 2, 42))
        };
        type Packet<'a> = &'a dyn Fn(&str, &str, usize, &str, Vec<u8>) -> String;
        for packet in [&text as Packet<'_>, &hex] {
            let first = packet("a.1", "b.80", 1, "POST /x HTTP/1.1\n\n{\"a\"", headers(20, b'.', 32));
            let captured = [
                "listening on lo\n".to_owned(),
                first.clone(),
                first,
                packet("c.1", "b.80", 1, "GET /y HTTP/1.1\n\n", headers(40, b'P', 20)),
                line("b.80", "a.1", 1, 0),
                packet("a.1", "b.80", 23, ":1}", headers(20, b'p', 28)),
                packet("b.80", "a.1", 1, "HTTP/1.1 200 OK\n\n{}", headers(20, b'`', 24)),
                packet("a.1", "b.80", 26, "GET /z HTTP/1.1\n\n", headers(40, b'.', 32)),
            ];
            let expected = "listening on lo\n\nPOST /x HTTP/1.1\n\n{\"a\":1}\nGET /y HTTP/1.1\n\n\n\
                            HTTP/1.1 200 OK\n\n{}\nGET /z HTTP/1.1\n\n";
            assert_eq!(String::from_utf8(decoded(captured.concat().as_bytes()).unwrap()).unwrap(), expected);
        }
    }
}
