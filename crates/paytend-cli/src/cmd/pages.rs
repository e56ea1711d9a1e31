//! `paytend pages`: prints the items of a paginated list.

use std::io::IsTerminal as _;

use clap::Args as ClapArgs;
use futures_util::TryStreamExt as _;
use paytend_client::{Client, Paged};
use paytend_model::{iban, issuing};

use crate::cmd::call::request::RequestArgs;
use crate::exit::Failure;
use crate::operations::Target;
use crate::output;
use crate::progress::Progress;
use crate::signals;

/// The operations whose response is one page of a list.
const LISTS: &[&str] = &[
    "issuing.getPartnerTransactions",
    "issuing.getCardTransactions",
    "issuing.getAuthorizationTransactions",
    "issuing.getCities",
    "baas.getCities",
];

#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    request: RequestArgs,
    /// The maximum number of items to print
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide_default_value = true)]
    limit: usize,
    /// Print JSON. This is the default: each item is one line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let target = Target::find(&args.request.operation)?;
    let name = target.name();
    if !LISTS.contains(&name.as_str()) {
        return Err(Failure::usage(format!("{name} does not return pages; these operations do: {}", LISTS.join(", "))));
    }
    let mut builder = args.request.connection.builder()?;
    if let Some(deadline) = args.request.deadline {
        builder = builder.deadline(deadline);
    }
    let client = builder.build()?;
    let payload = args.request.payload(&target)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    signals::run(runtime, print_list(&name, &client, &payload, args.limit))
}

async fn print_list(name: &str, client: &Client, payload: &str, limit: usize) -> Result<(), Failure> {
    match name {
        "issuing.getPartnerTransactions" => print::<issuing::QueryPartnerTransactions>(client, payload, limit).await,
        "issuing.getCardTransactions" => print::<issuing::QueryCardTransactions>(client, payload, limit).await,
        "issuing.getAuthorizationTransactions" => print::<issuing::QueryAuthorizations>(client, payload, limit).await,
        "issuing.getCities" => print::<issuing::QueryCities>(client, payload, limit).await,
        _ => print::<iban::QueryCities>(client, payload, limit).await,
    }
}

async fn print<Q: Paged>(client: &Client, payload: &str, limit: usize) -> Result<(), Failure> {
    let query: Q = serde_json::from_str(payload).map_err(Failure::usage)?;
    let mut items = client.pages(query);
    // If the items are printed on a terminal, the user sees the progress without a progress line.
    let progress = (!std::io::stdout().is_terminal()).then(|| Progress::counting("items fetched:"));
    for _ in 0..limit {
        match items.try_next().await? {
            Some(item) => output::json(&item)?,
            None => break,
        }
        progress.iter().for_each(Progress::step);
    }
    Ok(())
}
