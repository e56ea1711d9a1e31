//! Known names, which are suggested for misspelled names and offered as shell completions.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command, Error};

/// An argument parser that offers known values for shell completions. The parser accepts other values; the command
/// checks them.
#[derive(Clone)]
pub(crate) struct Suggested(Vec<String>);

impl Suggested {
    pub(crate) fn new<N: Into<String>>(known: impl IntoIterator<Item = N>) -> Self {
        Self(known.into_iter().map(Into::into).collect())
    }
}

impl TypedValueParser for Suggested {
    type Value = String;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}

/// Returns the known name that is most similar to `name`, or `None` if no known name is similar.
pub(crate) fn closest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let name = name.to_lowercase();
    let rated = known.into_iter().map(|known| {
        let lower = known.to_lowercase();
        // The last part is compared too, so that `toppup` is similar to `issuing.topup`.
        let last = lower.rsplit('.').next().unwrap_or_default();
        let rating = strsim::normalized_damerau_levenshtein(&name, &lower);
        (rating.max(strsim::normalized_damerau_levenshtein(&name, last)), known)
    });
    let best = rated.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(rating, _)| *rating >= 0.6).map(|(_, known)| known)
}

/// Returns the question "did you mean …?" with the most similar known name, or `None` if no known name is similar.
pub(crate) fn did_you_mean<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    closest(name, known).map(|known| format!("did you mean `{known}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_suggested() {
        let known = ["issuing.topup", "issuing.getCities", "baas.getUser"];
        for (name, expected) in [
            ("toppup", Some("issuing.topup")),
            ("getUserx", Some("baas.getUser")),
            ("TOPUP", Some("issuing.topup")),
            ("transfer", None),
            ("", None),
        ] {
            assert_eq!(closest(name, known), expected, "{name}");
        }
        assert_eq!(did_you_mean("topp", ["topup"]).as_deref(), Some("did you mean `topup`?"));
    }
}
