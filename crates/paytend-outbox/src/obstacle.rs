//! The cause text of an order that waits for its payload key.
//!
//! The text also contains the cause of the last failure, which is restored when the order is claimed again.

const BEGIN: &str = "payload key ";
const END: &str = " is missing: restore the key file";
const BEFORE: &str = "; earlier: ";

/// Returns the cause text of an order whose payload key is missing. `earlier` is the cause of the last failure.
pub(crate) fn missing_key(key: u32, earlier: Option<&str>) -> String {
    let earlier = earlier.map(|cause| format!("{BEFORE}{cause}")).unwrap_or_default();
    format!("{BEGIN}{key}{END}{earlier}")
}

/// Returns the cause of the last failure, without the text about the missing key.
pub(crate) fn earlier(cause: String) -> Option<String> {
    match cause.strip_prefix(BEGIN).and_then(|text| text.split_once(END)) {
        Some((_, earlier)) => earlier.strip_prefix(BEFORE).map(str::to_owned),
        None => Some(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_cause_is_restored() {
        assert_eq!(earlier(missing_key(7, None)), None);
        assert_eq!(earlier(missing_key(7, Some("no response; earlier: x"))).unwrap(), "no response; earlier: x");
        assert_eq!(earlier("no response".to_owned()).unwrap(), "no response");
    }
}
