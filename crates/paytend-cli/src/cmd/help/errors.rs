//! `paytend help errors`: explains the exit codes and the kinds of errors.

use serde::Serialize;

use crate::exit::{Category, Failure};
use crate::output::{self, Style};

#[derive(Serialize)]
struct Explanation {
    code: u8,
    name: &'static str,
    meaning: &'static str,
    next: &'static str,
    kinds: &'static [Kind],
}

/// A kind of client error, which is identified by its message and explained under its exit code.
#[derive(Serialize)]
struct Kind {
    message: &'static str,
    meaning: &'static str,
}

const fn kind(message: &'static str, meaning: &'static str) -> Kind {
    Kind { message, meaning }
}

/// The explanations, in the order of the exit codes. The message of each kind is an error message of
/// `paytend_client::Error`.
const ALL: &[Explanation] = &[
    Explanation {
        code: Category::Unexpected as u8,
        name: "unexpected failure",
        meaning: "The operating system reported an error, or a scenario or a check failed.",
        next: "Read the message. If it does not help, run the command again with -v and report the problem.",
        kinds: &[],
    },
    Explanation {
        code: Category::Usage as u8,
        name: "usage error",
        meaning: "An option, an argument or the business data is invalid. Nothing was sent.",
        next: "Run the command with --help. `paytend endpoints NAME` describes the fields of an operation.",
        kinds: &[],
    },
    Explanation {
        code: Category::Configuration as u8,
        name: "configuration or key error",
        meaning: "A key, a file or a setting is missing or invalid. Nothing was sent.",
        next: "`paytend keys inspect FILE` describes a key file, and `paytend config show` shows the settings.",
        kinds: &[
            kind("invalid client configuration", "A setting, a key, a certificate or the base URL is invalid."),
            kind("invalid request", "The request cannot be sealed."),
        ],
    },
    Explanation {
        code: Category::NotAuthentic as u8,
        name: "not authentic",
        meaning: "A message is not signed with the expected key, or was changed after it was signed.",
        next: "`paytend explain` reports why: a wrong key, changed bytes, or a signature over different text.",
        kinds: &[],
    },
    Explanation {
        code: Category::Network as u8,
        name: "network error",
        meaning: "No complete request was sent, or only queries were. Nothing was carried out, so the command can be \
                  repeated.",
        next: "Check the URL, the proxy and the network. The message shows the step: DNS, TCP, TLS or proxy.",
        kinds: &[
            kind("cannot connect", "No connection could be made."),
            kind("no response in time; nothing was sent", "The deadline expired before the request was sent."),
        ],
    },
    Explanation {
        code: Category::Rejected as u8,
        name: "rejected by the API",
        meaning: "Paytend rejected the request, and signed the rejection, or the order exists and has failed. For \
                  notifications: the receiver did not acknowledge each of them.",
        next: "Look up the respCode in your contract documents. If the code reports a duplicate, the order exists. For \
               notifications: read the receiver's log.",
        kinds: &[kind("rejected by Paytend", "The response is signed, and its respCode is not 00.")],
    },
    Explanation {
        code: Category::OutcomeUnknown as u8,
        name: "outcome unknown",
        meaning: "The request, the change or the notification may have been carried out. Do not send an order again \
                  with a new number.",
        next: "Query the order by its number, or use `paytend call --resolve`. For a sandbox, check `paytend control \
               state`.",
        kinds: &[
            kind("no response in time", "The request was sent, and no response arrived before the deadline."),
            kind("the connection broke", "The connection broke while sending the request or reading the response."),
            kind(
                "unsigned error response",
                "The response reports an error without a signature. Check the keys and the partner ID.",
            ),
            kind("not an authentic response", "The response was not signed with the Paytend key that is configured."),
            kind("the response belongs to another request", "The response names another order, card, holder or user."),
            kind("authentic response with missing or unexpected data", "The response's data cannot be read."),
        ],
    },
    Explanation {
        code: Category::Differences as u8,
        name: "differences found by reconcile",
        meaning: "The comparison was completed, and at least one item is open.",
        next: "Review the open items. Run `paytend reconcile` again when they are resolved.",
        kinds: &[],
    },
    Explanation {
        code: Category::Interrupted as u8,
        name: "interrupted with Ctrl-C",
        meaning: "The command was interrupted. `paytend call` reports whether the request may have been carried out. \
                  Services, such as `paytend inbox serve`, end with 0 after SIGTERM.",
        next: "If a request may have been carried out, query the order by its number. A second Ctrl-C stops a service \
               immediately.",
        kinds: &[],
    },
];

pub(super) fn print(json: bool) -> Result<(), Failure> {
    if json {
        return output::json(&ALL);
    }
    let style = Style::stdout();
    output::line("Exit code 0 is success.")?;
    for Explanation { code, name, meaning, next, kinds } in ALL {
        output::line(&format!(
            "\n{}\n  {meaning}\n  {} {next}",
            style.bold(&format!("{code}  {name}")),
            style.dim("Next:")
        ))?;
        for Kind { message, meaning } in *kinds {
            output::line(&format!("    \"{message}\"\n      {meaning}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_is_explained() {
        let listed: Vec<String> = ALL.iter().map(|one| format!("{} {}", one.code, one.name)).collect();
        let codes = crate::exit::HELP.strip_prefix("Exit codes: 0 success, ").unwrap();
        assert_eq!(listed.join(", "), codes);
    }
}
