//! The output of `curl --trace-ascii`.

/// The number of characters after which curl breaks a line.
const WIDTH: usize = 64;

/// Joins numbered lines, such as `0040: text`, that belong to one line of the message. Returns the joined text, and the
/// number of the original line at which each joined line begins. Returns `None` if the text is not such a trace.
pub(super) fn joined(captured: &[u8]) -> Option<(Vec<u8>, Vec<usize>)> {
    let mut lines = captured.split(|byte| *byte == b'\n').map(|line| (numbered(line), line)).peekable();
    if !captured.starts_with(b"== Info") && lines.peek()?.0.is_none() {
        return None;
    }
    let (mut joined, mut numbers, mut width) = (Vec::new(), Vec::new(), 0);
    for (index, (numbered, line)) in lines.enumerate() {
        // If curl has broken a line because it was full, it continues in the next line. A shorter line ends where the
        // message has a line break.
        let continues = numbered.as_ref().is_some_and(|(is_first, _)| !is_first && width >= WIDTH);
        if !continues {
            if !numbers.is_empty() {
                joined.push(b'\n');
            }
            numbers.push(index + 1);
        }
        width = numbered.as_ref().map_or(0, |(_, rest)| rest.len());
        joined.extend_from_slice(numbered.as_ref().map_or(line, |(_, rest)| rest));
    }
    Some((joined, numbers))
}

/// Returns the text of a numbered line, and whether it is the first line of a block.
fn numbered(line: &[u8]) -> Option<(bool, &[u8])> {
    let (number, rest) = line.split_at_checked(6)?;
    let (digits, colon) = number.split_at_checked(4)?;
    (colon == b": " && digits.iter().all(u8::is_ascii_hexdigit)).then_some((digits == b"0000", rest))
}
