//! Decoded text whose parts keep the numbers of the lines from which they were decoded.

/// Decoded text, and the line of the captured text in which each part of it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: Lines,
}

/// The numbers of the lines from which a text was decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    /// The position of each part in the decoded text, and the number of its line, starting at 1.
    parts: Vec<(usize, usize)>,
}

impl Decoded {
    /// Adds a part that begins in a line.
    pub(super) fn push(&mut self, line: usize, part: &[u8]) {
        if !part.is_empty() {
            self.lines.parts.push((self.bytes.len(), line));
            self.bytes.extend_from_slice(part);
        }
    }

    /// Adds a line break that the captured text does not contain.
    pub(super) fn push_break(&mut self) {
        self.bytes.push(b'\n');
    }

    /// Adds decoded text.
    pub(super) fn append(&mut self, other: &Self) {
        let before = self.bytes.len();
        self.lines.parts.extend(other.lines.parts.iter().map(|(position, line)| (before + position, *line)));
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// Returns the text without its first bytes.
    pub(super) fn without_start(&self, length: usize) -> Self {
        let parts = self.lines.parts.iter().map(|(position, line)| (position.saturating_sub(length), *line));
        let mut kept: Vec<(usize, usize)> = Vec::new();
        for part in parts {
            // Of the parts that begin in the removed bytes, the last one reaches into the rest.
            if kept.last().is_some_and(|(position, _)| *position == part.0) {
                kept.pop();
            }
            kept.push(part);
        }
        Self { bytes: self.bytes.get(length..).unwrap_or_default().to_vec(), lines: Lines { parts: kept } }
    }
}

impl Lines {
    /// Returns the number of the line that contains the byte at a position of the decoded text.
    pub(super) fn at(&self, position: usize) -> usize {
        let after = self.parts.partition_point(|(start, _)| *start <= position);
        after.checked_sub(1).and_then(|index| self.parts.get(index)).map_or(1, |(_, line)| *line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_belongs_to_the_line_of_its_part() {
        let mut decoded = Decoded::default();
        decoded.push(3, b"ab");
        decoded.push(4, b"");
        decoded.push_break();
        decoded.push(7, b"c");
        let mut joined = Decoded::default();
        joined.push(1, b"x");
        joined.append(&decoded);
        assert_eq!(joined.bytes, b"xab\nc");
        let lines = |decoded: &Decoded| (0..6).map(|position| decoded.lines.at(position)).collect::<Vec<_>>();
        assert_eq!(lines(&joined), [1, 3, 3, 3, 7, 7]);
        let rest = joined.without_start(2);
        assert_eq!((&*rest.bytes, lines(&rest)), (&b"b\nc"[..], vec![3, 3, 7, 7, 7, 7]));
        assert_eq!(lines(&joined.without_start(0)), lines(&joined));
        assert_eq!((joined.without_start(9).bytes, Lines::default().at(4)), (Vec::new(), 1));
    }
}
