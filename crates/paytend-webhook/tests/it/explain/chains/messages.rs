//! Random notifications, in JSON formats that providers' programs can write.

use paytend_vectors::Seeded;

use super::json::{COMPACT, Json, Writer};
use super::programs::programs;

const NAMES: [&str; 10] = [
    "Ona K",
    "Žaliūkas",
    "Müller & Söhne",
    "José <ops>",
    "王小明",
    "O'Brien \"Ltd\"",
    "a/b+c=d",
    "Zoë 🤨 ✋",
    "Łukasz",
    "line\u{2028}end",
];

fn pick<'a, T: ?Sized>(random: &Seeded, all: &[&'a T]) -> &'a T {
    all[random.below(all.len())]
}

fn amount(random: &Seeded) -> Json {
    let whole = match random.below(4) {
        0 => 0,
        1 => random.below(10) * 100,
        _ => random.below(20_000),
    };
    let fraction = random.below(1000);
    Json::Number(match random.below(8) {
        0 => format!("{whole}"),
        1 => format!("{whole}.{}", fraction % 10),
        2..=4 => format!("{whole}.{:02}", fraction % 100),
        5 => format!("{whole}.00"),
        6 => format!("{whole}.{:02}0", fraction % 100),
        _ => format!("{whole}.{fraction:03}"),
    })
}

fn text(random: &Seeded) -> Json {
    Json::Text(pick(random, &NAMES).to_owned())
}

fn order_number(random: &Seeded) -> Json {
    let digits = format!("9117{:014}", random.next() % 100_000_000_000_000);
    if random.below(8) == 0 { Json::Number(digits) } else { Json::Text(digits) }
}

fn object(members: Vec<(&str, Json)>) -> Json {
    Json::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Removes some members, and sets others to null.
fn sparse(random: &Seeded, members: Vec<(&'static str, Json)>, required: usize) -> Json {
    let mut kept = Vec::new();
    for (at, (name, value)) in members.into_iter().enumerate() {
        match random.below(8) {
            0..=2 if at >= required => {}
            3 if at >= required => kept.push((name, Json::Word("null"))),
            _ => kept.push((name, value)),
        }
    }
    object(kept)
}

fn payby(random: &Seeded) -> Json {
    let money = |random: &Seeded| object(vec![("amount", amount(random)), ("currency", Json::Text("AED".into()))]);
    let time = |random: &Seeded| Json::Number(format!("17672{:08}", random.below(100_000_000)));
    let mut order = vec![
        ("merchantOrderNo", Json::Text(format!("M-{}", random.below(10_000)))),
        ("orderNo", order_number(random)),
        ("holderName", text(random)),
        ("amount", money(random)),
        ("memo", text(random)),
        ("status", Json::Text("SUCCESS".into())),
        ("notifyUrl", Json::Text("https://example.com/a/b".into())),
    ];
    if random.below(3) == 0 {
        order.push(("paymentInfo", object(vec![("arrivalTime", time(random)), ("payerFeeAmount", money(random))])));
    }
    object(vec![
        ("notify_id", Json::Text(format!("20260101{:010}", random.below(1_000_000)))),
        ("notify_timestamp", time(random)),
        ("transferToBankOrder", sparse(random, order, 4)),
    ])
}

fn payermax(random: &Seeded) -> Json {
    let money = object(vec![("currency", Json::Text("MYR".into())), ("value", amount(random))]);
    let party = object(vec![("identifyId", Json::Text("P1".into())), ("identifyName", text(random))]);
    let change = vec![
        ("amount", money),
        ("counterparty", party),
        ("direction", Json::Text("INCREASE".into())),
        ("relatedTradeNo", Json::Text(format!("TU{}", random.below(100_000)))),
    ];
    object(vec![
        ("code", Json::Text("APPLY_SUCCESS".into())),
        ("msg", text(random)),
        ("merchantNo", Json::Text("P01".into())),
        ("notifyType", Json::Text("DEPOSIT".into())),
        ("data", sparse(random, change, 1)),
    ])
}

fn deposit(random: &Seeded) -> Json {
    let members = vec![
        ("transactionId", Json::Text(random.below(1_000_000).to_string())),
        ("orderNo", order_number(random)),
        ("currency", Json::Text("EUR".into())),
        ("amount", amount(random)),
        ("fee", amount(random)),
        ("counterpartyAccountName", text(random)),
        ("transDate", Json::Text("2026-01-01".into())),
        ("reference", text(random)),
    ];
    sparse(random, members, 2)
}

fn small(random: &Seeded) -> Json {
    match random.below(4) {
        0 => object(vec![("b", text(random)), ("10", amount(random)), ("a", amount(random)), ("2", text(random))]),
        1 => object(vec![("items", Json::Array(vec![amount(random), text(random), Json::Word("true")]))]),
        2 => object(vec![("name", text(random)), ("tags", Json::Array(Vec::new())), ("open", Json::Word("false"))]),
        _ => object(vec![("memo", text(random))]),
    }
}

/// Returns a random notification's text.
pub(super) fn any(random: &Seeded) -> Vec<u8> {
    let json = match random.below(7) {
        0..=2 => payby(random),
        3 => payermax(random),
        4..=5 => deposit(random),
        _ => small(random),
    };
    // Most providers write compact JSON, with or without escapes. The other notifications use a random program's
    // format.
    let writer: Writer = match random.below(4) {
        0 => programs().swap_remove(random.below(27)).writer,
        1 => Writer { escape: |c| c > '~', ..COMPACT },
        _ => COMPACT,
    };
    writer.write(&json).into_bytes()
}
