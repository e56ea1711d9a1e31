//! BaaS Core operations: users, accounts, fees, transfer orders and the callback URL.

use paytend_model::funding::SetCallbackUrl;
use paytend_model::iban::{
    AccountsResponse, Fee, IbanAccount, QueryAccounts, QueryCities, QueryUpgradeFee, QueryUser, QueryUserFees,
    SubmitTransferOrder, UpgradeFeeResponse, UploadTransferOrderFile, UserFeesResponse, UserResponse,
};
use paytend_model::issuing::CitiesResponse;
use paytend_model::{Amount, MAX_FILE_BYTES, NoData};

use super::context::Context;
use super::entities::{TransferOrderState, user_code};
use super::issuing::holders::of_country;
use super::money::{Cents, Place};
use super::outbox::Sender;
use super::partner::{Partner, given, same_mobile};
use crate::failure::{Failure, Refusal};

/// Returns a Lithuanian IBAN with valid check digits (ISO 13616, modulus 97) for bank `35700` and an account number.
pub(super) fn iban(number: u64) -> String {
    let account = format!("35700{number:011}");
    // For the checksum, the country code LT is written as 2129, and the check digits as 00.
    let rest = format!("{account}212900").bytes().fold(0u32, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    format!("LT{:02}{account}", 98 - rest)
}

pub(super) fn user(partner: &mut Partner, _: &mut Context<'_>, query: QueryUser) -> Result<UserResponse, Refusal> {
    let mobile = query.mobile.as_ref().map(|mobile| mobile.as_str());
    let found = match (given(query.user_id.as_deref()), given(mobile)) {
        (Some(id), _) => partner.users.get_key_value(id),
        (None, Some(mobile)) => partner.users.iter().find(|(_, user)| same_mobile(&user.mobile, mobile)),
        (None, None) => None,
    };
    let (id, user) = found.ok_or(Failure::UnknownUser)?;
    let mut response = UserResponse::new();
    response.user_id = Some(id.as_str().into());
    response.mobile = Some(user.mobile.as_str().into());
    response.audit_status = user.audit.map(super::entities::Audit::code);
    response.user_status = Some(user_code(user.state));
    Ok(response)
}

pub(super) fn cities(
    partner: &mut Partner,
    _: &mut Context<'_>,
    query: QueryCities,
) -> Result<CitiesResponse, Refusal> {
    of_country(partner, &query.country_code, &query.start, &query.max_result)
}

/// The fees that the sandbox reports but does not charge, by code: `1` deposit, `2` monthly, `3` upgrade.
const FEES: [(&str, i64); 3] = [("1", 150), ("2", 500), ("3", UPGRADE_FEE)];
const UPGRADE_FEE: i64 = 2500;

pub(super) fn fees(
    partner: &mut Partner,
    context: &mut Context<'_>,
    query: QueryUserFees,
) -> Result<UserFeesResponse, Refusal> {
    partner.user(query.user_id.as_str())?;
    let fee = |(kind, cents): &(&str, i64)| {
        let mut fee = Fee::new();
        fee.fee_type = Some((*kind).into());
        fee.amount = Some(Cents(*cents).amount());
        fee.currency = Some(context.settings.currency.as_str().into());
        fee
    };
    let mut response = UserFeesResponse::new();
    response.fees = Some(FEES.iter().map(fee).collect());
    Ok(response)
}

pub(super) fn upgrade_fee(
    _: &mut Partner,
    context: &mut Context<'_>,
    _: QueryUpgradeFee,
) -> Result<UpgradeFeeResponse, Refusal> {
    let mut response = UpgradeFeeResponse::new();
    response.amount = Some(Cents(UPGRADE_FEE).amount());
    response.currency = Some(context.settings.currency.as_str().into());
    Ok(response)
}

/// Returns an account in the format of responses and notifications, with status `1` (open).
pub(super) fn account(user: &str, iban: &str, currency: &str, balance: Amount) -> IbanAccount {
    let mut account = IbanAccount::new();
    account.user_id = Some(user.into());
    account.account_num = Some(iban.into());
    account.currency = Some(currency.into());
    account.balance = Some(balance);
    account.status = Some("1".into());
    account
}

pub(super) fn accounts(
    partner: &mut Partner,
    context: &mut Context<'_>,
    query: QueryAccounts,
) -> Result<AccountsResponse, Refusal> {
    let id = query.user_id.as_str();
    let currency = &context.settings.currency;
    let told = |iban: &String| {
        let balance = partner.ledger.balance(&Place::Account(iban.clone()), currency);
        account(id, iban, currency, balance.amount())
    };
    let mut response = AccountsResponse::new();
    response.accounts = Some(partner.user(id)?.accounts.iter().map(told).collect());
    Ok(response)
}

pub(super) fn submit_order(
    partner: &mut Partner,
    _: &mut Context<'_>,
    request: SubmitTransferOrder,
) -> Result<NoData, Refusal> {
    let order = partner.transfer_orders.get_mut(request.order_no.as_str()).ok_or(Failure::UnknownOrder)?;
    order.state = TransferOrderState::InformationSubmitted;
    Ok(NoData::default())
}

pub(super) fn upload_order_file(
    partner: &mut Partner,
    _: &mut Context<'_>,
    request: UploadTransferOrderFile,
) -> Result<NoData, Refusal> {
    let order = partner.transfer_orders.get_mut(request.order_no.as_str()).ok_or(Failure::UnknownOrder)?;
    if request.file_content.as_bytes().len() > MAX_FILE_BYTES {
        return Err(Failure::FileTooLarge.into());
    }
    order.state = TransferOrderState::FileUploaded;
    order.files += 1;
    Ok(NoData::default())
}

/// Sets the URL for all BaaS notifications. The `type` field is ignored, because its codes are not public. Issuing has
/// a separate URL, which is set through the control interface or by
/// [`Sandbox::issuing_callback`](crate::Sandbox::issuing_callback).
pub(super) fn set_callback_url(
    partner: &mut Partner,
    _: &mut Context<'_>,
    request: SetCallbackUrl,
) -> Result<NoData, Refusal> {
    partner.set_callback(Sender::Baas, checked_url(request.url.as_str())?);
    Ok(NoData::default())
}

pub(crate) fn checked_url(url: &str) -> Result<String, Failure> {
    let uri: http::Uri = url.parse().map_err(|_| Failure::BadUrl)?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
        return Err(Failure::BadUrl);
    }
    Ok(url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether an IBAN's check digits are valid (ISO 13616). The first four characters are moved to the end and
    /// letters are replaced by numbers. The result modulo 97 must be 1.
    fn is_valid(iban: &str) -> bool {
        let turned = format!("{}{}", &iban[4..], &iban[..4]);
        let digits: String = turned.chars().map(|c| c.to_digit(36).unwrap().to_string()).collect();
        digits.bytes().fold(0u64, |rest, digit| (rest * 10 + u64::from(digit - b'0')) % 97) == 1
    }

    #[test]
    fn generated_ibans_have_valid_check_digits() {
        // Test the check itself with a valid and an invalid IBAN.
        assert!(is_valid("DE89370400440532013000") && !is_valid("DE88370400440532013000"));
        for number in (0..2000).chain([99_999_999_999]) {
            let iban = iban(number);
            assert!(iban.len() == 20 && is_valid(&iban), "{iban}");
        }
    }
}
