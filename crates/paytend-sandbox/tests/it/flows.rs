//! Tests for the documented flows that consist of several calls.

use std::time::Duration;

use paytend_client::{Client, Outcome};
use paytend_model::funding::SetCallbackUrl;
use paytend_model::iban::{
    CorporationQuestionnaire, CreateCorporation, CreateIndividual, IndividualQuestionnaire, QueryAccounts, QueryUser,
    SubmitTransferOrder, UploadDocument, UploadTransferOrderFile,
};
use paytend_model::issuing::{
    ActiveCard, Address, ApplyCard, CancelReportLoss, CreateCardholder, QueryApplyResult, QueryAuthorizations,
    QueryCardBalance, QueryCardInfo, QueryCardOverdueMonthlyFee, QueryCardTransactions, QueryCardholder, QueryCities,
    QueryPartnerTransactions, QueryTopupResult, ReplaceCard, ReportLoss, RetrievePassword, Topup,
};
use paytend_model::{Operation, Product, UserId};
use paytend_sandbox::{CardState, Deposit, Failure, Pace, Sandbox, Timing, TopupState};

use crate::client;
use crate::hook::{PAYTEND, hook};

/// 2026-11-21, 12:00 UTC.
const NOON: u64 = 1_795_262_400_000;

async fn slow() -> (Sandbox, Client) {
    let builder = Sandbox::builder().timing(Timing::realistic()).pace(Pace::Frozen).at(NOON);
    let sandbox = builder.start().await.unwrap();
    let client = client(&sandbox);
    (sandbox, client)
}

async fn refused<O: Operation>(client: &Client, operation: &O, failure: Failure) {
    let error = client.send(operation).await.unwrap_err();
    assert_eq!((error.outcome(), error.api_code()), (Outcome::Rejected, Some(failure.code())), "{error}");
    assert!(error.is_authenticated());
}

fn address() -> Address {
    Address::builder()
        .address_line("R2VkaW1pbm8gcHIuIDE=")
        .city_code("VNO")
        .postcode("01103")
        .country_code("LT")
        .build()
}

fn holder() -> CreateCardholder {
    CreateCardholder::builder()
        .mobile("37060000000")
        .first_name("T25h")
        .last_name("S2F6bGF1c2tpZW7Elw==")
        .id_no("12345678")
        .id_type("2")
        .email("ona@example.com")
        .birthday("1990-02-28")
        .gender("1")
        .nationality_code("LT")
        .eea_address(address())
        .build()
}

fn application(order: &str, kind: &str, quantity: u64) -> ApplyCard {
    ApplyCard::builder()
        .order_no(order)
        .card_scheme("3")
        .card_type(kind)
        .sku("SKU001")
        .quantity(quantity)
        .contact_name("Ona Kazlauskiene")
        .contact_mobile("37060000000")
        .delivery_address(address())
        .build()
}

fn topup(order: &str, card: &str, amount: &str) -> Topup {
    Topup::builder().card_id(card).order_no(order).amount(amount.parse().unwrap()).currency("EUR").build()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn account_for_a_person_is_opened_after_the_audit() {
    let (sandbox, client) = slow().await;
    let (url, came) = hook(&[], PAYTEND).await;
    client.send(&SetCallbackUrl::builder().type_("1").url(url).build()).await.unwrap();
    let mut person = CreateIndividual::new("37060000000");
    person.nationality_code = Some("BR".into());
    person.address = Some(address());
    let user = client.send(&person).await.unwrap().user_id.unwrap();
    refused(&client, &person, Failure::DuplicateUser).await;
    let questionnaire = IndividualQuestionnaire::new(user.clone());
    refused(&client, &questionnaire, Failure::MissingDocuments).await;
    let upload = |kind: &str| UploadDocument::file(user.clone(), kind.into(), b"a picture".to_vec().into());
    client.send(&upload("2")).await.unwrap();
    // A Brazilian living in Vilnius needs a passport, a photo, and a residence permit or an address certificate.
    let error = client.send(&questionnaire).await.unwrap_err();
    let missing = error.api_message().unwrap();
    assert!(missing.contains("face photo, EEA residence permit or EEA address certificate"), "{missing}");
    client.send(&upload("3")).await.unwrap();
    client.send(&upload("5")).await.unwrap();
    refused(&client, &CorporationQuestionnaire::new(user.clone()), Failure::WrongState).await;
    client.send(&questionnaire).await.unwrap();
    refused(&client, &questionnaire, Failure::WrongState).await;
    assert!(client.send(&QueryAccounts::new(user.clone())).await.unwrap().accounts.unwrap().is_empty());
    sandbox.advance(seconds(10)).await;
    let accounts = client.send(&QueryAccounts::new(user.clone())).await.unwrap().accounts.unwrap();
    let iban = accounts[0].account_num.clone().unwrap();
    assert!(iban.as_str().starts_with("LT") && iban.as_str().len() == 20);
    let found = client.send(&QueryUser::by_mobile("37060000000".into())).await.unwrap();
    assert_eq!((found.user_id, found.user_status), (Some(user.clone()), Some("3".into())));
    // The status change is reported first, and then the account.
    let told: Vec<_> = sandbox.deliveries().iter().map(|one| one.notification().to_owned()).collect();
    assert_eq!(told, ["baas 3", "baas 1"]);
    assert_eq!(came.lock().unwrap().len(), 2);
    // A large deposit is booked and triggers a transfer order.
    sandbox.deposit(&Deposit::new("12500.50".parse().unwrap(), "EUR")).await.unwrap();
    let accounts = client.send(&QueryAccounts::new(user)).await.unwrap().accounts.unwrap();
    assert_eq!(accounts[0].balance.as_ref().unwrap().to_string(), "12500.50");
    let asked = sandbox.deliveries().pop().unwrap();
    assert_eq!(asked.notification(), "baas 8");
    let order =
        serde_json::from_str::<serde_json::Value>(asked.content()).unwrap()["orderNo"].as_str().unwrap().to_owned();
    client.send(&SubmitTransferOrder::new(order.as_str())).await.unwrap();
    client
        .send(&UploadTransferOrderFile::builder().order_no(order.as_str()).file_content(b"invoice".to_vec()).build())
        .await
        .unwrap();
    refused(&client, &SubmitTransferOrder::new("O-none"), Failure::UnknownOrder).await;
    assert!(sandbox.conserves_money());
}

#[tokio::test]
async fn corporation_is_audited_again_after_a_rejection() {
    let (sandbox, client) = slow().await;
    let mut corporation = CreateCorporation::new("37060000001");
    corporation.country_code = Some("LT".into());
    let user = client.send(&corporation).await.unwrap().user_id.unwrap();
    // An identity verification provider's result replaces the documents.
    let mut pushed = UploadDocument::new(user.clone());
    pushed.extra.set("sumsubResult", r#"{"reviewAnswer":"GREEN"}"#).unwrap();
    client.send(&pushed).await.unwrap();
    client.send(&CorporationQuestionnaire::new(user.clone())).await.unwrap();
    let error =
        sandbox.notify(Product::Baas, "3", &format!(r#"{{"userId":"{}","auditStatus":"3"}}"#, user.as_str())).await;
    assert!(matches!(error, Err(paytend_sandbox::DeliverError::NoCallbackUrl)));
    let status = |client: &Client| {
        let (client, user) = (client.clone(), user.clone());
        async move { client.send(&QueryUser::by_id(user)).await.unwrap().user_status.unwrap() }
    };
    assert_eq!(status(&client).await, "4");
    // The audit that the questionnaire scheduled is due now. It has no effect, because the user was already rejected.
    sandbox.advance(seconds(60)).await;
    assert_eq!(status(&client).await, "4");
    // After another upload, another audit can take place.
    client.send(&pushed).await.unwrap();
    client.send(&CorporationQuestionnaire::new(user.clone())).await.unwrap();
    sandbox.advance(seconds(10)).await;
    assert_eq!(status(&client).await, "3");
    refused(&client, &QueryAccounts::new(UserId::from("U-none")), Failure::UnknownUser).await;
}

#[tokio::test]
async fn cards_are_ordered_then_shipped_then_activated() {
    let (sandbox, client) = slow().await;
    let holder_id = client.send(&holder()).await.unwrap().holder_id.unwrap();
    let mut virtual_card = application("A-1", "1", 1);
    refused(&client, &virtual_card, Failure::InvalidField).await;
    virtual_card.holder_id = Some(holder_id.clone());
    refused(&client, &virtual_card, Failure::WrongState).await;
    sandbox.advance(seconds(5)).await;
    assert_eq!(client.send(&QueryCardholder::by_id(holder_id.clone())).await.unwrap().status, Some("2".into()));
    client.send(&virtual_card).await.unwrap();
    refused(&client, &virtual_card, Failure::DuplicateOrder).await;
    refused(&client, &application("A-2", "2", 101), Failure::BadQuantity).await;
    client.send(&application("A-2", "2", 3)).await.unwrap();
    let mut unknown = application("A-3", "2", 1);
    unknown.sku = "SKU999".into();
    refused(&client, &unknown, Failure::UnknownSku).await;
    let result = client.send(&QueryApplyResult::new("A-1")).await.unwrap();
    assert_eq!((result.status, result.card_id), (Some("1".into()), None));
    sandbox.advance(seconds(10)).await;
    let card = client.send(&QueryApplyResult::new("A-1")).await.unwrap().card_id.unwrap();
    assert_eq!(sandbox.card(card.as_str()).unwrap().state(), CardState::Active);
    let plain = client.send(&QueryApplyResult::new("A-2")).await.unwrap().card_id.unwrap();
    assert_eq!(sandbox.card(plain.as_str()).unwrap().state(), CardState::Unactivated);
    refused(&client, &topup("T-1", plain.as_str(), "1.00"), Failure::WrongState).await;
    refused(&client, &ActiveCard::builder().card_id(plain.clone()).holder_id("H-none").build(), Failure::UnknownHolder)
        .await;
    client.send(&ActiveCard::builder().card_id(plain.clone()).holder_id(holder_id.clone()).build()).await.unwrap();
    refused(
        &client,
        &ActiveCard::builder().card_id(plain.clone()).holder_id(holder_id.clone()).build(),
        Failure::WrongState,
    )
    .await;
    let info = client.send(&QueryCardInfo::new(plain.clone())).await.unwrap();
    assert_eq!((info.holder_id, info.status), (Some(holder_id), Some("2".into())));
    client.send(&RetrievePassword::new(plain.clone())).await.unwrap();
    client.send(&ReportLoss::new(plain.clone())).await.unwrap();
    refused(&client, &ReportLoss::new(plain.clone()), Failure::WrongState).await;
    client.send(&CancelReportLoss::new(plain.clone())).await.unwrap();
    // There is one notification for the audit, one for the virtual card, and one for each of the three physical cards.
    let told: Vec<_> = sandbox.deliveries().iter().map(|one| one.notification().to_owned()).collect();
    assert_eq!(told, ["issuing 2", "issuing 3", "issuing 3", "issuing 3", "issuing 3"]);
    let cities =
        client.send(&QueryCities::builder().country_code("LT").start(1u64).max_result(2u64).build()).await.unwrap();
    assert_eq!((cities.total.unwrap().get(), cities.cities.unwrap().len()), (Some(5), 2));
    refused(
        &client,
        &QueryCities::builder().country_code("XX").start(0u64).max_result(2u64).build(),
        Failure::UnknownCountry,
    )
    .await;
}

#[tokio::test]
async fn topup_is_booked_later_and_can_be_queried() {
    let (sandbox, client) = slow().await;
    let card = sandbox.card_id();
    let taken = client.send(&topup("T-1", card, "25.50")).await.unwrap();
    assert_eq!(taken.status, Some("1".into()));
    // The money has left the partner's funds but has not arrived on the card.
    assert_eq!(
        (sandbox.funds("EUR").to_string(), sandbox.topup("T-1")),
        ("9974.50".into(), Some(TopupState::Processing))
    );
    assert_eq!(client.send(&QueryCardBalance::new(card)).await.unwrap().balance.unwrap().to_string(), "0.00");
    sandbox.advance(Duration::from_millis(1999)).await;
    assert_eq!(client.send(&QueryTopupResult::new("T-1")).await.unwrap().status, Some("1".into()));
    sandbox.advance(Duration::from_millis(1)).await;
    assert_eq!(client.send(&QueryTopupResult::new("T-1")).await.unwrap().status, Some("2".into()));
    assert_eq!(sandbox.card(card).unwrap().balance().to_string(), "25.50");
    refused(&client, &topup("T-1", card, "25.50"), Failure::DuplicateOrder).await;
    refused(&client, &topup("T-2", card, "99999.00"), Failure::InsufficientFunds).await;
    refused(&client, &QueryTopupResult::new("T-2"), Failure::UnknownOrder).await;
    let mut other = topup("T-3", card, "1.00");
    other.currency = "USD".into();
    refused(&client, &other, Failure::WrongCurrency).await;
    // Transactions are filtered by date and paginated.
    let query = |begin: &str, end: &str, start: u64| {
        let mut query = QueryPartnerTransactions::builder().begin_date(begin).end_date(end).build();
        (query.transaction_status, query.start) = (Some("2".into()), Some(start.into()));
        query
    };
    let found = client.send(&query("2026-11-21", "2026-11-21", 0)).await.unwrap();
    assert_eq!(found.trades()[0].amount.as_ref().unwrap().to_string(), "25.50");
    assert_eq!(client.send(&query("2026-11-21", "2026-11-21", 1)).await.unwrap().trades().len(), 0);
    assert_eq!(client.send(&query("2026-11-22", "2026-11-23", 0)).await.unwrap().total.unwrap().get(), Some(0));
}

/// The clock runs at one day per second, so the topup is booked although the test never advances the clock.
#[tokio::test]
async fn accelerated_clock_runs_due_tasks() {
    let builder = Sandbox::builder().timing(Timing::realistic()).pace(Pace::Accelerated(86_400));
    let sandbox = builder.start().await.unwrap();
    client(&sandbox).send(&topup("T-1", sandbox.card_id(), "1.00")).await.unwrap();
    let booked = async {
        while sandbox.topup("T-1") != Some(TopupState::Succeeded) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(seconds(10), booked).await.expect("the topup was not booked within ten seconds");
}

#[tokio::test]
async fn topup_fails_and_its_money_is_returned_if_the_card_was_replaced() {
    let (sandbox, client) = slow().await;
    client.send(&application("A-1", "2", 1)).await.unwrap();
    sandbox.advance(seconds(10)).await;
    let new = client.send(&QueryApplyResult::new("A-1")).await.unwrap().card_id.unwrap();
    let old = sandbox.card_id();
    client.send(&topup("T-1", old, "100.00")).await.unwrap();
    sandbox.advance(seconds(2)).await;
    client.send(&topup("T-2", old, "7.00")).await.unwrap();
    let cvv = |cvv: &str| ReplaceCard::builder().card_id(new.clone()).cvv(cvv).old_card_id(old).build();
    let answers = futures(&client, (0..1000).map(|n| cvv(&format!("{n:03}")))).await;
    assert_eq!(answers, 1, "exactly one CVV must be accepted, and only once");
    assert_eq!(sandbox.card(old).unwrap().state(), CardState::Frozen);
    assert_eq!(sandbox.card(new.as_str()).unwrap().state(), CardState::Active);
    sandbox.advance(seconds(2)).await;
    assert_eq!(sandbox.topup("T-2"), Some(TopupState::Failed));
    // The balance is moved within 24 hours.
    assert_eq!(sandbox.card(new.as_str()).unwrap().balance().to_string(), "0.00");
    sandbox.advance(seconds(24 * 3600)).await;
    assert_eq!(sandbox.card(new.as_str()).unwrap().balance().to_string(), "100.00");
    assert_eq!(sandbox.funds("EUR").to_string(), "9900.00");
    assert!(sandbox.conserves_money());
}

/// Sends requests one by one until a request succeeds. Returns 1 if a request succeeded, and 0 otherwise.
async fn futures(client: &Client, all: impl Iterator<Item = ReplaceCard>) -> usize {
    let mut good = 0;
    for one in all {
        match client.send(&one).await {
            Ok(_) => {
                good += 1;
                break;
            }
            Err(error) => assert_eq!(error.api_code(), Some(Failure::WrongCvv.code())),
        }
    }
    good
}

#[tokio::test]
async fn card_use_and_monthly_fees_change_the_balance() {
    let (sandbox, client) = slow().await;
    let card = sandbox.card_id();
    client.send(&topup("T-1", card, "10.00")).await.unwrap();
    sandbox.advance(seconds(2)).await;
    let used = |content: &'static str| sandbox.notify(Product::Issuing, "1", content);
    let none = used(r#"{"amount":"99.00","transactionType":"2"}"#).await.unwrap_err();
    assert!(none.to_string().contains(Failure::InsufficientFunds.code()), "{none}");
    for (content, balance) in [
        (r#"{"amount":"4.00","transactionType":"1"}"#, "10.00"),
        (r#"{"amount":"4.00","transactionType":"2"}"#, "6.00"),
        (r#"{"amount":"5.50"}"#, "0.50"),
    ] {
        // The event is applied even though no callback URL is set.
        assert!(matches!(used(content).await, Err(paytend_sandbox::DeliverError::NoCallbackUrl)));
        assert_eq!(sandbox.card(card).unwrap().balance().to_string(), balance);
    }
    let day = "2026-11-21";
    let mut settled = QueryCardTransactions::builder().card_id(card).begin_date(day).end_date(day).build();
    assert_eq!(client.send(&settled).await.unwrap().trades().len(), 3);
    (settled.transaction_status, settled.currency) = (Some("2".into()), Some("EUR".into()));
    assert_eq!(client.send(&settled).await.unwrap().trades().len(), 2);
    let reserved = QueryAuthorizations::builder().card_id(card).begin_date(day).end_date(day).build();
    assert_eq!(client.send(&reserved).await.unwrap().total.unwrap().get(), Some(1));
    // Two monthly fees are due, and the balance is too low for either of them.
    sandbox.advance(seconds(61 * 24 * 3600)).await;
    let overdue = client.send(&QueryCardOverdueMonthlyFee::new(card)).await.unwrap();
    assert_eq!(overdue.balance.unwrap().to_string(), "2.00");
    assert_eq!(sandbox.card(card).unwrap().balance().to_string(), "0.50");
    assert!(sandbox.conserves_money());
}

#[tokio::test]
async fn client_and_sandbox_check_the_same_field_rules() {
    let (_sandbox, client) = slow().await;
    let mut long = holder();
    long.birthday = "28.02.1990".into();
    // The typed call is rejected by the client, and the untyped call by the sandbox.
    assert_eq!(client.send(&long).await.unwrap_err().outcome(), Outcome::NotSent);
    let error = client.call("createCardholder", &long).await.unwrap_err();
    assert_eq!(error.api_code(), Some(Failure::InvalidField.code()), "{error}");
    let told = error.api_message().unwrap();
    assert!(told.contains("birthday") && !told.contains("28.02"), "{told}");
}
