//! `paytend inspect`: describes captured messages.

mod dump;
mod find;
mod keys;
mod kind;
mod redact;
mod report;
mod trace;

use std::path::PathBuf;

use clap::Args as ClapArgs;

use self::find::Search;
use self::keys::Keys;
use self::report::Description;
use crate::connection::KeysArgs;
use crate::exit::{Category, Failure};
use crate::inputs::Inputs;
use crate::output;

/// The maximum size of the captured text, in bytes.
const MAX_CAPTURED: usize = 256 << 20;

/// Describe the messages captured in documents, HTTP dumps, HAR files and log lines.
///
/// Without keys, the command shows what is not encrypted. With keys, it verifies the signatures and decrypts the data.
/// Personal data is hidden unless you pass --reveal. The exit code is 4 if a signature is not valid, and 1 if only part
/// of the text was searched.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The captured text; `-` for standard input
    file: PathBuf,
    #[command(flatten)]
    keys: KeysArgs,
    /// Also show personal data
    #[arg(long)]
    reveal: bool,
    /// Print JSON, one line for each message
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut inputs = Inputs::default();
    inputs.reserve(Some(&args.file), "FILE")?;
    let keys = Keys::read(&args.keys)?;
    let captured = inputs.read(&args.file, "FILE", MAX_CAPTURED)?;
    let search = Search::of(&captured);
    let (mut refused, mut unwritten) = (0, None);
    for found in &search.found {
        let description = Description::of(found, keys.as_ref(), args.reveal, !search.incomplete)?;
        refused += usize::from(description.is_refused());
        // If a description cannot be written, the other messages are still verified, so that the exit code reports the
        // result.
        if unwritten.is_none() {
            unwritten = description.print(args.json).err();
        }
    }
    if search.incomplete {
        output::warn(
            "the text is too large or too deeply nested, so only part of it was searched: pass a smaller part",
        );
    }
    match (search.found.len(), refused, unwritten) {
        (0, ..) => Err(Failure::new(
            Category::Unexpected,
            "no Paytend, PayBy or PayerMax message was found: capture the complete body of the request or response",
        )),
        (_, 0, _) if search.incomplete => {
            Err(Failure::new(Category::Unexpected, "messages in the rest of the text were not checked"))
        }
        (_, 0, None) => Ok(()),
        (_, 0, Some(unwritten)) => Err(unwritten),
        (_, 1, _) => Err(Failure::new(Category::NotAuthentic, "a message is not authentic")),
        (_, count, _) => Err(Failure::new(Category::NotAuthentic, format!("{count} messages are not authentic"))),
    }
}
