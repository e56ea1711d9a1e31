//! Finds PEM blocks in cleaned text, and problems in their BEGIN and END lines.

use super::text::{OTHER_DASH, line_of};
use crate::keys::error::ArmourProblem;

/// A PEM block: the label, and the text between the BEGIN and END lines.
pub(super) struct Block<'t> {
    /// The text between the end of the previous block and the BEGIN line.
    pub(super) before: &'t [u8],
    pub(super) label: &'t [u8],
    pub(super) body: &'t [u8],
    /// The line number of the body's first line, starting at 1.
    pub(super) body_line: usize,
    /// The line number of an invalid BEGIN or END line, and the problem with it.
    pub(super) broken: Option<(usize, ArmourProblem)>,
}

/// A BEGIN or END line.
struct Marker<'t> {
    begins: bool,
    start: usize,
    end: usize,
    label: &'t [u8],
    /// Whether the line is well formed: in capitals, with five hyphens on both sides.
    exact: bool,
}

/// Returns all blocks in `text`, in order. Returns an empty vector if `text` contains no BEGIN or END line.
pub(super) fn blocks(text: &[u8]) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(marker) = next_marker(text, at) {
        let line = line_of(text, marker.start);
        let (before, body_line) = (&text[at..marker.start], line_of(text, marker.end));
        let mut block = Block { before, label: marker.label, body: &[], body_line, broken: None };
        at = marker.end;
        if !marker.begins {
            block.broken = Some((line, ArmourProblem::BeginMissing));
            blocks.push(block);
            continue;
        }
        let following = next_marker(text, marker.end);
        let end = following.as_ref().filter(|following| !following.begins);
        let stop = following.as_ref().map_or(text.len(), |following| following.start);
        block.body = &text[marker.end..stop];
        block.broken = match end {
            _ if !marker.exact => Some((line, ArmourProblem::Begin)),
            None => Some((line, ArmourProblem::EndMissing)),
            Some(end) if !end.exact => Some((line_of(text, end.start), ArmourProblem::End)),
            Some(end) if end.label != marker.label => Some((line_of(text, end.start), ArmourProblem::EndLabel)),
            Some(_) => None,
        };
        match end {
            Some(end) => at = end.end,
            // The rest of a damaged END line is not part of the body.
            None => {
                if let Some(dashes) = block.body.windows(2).position(|pair| pair == b"--") {
                    block.body = &block.body[..dashes];
                }
            }
        }
        blocks.push(block);
    }
    blocks
}

impl Block<'_> {
    /// Returns the text that precedes BEGIN on the same line.
    pub(super) fn prefix(&self) -> &[u8] {
        self.before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default()
    }
}

fn next_marker(text: &[u8], from: usize) -> Option<Marker<'_>> {
    let mut at = from;
    while let Some(found) = text
        .get(at..)?
        .windows(3)
        .position(|part| part.eq_ignore_ascii_case(b"END") || part.eq_ignore_ascii_case(b"BEG"))
    {
        at += found;
        if let Some(marker) = marker(text, from, at) {
            return Some(marker);
        }
        at += 1;
    }
    None
}

/// Reads the BEGIN or END line whose keyword is at offset `at`. Text before `from` is not part of the line.
fn marker(text: &[u8], from: usize, at: usize) -> Option<Marker<'_>> {
    const LONGEST_LABEL: usize = 64;
    let dash = |byte: &&u8| **byte == b'-' || **byte == OTHER_DASH;
    let word: &[u8] =
        if text[at..].get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"BEGIN")) { b"BEGIN" } else { b"END" };
    if !text[at..].get(..word.len())?.eq_ignore_ascii_case(word) {
        return None;
    }
    let before = &text[from..at];
    let spaces = before.iter().rev().take_while(|byte| **byte == b' ').count();
    let opening = &before[..before.len() - spaces];
    let open = opening.iter().rev().take_while(dash).count();
    let after = &text[at + word.len()..];
    let after = &after[..after.len().min(2 * LONGEST_LABEL)];
    // A label can contain a hyphen, for example the label of RSA-PSS keys.
    let ends = |at: &usize| match &after[*at..] {
        [b'-', next, ..] => !next.is_ascii_alphanumeric(),
        [b'\n' | b'-' | OTHER_DASH, ..] => true,
        _ => false,
    };
    let label_end = (0..after.len()).find(ends).unwrap_or(after.len());
    let label = after[..label_end].trim_ascii();
    let close = after[label_end..].iter().take_while(dash).count();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" .#?-".contains(byte);
    let standalone = open > 0 || !before.last().is_some_and(u8::is_ascii_alphanumeric);
    if open + close < 3 || !standalone || label.len() > LONGEST_LABEL || !label.iter().all(plain) {
        return None;
    }
    // At most five hyphens belong to the line, because URL-safe base64 before an END line can end in a hyphen.
    let mine = open.min(5);
    let start = opening.len() - mine + from;
    // Further hyphens are not part of this line, because the next BEGIN or END line can follow without a line break.
    let used = close.min(5);
    let end = at + word.len() + label_end + used;
    let five = |dashes: &[u8]| dashes == b"-----";
    let exact = text[at..].starts_with(word)
        && opening.len() == before.len()
        && five(&opening[opening.len() - mine..])
        && five(&after[label_end..label_end + used])
        && after.first() == Some(&b' ')
        && after[..label_end].last().is_some_and(|byte| *byte != b' ' || label.is_empty())
        && !label.iter().any(u8::is_ascii_lowercase);
    Some(Marker { begins: word == b"BEGIN", start, end, label, exact })
}
