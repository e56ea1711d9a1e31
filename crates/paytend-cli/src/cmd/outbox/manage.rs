//! `paytend outbox decide`, `retry`, `pause`, `resume`, `check`, `drop-content` and `recover`.

use std::time::{Duration, SystemTime};

use clap::Args;
use paytend_outbox::{Action, ActionError, Audit, Decision, OutboxAdmin as _, Pause};
use serde_json::json;

use crate::cmd::inbox::manage::print_problems;
use crate::cmd::inbox::store::StoreArgs;
use crate::cmd::inbox::time::parse_duration;
use crate::cmd::outbox::{each, operation_path, user};
use crate::exit::{Category, Failure};
use crate::global::JsonArgs;
use crate::output;

#[derive(Args)]
pub(crate) struct DecideArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The order number
    number: String,
    /// The outcome of the order: executed or not-executed
    #[arg(long = "as", value_name = "DECISION")]
    decision: Decision,
    /// The reason. It is stored and shown with the action
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
    /// The reason. It is stored and shown with the action
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
    let audit = Audit { who: user(), why };
    match each!(&store, store => store.act_on_order(number.to_owned(), action, audit))? {
        Ok(()) => Ok(()),
        Err(ActionError::Absent) => Err(no_order(number)),
        Err(refused) => Err(Failure::new(Category::Unexpected, refused)),
    }
}

pub(crate) fn no_order(number: &str) -> Failure {
    Failure::new(Category::Unexpected, format!("the store has no order {number}"))
}

/// The operations that are paused or resumed.
#[derive(Args)]
struct Operations {
    /// The operation: a name such as topup, or a path
    #[arg(required_unless_present = "all")]
    operation: Option<String>,
    /// All operations
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
    /// The reason. It is stored and shown with the action
    #[arg(long, value_name = "TEXT")]
    why: String,
    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) async fn pause(args: PauseArgs) -> Result<(), Failure> {
    let path = args.operations.path()?;
    let store = args.store.open().await?;
    let audit = Audit { who: user(), why: args.why };
    each!(&store, store => store.pause_sending(path.clone(), audit))?;
    output::result(args.json.json, &json!({ "operation": path }), &format!("paused: {path}"))
}

#[derive(Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    operations: Operations,
    /// The reason. It is stored and shown with the action
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) async fn resume(args: ResumeArgs) -> Result<(), Failure> {
    let path = args.operations.path()?;
    let store = args.store.open().await?;
    let audit = Audit { who: user(), why: args.why };
    if each!(&store, store => store.resume_sending(path.clone(), audit))? {
        return output::result(args.json.json, &json!({ "operation": path }), &format!("resumed: {path}"));
    }
    Err(Failure::new(Category::Unexpected, format!("{path} was not paused: see `paytend outbox stats`")))
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) async fn check(args: CheckArgs) -> Result<(), Failure> {
    let store = args.store.open().await?;
    let problems = each!(&store, store => store.check_orders())?;
    print_problems(&problems, args.json.json)?;
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Category::Unexpected, format!("the orders have {} problems", problems.len())))
}

#[derive(Args)]
pub(crate) struct DropContentArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The minimum time since the submission, such as 90d
    #[arg(long, value_name = "TIME", value_parser = parse_age)]
    older_than: Duration,
    #[command(flatten)]
    json: JsonArgs,
}

fn parse_age(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "invalid duration; examples: 90d, 15h".to_owned())
}

pub(crate) async fn drop_content(args: DropContentArgs) -> Result<(), Failure> {
    let before = SystemTime::now().checked_sub(args.older_than);
    let before = before.ok_or_else(|| Failure::usage("--older-than is longer than the time since 1970"))?;
    let store = args.store.open().await?;
    let dropped = each!(&store, store => store.drop_order_content(before))?;
    output::result(args.json.json, &json!({ "removed": dropped }), &format!("removed: {dropped}"))
}

#[derive(Args)]
pub(crate) struct RecoverArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The reason. It is stored and shown with the action
    #[arg(long, value_name = "TEXT")]
    why: String,
    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) async fn recover(args: RecoverArgs) -> Result<(), Failure> {
    let store = args.store.open().await?;
    let audit = Audit { who: user(), why: args.why };
    let recovered = each!(&store, store => store.recover_orders(audit))?;
    output::result(args.json.json, &json!({ "recovered": recovered }), &format!("recovered: {recovered}"))
}
