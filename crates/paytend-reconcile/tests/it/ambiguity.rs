//! Tests of matching by amount, currency, card and time.

use paytend_model::Decimal;
use paytend_reconcile::{
    Entry, EntryTime, Kind, List, Notifications, Orders, Outcome, Provider, Report, Rules, Status, reconcile,
};

use crate::life::DAY;

/// Returns a topup of 25.00 EUR.
fn topup(list: List, reference: &str, card: Option<&str>, hour: i64) -> Entry {
    let mut entry = Entry::new(list, reference);
    (entry.kind, entry.status) = (Some(Kind::Topup), Some(Status::Succeeded));
    (entry.amount, entry.currency) = (Some(Decimal::new(2500, 2)), Some("EUR".into()));
    entry.card = card.map(Into::into);
    entry.time = Some(EntryTime::Millis(DAY + hour * 3_600_000));
    if list == List::Orders {
        entry.order_no = Some(reference.into());
    }
    entry
}

fn compared<T>(provider: &[Entry], orders: &[Entry], then: impl FnOnce(&Report<'_>) -> T) -> T {
    let (mut lists, mut own) = (Provider::new().with_list(List::PartnerTransactions), Orders::new());
    for entry in provider {
        lists.push(entry.clone()).unwrap();
    }
    for entry in orders {
        own.push_entry(entry.clone());
    }
    then(&reconcile(&lists, &Notifications::not_given(), &own, &Rules::default()))
}

/// Returns the references and the outcome of each transaction.
fn outcomes(provider: &[Entry], orders: &[Entry]) -> Vec<(String, Outcome)> {
    compared(provider, orders, |report| {
        let item = |item: &paytend_reconcile::Item<'_>| {
            let names: Vec<&str> = item.rows.iter().map(|row| row.reference.as_str()).collect();
            (names.join(" "), item.outcome)
        };
        let mut outcomes: Vec<_> = report.items.iter().map(item).collect();
        outcomes.sort();
        outcomes
    })
}

const P: List = List::PartnerTransactions;
const O: List = List::Orders;

#[test]
fn single_candidate_is_matched() {
    let own = [topup(O, "T1", Some("c1"), 10)];
    let named = |outcome| vec![("P1 T1".to_owned(), outcome)];
    assert_eq!(outcomes(&[topup(P, "P1", None, 11)], &own), named(Outcome::Matched));
    assert_eq!(outcomes(&[topup(P, "P1", Some("c1"), 34)], &own), named(Outcome::Matched), "in the window");
    compared(&[topup(P, "P1", None, 11)], &own, |report| {
        assert_eq!(report.items[0].matched_by, [paytend_reconcile::MatchReason::AmountAndTime]);
    });
}

#[test]
fn transactions_that_differ_are_not_matched() {
    let own = [topup(O, "T1", Some("c1"), 10)];
    let other = |change: fn(&mut Entry)| {
        let mut entry = topup(P, "P1", Some("c1"), 10);
        change(&mut entry);
        outcomes(&[entry], &own)
    };
    let apart = vec![("P1".to_owned(), Outcome::OnlyProvider), ("T1".to_owned(), Outcome::OnlyHere)];
    assert_eq!(other(|entry| entry.amount = Some(Decimal::new(2501, 2))), apart);
    assert_eq!(other(|entry| entry.currency = Some("USD".into())), apart);
    assert_eq!(other(|entry| entry.card = Some("c2".into())), apart);
    assert_eq!(other(|entry| entry.time = Some(EntryTime::Millis(DAY + 35 * 3_600_000))), apart);
    assert_eq!(other(|entry| entry.time = None), apart, "a time is required");
    assert_eq!(other(|entry| entry.order_no = Some("T2".into())), apart, "the order numbers differ");
    assert_eq!(other(|entry| entry.kind = Some(Kind::TransferOut))[1].1, Outcome::OnlyHere);
    // 25 and 25.00 are equal amounts.
    let matched = vec![("P1 T1".to_owned(), Outcome::Matched)];
    assert_eq!(other(|entry| entry.amount = Some(Decimal::new(25, 0))), matched);
}

#[test]
fn ambiguous_transactions_are_reported_and_not_matched() {
    let unresolved = |names: &[&str]| -> Vec<(String, Outcome)> {
        names.iter().map(|name| ((*name).to_owned(), Outcome::Unresolved)).collect()
    };
    let (p1, p2) = (topup(P, "P1", None, 10), topup(P, "P2", None, 11));
    let (t1, t2) = (topup(O, "T1", Some("c1"), 10), topup(O, "T2", Some("c2"), 11));
    assert_eq!(outcomes(std::slice::from_ref(&p1), &[t1.clone(), t2.clone()]), unresolved(&["P1", "T1", "T2"]));
    assert_eq!(outcomes(&[p1.clone(), p2.clone()], std::slice::from_ref(&t1)), unresolved(&["P1", "P2", "T1"]));
    assert_eq!(outcomes(&[p1.clone(), p2.clone()], &[t1.clone(), t2.clone()]), unresolved(&["P1", "P2", "T1", "T2"]));
    // With card IDs in all rows, each transaction has only one candidate.
    let with_card = |mut entry: Entry, card: &str| {
        entry.card = Some(card.into());
        entry
    };
    let matched = vec![("P1 T1".to_owned(), Outcome::Matched), ("P2 T2".to_owned(), Outcome::Matched)];
    assert_eq!(outcomes(&[with_card(p1.clone(), "c1"), with_card(p2, "c2")], &[t1.clone(), t2.clone()]), matched);
    compared(&[p1], &[t1, t2], |report| {
        let candidates = |name: &str| {
            let item = report.items.iter().find(|item| item.rows[0].reference == name).unwrap();
            assert_eq!(item.reasons, [paytend_reconcile::OpenReason::Ambiguous]);
            item.candidates.clone().unwrap()
        };
        assert_eq!((candidates("P1").count, candidates("P1").first), (2, vec![(O, "T1"), (O, "T2")]));
        assert_eq!(candidates("T2").first, [(P, "P1")]);
    });
}

#[test]
fn orders_that_were_not_executed_are_not_candidates() {
    let mut rejected = topup(O, "T1", None, 10);
    rejected.status = Some(Status::Failed);
    let executed = topup(O, "T2", None, 10);
    let expected = vec![("P1 T2".to_owned(), Outcome::Matched), ("T1".to_owned(), Outcome::Matched)];
    assert_eq!(outcomes(&[topup(P, "P1", None, 10)], &[rejected, executed]), expected);
}

#[test]
fn only_ten_of_many_candidates_are_listed() {
    let provider: Vec<Entry> = (0..3_000).map(|n| topup(P, &format!("P{n:05}"), None, n % 20)).collect();
    let orders: Vec<Entry> = (0..3_000).map(|n| topup(O, &format!("T{n:05}"), Some("c1"), n % 20)).collect();
    compared(&provider, &orders, |report| {
        assert_eq!((report.count(Outcome::Unresolved), report.items.len()), (6_000, 6_000));
        let candidates = report.items[0].candidates.as_ref().unwrap();
        assert_eq!((candidates.count, candidates.first.len()), (3_000, 10));
    });
}
