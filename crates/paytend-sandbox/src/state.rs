//! What the sandbox remembers of one partner, and what its operations do to it. No I/O, no keys.

use std::collections::{BTreeMap, HashSet};

use paytend_model::funding::SetCallbackUrl;
use paytend_model::iban::VerifyMobileNumber;
use paytend_model::issuing::{
    Balance, CardBalanceResponse, CreateCardholder, HolderResponse, PartnerBalanceResponse, QueryCardBalance,
    QueryPartnerBalance, QueryTopupResult, Topup, TopupResponse, TopupResultResponse,
};
use paytend_model::{Amount, CardId, Currency, NoData, Operation, OperationInfo, OrderNo, Personal};

use crate::Failure;

/// State of a topup that was booked. The sandbox's own: the provider's codes are not public.
const BOOKED: &str = "2";
/// State of a cardholder that passed the audit. The sandbox's own.
const AUDITED: &str = "2";

/// Everything of one partner.
pub(crate) struct State {
    balance: Amount,
    currency: Currency,
    cards: BTreeMap<CardId, Amount>,
    topups: BTreeMap<OrderNo, Topup>,
    holders: Vec<CreateCardholder>,
    callback_url: Option<Personal>,
    requests: HashSet<String>,
    deposits: u64,
}

impl State {
    pub(crate) fn new(balance: Amount, currency: &str, card_id: &str, zero: Amount) -> Self {
        Self {
            balance,
            currency: currency.into(),
            cards: BTreeMap::from([(card_id.into(), zero)]),
            topups: BTreeMap::new(),
            holders: Vec::new(),
            callback_url: None,
            requests: HashSet::new(),
            deposits: 0,
        }
    }

    pub(crate) fn callback_url(&self) -> Option<&str> {
        self.callback_url.as_ref().map(Personal::as_str)
    }

    /// How many deposits there have been, this one included.
    pub(crate) fn next_deposit(&mut self) -> u64 {
        self.deposits += 1;
        self.deposits
    }

    /// Carries out a request: the response's data as JSON text, empty where there is none.
    pub(crate) fn perform(
        &mut self,
        operation: &OperationInfo,
        request_id: &str,
        data: &str,
    ) -> Result<String, Failure> {
        if !self.requests.insert(request_id.to_owned()) {
            return Err(Failure::DuplicateRequest);
        }
        match operation.path {
            path if path == QueryPartnerBalance::INFO.path => run(data, |q| self.partner_balance(&q)),
            path if path == CreateCardholder::INFO.path => run(data, |c| self.create_cardholder(c)),
            path if path == QueryCardBalance::INFO.path => run(data, |q| self.card_balance(&q)),
            path if path == Topup::INFO.path => run(data, |t| self.topup(t)),
            path if path == QueryTopupResult::INFO.path => run(data, |q| self.topup_result(&q)),
            path if path == VerifyMobileNumber::INFO.path => run(data, |v| verify_mobile_number(&v)),
            path if path == SetCallbackUrl::INFO.path => run(data, |s| self.set_callback_url(s)),
            _ => Err(Failure::NotServed),
        }
    }

    fn partner_balance(&self, _: &QueryPartnerBalance) -> Result<PartnerBalanceResponse, Failure> {
        let mut response = PartnerBalanceResponse::new();
        response.balance = Some(vec![Balance::new(self.currency.clone(), self.balance.clone())]);
        Ok(response)
    }

    fn create_cardholder(&mut self, holder: CreateCardholder) -> Result<HolderResponse, Failure> {
        self.holders.push(holder);
        let mut response = HolderResponse::new();
        response.holder_id = Some(format!("H{:06}", self.holders.len()).into());
        response.status = Some(AUDITED.into());
        Ok(response)
    }

    fn card_balance(&self, query: &QueryCardBalance) -> Result<CardBalanceResponse, Failure> {
        let balance = self.cards.get(&query.card_id).ok_or(Failure::UnknownCard)?;
        let mut response = CardBalanceResponse::new();
        response.card_id = Some(query.card_id.clone());
        response.balance = Some(balance.clone());
        response.currency = Some(self.currency.clone());
        Ok(response)
    }

    /// Moves money once for each `orderNo`: either all of it happens or nothing.
    fn topup(&mut self, topup: Topup) -> Result<TopupResponse, Failure> {
        if self.topups.contains_key(&topup.order_no) {
            return Err(Failure::DuplicateOrder);
        }
        let card = self.cards.get_mut(&topup.card_id).ok_or(Failure::UnknownCard)?;
        if topup.currency != self.currency {
            return Err(Failure::WrongCurrency);
        }
        if !topup.amount.is_positive() || topup.amount.value().normalize().scale() > 2 {
            return Err(Failure::BadAmount);
        }
        let left = self.balance.checked_sub(&topup.amount).map_err(|_| Failure::BadAmount)?;
        let loaded = card.checked_add(&topup.amount).map_err(|_| Failure::BadAmount)?;
        if topup.amount > self.balance {
            return Err(Failure::InsufficientFunds);
        }
        self.balance = left;
        *card = loaded;
        let mut response = TopupResponse::new();
        response.order_no = Some(topup.order_no.clone());
        response.status = Some(BOOKED.into());
        self.topups.insert(topup.order_no.clone(), topup);
        Ok(response)
    }

    fn topup_result(&self, query: &QueryTopupResult) -> Result<TopupResultResponse, Failure> {
        let topup = self.topups.get(&query.order_no).ok_or(Failure::UnknownOrder)?;
        let mut response = TopupResultResponse::new();
        response.order_no = Some(topup.order_no.clone());
        response.card_id = Some(topup.card_id.clone());
        response.amount = Some(topup.amount.clone());
        response.currency = Some(topup.currency.clone());
        response.status = Some(BOOKED.into());
        Ok(response)
    }

    fn set_callback_url(&mut self, request: SetCallbackUrl) -> Result<NoData, Failure> {
        let uri: http::Uri = request.url.as_str().parse().map_err(|_| Failure::BadUrl)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err(Failure::BadUrl);
        }
        self.callback_url = Some(request.url);
        Ok(NoData::default())
    }
}

fn verify_mobile_number(request: &VerifyMobileNumber) -> Result<NoData, Failure> {
    let mobile = request.mobile.as_str();
    let digits = mobile.len() >= 8 && mobile.bytes().all(|byte| byte.is_ascii_digit());
    if digits { Ok(NoData::default()) } else { Err(Failure::BadData) }
}

/// Reads the request's data, carries it out, writes the response's.
fn run<O: Operation>(data: &str, perform: impl FnOnce(O) -> Result<O::Response, Failure>) -> Result<String, Failure> {
    // An operation without business data may send none, or an empty object.
    let data = if data.is_empty() { "{}" } else { data };
    let request: O = serde_json::from_str(data).map_err(|_| Failure::BadData)?;
    let response = perform(request)?;
    let text = serde_json::to_string(&response).map_err(|_| Failure::BadData)?;
    Ok(if text == "{}" { String::new() } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State::new("100.00".parse().unwrap(), "EUR", "1", "0.00".parse().unwrap())
    }

    fn perform<O: Operation>(state: &mut State, request: &O) -> Result<O::Response, Failure> {
        let id = state.requests.len().to_string();
        let text = state.perform(&O::INFO, &id, &serde_json::to_string(request).unwrap())?;
        Ok(serde_json::from_str(if text.is_empty() { "{}" } else { &text }).unwrap())
    }

    fn topup(state: &mut State, order_no: &str, amount: &str) -> Result<TopupResponse, Failure> {
        perform(state, &Topup::new("1".into(), order_no.into(), amount.parse().unwrap(), "EUR".into()))
    }

    fn balances(state: &mut State) -> (String, String) {
        let partner = perform(state, &QueryPartnerBalance::new()).unwrap().balance.unwrap();
        let card = perform(state, &QueryCardBalance::new("1".into())).unwrap().balance.unwrap();
        (partner[0].available.to_string(), card.to_string())
    }

    /// The others say so, signed, with a code of their own.
    #[test]
    fn these_operations_are_performed() {
        let served = paytend_model::operations().iter().map(|entry| entry.info).filter(|info| {
            let answer = state().perform(info, "1", "{}");
            assert_ne!(answer, Err(Failure::UnknownPath), "{}", info.name);
            answer != Err(Failure::NotServed)
        });
        assert_eq!(
            served.map(|info| info.name).collect::<Vec<_>>(),
            [
                "getPartnerBalance",
                "createCardholder",
                "getCardBalance",
                "topup",
                "getTopupResult",
                "verifyMobileNumber",
                "setCallbackUrl",
            ]
        );
    }

    #[test]
    fn a_topup_moves_money_once() {
        let mut state = state();
        topup(&mut state, "T-1", "25.50").unwrap();
        assert_eq!(balances(&mut state), ("74.50".into(), "25.50".into()));
        assert_eq!(topup(&mut state, "T-1", "25.50").unwrap_err(), Failure::DuplicateOrder);
        assert_eq!(topup(&mut state, "T-2", "74.51").unwrap_err(), Failure::InsufficientFunds);
        for amount in ["0", "0.00", "-1", "1.001"] {
            assert_eq!(topup(&mut state, "T-3", amount).unwrap_err(), Failure::BadAmount, "{amount}");
        }
        let other = Topup::new("1".into(), "T-4".into(), "1".parse().unwrap(), "USD".into());
        assert_eq!(perform(&mut state, &other).unwrap_err(), Failure::WrongCurrency);
        let lost = Topup::new("9".into(), "T-5".into(), "1".parse().unwrap(), "EUR".into());
        assert_eq!(perform(&mut state, &lost).unwrap_err(), Failure::UnknownCard);
        assert_eq!(balances(&mut state), ("74.50".into(), "25.50".into()));
        topup(&mut state, "T-6", "74.50").unwrap();
        assert_eq!(balances(&mut state), ("0.00".into(), "100.00".into()));

        let result = perform(&mut state, &QueryTopupResult::new("T-1".into())).unwrap();
        assert_eq!((result.amount.unwrap().to_string().as_str(), result.status.as_deref()), ("25.50", Some(BOOKED)));
        assert_eq!(perform(&mut state, &QueryTopupResult::new("T-2".into())).unwrap_err(), Failure::UnknownOrder);
    }

    #[test]
    fn a_request_id_is_used_once() {
        let mut state = state();
        assert!(state.perform(&QueryPartnerBalance::INFO, "id", "").is_ok());
        assert_eq!(state.perform(&QueryPartnerBalance::INFO, "id", ""), Err(Failure::DuplicateRequest));
    }

    #[test]
    fn data_and_urls_are_checked() {
        let mut state = state();
        assert_eq!(state.perform(&Topup::INFO, "id", r#"{"cardId":"1"}"#), Err(Failure::BadData));
        for (url, good) in [
            ("https://a.example/hook?x=1", true),
            ("http://127.0.0.1:1/", true),
            ("ftp://a.example", false),
            ("hook", false),
        ] {
            let answer = perform(&mut state, &SetCallbackUrl::new("1".into(), url.into()));
            assert_eq!(answer.is_ok(), good, "{url}");
        }
        assert_eq!(state.callback_url(), Some("http://127.0.0.1:1/"));
        assert!(perform(&mut state, &VerifyMobileNumber::new("8613261402222".into(), "1".into())).is_ok());
        assert_eq!(
            perform(&mut state, &VerifyMobileNumber::new("+86".into(), "1".into())).unwrap_err(),
            Failure::BadData
        );
    }

    #[test]
    fn codes_are_unique_and_stable() {
        let codes: HashSet<_> = Failure::ALL.iter().map(|failure| failure.code()).collect();
        assert_eq!(codes.len(), Failure::ALL.len());
        assert_eq!((Failure::Malformed.code(), Failure::BadUrl.code()), ("S001", "S107"));
    }
}
