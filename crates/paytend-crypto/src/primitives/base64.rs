//! Base64 as used on the wire: standard alphabet, canonical encoding, and fast enough for files of several MiB.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::PAD;
use base64::engine::simd::Simd;

use crate::error::Error;

static ENGINE: LazyLock<Simd> = LazyLock::new(|| Simd::standard(PAD));

/// Appends the base64 encoding of `bytes`.
pub(crate) fn encode_into(bytes: &[u8], out: &mut String) {
    ENGINE.encode_string(bytes, out);
}

/// Returns the base64 encoding of `bytes`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    ENGINE.encode(bytes)
}

/// Decodes canonical base64. Refuses whitespace, missing padding and unused bits that are not zero.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Error> {
    ENGINE.decode(text).map_err(|_| Error::NotAuthentic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_base64_is_decoded() {
        for len in 0..200 {
            let bytes: Vec<u8> = (0..len).map(|n| u8::try_from(n * 37 % 256).unwrap()).collect();
            let text = encode(&bytes);
            assert_eq!(decode(&text).unwrap(), bytes);
            for wrong in
                [format!("{text} "), format!("{text}="), format!("{text}\n"), format!(" {text}"), format!("{text}A")]
            {
                assert!(decode(&wrong).is_err(), "{wrong:?}");
            }
            if let Some(bare) = text.strip_suffix('=') {
                assert!(decode(bare).is_err(), "{bare}");
                // Changes the last character, so that an unused bit before the padding is set.
                let (start, last) = bare.trim_end_matches('=').split_at(bare.trim_end_matches('=').len() - 1);
                let next = char::from(last.as_bytes()[0] + 1);
                let spelled = format!("{start}{next}{}", &text[start.len() + 1..]);
                assert!(decode(&spelled).is_err(), "{text} {spelled}");
            }
            // An invalid character is detected at any position, even in long input, which the fast decoder processes.
            for at in (0..text.len()).step_by(7) {
                let mut foreign = text.clone().into_bytes();
                foreign[at] = b'-';
                assert!(decode(std::str::from_utf8(&foreign).unwrap()).is_err());
            }
        }
    }
}
