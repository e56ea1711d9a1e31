//! The output of `curl --trace-ascii`.

use super::origin::Decoded;

/// The number of characters after which curl breaks a line.
const WIDTH: usize = 64;

/// Joins numbered lines, such as `0040: text`, that belong to one line of the message. Returns `None` if the text is
/// not such a trace.
pub(super) fn joined(captured: &[u8]) -> Option<Decoded> {
    let mut lines = captured.split(|byte| *byte == b'\n').map(|line| (numbered(line), line)).peekable();
    if !captured.starts_with(b"== Info") && lines.peek()?.0.is_none() {
        return None;
    }
    let (mut joined, mut width) = (Decoded::default(), 0);
    for (index, (numbered, line)) in lines.enumerate() {
        // If curl has broken a line because it was full, it continues in the next line. A shorter line ends where the
        // message has a line break.
        let continues = numbered.as_ref().is_some_and(|(is_first, _)| !is_first && width >= WIDTH);
        if !continues && index > 0 {
            joined.push_break();
        }
        width = numbered.as_ref().map_or(0, |(_, rest)| rest.len());
        joined.push(index + 1, numbered.as_ref().map_or(line, |(_, rest)| rest));
    }
    Some(joined)
}

/// Returns the text of a numbered line, and whether it is the first line of a block.
fn numbered(line: &[u8]) -> Option<(bool, &[u8])> {
    let (number, rest) = line.split_at_checked(6)?;
    let (digits, colon) = number.split_at_checked(4)?;
    (colon == b": " && digits.iter().all(u8::is_ascii_hexdigit)).then_some((digits == b"0000", rest))
}
