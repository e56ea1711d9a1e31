//! The table that maps each operation's path to the function that performs it.

use paytend_model::{Operation, Payload, funding, iban as baas, issuing as cards_api, operation};

use super::context::Context;
use super::issuing::{cards, funds, holders};
use super::partner::Partner;
use super::{iban, opening};
use crate::failure::{Failure, Refusal};

type Perform = fn(&mut Partner, &mut Context<'_>, &str) -> Result<String, Refusal>;

macro_rules! table {
    ($($operation:ty => $perform:path,)+) => {
        const TABLE: &[(&str, Perform)] = &[
            $((<$operation>::INFO.path, |partner, context, data| {
                run::<$operation>(data, |request| $perform(partner, context, request))
            })),+
        ];
    };
}

table! {
    cards_api::QueryPartnerBalance => funds::balance,
    cards_api::QueryPartnerTopup => funds::partner_topup,
    cards_api::QueryPartnerTransactions => funds::partner_transactions,
    cards_api::QueryCities => holders::cities,
    cards_api::CreateCardholder => holders::create,
    cards_api::UpdateCardholder => holders::update,
    cards_api::QueryCardholder => holders::get,
    cards_api::UploadDocument => holders::upload,
    cards_api::QuerySkus => cards::skus,
    cards_api::ApplyCard => cards::apply,
    cards_api::QueryApplyResult => cards::apply_result,
    cards_api::ActiveCard => cards::activate,
    cards_api::QueryCardInfo => cards::info,
    cards_api::QueryCardBalance => funds::card_balance,
    cards_api::QueryCardOverdueMonthlyFee => funds::overdue_fee,
    cards_api::Topup => funds::topup,
    cards_api::QueryTopupResult => funds::topup_result,
    cards_api::ReplaceCard => cards::replace,
    cards_api::ReportLoss => cards::lost,
    cards_api::CancelReportLoss => cards::found,
    cards_api::RetrievePassword => cards::password,
    cards_api::QueryCardTransactions => funds::card_transactions,
    cards_api::QueryAuthorizations => funds::authorizations,
    baas::QueryUser => iban::user,
    baas::QueryCities => iban::cities,
    baas::QueryUserFees => iban::fees,
    baas::QueryUpgradeFee => iban::upgrade_fee,
    baas::QueryAccounts => iban::accounts,
    baas::VerifyMobileNumber => opening::verify_mobile,
    baas::CreateIndividual => opening::create_individual,
    baas::CreateCorporation => opening::create_corporation,
    baas::UploadDocument => opening::upload,
    baas::IndividualQuestionnaire => opening::individual_questionnaire,
    baas::CorporationQuestionnaire => opening::corporation_questionnaire,
    baas::SubmitTransferOrder => iban::submit_order,
    baas::UploadTransferOrderFile => iban::upload_order_file,
    funding::SetCallbackUrl => iban::set_callback_url,
}

pub(super) fn call(
    partner: &mut Partner,
    context: &mut Context<'_>,
    path: &str,
    data: &str,
) -> Result<String, Refusal> {
    let perform = TABLE.iter().find(|(known, _)| *known == path).map(|(_, perform)| perform);
    let (perform, data) = (perform.ok_or(Failure::UnknownPath)?, object(data));
    check(path, data, context.settings.strict)?;
    perform(partner, context, data)
}

/// Refuses a request with errors, and in strict mode also a request with warnings.
fn check(path: &str, data: &str, strict: bool) -> Result<(), Refusal> {
    let Ok(operation) = operation(path) else { return Err(Failure::UnknownPath.into()) };
    let mut findings = operation.review(data);
    findings.retain(|finding| strict || finding.is_error());
    let Some(first) = findings.first() else { return Ok(()) };
    let failure = match first.rule {
        // Invalid amounts have a separate error code.
        Some(_) if first.field.ends_with("amount") => Failure::BadAmount,
        Some(_) => Failure::InvalidField,
        None => Failure::BadData,
    };
    let texts: Vec<String> = findings.iter().map(ToString::to_string).collect();
    Err(Refusal::because(failure, texts.join("; ")))
}

/// Returns the data, or an empty object if there is no data. Operations without business data accept a missing payload
/// and an empty object.
pub(crate) fn object(data: &str) -> &str {
    if data.is_empty() { "{}" } else { data }
}

/// Reads the request's data, performs the operation and writes the response's data.
fn run<O: Operation + Payload>(
    data: &str,
    perform: impl FnOnce(O) -> Result<O::Response, Refusal>,
) -> Result<String, Refusal> {
    // A request is not refused if an inferred field is missing or has a different type.
    let request = O::read_lenient(data.as_bytes()).map_err(|problem| Refusal::because(Failure::BadData, problem))?;
    let response = perform(request)?;
    let text = serde_json::to_string(&response).map_err(|_| Failure::BadData)?;
    Ok(if text == "{}" { String::new() } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_model_is_in_the_dispatch_table() {
        let operations = paytend_model::operations();
        assert_eq!((operations.len(), TABLE.len()), (37, 37));
        for entry in operations {
            assert!(TABLE.iter().any(|(path, _)| *path == entry.info.path), "{}", entry.info.name);
        }
    }
}
