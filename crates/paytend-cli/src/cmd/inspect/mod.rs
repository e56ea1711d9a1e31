//! `paytend inspect`: describes captured messages.

mod dump;
mod find;
mod keys;
mod kind;
mod redact;
mod report;

use std::path::PathBuf;

use clap::Args as ClapArgs;

use self::find::Search;
use self::keys::Keys;
use self::report::Description;
use crate::connection::ConnectionArgs;
use crate::exit::{Category, Failure};
use crate::inputs::Inputs;
use crate::output;

/// The maximum size of the captured text, in bytes.
const MAX_CAPTURED: usize = 256 << 20;

/// Describe the messages captured in documents, HTTP dumps, HAR files and log lines.
///
/// Without keys, the command shows what is not encrypted. With keys, it verifies the signatures and decrypts the data.
/// Personal data is hidden unless you pass --reveal. The exit code is 4 if a signature is not valid.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The captured text; `-` for standard input
    file: PathBuf,
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Show personal data, too
    #[arg(long)]
    reveal: bool,
    /// Print JSON, one line for each message
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut inputs = Inputs::default();
    inputs.reserve(Some(&args.file), "FILE")?;
    let keys = Keys::read(&args.connection)?;
    let captured = inputs.read(&args.file, "FILE", MAX_CAPTURED)?;
    let search = Search::of(&captured);
    if search.incomplete {
        output::warn("only part of the text was searched: pass a smaller part of it");
    }
    let (mut refused, mut unwritten) = (0, None);
    for found in &search.found {
        let description = Description::of(found, keys.as_ref(), args.reveal)?;
        refused += usize::from(description.is_refused());
        // If nothing reads the output, the exit code still reports the result.
        if unwritten.is_none() {
            unwritten = description.print(args.json).err();
        }
    }
    match (search.found.len(), refused, unwritten) {
        (0, ..) => Err(Failure::new(
            Category::Unexpected,
            "no Paytend, PayBy or PayerMax message was found: capture the complete body of the request or response",
        )),
        (_, 0, None) => Ok(()),
        (_, 0, Some(unwritten)) => Err(unwritten),
        (_, 1, _) => Err(Failure::new(Category::NotAuthentic, "a message is not authentic")),
        (_, count, _) => Err(Failure::new(Category::NotAuthentic, format!("{count} messages are not authentic"))),
    }
}
