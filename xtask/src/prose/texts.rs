//! Finds the texts in a file: documentation, comments and messages.

/// The kind of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Documentation,
    Comment,
    Message,
}

/// A line of text, without comment markers or code.
#[derive(Debug)]
pub(super) struct Text {
    /// The line number, starting at 1.
    pub(super) line: usize,
    pub(super) kind: Kind,
    pub(super) text: String,
}

/// Returns the texts in a file, in order.
pub(super) fn find(path: &str, source: &str) -> Vec<Text> {
    let found = match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("md") => prose(source.lines().enumerate().map(|(index, line)| (index + 1, line))),
        Some("rs") => rust(source),
        Some("html") => Vec::new(),
        Some("toml" | "py") => comments(source, &["#"]),
        _ => comments(source, &["//", "/**", "/*", "*"]),
    };
    found.into_iter().map(|text| Text { text: without_code(&text.text), ..text }).collect()
}

/// Returns the lines outside fenced code blocks.
fn prose<'s>(lines: impl Iterator<Item = (usize, &'s str)>) -> Vec<Text> {
    let mut fenced = false;
    let mut texts = Vec::new();
    for (line, text) in lines {
        if text.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            texts.push(Text { line, kind: Kind::Documentation, text: text.to_owned() });
        }
    }
    texts
}

fn rust(source: &str) -> Vec<Text> {
    let mut texts = Vec::new();
    let mut block = Vec::new();
    for (index, line) in source.lines().enumerate() {
        let (number, line) = (index + 1, line.trim_start());
        match line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) {
            Some(text) => block.push((number, text.trim_start())),
            None => {
                texts.extend(prose(block.drain(..)));
                match line.strip_prefix("//") {
                    Some(text) => texts.push(Text { line: number, kind: Kind::Comment, text: text.trim().to_owned() }),
                    None => texts.extend(messages(number, line)),
                }
            }
        }
    }
    texts.extend(prose(block.drain(..)));
    texts
}

/// Returns the string literals of a line that are sentences.
fn messages(line: usize, code: &str) -> Vec<Text> {
    let mut texts = Vec::new();
    let mut literal: Option<String> = None;
    let mut letters = code.chars();
    while let Some(letter) = letters.next() {
        match (&mut literal, letter) {
            (None, '"') => literal = Some(String::new()),
            // Skips the character after a single quote, because the double quote in a literal such as '"' does not
            // begin a string.
            (None, '\'') => {
                let _ = letters.next();
            }
            (None, _) => {}
            (Some(_), '"') => {
                texts.extend(literal.take().map(|text| Text { line, kind: Kind::Message, text }));
            }
            (Some(text), '\\') => {
                text.push(' ');
                let _ = letters.next();
            }
            (Some(text), letter) => text.push(letter),
        }
    }
    texts.retain(|text| text.text.contains(' '));
    texts
}

fn comments(source: &str, markers: &[&str]) -> Vec<Text> {
    let lines = source.lines().enumerate().filter_map(|(index, line)| {
        let line = line.trim_start();
        let text = markers.iter().find_map(|marker| line.strip_prefix(marker))?;
        Some(Text { line: index + 1, kind: Kind::Comment, text: text.trim().to_owned() })
    });
    lines.collect()
}

/// Replaces code in backticks and the targets of links, which are not prose.
fn without_code(text: &str) -> String {
    let mut plain = String::new();
    for (index, part) in text.split('`').enumerate() {
        plain.push_str(if index % 2 == 0 { part } else { "x" });
    }
    while let Some(start) = plain.find("](") {
        let Some(length) = plain[start..].find(')') else { break };
        plain.replace_range(start..=start + length, "]");
    }
    plain
}
