#![doc = include_str!("../README.md")]

mod balance;
mod classify;
mod codes;
mod compare;
mod entry;
mod input;
mod list;
mod matching;
mod reconcile;
mod report;
mod rules;
mod sum;
mod time;

pub use balance::{Account, Balance, BalanceCheck, BalanceState};
pub use codes::{Codes, StatusCodes};
pub use compare::{Difference, Field, FieldValue};
pub use entry::{Entry, EntryTime, Kind, Status};
pub use input::{Notifications, OrderError, OrderRecord, OrderStatus, Orders, Provider};
pub use list::{List, ListSet};
pub use reconcile::reconcile;
pub use report::{Candidates, Item, ListSummary, MatchReason, OpenReason, Outcome, Report, SumRow, Tally};
pub use rules::{Period, PeriodError, Rules, ToleratedFee, Zone, ZoneError};
pub use sum::Sum;
