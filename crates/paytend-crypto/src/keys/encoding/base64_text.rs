//! A lenient base64 decoder: accepts several lines, the URL-safe alphabet and missing padding.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::text::line_content;
use crate::keys::form::Wrapping;

/// The maximum number of nested base64 layers. Each layer is shorter than the layer around it.
pub(super) const DEEPEST: usize = 5;

/// Decodes base64 without its padding, which the caller counts. Allows unused bits in the last character, because
/// truncated base64 can have them. The DER reader checks the length.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// The result of decoding base64.
pub(super) struct Decoded {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) wrappings: Vec<Wrapping>,
    /// Whether a single character is left over, because the base64 is truncated or has an extra character.
    pub(super) left_over: bool,
}

/// Decodes base64. `first_line` is the line number of the first line of `text`.
///
/// # Errors
/// Returns the line number of the first character that is not base64.
pub(super) fn decode(text: &[u8], first_line: usize) -> Result<Decoded, usize> {
    let mut compact = Zeroizing::new(Vec::with_capacity(text.len()));
    let (mut url_safe, mut padding) = (false, 0_usize);
    for (line, number) in text.split(|byte| *byte == b'\n').zip(first_line..) {
        for byte in line_content(line) {
            match byte {
                b' ' => {}
                b'=' => padding += 1,
                // Only padding may follow padding.
                _ if padding > 0 => return Err(number),
                b'-' | b'_' => {
                    url_safe = true;
                    compact.push(if *byte == b'-' { b'+' } else { b'/' });
                }
                b'+' | b'/' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => compact.push(*byte),
                _ => return Err(number),
            }
        }
    }
    let last_line = first_line + text.iter().filter(|byte| **byte == b'\n').count();
    let left_over = compact.len() % 4 == 1;
    let missing = (compact.len() + padding) % 4 != 0;
    if left_over {
        compact.pop();
    }
    let bytes = ENGINE.decode(&*compact).map(Zeroizing::new).map_err(|_| last_line)?;
    let found = [(url_safe, Wrapping::UrlSafe), (missing, Wrapping::MissingPadding)];
    let wrappings = found.into_iter().filter(|(found, _)| *found).map(|(_, wrapping)| wrapping).collect();
    Ok(Decoded { bytes, wrappings, left_over })
}
