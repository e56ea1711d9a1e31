//! `paytend reconcile`: compares the provider's lists with notifications and orders.

mod coverage;
mod directory;
mod fetch;
mod inbox;
mod lists;
mod orders;
mod outbox;
mod progress;
mod topups;
mod units;
mod written;

use std::collections::BTreeSet;
use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, ValueEnum};
use jiff::Timestamp;
use paytend_client::Client;
use paytend_crypto_aws_lc::AwsLc;
use paytend_reconcile::{List, Notifications, Orders, Period, Report, Rules, reconcile};

use crate::cmd::inbox::store::StoreArgs;
use crate::cmd::reconcile::coverage::Compared;
use crate::cmd::reconcile::fetch::Fetch;
use crate::cmd::reconcile::lists::{BalanceFile, Lists};
use crate::cmd::reconcile::orders::{FileOrders, OrderSource as _};
use crate::cmd::reconcile::outbox::OutboxOrders;
use crate::cmd::reconcile::units::Days;
use crate::connection::ConnectionArgs;
use crate::exit::{Category, Failure};
use crate::inputs::Inputs;
use crate::output;

/// The maximum size of a file with rules, in bytes.
const MAX_RULES: usize = 4 << 20;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The first day of the period, in the provider's time zone, such as 2026-11-27
    #[arg(long, value_name = "DATE")]
    from: String,
    /// The last day of the period
    #[arg(long, value_name = "DATE")]
    to: String,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// The store's key file. For an SQLite store, the default is the file next to it
    #[arg(long, value_name = "FILE")]
    store_key: Option<PathBuf>,
    /// The orders: a file with one JSON object per line, or `-` for standard input. The default is the topups in the
    /// store's outbox
    #[arg(long, value_name = "FILE")]
    orders: Option<PathBuf>,
    /// The rules: a TOML file with the time window, the time zone of the provider's dates, accepted fees and codes; `-`
    /// for standard input
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Also fetch the transaction lists of this card, in addition to the cards found in orders and notifications; may
    /// be repeated
    #[arg(long, value_name = "ID")]
    card: Vec<String>,
    /// The balances at the beginning of the period: the balances.json file of the previous fetch
    #[arg(long, value_name = "FILE")]
    opening: Option<PathBuf>,
    /// The format of the report on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Print JSON; the same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Also write the report as an HTML page to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Store the fetched lists in this directory. If a fetch is interrupted, run the command again to continue
    #[arg(long, value_name = "DIR", conflicts_with = "offline")]
    out: Option<PathBuf>,
    /// Read the lists from this directory instead of the API. With --profile or --keys, the lists must belong to this
    /// partner
    #[arg(long, value_name = "DIR")]
    offline: Option<PathBuf>,
    /// The number of rows per page. The default is the provider's page size
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    page_size: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text with counts, sums, balances and the open transactions
    Text,
    /// JSON with all transactions
    Json,
    /// CSV with one line for each row of a list
    Csv,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(compare(args))
}

async fn compare(args: Args) -> Result<(), Failure> {
    let period =
        Period::new(&args.from, &args.to).map_err(|error| Failure::usage(format!("--from and --to: {error}")))?;
    let inputs = &mut Inputs::default();
    inputs.reserve(args.orders.as_deref(), "--orders")?;
    let rules = rules(args.rules.as_deref(), inputs)?.period(period);
    let opening = args.opening.as_deref().map(BalanceFile::read).transpose()?;
    let days = Days::new(&period, &rules)?;
    let orders = match &args.orders {
        Some(file) => FileOrders::new(file).orders().await?,
        None if args.store.is_given() => {
            let (store, key) = (&args.store, args.store_key.as_deref());
            OutboxOrders { store, key, start: days.start(), rules: &rules }.orders().await?
        }
        None => Orders::not_given(),
    };
    let notifications = if args.store.is_given() {
        inbox::notifications(&args.store, args.store_key.as_deref(), days.start()).await?
    } else {
        Notifications::not_given()
    };
    let cards: BTreeSet<String> = cards(&args.card, &orders, &notifications);
    let lists = match &args.offline {
        Some(directory) => {
            let source = if args.connection.is_given() { Some(source(&client(&args)?)) } else { None };
            let (source, now) = (source.as_deref(), Timestamp::now());
            let compared = Compared { period: &period, rules: &rules, cards: &cards, source, now };
            Lists::read(directory, &compared)?
        }
        None => {
            days.check_length()?;
            let client = client(&args)?;
            let (days, page_size) = (&days, args.page_size);
            let fetch = Fetch { client: &client, days, cards: &cards, orders: &orders, rules: &rules, page_size };
            // The description of the source is stored with the lists. An earlier fetch is continued only if its source
            // is the same.
            fetch.run(args.out.as_deref(), &source(&client)).await?
        }
    };
    let opening = opening.map(|file| file.balances()).unwrap_or_default();
    let provider = lists.provider(opening);
    let mut report = reconcile(&provider, &notifications, &orders, &rules);
    report.problems.extend(lists.problems.iter().cloned());
    write(&report, &args)?;
    match report.open() {
        0 => Ok(()),
        1 => Err(Failure::new(Category::Differences, "1 entry of the report is open")),
        open => Err(Failure::new(Category::Differences, format!("{open} entries of the report are open"))),
    }
}

fn client(args: &Args) -> Result<Client, Failure> {
    Ok(args.connection.builder()?.backend(&AwsLc).build()?)
}

/// Returns a description of the lists' source: the partner and the URL.
fn source(client: &Client) -> String {
    format!("partner {} at {}", client.partner_id(), client.base_url())
}

fn rules(file: Option<&Path>, inputs: &mut Inputs) -> Result<Rules, Failure> {
    let Some(file) = file else { return Ok(Rules::default()) };
    let invalid =
        |why: &dyn std::fmt::Display| Failure::new(Category::Configuration, format!("{}: {why}", file.display()));
    let text = inputs.read(file, "--rules", MAX_RULES)?;
    let text = std::str::from_utf8(&text).map_err(|error| invalid(&error))?;
    toml::from_str(text).map_err(|error| invalid(&error))
}

/// Returns the cards that the option, the orders and the notifications contain.
fn cards(named: &[String], orders: &Orders, notifications: &Notifications) -> BTreeSet<String> {
    let known = orders.entries().iter().chain(notifications.entries()).filter_map(|entry| entry.card.clone());
    named.iter().cloned().chain(known).collect()
}

fn write(report: &Report<'_>, args: &Args) -> Result<(), Failure> {
    if let Some(file) = &args.html {
        written::replace_private(file, |page| report.write_html(page))
            .map_err(|error| Failure::new(Category::Unexpected, format!("cannot write {}: {error}", file.display())))?;
    }
    // A closed pipe is not an error here, so that the exit code still reports the differences.
    match write_to_stdout(report, if args.json { Format::Json } else { args.format }) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    let is_given = |list: List| report.lists.iter().any(|summary| summary.list == list && summary.given);
    let orders = if args.store.is_given() { "--orders" } else { "--orders or --store" };
    let missing: Vec<&str> = [(List::Orders, orders), (List::Notifications, "--store")]
        .into_iter()
        .filter(|(list, _)| !is_given(*list))
        .map(|(_, option)| option)
        .collect();
    if !missing.is_empty() {
        output::warn(format!("not everything was compared: pass {}", missing.join(" and ")));
    }
    Ok(())
}

fn write_to_stdout(report: &Report<'_>, format: Format) -> std::io::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    match format {
        Format::Text => report.write_text(&mut out)?,
        Format::Json => report.write_json(&mut out)?,
        Format::Csv => report.write_csv(&mut out)?,
    }
    out.flush()
}
