//! Tests of the balance check: opening balance + movements = closing balance.

use paytend_reconcile::{
    Account, Balance, BalanceState, Entry, Kind, List, Notifications, Orders, Provider, Rules, Status, reconcile,
};

fn balance(account: &Account, amount: &str) -> Balance {
    Balance { account: account.clone(), currency: "EUR".into(), amount: amount.parse().unwrap() }
}

fn row(list: List, trade: &str, kind: Kind, status: Status, amount: &str) -> Entry {
    let mut entry = Entry::new(list, trade);
    (entry.kind, entry.status) = (Some(kind), Some(status));
    (entry.trade_no, entry.card) = (Some(trade.into()), Some("c1".into()));
    (entry.amount, entry.currency) = (Some(amount.parse().unwrap()), Some("EUR".into()));
    entry
}

/// Returns the state, the sum of the movements and the difference of each account.
fn checks(rows: &[Entry], balances: &[(Account, &str, &str)]) -> Vec<(BalanceState, String, Option<String>)> {
    let mut provider = Provider::new()
        .opening(balances.iter().map(|(account, opening, _)| balance(account, opening)))
        .closing(balances.iter().map(|(account, _, closing)| balance(account, closing)));
    for row in rows {
        provider.push(row.clone()).unwrap();
    }
    let (notifications, orders) = (Notifications::not_given(), Orders::not_given());
    let report = reconcile(&provider, &notifications, &orders, &Rules::default());
    let check = |check: &paytend_reconcile::BalanceCheck| {
        (check.state, check.movements.to_string(), check.difference.as_ref().map(ToString::to_string))
    };
    report.balances.iter().map(check).collect()
}

#[test]
fn balance_closes_if_movements_add_up_to_the_closing_balance() {
    use Status::{Failed, Processing, Returned, Succeeded};
    let (funds, card) = (Account::Funds, Account::Card("c1".into()));
    let rows = [
        row(List::PartnerTransactions, "P1", Kind::Topup, Succeeded, "25.00"),
        row(List::PartnerTransactions, "P2", Kind::Topup, Failed, "99.00"),
        // This topup has reduced the funds, but is not yet on the card.
        row(List::PartnerTransactions, "P3", Kind::Topup, Processing, "1.00"),
        row(List::CardTransactions, "C1", Kind::Payment, Succeeded, "5.50"),
        row(List::CardTransactions, "C2", Kind::Payment, Returned, "0.50"),
        row(List::CardTransactions, "C3", Kind::Fee, Succeeded, "1.00"),
        row(List::CardTransactions, "C4", Kind::PreAuthorization, Succeeded, "7.00"),
        row(List::Authorizations, "C4", Kind::PreAuthorization, Succeeded, "7.00"),
    ];
    let closes = |movements: &str| (BalanceState::Closes, movements.to_owned(), Some("0.00".to_owned()));
    let given = [(funds.clone(), "100.00", "74.00"), (card.clone(), "0.00", "19.00")];
    assert_eq!(checks(&rows, &given), [closes("-26.00"), closes("19.00")]);
    let differs = checks(&rows, &[(funds, "100.00", "74.01"), (card, "0.00", "19.00")]);
    assert_eq!(differs[0], (BalanceState::Differs, "-26.00".to_owned(), Some("0.01".to_owned())));
}

#[test]
fn topup_counts_as_one_movement_of_the_funds_and_one_of_the_card() {
    let mut order = row(List::PartnerTransactions, "P1", Kind::Topup, Status::Succeeded, "25.00");
    order.order_no = Some("T1".into());
    let mut result = row(List::Topups, "T1", Kind::Topup, Status::Succeeded, "25.00");
    (result.order_no, result.trade_no) = (Some("T1".into()), None);
    let given = [(Account::Funds, "100.00", "75.00"), (Account::Card("c1".into()), "0", "25.00")];
    let closes = |rows: &[Entry]| {
        let states: Vec<BalanceState> = checks(rows, &given).into_iter().map(|check| check.0).collect();
        assert_eq!(states, [BalanceState::Closes; 2]);
    };
    closes(&[order.clone()]);
    closes(&[order.clone(), result]);
    // Two rows with the same number are one movement.
    closes(&[order.clone(), order]);
}

#[test]
fn ambiguous_topups_in_a_card_list_are_counted_once() {
    let mut rows = Vec::new();
    for index in 0..2 {
        let mut topup = row(List::PartnerTransactions, &format!("P{index}"), Kind::Topup, Status::Succeeded, "5.00");
        topup.order_no = Some(format!("T{index}"));
        rows.push(topup);
        rows.push(row(List::CardTransactions, &format!("L{index}"), Kind::Topup, Status::Succeeded, "5.00"));
    }
    let given = [(Account::Funds, "100.00", "90.00"), (Account::Card("c1".into()), "0", "10.00")];
    let states: Vec<BalanceState> = checks(&rows, &given).into_iter().map(|check| check.0).collect();
    assert_eq!(states, [BalanceState::Closes; 2]);
}

#[test]
fn unknown_movements_and_missing_balances_are_reported() {
    let unknown = row(List::CardTransactions, "C1", Kind::SettlementAdjustment, Status::Succeeded, "5.00");
    let card = Account::Card("c1".into());
    let state = |rows: &[Entry], given: &[(Account, &str, &str)]| checks(rows, given).remove(0).0;
    assert_eq!(state(&[unknown], &[(card.clone(), "5", "5")]), BalanceState::UnknownMovements);
    let provider = Provider::new().closing([balance(&card, "5")]);
    let (notifications, orders) = (Notifications::not_given(), Orders::not_given());
    let report = reconcile(&provider, &notifications, &orders, &Rules::default());
    assert_eq!((report.balances[0].state, report.open()), (BalanceState::NotChecked, 0));
    let twice = Provider::new().closing([balance(&card, "5"), balance(&card, "6")]);
    let report = reconcile(&twice, &notifications, &orders, &Rules::default());
    assert_eq!(report.problems, ["the closing balance of card c1 in EUR is given twice, with different amounts"]);
    assert_eq!(report.open(), 1);
}
