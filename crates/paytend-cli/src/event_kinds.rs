//! The notifications that `paytend trigger` can send: their names, fields and default contents.

use std::time::{SystemTime, UNIX_EPOCH};

use paytend_inbox::{AnyNotification, Route};
use paytend_model::iban::{IbanAccount, IbanTransaction, PaymentFailure, TransferOrder, UserStatusChange, UserUpgrade};
use paytend_model::issuing::{CardApplyResponse, CardHolderResult, TransactionNotification};
use paytend_model::payby::TransferToBankNotification;
use paytend_model::payermax::BalanceChangeNotification;
use paytend_model::{Content, Description, Problem};

use crate::cmd::inbox::time::rfc3339;
use crate::exit::Failure;
use crate::payload::{self, Node, field_at, number, value};
use crate::suggest;

/// A kind of notification that `paytend trigger` can send.
pub(crate) struct EventKind {
    /// The product and the kind, such as `baas.fund-deposit`.
    pub(crate) name: &'static str,
    pub(crate) route: Route,
    /// The `notifyType` that Paytend uses.
    pub(crate) notify_type: &'static str,
    pub(crate) description: Description,
    /// The path of the field that contains the business ID, such as `orderNo`.
    id: &'static str,
    /// The default content. `{n}` is replaced by a new number, and `{millis}` and `{time}` by the current time.
    template: &'static str,
}

/// All kinds, in the order in which they are listed.
pub(crate) const ALL: &[EventKind] = &[
    EventKind {
        name: "baas.account-opening",
        route: Route::PaytendBaas,
        notify_type: "1",
        description: Description::of::<IbanAccount>(),
        id: "userId",
        template: concat!(
            r#"{"userId":"U{n}","accountNum":"LT121000011101001000","currency":"EUR","balance":"0.00","#,
            r#""status":"1"}"#,
        ),
    },
    EventKind {
        name: "baas.fund-deposit",
        route: Route::PaytendBaas,
        notify_type: "2",
        description: Description::of::<IbanTransaction>(),
        id: "transactionId",
        template: concat!(
            r#"{"transactionId":"T{n}","orderNo":"F{n}","accountNum":"LT121000011101001000","#,
            r#""tradeType":1,"tradeStatus":2,"paymentType":3,"currency":"EUR","amount":1250.07,"#,
            r#""fee":0.35,"counterpartyAccountName":"Example GmbH","#,
            r#""counterpartyAccountNum":"DE89370400440532013000","counterpartyBankBic":"COBADEFFXXX","#,
            r#""counterpartyBankName":"Commerzbank","reference":"Invoice 42","exRate":"1.0000","#,
            r#""targetCurrency":"EUR","targetAmount":1250.07}"#,
        ),
    },
    EventKind {
        name: "baas.user-status-change",
        route: Route::PaytendBaas,
        notify_type: "3",
        description: Description::of::<UserStatusChange>(),
        id: "userId",
        template: r#"{"userId":"U{n}","auditStatus":"2","userStatus":"1"}"#,
    },
    EventKind {
        name: "baas.payment-failure",
        route: Route::PaytendBaas,
        notify_type: "4",
        description: Description::of::<PaymentFailure>(),
        id: "orderNo",
        template: r#"{"orderNo":"F{n}","transactionId":"T{n}"}"#,
    },
    EventKind {
        name: "baas.user-upgrade",
        route: Route::PaytendBaas,
        notify_type: "6",
        description: Description::of::<UserUpgrade>(),
        id: "userId",
        template: r#"{"userId":"U{n}"}"#,
    },
    EventKind {
        name: "baas.transfer-order",
        route: Route::PaytendBaas,
        notify_type: "8",
        description: Description::of::<TransferOrder>(),
        id: "orderNo",
        template: concat!(
            r#"{"orderNo":"O{n}","userId":"U000000000001","transactionId":"T{n}","amount":1250.07,"#,
            r#""currency":"EUR","status":"1"}"#,
        ),
    },
    EventKind {
        name: "issuing.card-transaction",
        route: Route::PaytendIssuing,
        notify_type: "1",
        description: Description::of::<TransactionNotification>(),
        id: "transactionId",
        template: concat!(
            r#"{"transactionId":"C{n}","cardId":"1755902","transactionType":"2","transactionStatus":"2","#,
            r#""amount":"12.50","currency":"EUR"}"#,
        ),
    },
    EventKind {
        name: "issuing.cardholder-audit",
        route: Route::PaytendIssuing,
        notify_type: "2",
        description: Description::of::<CardHolderResult>(),
        id: "holderId",
        template: r#"{"holderId":"H{n}","status":"2"}"#,
    },
    EventKind {
        name: "issuing.apply-card-result",
        route: Route::PaytendIssuing,
        notify_type: "3",
        description: Description::of::<CardApplyResponse>(),
        id: "orderNo",
        template: r#"{"orderNo":"A{n}","holderId":"H000000000001","cardId":"1755902","status":"2"}"#,
    },
    EventKind {
        name: "payby.transfer-to-bank",
        route: Route::PayBy,
        notify_type: "",
        description: Description::of::<TransferToBankNotification>(),
        id: "transferToBankOrder.merchantOrderNo",
        template: concat!(
            r#"{"notify_timestamp":{millis},"notify_id":"{n}","_input_charset":"UTF-8","#,
            r#""transferToBankOrder":{"merchantOrderNo":"M{n}","orderNo":"91{n}","#,
            r#""product":"Transfer To Bank","status":"SUCCESS","holderName":"Example Trading LLC","#,
            r#""iban":"AE070331234567890123456","swiftCode":"BBMEAEAD","amount":{"amount":100.25,"#,
            r#""currency":"AED"},"memo":"Invoice 42","requestTime":{millis}}}"#,
        ),
    },
    EventKind {
        name: "payermax.balance-change",
        route: Route::PayerMax,
        notify_type: "",
        description: Description::of::<BalanceChangeNotification>(),
        id: "data.relatedTradeNo",
        template: concat!(
            r#"{"code":"APPLY_SUCCESS","msg":"Success","version":"1.0","keyVersion":"1","#,
            r#""appId":"2222fd568ab5452b906a3d65a1fbac19","merchantNo":"P01010113842047","#,
            r#""notifyTime":"{time}","notifyType":"DEPOSIT","data":{"amount":{"currency":"EUR","#,
            r#""value":"448.13"},"counterparty":{"identifyId":"P01010113842047","#,
            r#""identifyName":"Example"},"direction":"INCREASE","relatedTradeNo":"TU{n}"}}"#,
        ),
    },
];

impl EventKind {
    /// Finds a kind by its name, or by the part of its name after the dot.
    pub(crate) fn find(name: &str) -> Result<&'static Self, Failure> {
        let last = |kind: &Self| kind.name.split_once('.').map(|(_, last)| last);
        let found = ALL.iter().find(|kind| kind.name == name || last(kind) == Some(name));
        found.ok_or_else(|| {
            let names: Vec<&str> = ALL.iter().map(|kind| kind.name).collect();
            let hint = suggest::did_you_mean(name, names.iter().copied());
            let hint = hint.map(|hint| format!("{hint} ")).unwrap_or_default();
            Failure::usage(format!("there is no event `{name}`: {hint}the events are {}", names.join(", ")))
        })
    }

    /// Returns the content for a new notification. `set` contains the fields to replace, each in the form `path=value`.
    pub(crate) fn content(&self, set: &[String]) -> Result<Node, Failure> {
        let text = self.template.replace("{n}", &format!("{:012}", new_number()?));
        let now = SystemTime::now();
        let millis = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let text = text.replace("{millis}", &millis.to_string()).replace("{time}", &rfc3339(now));
        let default = Node::object(&text).map_err(Failure::usage)?;
        self.with_fields(default.clone(), &default, set)
    }

    /// Returns an object with only the fields in `set`, each in the form `path=value`.
    pub(crate) fn fields(&self, set: &[String]) -> Result<Node, Failure> {
        let default = Node::object(&self.template.replace("{millis}", "0")).map_err(Failure::usage)?;
        self.with_fields(Node::Object(Vec::new()), &default, set)
    }

    /// Sets fields. A field that is a number by default is written as a number.
    fn with_fields(&self, mut content: Node, default: &Node, set: &[String]) -> Result<Node, Failure> {
        for given in set {
            let (path, text) =
                given.split_once('=').ok_or_else(|| Failure::usage(format!("--set {given}: expected PATH=VALUE")))?;
            let field = field_at(self.description.fields, path).ok_or_else(|| self.unknown(path))?;
            let default = default.get(path);
            let is_number = default.is_some_and(|json| json.starts_with(|c: char| c == '-' || c.is_ascii_digit()));
            let value = if is_number { number(text) } else { value(Some(field), text) };
            let set = value.and_then(|value| content.set(path, value));
            set.map_err(|error| self.wrong_type(format!("--set {path}: {error}")))?;
        }
        let read = AnyNotification::read(self.route, self.notify_type, content.to_string().as_bytes());
        match (read.raw(), problems(&read)) {
            (None, []) => Ok(content),
            (None, problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                Err(self.wrong_type(format!("--set: {}", problems.join(", "))))
            }
            // `content` has only some of the fields if it has no business ID. It is then not a complete notification,
            // so the types cannot be checked.
            (Some(_), _) if !content.has(self.id) => Ok(content),
            (Some(_), _) => Err(self.wrong_type("--set: a value has the wrong type for its field".to_owned())),
        }
    }

    /// Returns the business ID in the content of a notification.
    pub(crate) fn id(&self, content: &Node) -> String {
        content.text(self.id).unwrap_or_default()
    }

    fn unknown(&self, path: &str) -> Failure {
        let paths = self.paths();
        let hint = suggest::did_you_mean(path, paths.iter().map(String::as_str));
        let hint = hint.map(|hint| format!("{hint} ")).unwrap_or_default();
        Failure::usage(format!("{} has no field `{path}`: {hint}the fields are {}", self.name, paths.join(", ")))
    }

    /// Creates the error for a value that has the wrong type. Its message lists all fields with their types.
    fn wrong_type(&self, error: String) -> Failure {
        let typed = |path: &String| {
            let field = field_at(self.description.fields, path);
            format!("{path} ({})", field.map_or("text", |field| payload::type_of(field)))
        };
        let types: Vec<String> = self.paths().iter().map(typed).collect();
        Failure::usage(format!("{error}; the fields of {} and their types are {}", self.name, types.join(", ")))
    }

    fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        add_paths(self.description.fields, "", &mut paths);
        paths
    }
}

/// Returns the problems that were found in the fields of a notification.
fn problems(read: &AnyNotification) -> &[Problem] {
    fn of<T>(content: &Content<T>, problems: impl FnOnce(&T) -> &[Problem]) -> &[Problem] {
        content.typed().map(problems).unwrap_or_default()
    }
    match read {
        AnyNotification::Paytend(content) => of(content, |typed| typed.problems()),
        AnyNotification::PayBy(content) => of(content, |typed| &typed.problems),
        AnyNotification::PayerMax(content) => of(content, |typed| &typed.problems),
        _ => &[],
    }
}

/// Adds to `paths` the path of each field, such as `data.amount.value`.
pub(crate) fn add_paths(fields: &[paytend_model::Field], prefix: &str, paths: &mut Vec<String>) {
    for field in fields {
        let path = format!("{prefix}{}", field.name);
        if field.fields.is_empty() {
            paths.push(path);
        } else {
            add_paths(field.fields, &format!("{path}."), paths);
        }
    }
}

/// Returns a unique number, which prevents a receiver from treating a new notification as a duplicate.
fn new_number() -> Result<u64, Failure> {
    use paytend_crypto::RandomSource as _;
    let mut bytes = [0; 8];
    paytend_crypto::OsRandom.fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes) % 1_000_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_valid_default_content() {
        for kind in ALL {
            let content = kind.content(&[]).unwrap();
            let read = AnyNotification::read(kind.route, kind.notify_type, content.to_string().as_bytes());
            let (product, name) = kind.name.split_once('.').unwrap();
            assert_eq!((read.raw().is_none(), read.kind(kind.route).as_str()), (true, name), "{content}");
            assert!(kind.route.as_str().ends_with(product), "{product}");
            assert!(kind.id(&content).len() > 10, "{content}");
            assert!(!format!("{read:?}").contains("problems: [At"), "{read:?}");
            // Each call returns different content, so that receivers do not treat the second notification as a
            // duplicate.
            assert_ne!(content.to_string(), kind.content(&[]).unwrap().to_string());
        }
        let documented = paytend_model::Notification::kinds().count() + 2;
        assert_eq!(ALL.len(), documented);
    }

    #[test]
    fn fields_are_set_and_unknown_fields_are_refused() {
        let deposit = EventKind::find("fund-deposit").unwrap();
        let set = |set: &[&str]| deposit.content(&set.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
        let content = set(&["amount=12.340", "reference=a=b", "fee=0"]).unwrap();
        assert_eq!((content.get("amount"), content.text("reference")), (Some("12.340".into()), Some("a=b".into())));
        for (given, part) in [
            ("amuont=1", "did you mean `amount`? the fields are transactionId, orderNo"),
            ("nothing=1", "the fields are transactionId, orderNo"),
            ("amount=much", "a number was expected; the fields of baas.fund-deposit and their types are transactionId"),
            ("amount=much", "amount (decimal number)"),
            ("amount", "PATH=VALUE"),
        ] {
            let error = set(&[given]).unwrap_err();
            assert!(error.message().contains(part), "{given}: {}", error.message());
        }
        // These fields contain numbers as JSON strings, which are checked too.
        for (name, given) in [
            ("issuing.card-transaction", "amount=much"),
            ("payby.transfer-to-bank", "transferToBankOrder.amount.amount=much"),
            ("payermax.balance-change", "data.amount.value=much"),
        ] {
            let kind = EventKind::find(name).unwrap();
            let error = kind.content(&[given.to_owned()]).unwrap_err();
            assert!(error.message().contains("(decimal number)"), "{name}: {}", error.message());
        }
        let error = EventKind::find("baas.fund-deposits").err().unwrap();
        assert!(error.message().contains("did you mean `baas.fund-deposit`?"), "{}", error.message());
        let error = EventKind::find("transfer").err().unwrap();
        assert!(ALL.iter().all(|kind| error.message().contains(kind.name)), "{}", error.message());
        let change = EventKind::find("payermax.balance-change").unwrap();
        let content = change.content(&["data.amount.value=1.10".to_owned()]).unwrap();
        assert_eq!(content.get("data.amount.value").as_deref(), Some("\"1.10\""));
    }
}
