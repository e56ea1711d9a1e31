//! Cleans up lines of base64: removes marks at the start of each line, and finds lines and spaces that damage the
//! base64.

use zeroize::Zeroizing;

use super::base64_text::{self, Decoded};
use super::der;
use super::key_data::KeyData;
use super::structure::{self, Structure};
use super::text::line_content;
use crate::keys::error::{ArmourProblem, KeyError};
use crate::keys::foreign::ForeignKey;
use crate::keys::form::Wrapping;

/// Removes line numbers, comment characters, diff markers and comment lines from the body of a PEM block. `prefix` is
/// the text before the BEGIN line. Keeps the line count unchanged. Returns `None` if there is nothing to remove.
///
/// # Errors
/// Returns [`ForeignKey::Diff`] if the body contains both removed and added lines of a diff.
pub(super) fn unmarked(prefix: &[u8], body: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, ForeignKey> {
    // The first element is the rest of the BEGIN line, and the last element is the text before the END line.
    let mut lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
    if is_replacement(prefix, &lines) {
        return Err(ForeignKey::Diff);
    }
    let unnumbered = last_number(prefix).and_then(|first| without_numbers(&lines, first));
    let mut changed = unnumbered.is_some();
    if let Some(unnumbered) = unnumbered {
        lines = unnumbered;
    } else if let Some(unmarked) = without_mark(&lines, last_mark(prefix)) {
        changed = true;
        lines = unmarked;
    }
    let comment = |line: &[u8]| line.trim_ascii_start().starts_with(b"#");
    let filled = || lines.iter().skip(1).filter(|line| !line.trim_ascii().is_empty());
    if filled().any(|line| comment(line)) && !filled().all(|line| comment(line)) {
        changed = true;
        lines.iter_mut().skip(1).filter(|line| comment(line)).for_each(|line| *line = b"");
    }
    Ok(changed.then(|| joined(&lines, body.len())))
}

/// Joins lines in a buffer that is allocated once, because growing it would leave copies of a key in memory.
fn joined<'t>(lines: impl IntoIterator<Item = &'t &'t [u8]>, capacity: usize) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(capacity));
    for (at, line) in lines.into_iter().enumerate() {
        if at > 0 {
            out.push(b'\n');
        }
        out.extend_from_slice(line);
    }
    out
}

/// Returns whether `lines` are part of a diff that replaces one key with another.
fn is_replacement(prefix: &[u8], lines: &[&[u8]]) -> bool {
    let lines = lines.get(1..).unwrap_or_default();
    let starts = |mark: u8| lines.iter().any(|line| line.first() == Some(&mark));
    let marked = |line: &&[u8]| line.first().is_none_or(|first| b"+- ".contains(first));
    prefix.trim_ascii().is_empty() && starts(b'-') && starts(b'+') && lines.iter().all(marked)
}

/// Returns the line number at the start of a line, and the rest of the line without the separator.
fn number(line: &[u8]) -> Option<(usize, &[u8])> {
    let line = line.trim_ascii_start();
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(line.get(..digits).filter(|digits| digits.len() <= 6)?).ok()?.parse().ok()?;
    let rest = &line[digits..];
    let separators = rest.iter().take_while(|byte| b" \t:.|)".contains(byte)).count();
    (separators > 0 || rest.is_empty()).then(|| (number, &rest[separators..]))
}

/// Returns the line number before a BEGIN line, such as 12 in `12: -----BEGIN`. `prefix` is the text before the hyphens
/// of the BEGIN line.
fn last_number(prefix: &[u8]) -> Option<usize> {
    let end = prefix.iter().rposition(u8::is_ascii_digit)? + 1;
    let digits = prefix[..end].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    number(&prefix[end - digits..]).filter(|(_, rest)| rest.is_empty()).map(|(first, _)| first)
}

/// Returns the mark at the end of the text before a BEGIN line, such as `+`, `>` or `//`.
fn last_mark(prefix: &[u8]) -> &[u8] {
    let prefix = prefix.trim_ascii_end();
    let length = prefix.iter().rev().take_while(|byte| b"+-<>#|/*;%!".contains(byte)).count();
    &prefix[prefix.len() - length..]
}

/// Removes consecutive line numbers. `first` is the number of the BEGIN line. Blank lines can be unnumbered.
fn without_numbers<'t>(lines: &[&'t [u8]], first: usize) -> Option<Vec<&'t [u8]>> {
    let mut last = first;
    let rest = |(at, line): (usize, &&'t [u8])| match number(line) {
        _ if at == 0 || line.trim_ascii().is_empty() => Some(*line),
        Some((number, rest)) if number == first + at || number == last + 1 => {
            last = number;
            Some(rest)
        }
        _ => None,
    };
    lines.iter().enumerate().map(rest).collect()
}

/// Removes `mark` from the start of every line. Returns `None` if any non-blank line does not start with `mark`.
fn without_mark<'t>(lines: &[&'t [u8]], mark: &[u8]) -> Option<Vec<&'t [u8]>> {
    if mark.is_empty() {
        return None;
    }
    let rest = |(at, line): (usize, &&'t [u8])| match line.trim_ascii_start() {
        b"" => Some(*line),
        _ if at == 0 => Some(*line),
        content => content.strip_prefix(mark),
    };
    lines.iter().enumerate().map(rest).collect()
}

/// Returns whether the decoded bytes are one complete DER structure.
fn is_complete(decoded: &Decoded) -> bool {
    !decoded.left_over && der::announced(&decoded.bytes) == Some(decoded.bytes.len())
}

/// Restores base64 whose `+` characters were replaced by spaces, if the result is unambiguous. `decoded` is the result
/// of decoding `text` without its spaces. Returns `None` if `text` needs no repair.
///
/// # Errors
/// - Returns [`ArmourProblem::NotBase64`] if removing the lines with invalid characters results in complete base64.
/// - Returns [`KeyError::PlusSigns`] if `+` characters were replaced by spaces and cannot be restored.
pub(super) fn repaired(
    text: &[u8],
    first_line: usize,
    decoded: &Result<Decoded, usize>,
) -> Result<Option<Decoded>, KeyError> {
    if decoded.as_ref().is_ok_and(is_complete) {
        return Ok(None);
    }
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte);
    let odd = |line: &&&[u8]| !line_content(line).iter().all(base64);
    let (filled, odd_lines) =
        (lines.iter().filter(|line| !line.trim_ascii().is_empty()).count(), lines.iter().filter(odd).count());
    let few = odd_lines > 0 && filled >= 3 && odd_lines <= (filled / 4).max(1);
    if few {
        let rest = joined(lines.iter().filter(|line| !odd(line)), text.len());
        if base64_text::decode(&rest, 1).is_ok_and(|decoded| is_complete(&decoded)) {
            let line = first_line + lines.iter().position(|line| odd(&line)).unwrap_or(0);
            return Err(KeyError::Armour { line, problem: ArmourProblem::NotBase64 });
        }
    }
    let Some(spaced) = lines.iter().position(|line| line.trim_ascii().contains(&b' ')) else { return Ok(None) };
    for trimmed in [false, true] {
        let restored = with_plus_signs(&lines, trimmed, text.len());
        let Ok(mut restored) = base64_text::decode(&restored, 1) else { continue };
        if !is_complete(&restored) {
            continue;
        }
        match structure::read(&restored.bytes) {
            // The components of a private key are checked for consistency. A public key cannot be checked, so an
            // undetected error in the base64 could result in a different key.
            Ok(Structure::Key(_, KeyData::Private(_)) | Structure::Encrypted(_)) => {
                restored.wrappings.push(Wrapping::SpacesForPlus);
                return Ok(Some(restored));
            }
            Ok(_) => return Err(KeyError::PlusSigns { line: first_line + spaced }),
            Err(_) => {}
        }
    }
    match decoded {
        Ok(decoded) if !few && der::is_cut(&decoded.bytes) && !is_folded(&lines) => {
            Err(KeyError::PlusSigns { line: first_line + spaced })
        }
        _ => Ok(None),
    }
}

/// Replaces spaces with `+`. If `trimmed` is set, spaces at the start and end of a line are removed and not replaced.
fn with_plus_signs(lines: &[&[u8]], trimmed: bool, capacity: usize) -> Zeroizing<Vec<u8>> {
    let content = |line: &[u8]| trimmed || line.trim_ascii().is_empty();
    let lines: Vec<&[u8]> = lines.iter().map(|line| if content(line) { line.trim_ascii() } else { line }).collect();
    let mut out = joined(&lines, capacity);
    out.iter_mut().filter(|byte| **byte == b' ').for_each(|byte| *byte = b'+');
    out
}

/// Returns whether the spaces were originally line endings: all parts between them, except the last, have the same
/// length.
fn is_folded(lines: &[&[u8]]) -> bool {
    let mut parts = lines.iter().flat_map(|line| line.split(|byte| *byte == b' ')).filter(|part| !part.is_empty());
    let Some(first) = parts.next() else { return true };
    let lengths: Vec<usize> = parts.map(<[u8]>::len).collect();
    lengths.split_last().is_none_or(|(_, rest)| rest.iter().all(|length| *length == first.len()))
}
