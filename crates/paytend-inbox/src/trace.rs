//! The trace context of a request, as specified by [W3C Trace Context](https://www.w3.org/TR/trace-context/).

/// The parts of a `traceparent` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace<'a> {
    pub(crate) trace_id: &'a str,
    pub(crate) parent_id: &'a str,
}

/// Parses a `traceparent` header. Returns `None` if it is invalid.
pub(crate) fn parse(traceparent: &str) -> Option<Trace<'_>> {
    let hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let mut parts = traceparent.split('-');
    let (version, trace_id, parent_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let valid = hex(version, 2) && hex(trace_id, 32) && hex(parent_id, 16) && hex(flags, 2);
    let known_form = version != "ff" && (version != "00" || parts.next().is_none());
    let present = [trace_id, parent_id].iter().all(|id| id.bytes().any(|byte| byte != b'0'));
    (valid && known_form && present && traceparent.len() <= 128).then_some(Trace { trace_id, parent_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traceparents_are_read_as_specified() {
        let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = Trace { trace_id: "0af7651916cd43dd8448eb211c80319c", parent_id: "b7ad6b7169203331" };
        assert_eq!(parse(valid), Some(trace));
        assert_eq!(parse(&format!("01{}-more", &valid[2..])), Some(trace), "later versions can have more parts");
        for invalid in [
            "",
            "00",
            &valid.to_uppercase(),
            &format!("{valid}-more"),
            &format!("ff{}", &valid[2..]),
            &valid[..54],
            &valid.replace('f', "g"),
            &format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
            &format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", "0".repeat(16)),
            &format!("01{}-{}", &valid[2..], "x".repeat(100)),
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0é",
        ] {
            assert_eq!(parse(invalid), None, "{invalid}");
        }
    }
}
