//! A scanner that reads the input once, byte by byte, with a stack on the heap.

use crate::{Flaw, Member};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The assumed encoding of strings: how their bytes form characters.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Encoding {
    /// UTF-8, Latin-1 and similar: no multi-byte character contains a byte that equals a quote or a backslash.
    SingleBytes,
    /// GBK, Big5 and Shift-JIS: the second byte of a character can equal a backslash.
    BytePairs,
}

#[derive(Clone, Copy, PartialEq)]
enum Expected {
    /// Either the first name, or the `}` of an empty object.
    FirstName,
    Name,
    Colon,
    /// Either the first value, or the `]` of an empty array.
    FirstValue,
    Value,
    /// Either a comma, or the bracket that closes the container.
    More,
}

#[derive(Clone, Copy, PartialEq)]
enum Container {
    Object,
    Array,
}

pub(crate) struct Scan<'a> {
    text: &'a [u8],
    encoding: Encoding,
    at: usize,
    /// The containers that are open at the current position.
    open: Vec<Container>,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(text: &'a [u8], encoding: Encoding) -> Self {
        Self { text, encoding, at: 0, open: Vec::new() }
    }

    /// Returns the end of the object, and calls `report` for each of its members.
    pub(crate) fn run(mut self, mut report: impl FnMut(Member<'a>)) -> Result<usize, Flaw> {
        if self.text.starts_with(BYTE_ORDER_MARK) {
            self.at = BYTE_ORDER_MARK.len();
        }
        self.skip_white_space();
        match self.text.get(self.at) {
            Some(b'{') => self.enter(Container::Object),
            Some(_) => return Err(Flaw::NotAnObject),
            None => return Err(Flaw::Truncated),
        }
        let (mut expected, mut name, mut value_at) = (Expected::FirstName, &self.text[..0], 0);
        loop {
            self.skip_white_space();
            let start = self.at;
            let byte = *self.text.get(start).ok_or(Flaw::Truncated)?;
            expected = match (expected, byte) {
                (Expected::FirstName | Expected::Name, b'"') => {
                    self.string()?;
                    if self.open.len() == 1 {
                        name = &self.text[start..self.at];
                    }
                    Expected::Colon
                }
                (Expected::Colon, b':') => {
                    self.at += 1;
                    Expected::Value
                }
                (Expected::FirstValue | Expected::Value, _) if byte != b']' => {
                    if self.open.len() == 1 {
                        value_at = start;
                    }
                    match self.value(byte)? {
                        Expected::More => self.close_value(name, value_at, &mut report),
                        inside => inside,
                    }
                }
                (Expected::More, b',') => {
                    self.at += 1;
                    if self.open.last() == Some(&Container::Object) { Expected::Name } else { Expected::Value }
                }
                (Expected::FirstName, b'}') | (Expected::FirstValue, b']') => self.leave(),
                (Expected::More, b'}') if self.open.last() == Some(&Container::Object) => self.leave(),
                (Expected::More, b']') if self.open.last() == Some(&Container::Array) => self.leave(),
                _ => return Err(Flaw::Syntax { at: start }),
            };
            if matches!(byte, b'}' | b']') {
                if self.open.is_empty() {
                    self.skip_white_space();
                    return Ok(self.at);
                }
                self.close_value(name, value_at, &mut report);
            }
        }
    }

    /// Consumes a string or a literal, or enters a container.
    fn value(&mut self, first: u8) -> Result<Expected, Flaw> {
        match first {
            b'"' => self.string()?,
            b'{' => {
                self.enter(Container::Object);
                return Ok(Expected::FirstName);
            }
            b'[' => {
                self.enter(Container::Array);
                return Ok(Expected::FirstValue);
            }
            _ => self.literal()?,
        }
        Ok(Expected::More)
    }

    /// Reports the current member of the outermost object. Called at the end of each value.
    fn close_value(&self, name: &'a [u8], value_at: usize, report: &mut impl FnMut(Member<'a>)) -> Expected {
        if self.open.len() == 1 {
            report(Member { name, value: &self.text[value_at..self.at] });
        }
        Expected::More
    }

    fn enter(&mut self, container: Container) {
        self.at += 1;
        self.open.push(container);
    }

    fn leave(&mut self) -> Expected {
        self.at += 1;
        self.open.pop();
        Expected::More
    }

    fn string(&mut self) -> Result<(), Flaw> {
        self.at += 1;
        loop {
            self.at += match *self.text.get(self.at).ok_or(Flaw::Truncated)? {
                b'"' => break,
                b'\\' => 2,
                0x81..=0xFE if self.encoding == Encoding::BytePairs && self.is_second(self.at + 1) => 2,
                _ => 1,
            };
        }
        self.at += 1;
        Ok(())
    }

    /// Returns whether the byte at this offset can be the second byte of a character.
    fn is_second(&self, at: usize) -> bool {
        matches!(self.text.get(at), Some(0x40..=0x7E | 0x80..=0xFE))
    }

    fn literal(&mut self) -> Result<(), Flaw> {
        let rest = &self.text[self.at..];
        let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_');
        let length = rest.iter().position(|byte| !part(byte)).unwrap_or(rest.len());
        if length == 0 {
            return Err(Flaw::Syntax { at: self.at });
        }
        self.at += length;
        Ok(())
    }

    fn skip_white_space(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }
}
