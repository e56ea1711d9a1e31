//! The member names in the providers' documentation, in the documented order.

use paytend_model::{BaasNotification, Field, IssuingNotification, Payload, payby, payermax};

/// Returns the fields of each documented object in notifications.
pub(super) fn objects() -> Vec<&'static [Field]> {
    let mut objects: Vec<&'static [Field]> = vec![
        payby::TransferToBankNotification::FIELDS,
        payby::TransferToBankOrder::FIELDS,
        payby::Money::FIELDS,
        payby::PaymentInfo::FIELDS,
        payermax::BalanceChangeNotification::FIELDS,
        payermax::BalanceChange::FIELDS,
        payermax::Money::FIELDS,
        payermax::Fee::FIELDS,
        payermax::Counterparty::FIELDS,
        payermax::Exchange::FIELDS,
    ];
    objects.extend(BaasNotification::KINDS.iter().chain(IssuingNotification::KINDS).map(|kind| kind.content.fields));
    objects
}

/// Other plausible member orders, because a sender may not follow the documented order. If an entry does not list a
/// documented name, this name comes after the listed names, in the documented order.
const PLAUSIBLE: [&[&str]; 4] = [
    &["notify_timestamp", "notify_id", "transferToBankOrder"],
    // The member order in the table of PayBy's documentation, which mixes required and optional members.
    &[
        "merchantOrderNo",
        "orderNo",
        "holderName",
        "iban",
        "swiftCode",
        "beneficiaryAddress",
        "amount",
        "memo",
        "notifyUrl",
        "accountNo",
        "networkCode",
        "bankName",
        "countryCode",
        "fundoutCurrencyCode",
        "fedwireCode",
        "branchName",
        "intermediaryBank",
        "beneficiaryType",
    ],
    &["merchantOrderNo", "orderNo", "holderName", "memo", "status", "amount"],
    &["merchantOrderNo", "orderNo", "status", "memo", "holderName", "amount"],
];

/// Returns the member names of the documented objects that share the most names with `names`, at most four objects.
/// Objects that contain fewer than half of `names` are ignored. Objects with fewer members come first.
pub(super) fn similar(names: &[&str]) -> Vec<Vec<&'static str>> {
    let known = |fields: &[Field]| names.iter().filter(|name| fields.iter().any(|field| field.name == **name)).count();
    let most = objects().into_iter().map(known).max().unwrap_or_default();
    if 2 * most < names.len().max(1) {
        return Vec::new();
    }
    let documented = objects().into_iter().filter(|fields| known(fields) == most);
    let mut similar: Vec<Vec<_>> = documented.map(|fields| fields.iter().map(|field| field.name).collect()).collect();
    similar.sort_by_key(Vec::len);
    similar.truncate(4);
    similar
}

/// Returns the documented and plausible member orders for an object with these names, the most likely order first.
pub(super) fn orders(names: &[&str]) -> Vec<Vec<&'static str>> {
    let similar = similar(names);
    let Some(documented) = similar.first() else { return Vec::new() };
    let plausible = PLAUSIBLE.into_iter().filter(|plausible| plausible.iter().all(|name| documented.contains(name)));
    let plausible = plausible.map(|plausible| {
        let rest = documented.iter().filter(|name| !plausible.contains(name));
        plausible.iter().chain(rest).copied().collect()
    });
    similar.iter().take(1).cloned().chain(plausible).chain(similar.iter().skip(1).cloned()).collect()
}

/// Names that are common in documents of all kinds.
const COMMON: [&str; 24] = [
    "memo",
    "remark",
    "description",
    "extra",
    "data",
    "msg",
    "message",
    "error",
    "code",
    "reason",
    "note",
    "name",
    "id",
    "status",
    "type",
    "metadata",
    "reference",
    "comment",
    "email",
    "phone",
    "address",
    "country",
    "currency",
    "fee",
];

/// Returns the names that a missing member may have.
pub(super) fn candidates() -> Vec<String> {
    let documented = objects().into_iter().flatten().map(|field| field.name.to_owned());
    let mut names: Vec<String> = documented.collect();
    names.extend(COMMON.map(str::to_owned));
    names.extend(('a'..='z').map(String::from));
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}
