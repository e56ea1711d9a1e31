//! A list of all payload types in the crate, and functions that create JSON for each type.

use paytend_model::{Field, Payload, envelope, funding, iban, issuing, operation, operations, payby, payermax};
use serde_json::{Map, Value, json};

/// A payload type, with functions that take JSON text.
pub(crate) struct Type {
    /// The name, such as `issuing::Topup`.
    pub(crate) name: String,
    pub(crate) fields: &'static [Field],
    /// Reads JSON and writes it back.
    pub(crate) round_trip: fn(&str) -> Result<String, String>,
    /// Reads JSON and returns the `Debug` output.
    pub(crate) debug: fn(&str) -> String,
    /// Reads JSON and validates the value.
    pub(crate) validate: fn(&str) -> Result<(), String>,
}

impl Type {
    fn of<P: Payload>() -> Self {
        let path = std::any::type_name::<P>();
        let area = path.split("::").nth(1).unwrap();
        let area = if area == "operation" { String::new() } else { format!("{area}::") };
        Self {
            name: format!("{area}{}", P::NAME),
            fields: P::FIELDS,
            round_trip: |json| {
                let value: P = serde_json::from_str(json).map_err(|error| error.to_string())?;
                let written = serde_json::to_string(&value).unwrap();
                // Deserializing the written JSON returns the same value.
                assert_eq!(serde_json::from_str::<P>(&written).unwrap(), value);
                Ok(written)
            },
            debug: |json| format!("{:?} {0:#?}", serde_json::from_str::<P>(json).unwrap()),
            validate: |json| {
                let violations = serde_json::from_str::<P>(json).unwrap().violations();
                if violations.is_empty() {
                    return Ok(());
                }
                let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
                Err(format!("{} {violations:?}", texts.join("; ")))
            },
        }
    }
}

pub(crate) fn types() -> Vec<Type> {
    macro_rules! types {
        ($($area:ident: $($name:ident),+;)+) => {
            vec![Type::of::<paytend_model::NoData>(), $($(Type::of::<$area::$name>(),)+)+]
        };
    }
    types! {
        envelope: RequestEnvelope, ResponseEnvelope, NotificationEnvelope, Acknowledgement;
        funding: SetCallbackUrl;
        iban: QueryUser, UserResponse, QueryCities, QueryUserFees, UserFeesResponse, Fee, QueryUpgradeFee,
            UpgradeFeeResponse, QueryAccounts, AccountsResponse, IbanAccount, UserStatusChange, PaymentFailure,
            UserUpgrade, TransferOrder, VerifyMobileNumber, CreateIndividual, CreateCorporation, LegalPerson,
            RegisterResponse, UploadDocument, IndividualQuestionnaire, CorporationQuestionnaire, IbanTransaction,
            SubmitTransferOrder, UploadTransferOrderFile;
        issuing: QueryPartnerBalance, PartnerBalanceResponse, Balance, QueryPartnerTopup, PartnerTopupResponse,
            QueryPartnerTransactions, PartnerTransactionResponse, PartnerTransaction, CreateCardholder, Address,
            HolderResponse, UpdateCardholder, QueryCardholder, UploadDocument, QueryCities, CitiesResponse, City,
            QuerySkus, SkuResponse, Sku, ApplyCard, QueryApplyResult, CardApplyResponse, ActiveCard, QueryCardInfo,
            CardInfoResponse, ReplaceCard, ReportLoss, CancelReportLoss, RetrievePassword, QueryCardBalance,
            CardBalanceResponse, QueryCardOverdueMonthlyFee, Topup, TopupResponse, QueryTopupResult,
            TopupResultResponse, QueryCardTransactions, CardTransactionsResponse, CardTransaction,
            QueryAuthorizations, AuthorizationsResponse, TransactionNotification, CardHolderResult;
        payby: TransferToBankNotification, TransferToBankOrder, Money, PaymentInfo;
        payermax: BalanceChangeNotification, BalanceChange, Money, Fee, Counterparty, Exchange;
    }
}

pub(crate) fn find(name: &str) -> Type {
    types().into_iter().find(|t| t.name == name).unwrap_or_else(|| panic!("no type {name}"))
}

/// Counts `payload! {` in the sources, to detect types that are missing from the list.
#[test]
fn list_of_types_is_complete() {
    fn declared(folder: &std::path::Path) -> usize {
        std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                if path.is_dir() {
                    return declared(&path);
                }
                std::fs::read_to_string(&path).unwrap().lines().filter(|line| *line == "payload! {").count()
            })
            .sum()
    }
    let names: std::collections::BTreeSet<String> = types().into_iter().map(|t| t.name).collect();
    assert_eq!(names.len(), types().len());
    assert_eq!(names.len(), declared(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")));
}

/// Returns a value for a leaf field. The value contains `text` if the field's type can contain text.
fn leaf(type_name: &str, text: &str) -> Option<Value> {
    use base64::Engine as _;
    Some(match type_name {
        "Amount" => json!("918273645.10"),
        "Base64Text" | "FileContent" => base64::engine::general_purpose::STANDARD.encode(text).into(),
        "Json" => json!({ "inside": text }),
        "String" | "Personal" | "HashedText" | "Code" | "Count" | "CountryCode" | "Currency" | "Date" => text.into(),
        "CardId" | "HolderId" | "OrderNo" | "PartnerId" | "RequestId" | "TransactionId" | "UserId" => text.into(),
        "IdType" | "Gender" | "TradeType" | "TradeStatus" | "TransferStatus" | "NetworkCode" | "BeneficiaryType" => {
            text.into()
        }
        "NotificationCode" | "NotifyType" | "Direction" => text.into(),
        _ => return None,
    })
}

/// Returns a value for a type's field. `text` returns the text of the leaf field at a path.
pub(crate) fn value(payload: &Type, field: &Field, text: &dyn Fn(&str, &Field) -> String) -> Value {
    let path = format!("{}.{}", payload.name, field.name);
    if let Some(leaf) = leaf(field.type_name, &text(&path, field)) {
        return leaf;
    }
    if let Some(item) = field.type_name.strip_prefix("Vec<").and_then(|name| name.strip_suffix('>')) {
        return json!([object(&nested(payload, item), text)]);
    }
    object(&nested(payload, field.type_name), text)
}

/// Returns an object with all fields of a type.
pub(crate) fn object(payload: &Type, text: &dyn Fn(&str, &Field) -> String) -> Value {
    let fields = payload.fields.iter().map(|field| (field.name.to_owned(), value(payload, field, text)));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// Finds the type of a nested field, first in the same module, then in all modules.
fn nested(payload: &Type, name: &str) -> Type {
    let area = payload.name.split("::").next().unwrap();
    let mut found = types().into_iter().filter(|t| t.name.ends_with(&format!("::{name}"))).collect::<Vec<_>>();
    let own = found.iter().position(|t| t.name.starts_with(area)).unwrap_or(0);
    assert!(!found.is_empty(), "{}: no type {name}", payload.name);
    found.swap_remove(own)
}

/// The doc alias lets users search for an operation by its wire name.
#[test]
fn operations_have_a_doc_alias_and_a_correct_rust_path() {
    let mut sources = String::new();
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => sources.push_str(&std::fs::read_to_string(path).unwrap()),
            }
        }
    }
    for entry in operations() {
        let wire = entry.info.path.rsplit('/').next().unwrap();
        let declared = format!("    #[doc(alias = \"{wire}\")]\n    pub struct {}: ", entry.request.name);
        assert!(sources.contains(&declared), "{}: {declared}", entry.info.path);
    }
    let entry = operation("topup").unwrap();
    assert_eq!(entry.request.rust_type(), std::any::type_name::<issuing::Topup>().replace("::card_funds", ""));
    assert_eq!(operation("applyCard").unwrap().response.rust_type(), "paytend_model::NoData");
}
