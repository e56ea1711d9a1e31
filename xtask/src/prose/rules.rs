//! The language rules that `prose` checks.

use std::sync::LazyLock;

use regex::Regex;

use super::texts::{Kind, Text};

/// The maximum length of a line, in columns.
const COLUMNS: usize = 120;
/// The maximum length of a sentence, in words.
const WORDS: usize = 30;

/// Words and phrases that are not allowed, each as a regular expression.
const REFUSED_PHRASES: [&str; 24] = [
    "whoever",
    "nobody",
    "somebody",
    "anybody",
    "everybody",
    "mishaps?",
    "befalls?|befallen",
    "takes? part",
    "takes? along",
    "of (?:one's|its|his|her|their|our|your) own",
    "news",
    "mend(?:s|ed|ing)?",
    "in hand",
    "at hand",
    "(?:is|are) no",
    "for ever",
    "all the same",
    "strangers?",
    "nowhere",
    "of whom",
    "says? so",
    "in vain",
    "tells? (?:of|apart|whether|which)",
    "is told",
];
/// The words that may follow "is no" and "are no".
const AFTER_NO: [&str; 3] = ["longer", "more", "such"];

static PHRASES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r"(?i)\b(?:{})\b(?:\s+(\w+))?", REFUSED_PHRASES.join("|"))).ok());

/// Finds lines that are too long. Rows of Markdown tables and long addresses cannot be wrapped.
pub(super) fn long_lines(source: &str) -> Vec<String> {
    let is_long = |line: &str| {
        let address = line.split_whitespace().any(|word| word.contains("://") && word.chars().count() > 60);
        line.chars().count() > COLUMNS && !line.trim_start().starts_with('|') && !address
    };
    let lines = source.lines().enumerate().filter(|(_, line)| is_long(line));
    lines.map(|(index, line)| format!("{}: {} columns", index + 1, line.chars().count())).collect()
}

/// Finds words and phrases that are not allowed.
pub(super) fn words(texts: &[Text]) -> Vec<String> {
    let Some(phrases) = &*PHRASES else { return vec!["0: the patterns of REFUSED_PHRASES are not valid".into()] };
    let mut findings = Vec::new();
    for text in texts {
        for found in phrases.captures_iter(&text.text) {
            let next = found.get(1).map(|word| word.as_str().to_lowercase()).unwrap_or_default();
            let whole = found.get(0).map(|all| all.as_str()).unwrap_or_default();
            let phrase = whole.strip_suffix(&next).unwrap_or(whole).trim();
            let no = phrase.to_lowercase().ends_with(" no");
            // "There is no key" and "is no longer" are allowed.
            let before = found.get(0).map_or("", |all| &text.text[..all.start()]);
            let there = before.trim_end().to_lowercase().ends_with("there");
            if !(no && (there || AFTER_NO.contains(&next.as_str()))) {
                findings.push(format!("{}: \"{phrase}\": {}", text.line, text.text.trim()));
            }
        }
    }
    findings
}

/// Finds sentences that are too long.
pub(super) fn sentences(texts: &[Text]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut paragraph: Vec<&Text> = Vec::new();
    for text in texts.iter().filter(|text| text.kind != Kind::Message) {
        let line = text.text.trim();
        let apart = line.is_empty() || line.starts_with(['#', '|', '-', '*']) || begins_with_number(line);
        let next = paragraph.last().is_some_and(|last| last.line + 1 == text.line && last.kind == text.kind);
        if apart || !next {
            findings.extend(long_sentences(&paragraph));
            paragraph.clear();
        }
        if !line.is_empty() && !line.starts_with(['#', '|']) {
            paragraph.push(text);
        }
    }
    findings.extend(long_sentences(&paragraph));
    findings
}

fn begins_with_number(line: &str) -> bool {
    line.split_once(". ").is_some_and(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn long_sentences(paragraph: &[&Text]) -> Vec<String> {
    let Some(first) = paragraph.first() else { return Vec::new() };
    let text: Vec<&str> = paragraph.iter().map(|text| text.text.trim()).collect();
    let text = text.join(" ");
    let mut findings = Vec::new();
    let mut words = 0;
    for word in text.split_whitespace() {
        words += usize::from(word.contains(char::is_alphanumeric));
        if word.ends_with(['.', '!', '?', ':', ';']) {
            if words > WORDS {
                findings.push(format!("{}: a sentence of {words} words", first.line));
            }
            words = 0;
        }
    }
    if words > WORDS {
        findings.push(format!("{}: a sentence of {words} words", first.line));
    }
    findings
}

/// Finds documentation for public functions that does not begin with a verb in the third person.
pub(super) fn verbs(source: &str) -> Vec<String> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let mut findings = Vec::new();
    for (index, _) in lines.iter().enumerate().filter(|(_, line)| is_public_function(line)) {
        let attributes = lines[..index].iter().rev().take_while(|line| line.starts_with("#[")).count();
        let before = &lines[..index - attributes];
        let documented = before.iter().rev().take_while(|line| line.starts_with("///")).count();
        let Some(first) = before.get(index - attributes - documented).filter(|_| documented > 0) else { continue };
        let text = first.trim_start_matches('/').trim();
        let word = text.split(' ').next().unwrap_or_default();
        if !is_verb(word) {
            let line = index - attributes - documented + 1;
            findings.push(format!("{line}: documentation of a function does not begin with a verb: {text}"));
        }
    }
    findings
}

fn is_public_function(line: &str) -> bool {
    let Some(mut rest) = line.strip_prefix("pub ") else { return false };
    for qualifier in ["const ", "async ", "unsafe ", "extern \"C\" "] {
        rest = rest.strip_prefix(qualifier).unwrap_or(rest);
    }
    rest.starts_with("fn ")
}

fn is_verb(word: &str) -> bool {
    const NOT: [&str; 6] = ["This", "Its", "As", "Whose", "Always", "Paytend's"];
    word.starts_with(char::is_uppercase) && word.trim_end_matches(',').ends_with('s') && !NOT.contains(&word)
}
