//! Tests with rows whose texts are designed to break the HTML page, the terminal or the spreadsheet.

use paytend_reconcile::{
    Account, Balance, Entry, EntryTime, Kind, List, Notifications, Orders, Provider, Report, Rules, Status, reconcile,
};

const TEXTS: [&str; 20] = [
    "\"><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    "\" autofocus onfocus=\"alert(1)",
    "</td></tr></table></details><img src=x onerror=alert(1)>",
    "</style><style>@import url(//evil.example)</style>",
    "</title></head><body onload=alert(1)>",
    "<!-- ",
    "--!><svg/onload=alert(1)>",
    "]]><![CDATA[",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#x3c;img src=x&#62;&amp",
    "javascript:alert(1)",
    "<a href=\"http://evil.example\">T1</a>",
    "<base href=//evil.example>",
    "{{7*7}} ${7*7} `",
    "\u{1b}[2J\u{1b}]0;title\u{7}\r\n\u{0}\u{9b}31m",
    "T1\u{202e}1T\u{2066}\u{200f}\u{61c}\u{2028}",
    "T\u{200b}1\u{feff}\u{ad}\u{e0041}",
    "=HYPERLINK(\"http://evil.example\")",
    "\t@SUM(1)",
];

/// Compares rows in which every text is hostile, and passes the report to a function.
fn with_report<T>(then: impl FnOnce(&Report<'_>) -> T) -> T {
    let mut provider = Provider::new();
    let (mut orders, mut notifications) = (Orders::new(), Notifications::new());
    let mut opening = Vec::new();
    for (index, text) in TEXTS.iter().enumerate() {
        let text = || Some((*text).to_owned());
        for list in List::ALL {
            let mut entry = Entry::new(list, text().unwrap());
            (entry.order_no, entry.trade_no, entry.card) = (text(), text(), text());
            (entry.type_code, entry.trade_status, entry.status_code) = (text(), text(), text());
            (entry.currency, entry.time) = (text(), text().map(EntryTime::Text));
            entry.unreadable = vec![text().unwrap()];
            entry.kind = Some(Kind::Topup);
            entry.status = (list == List::Orders).then_some(Status::Succeeded);
            entry.amount = Some((index as i64 + i64::from(list == List::Orders)).into());
            if index % 2 == 0 && list == List::Orders {
                entry.card = Some("different".to_owned());
            }
            match list {
                List::Orders => orders.push_entry(entry),
                List::Notifications => notifications.push_entry(entry),
                _ => provider.push(entry).unwrap(),
            }
        }
        let (account, currency) = (Account::Card(text().unwrap()), text().unwrap());
        for amount in [1, 2] {
            opening.push(Balance { account: account.clone(), currency: currency.clone(), amount: amount.into() });
        }
    }
    // Adds ambiguous transactions, because reports also show the references of candidates.
    for (index, text) in TEXTS.iter().enumerate() {
        for list in [List::PartnerTransactions, List::Orders] {
            let mut entry = Entry::new(list, *text);
            (entry.kind, entry.amount, entry.currency) =
                (Some(Kind::Topup), Some(1_000.into()), Some("EUR".to_owned()));
            entry.time = Some(EntryTime::Millis(index as i64));
            match list {
                List::Orders => orders.push_entry(entry),
                _ => provider.push(entry).unwrap(),
            }
        }
    }
    let provider = provider.closing(opening.clone()).opening(opening);
    then(&reconcile(&provider, &notifications, &orders, &Rules::default()))
}

fn written(write: impl Fn(&Report<'_>, &mut Vec<u8>)) -> String {
    with_report(|report| {
        let mut text = Vec::new();
        write(report, &mut text);
        String::from_utf8(text).unwrap()
    })
}

/// Returns a text without its hidden characters.
fn visible(text: &str) -> String {
    let is_hidden = |c: char| {
        let format = ['\u{ad}', '\u{61c}', '\u{200b}', '\u{200f}', '\u{2028}', '\u{202e}', '\u{2066}', '\u{feff}'];
        c.is_control() || format.contains(&c) || c == '\u{e0041}'
    };
    text.chars().map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect()
}

#[test]
fn page_contains_only_its_own_tags_and_shows_every_text() {
    let page = written(|report, out| report.write_html(out).unwrap());
    let body = &page[page.find("<body>").unwrap()..];
    let tags = [
        "<body>",
        "</body>",
        "</html>",
        "<h1>",
        "</h1>",
        "<h2>",
        "</h2>",
        "<p>",
        "<p class=\"bad\">",
        "<p class=\"good\">",
        "</p>",
        "<table>",
        "</table>",
        "<tr>",
        "</tr>",
        "<th>",
        "<th class=\"n\">",
        "</th>",
        "<td>",
        "<td class=\"n\">",
        "<td class=\"bad\">",
        "<td class=\"good\">",
        "</td>",
        "<details>",
        "<details class=\"open\">",
        "</details>",
        "<summary>",
        "</summary>",
    ];
    let mut shown = String::new();
    for part in body.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap();
        assert!(tags.contains(&format!("<{tag}>").as_str()), "<{tag}>");
        assert!(!text.contains('>'), "{text}");
        for reference in text.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
            assert!(known.iter().any(|name| reference.starts_with(name)), "&{reference}");
        }
        shown.push_str(text);
        shown.push('\n');
    }
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    let shown = pairs.iter().fold(shown, |text, (escaped, plain)| text.replace(escaped, plain));
    for text in TEXTS {
        // Each text occurs many times: in table cells, summaries, differences, candidates, balances and problems.
        assert!(shown.matches(&visible(text)).count() > 20, "{text:?}");
    }
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'));
    // The head contains no text from a row, and allows neither scripts nor external resources.
    let head = &page[..page.find("<body>").unwrap()];
    assert!(head.contains("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"));
    assert!(!head.contains("alert") && !head.contains("script") && !head.contains("//"));
}

#[test]
fn other_formats_stay_valid_with_hostile_rows() {
    let text = written(|report, out| report.write_text(out).unwrap());
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
    assert_eq!(text, text.lines().map(|line| visible(line) + "\n").collect::<String>());

    let json = written(|report, out| report.write_json(out).unwrap());
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let references = report["items"].as_array().unwrap().iter().flat_map(|item| item["rows"].as_array().unwrap());
    let references: Vec<&str> = references.map(|row| row["reference"].as_str().unwrap()).collect();
    assert!(TEXTS.iter().all(|text| references.iter().filter(|known| *known == text).count() == 8));

    let csv = written(|report, out| report.write_csv(out).unwrap());
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), TEXTS.len() * 8);
    for cell in records.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '@', '\t', '\r', '\n']), "{cell:?}");
    }
    assert!(TEXTS.iter().all(|text| {
        let cell = if text.starts_with(['=', '-', '\t']) { format!("'{text}") } else { (*text).to_owned() };
        records.iter().filter(|record| record[5] == *cell).count() == 8
    }));
}
