//! `paytend outbox decide`, `retry`, `close`, `pause`, `resume`, `check`, `drop-content` and `recover`.

use std::time::{Duration, SystemTime};

use clap::Args;
use paytend_outbox::{Action, ActionError, Audit, Decision, OutboxAdmin as _, Pause, UnreadableOrder};
use serde_json::{Value, json};

use crate::cmd::inbox::manage::report_problems;
use crate::cmd::inbox::operator::operator;
use crate::cmd::inbox::store::StoreArgs;
use crate::cmd::inbox::time::parse_duration;
use crate::cmd::outbox::keys::KeyArgs;
use crate::cmd::outbox::{each, operation_path};
use crate::exit::{Category, Failure};
use crate::global::JsonArgs;
use crate::output;

#[derive(Args)]
pub(crate) struct DecideArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The order number
    number: String,
    /// The outcome of the order: executed or not-executed. An order that was never sent can only be not-executed
    #[arg(long = "as", value_name = "DECISION")]
    decision: Decision,
    /// The reason, which is stored and shown with the action
    #[arg(long, value_name = "TEXT")]
    why: String,
    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) async fn decide(args: DecideArgs) -> Result<(), Failure> {
    act(&args.store, &args.number, Action::Decide(args.decision), args.why).await?;
    let value = json!({ "number": args.number, "decision": args.decision.as_str() });
    output::result(args.json.json, &value, &format!("decided: {}", args.decision))
}

#[derive(Args)]
pub(crate) struct RetryArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The order number
    number: String,
    /// The reason, which is stored and shown with the action
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) async fn retry(args: RetryArgs) -> Result<(), Failure> {
    act(&args.store, &args.number, Action::Retry, args.why).await?;
    output::result(args.json.json, &json!({ "number": args.number }), "the order is due")
}

async fn act(store: &StoreArgs, number: &str, action: Action, why: String) -> Result<(), Failure> {
    let store = store.open().await?;
    let audit = Audit { who: operator(), why };
    match each!(&store, store => store.act_on_order(number.to_owned(), action, audit))? {
        Ok(()) => Ok(()),
        Err(ActionError::Absent) => Err(no_order(number)),
        Err(refused) => Err(Failure::new(Category::Unexpected, refused)),
    }
}

pub(crate) fn no_order(number: &str) -> Failure {
    let message = format!("the store has no order {number}; `paytend outbox list` lists the orders");
    Failure::new(Category::Unexpected, message)
}

#[derive(Args)]
pub(crate) struct CloseArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The order number
    number: String,
    /// The reason, which is stored and shown with the action
    #[arg(long, value_name = "TEXT")]
    why: String,
    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) async fn close(args: CloseArgs) -> Result<(), Failure> {
    act(&args.store, &args.number, Action::Close, args.why).await?;
    output::result(args.json.json, &json!({ "number": args.number }), "the order is completed")
}

/// The operations that are paused or resumed.
#[derive(Args)]
struct Operations {
    /// The operation to pause or resume: a name such as topup, or a path
    #[arg(required_unless_present = "all")]
    operation: Option<String>,
    /// Pause or resume all operations
    #[arg(long, conflicts_with = "operation")]
    all: bool,
}

impl Operations {
    fn path(&self) -> Result<String, Failure> {
        self.operation.as_deref().map_or_else(|| Ok(Pause::ALL.to_owned()), operation_path)
    }
}

#[derive(Args)]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    operations: Operations,
    /// The reason, which is stored and shown with the action
    #[arg(long, value_name = "TEXT")]
    why: String,
    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) async fn pause(args: PauseArgs) -> Result<(), Failure> {
    let path = args.operations.path()?;
    let store = args.store.open().await?;
    let audit = Audit { who: operator(), why: args.why };
    each!(&store, store => store.pause_sending(path.clone(), audit))?;
    output::result(args.json.json, &json!({ "operation": path }), &format!("paused: {path}"))
}

#[derive(Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    operations: Operations,
    /// The reason, which is stored and shown with the action
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) async fn resume(args: ResumeArgs) -> Result<(), Failure> {
    let path = args.operations.path()?;
    let store = args.store.open().await?;
    let audit = Audit { who: operator(), why: args.why };
    let resumed = each!(&store, store => store.resume_sending(path.clone(), audit))?;
    let paused = each!(&store, store => store.paused())?;
    if path == Pause::ALL && !paused.is_empty() {
        let paused: Vec<&str> = paused.iter().map(|pause| pause.operation.as_str()).collect();
        let message = format!("these operations are paused separately: {}; resume each of them", paused.join(", "));
        return Err(Failure::new(Category::Unexpected, message));
    }
    let all_paused = path != Pause::ALL && paused.iter().any(|pause| pause.operation == Pause::ALL);
    let all = "all operations are paused: run `paytend outbox resume --all`";
    match (resumed, all_paused) {
        (true, false) => output::result(args.json.json, &json!({ "operation": path }), &format!("resumed: {path}")),
        (true, true) => {
            Err(Failure::new(Category::Unexpected, format!("{path} was resumed, but nothing is sent yet: {all}")))
        }
        (false, true) => Err(Failure::new(Category::Unexpected, format!("{path} was not paused separately: {all}"))),
        (false, false) => {
            Err(Failure::new(Category::Unexpected, format!("{path} was not paused: see `paytend outbox stats`")))
        }
    }
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) async fn check(args: CheckArgs) -> Result<(), Failure> {
    let store = args.store.open().await?;
    let mut problems = each!(&store, store => store.check_orders())?;
    let stats = each!(&store, store => store.order_stats())?;
    for (key, count) in args.keys.missing(&args.store, &stats)?.into_iter().flatten() {
        problems.push(format!("{count} open orders wait for payload key {key}, which the key file does not contain"));
    }
    report_problems("orders", &problems, args.json.json)
}

#[derive(Args)]
pub(crate) struct DropContentArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Only orders that were submitted at least this long ago, such as 90d
    #[arg(long, value_name = "TIME", value_parser = parse_age)]
    older_than: Duration,
    /// The reason, which is stored and shown with the action
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    #[command(flatten)]
    json: JsonArgs,
}

fn parse_age(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "invalid duration; examples: 90d, 15h".to_owned())
}

pub(crate) async fn drop_content(args: DropContentArgs) -> Result<(), Failure> {
    let before = SystemTime::now().checked_sub(args.older_than);
    let before = before
        .ok_or_else(|| Failure::usage("--older-than is longer than the time since 1970: pass a shorter duration"))?;
    let store = args.store.open().await?;
    let audit = Audit { who: operator(), why: args.why };
    let dropped = each!(&store, store => store.drop_order_content(before, audit))?;
    output::result(args.json.json, &json!({ "removed": dropped }), &format!("removed: {dropped}"))
}

#[derive(Args)]
pub(crate) struct RecoverArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// End the recovery: new orders are sent without a query
    #[arg(long)]
    end: bool,
    /// End the recovery although some open orders cannot be read
    #[arg(long, requires = "end")]
    leave_unreadable: bool,
    /// The reason, which is stored and shown with the action
    #[arg(long, value_name = "TEXT")]
    why: String,
    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) async fn recover(args: RecoverArgs) -> Result<(), Failure> {
    let store = args.store.open().await?;
    let audit = Audit { who: operator(), why: args.why };
    if args.end {
        let stats = each!(&store, store => store.order_stats())?;
        let unreadable = stats.unreadable;
        if unreadable > 0 && stats.recovering_since.is_some() && !args.leave_unreadable {
            return Err(Failure::new(
                Category::Unexpected,
                format!(
                    "{unreadable} open orders cannot be read, so they were not recovered, and a newer program would \
                     send them without a query: run `paytend outbox recover` with the newest version first, or pass \
                     --leave-unreadable; `paytend outbox list` and `paytend outbox check` name these orders"
                ),
            ));
        }
        if !each!(&store, store => store.end_recovery(audit))? {
            return Err(Failure::new(
                Category::Unexpected,
                "no recovery is in progress; `paytend outbox stats` shows the state",
            ));
        }
        return output::result(args.json.json, &json!({ "ended": true }), "the recovery has ended");
    }
    let recovered = each!(&store, store => store.recover_orders(audit))?;
    let (count, left) = (recovered.count, &recovered.unreadable);
    let unreadable: Vec<Value> = left.iter().map(|order| json!({ "id": order.id, "number": order.number })).collect();
    let value = json!({ "recovered": count, "unreadable": unreadable });
    output::result(args.json.json, &value, &format!("recovered: {count}"))?;
    output::note("new orders are queried before they are sent, until `paytend outbox recover --end`");
    if left.is_empty() { Ok(()) } else { Err(not_recovered(left)) }
}

/// The maximum number of orders that an error names.
const NAMED: usize = 20;

/// Returns the failure for orders that could not be recovered.
fn not_recovered(left: &[UnreadableOrder]) -> Failure {
    let name = |order: &UnreadableOrder| match &order.number {
        Some(number) => format!("{number} (ID {})", order.id),
        None => format!("ID {}", order.id),
    };
    let names: Vec<String> = left.iter().take(NAMED).map(name).collect();
    let more = if left.len() > NAMED { ", …" } else { "" };
    let message = format!(
        "{} orders cannot be read and are not recovered: {}{more}; they may have been sent after the backup, so run \
         `paytend outbox recover` again with the newest version of the program before a dispatcher starts",
        left.len(),
        names.join(", "),
    );
    Failure::new(Category::Unexpected, message)
}
