//! The whitespace that pretty-printers and serializers write in JSON.

/// A layout: the whitespace that a serializer writes around the tokens of JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// The whitespace after a comma within a line.
    comma: &'static str,
    colon: &'static str,
    /// The indentation for each level, if elements are on separate lines.
    indent: Option<&'static str>,
    newline: &'static str,
    arrays: Arrays,
    empty: Empty,
    /// The cost in the search; unusual layouts have a higher cost.
    pub(super) cost: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Arrays {
    /// Each element on a separate line, like the members of an object.
    Lines,
    /// `[ 1, 2 ]`
    Spaced,
    /// `[1,2]`
    Tight,
    /// `[1, 2]`
    Inline,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    Tight,
    Spaced,
    Lines,
}

const COMPACT: Layout =
    Layout { comma: "", colon: ":", indent: None, newline: "\n", arrays: Arrays::Lines, empty: Empty::Tight, cost: 1 };

/// Returns all layouts, the common layouts first.
pub(super) fn layouts() -> Vec<Layout> {
    let mut layouts = vec![
        COMPACT,
        Layout { comma: " ", colon: ": ", ..COMPACT },
        Layout { colon: ": ", ..COMPACT },
        Layout { comma: " ", cost: 2, ..COMPACT },
        Layout { colon: " : ", cost: 2, ..COMPACT },
        Layout { comma: " ", colon: " : ", cost: 2, ..COMPACT },
    ];
    let lines = Layout { indent: Some("  "), colon: ": ", ..COMPACT };
    layouts.extend(["  ", "    ", "\t"].map(|indent| Layout { indent: Some(indent), ..lines }));
    // Jackson.
    let jackson = Layout { colon: " : ", arrays: Arrays::Spaced, empty: Empty::Spaced, ..lines };
    layouts.extend([jackson, Layout { newline: "\r\n", ..jackson }]);
    for newline in ["\n", "\r\n"] {
        for indent in ["  ", "    ", "\t", "   ", " ", "        ", ""] {
            for colon in [": ", " : ", ":"] {
                for arrays in [Arrays::Lines, Arrays::Spaced, Arrays::Tight, Arrays::Inline] {
                    for empty in [Empty::Tight, Empty::Spaced, Empty::Lines] {
                        let layout = Layout { comma: "", colon, indent: Some(indent), newline, arrays, empty, cost: 2 };
                        layouts.push(layout);
                    }
                }
            }
        }
    }
    layouts
}

impl Layout {
    pub(super) fn colon(self) -> &'static str {
        self.colon
    }

    /// Writes the line break and indentation after the opening bracket, a comma, or the last element.
    fn line(self, depth: usize, out: &mut Vec<u8>) {
        if let Some(indent) = self.indent {
            out.extend_from_slice(self.newline.as_bytes());
            (0..depth).for_each(|_| out.extend_from_slice(indent.as_bytes()));
        }
    }

    /// Writes the elements of an object or array. `put` writes an element at the given depth.
    pub(super) fn list<T, O: AsMut<Vec<u8>>>(
        self,
        brackets: &[u8; 2],
        items: &[T],
        depth: usize,
        out: &mut O,
        mut put: impl FnMut(&T, usize, &mut O),
    ) {
        let array = brackets[0] == b'[' && self.indent.is_some();
        let (inline, edge, between) = match self.arrays {
            Arrays::Spaced if array => (true, " ", ", "),
            Arrays::Tight if array => (true, "", ","),
            Arrays::Inline if array => (true, "", ", "),
            _ => (false, "", ","),
        };
        // The elements of an inline array are at the parent's indentation level.
        let inner = if inline { depth } else { depth + 1 };
        out.as_mut().push(brackets[0]);
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.as_mut().extend_from_slice(between.as_bytes());
                if !inline {
                    out.as_mut().extend_from_slice(self.comma.as_bytes());
                }
            } else {
                out.as_mut().extend_from_slice(edge.as_bytes());
            }
            if !inline {
                self.line(inner, out.as_mut());
            }
            put(item, inner, out);
        }
        match (items.is_empty(), self.empty) {
            (false, _) if inline => out.as_mut().extend_from_slice(edge.as_bytes()),
            (false, _) => self.line(depth, out.as_mut()),
            (true, Empty::Spaced) if self.indent.is_some() => out.as_mut().push(b' '),
            (true, Empty::Lines) if self.indent.is_some() => {
                self.line(0, out.as_mut());
                self.line(depth, out.as_mut());
            }
            _ => {}
        }
        out.as_mut().push(brackets[1]);
    }
}
