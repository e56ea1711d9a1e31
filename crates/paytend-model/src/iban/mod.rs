//! BaaS Core: IBAN accounts.

mod opening;
mod transaction;

pub use opening::VerifyMobileNumber;
pub use transaction::IbanTransaction;
