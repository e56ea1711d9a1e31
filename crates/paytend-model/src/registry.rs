//! The list of all operations, for the `paytend` command, the sandbox and the OpenAPI document.

use crate::operation::{Operation, OperationInfo};
use crate::payload::Description;
use crate::payload::Payload;
use crate::review::{Finding, review};
use crate::value::FieldType;
use crate::{funding, iban, issuing};

/// Returns all operations that this crate has types for.
pub fn operations() -> &'static [OperationEntry] {
    const ALL: &[OperationEntry] = &[
        OperationEntry::of::<issuing::QueryPartnerBalance>(),
        OperationEntry::of::<issuing::QueryPartnerTopup>(),
        OperationEntry::of::<issuing::QueryPartnerTransactions>(),
        OperationEntry::of::<issuing::QueryCities>(),
        OperationEntry::of::<issuing::CreateCardholder>(),
        OperationEntry::of::<issuing::UpdateCardholder>(),
        OperationEntry::of::<issuing::QueryCardholder>(),
        OperationEntry::of::<issuing::UploadDocument>(),
        OperationEntry::of::<issuing::QuerySkus>(),
        OperationEntry::of::<issuing::ApplyCard>(),
        OperationEntry::of::<issuing::QueryApplyResult>(),
        OperationEntry::of::<issuing::ActiveCard>(),
        OperationEntry::of::<issuing::QueryCardInfo>(),
        OperationEntry::of::<issuing::QueryCardBalance>(),
        OperationEntry::of::<issuing::QueryCardOverdueMonthlyFee>(),
        OperationEntry::of::<issuing::Topup>(),
        OperationEntry::of::<issuing::QueryTopupResult>(),
        OperationEntry::of::<issuing::ReplaceCard>(),
        OperationEntry::of::<issuing::ReportLoss>(),
        OperationEntry::of::<issuing::CancelReportLoss>(),
        OperationEntry::of::<issuing::RetrievePassword>(),
        OperationEntry::of::<issuing::QueryCardTransactions>(),
        OperationEntry::of::<issuing::QueryAuthorizations>(),
        OperationEntry::of::<iban::QueryUser>(),
        OperationEntry::of::<iban::QueryCities>(),
        OperationEntry::of::<iban::QueryUserFees>(),
        OperationEntry::of::<iban::QueryUpgradeFee>(),
        OperationEntry::of::<iban::QueryAccounts>(),
        OperationEntry::of::<iban::VerifyMobileNumber>(),
        OperationEntry::of::<iban::CreateIndividual>(),
        OperationEntry::of::<iban::CreateCorporation>(),
        OperationEntry::of::<iban::UploadDocument>(),
        OperationEntry::of::<iban::IndividualQuestionnaire>(),
        OperationEntry::of::<iban::CorporationQuestionnaire>(),
        OperationEntry::of::<iban::SubmitTransferOrder>(),
        OperationEntry::of::<iban::UploadTransferOrderFile>(),
        OperationEntry::of::<funding::SetCallbackUrl>(),
    ];
    ALL
}

/// Finds an operation by its path, its name, or its product and name (`issuing.getCities`). A few names occur in both
/// products.
///
/// ```
/// assert_eq!(paytend_model::operation("getTopupResult")?.info.path, "/issuing/card/getTopupResult");
/// assert!(paytend_model::operation("getCities").is_err());
/// assert!(paytend_model::operation("baas.getCities").is_ok());
/// # Ok::<(), paytend_model::OperationError>(())
/// ```
///
/// # Errors
/// - Returns [`OperationError::Unknown`] if there is no such operation.
/// - Returns [`OperationError::Ambiguous`] if both products have an operation of this name.
pub fn operation(name_or_path: &str) -> Result<&'static OperationEntry, OperationError> {
    let matches = |entry: &&OperationEntry| {
        let info = entry.info;
        info.path == name_or_path
            || info.name == name_or_path
            || name_or_path.split_once('.') == Some((info.product.as_str(), info.name))
    };
    let mut found = operations().iter().filter(matches);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(OperationError::Unknown),
        (Some(_), Some(_)) => Err(OperationError::Ambiguous),
    }
}

/// The error for an unknown or ambiguous operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// No operation has this name or path.
    #[error("no operation has this name or path")]
    Unknown,
    /// Both products have an operation of this name.
    #[error("both products have an operation of this name; use baas.NAME, issuing.NAME or the path")]
    Ambiguous,
}

/// An operation that this crate defines, with its request and response fields.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct OperationEntry {
    /// The name, path, kind and provenance.
    pub info: &'static OperationInfo,
    /// The fields of the request.
    pub request: Description,
    /// The fields of the response; empty for a response without business data ([`NoData`](crate::NoData)).
    pub response: Description,
    review: fn(&str) -> Vec<Finding>,
    #[cfg(feature = "schema")]
    pub(crate) schemas: fn(&mut schemars::SchemaGenerator) -> Schemas,
}

impl OperationEntry {
    const fn of<O>() -> Self
    where
        O: Operation + Payload + FieldType,
        O::Response: Payload + FieldType,
    {
        Self {
            info: &O::INFO,
            request: Description::of::<O>(),
            response: Description::of::<O::Response>(),
            review: review::<O>,
            #[cfg(feature = "schema")]
            schemas: Schemas::of::<O>,
        }
    }

    /// Reviews the JSON text of a request. Reports fields that are missing, misspelled or of an unexpected type, and
    /// fields that violate a rule. The findings contain field names and describe values, but never contain a value.
    ///
    /// ```
    /// let topup = paytend_model::operation("topup")?;
    /// let findings = topup.review(r#"{"cardId":"1755902","orderno":"T-1","amount":10.10,"currency":"EUR"}"#);
    /// let messages: Vec<String> = findings.iter().map(ToString::to_string).collect();
    /// assert_eq!(messages, [
    ///     "`orderNo` is missing; `orderno` is not a field of this request: did you mean `orderNo`?",
    ///     "`amount` must be written as a JSON string; found a number",
    /// ]);
    /// # Ok::<(), paytend_model::OperationError>(())
    /// ```
    pub fn review(&self, json: &str) -> Vec<Finding> {
        (self.review)(json)
    }
}

/// The schemas of an operation's request and response, and an example of each.
#[cfg(feature = "schema")]
pub(crate) struct Schemas {
    pub(crate) request: schemars::Schema,
    pub(crate) request_example: Option<serde_json::Value>,
    pub(crate) response: schemars::Schema,
    pub(crate) response_example: Option<serde_json::Value>,
}

#[cfg(feature = "schema")]
impl Schemas {
    fn of<O: Operation + FieldType>(generator: &mut schemars::SchemaGenerator) -> Self
    where
        O::Response: FieldType,
    {
        Self {
            request: O::schema(generator),
            request_example: O::example(),
            response: O::Response::schema(generator),
            response_example: O::Response::example(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::*;
    use crate::operation::{OperationKind, PayloadRule, Product};
    use crate::provenance::Source;

    /// Counts `impl Operation for` in the sources, to detect operations that are missing from the list.
    fn implementations(folder: &Path) -> usize {
        std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                if path.is_dir() {
                    return implementations(&path);
                }
                let text = std::fs::read_to_string(&path).unwrap();
                text.lines().filter(|line| line.starts_with("impl Operation for ")).count()
            })
            .sum()
    }

    #[test]
    fn every_operation_is_listed_once() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        assert_eq!(operations().len(), implementations(&sources));
        let infos = || operations().iter().map(|entry| entry.info);
        let names: HashSet<_> = infos().map(|info| (info.product, info.name)).collect();
        let paths: HashSet<_> = infos().map(|info| info.path).collect();
        let titles: HashSet<_> = infos().map(|info| (info.product, info.title)).collect();
        let types: HashSet<_> = operations().iter().map(|e| (e.info.product, e.request.name)).collect();
        assert_eq!([names.len(), paths.len(), titles.len(), types.len()], [operations().len(); 4]);
    }

    #[test]
    fn every_documented_operation_exists() {
        let count = |product, below: &str| {
            let infos = operations().iter().map(|entry| entry.info);
            infos.filter(|info| info.product == product && info.path.starts_with(below)).count()
        };
        assert_eq!(count(Product::Issuing, "/issuing/"), 23);
        assert_eq!(count(Product::Baas, "/iban/"), 14);
        assert_eq!(count(Product::Baas, "/iban/funding/"), 1);
        assert_eq!(operations().len(), 37);
    }

    #[test]
    fn operations_are_found_by_path_and_name() {
        for entry in operations() {
            let info = entry.info;
            for name in [info.path.to_owned(), format!("{}.{}", info.product, info.name)] {
                assert_eq!(operation(&name).unwrap().info, info);
            }
            if info.name != "getCities" && info.name != "uploadDocument" {
                assert_eq!(operation(info.name).unwrap().info, info);
            }
        }
        assert_eq!(operation("getCities").unwrap_err(), OperationError::Ambiguous);
        assert_eq!(operation("").unwrap_err(), OperationError::Unknown);
    }

    #[test]
    fn operation_infos_are_consistent() {
        for OperationEntry { info, request, response, .. } in operations() {
            assert!(!info.documentation.is_empty() && !info.title.is_empty(), "{info:?}");
            assert_eq!(info.payload == PayloadRule::None, request.fields.is_empty(), "{info:?}");
            assert_eq!(info.response_object.is_none(), response.fields.is_empty(), "{info:?}");
            // The names of all operations are published, but the paths of the BaaS Core operations are not.
            assert_eq!(info.provenance.operation, Source::Documented, "{info:?}");
            assert!(info.product == Product::Issuing || info.provenance.path == Source::Inferred, "{info:?}");
            let reads = info.title.starts_with("Query");
            assert_eq!(reads, info.kind == OperationKind::Query, "{info:?}");
            assert_eq!(info.max_file_bytes.is_some(), info.title.starts_with("Upload"), "{info:?}");
            assert_eq!(
                info.payload == PayloadRule::Unsigned,
                info.product == Product::Baas && info.max_file_bytes.is_some(),
                "{info:?}"
            );
            assert!(!request.fields.is_empty() || info.provenance.request != Source::Inferred, "{info:?}");
        }
    }
}
