//! Programs that re-serialize a JSON body, modelled on the common languages and libraries.

use paytend_vectors::Seeded;

use super::json::{COMPACT, Json, PYTHON, Writer, read};

/// Returns the shortest decimal digits, and the exponent, that uniquely identify a double.
fn shortest(number: &str) -> (String, String, i32) {
    let double: f64 = number.parse().unwrap();
    let text = format!("{double:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap();
    let sign = if mantissa.starts_with('-') { "-" } else { "" };
    (sign.to_owned(), mantissa.replace(['.', '-'], ""), exponent.parse().unwrap())
}

fn fixed(number: &str) -> String {
    format!("{}", number.parse::<f64>().unwrap())
}

fn scientific(number: &str, decimal: bool, exponent: impl Fn(i32) -> String) -> String {
    let (sign, digits, power) = shortest(number);
    let rest = if digits.len() == 1 && decimal { "0" } else { &digits[1..] };
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{rest}{}", &digits[..1], exponent(power))
}

fn is_float(number: &str) -> bool {
    number.contains(['.', 'e', 'E'])
}

fn signed(power: i32, width: usize) -> String {
    let sign = if power < 0 { '-' } else { '+' };
    format!("e{sign}{:0width$}", power.abs())
}

fn javascript(number: &str) -> String {
    let (_, _, power) = shortest(number);
    if (-7..21).contains(&power) { fixed(number) } else { scientific(number, false, |power| signed(power, 1)) }
}

fn python(number: &str) -> String {
    let (_, _, power) = shortest(number);
    match number {
        _ if !is_float(number) => number.to_owned(),
        _ if !(-4..16).contains(&power) => scientific(number, false, |power| signed(power, 2)),
        _ => with_point(fixed(number)),
    }
}

fn with_point(number: String) -> String {
    if number.contains('.') { number } else { format!("{number}.0") }
}

fn java(number: &str) -> String {
    let (_, _, power) = shortest(number);
    match number {
        _ if !is_float(number) => number.to_owned(),
        _ if (-3..7).contains(&power) || number.parse::<f64>().unwrap() == 0.0 => with_point(fixed(number)),
        _ => scientific(number, true, |power| format!("E{power}")),
    }
}

/// Formats a number as a Java `BigDecimal` without trailing zeros, as in Jackson's tree model.
fn java_exact(number: &str) -> String {
    if !is_float(number) || number.contains(['e', 'E']) {
        return number.to_owned();
    }
    let (whole, fraction) = number.split_once('.').unwrap();
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        return format!("{whole}.{fraction}");
    }
    let digits = whole.trim_end_matches('0');
    match (digits.trim_start_matches('-'), whole.len() - digits.len()) {
        ("", _) => "0".to_owned(),
        (_, 0) => whole.to_owned(),
        (one, zeros) if one.len() == 1 => format!("{digits}E+{zeros}"),
        (more, zeros) => {
            let sign = if digits.starts_with('-') { "-" } else { "" };
            format!("{sign}{}.{}E+{}", &more[..1], &more[1..], zeros + more.len() - 1)
        }
    }
}

fn same(number: &str) -> String {
    number.to_owned()
}

/// The member order after parsing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Kept,
    Sorted,
    /// JavaScript: integer-like names come first.
    IntegersFirst,
    /// PostgreSQL's jsonb: shorter names come first.
    ByLength,
}

/// A program that re-serializes JSON.
pub(super) struct Program {
    pub(super) name: &'static str,
    number: fn(&str) -> String,
    order: Order,
    without_nulls: bool,
    pub(super) writer: Writer,
    end: &'static str,
}

const KEPT: Program =
    Program { name: "", number: same, order: Order::Kept, without_nulls: false, writer: COMPACT, end: "" };
const GO: Writer = Writer { escape: |c| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}'), ..COMPACT };
const GSON: Writer =
    Writer { escape: |c| matches!(c, '<' | '>' | '&' | '=' | '\'' | '\u{2028}' | '\u{2029}'), ..COMPACT };
const DOT_NET: Writer =
    Writer { escape: |c| c > '~' || matches!(c, '<' | '>' | '&' | '\'' | '"' | '+' | '`'), upper: true, ..COMPACT };
const PHP: Writer = Writer { escape: |c| c > '~', slash: true, ..COMPACT };
const JACKSON_LINES: Writer =
    Writer { comma: ",", colon: " : ", indent: "  ", newline: "\n", spaced_arrays: true, ..COMPACT };

pub(super) fn programs() -> Vec<Program> {
    let lines = COMPACT.lines("  ");
    vec![
        Program { name: "Python json.dumps", number: python, writer: PYTHON, ..KEPT },
        Program {
            name: "Python json.dumps, compact and UTF-8",
            number: python,
            writer: Writer { escape: |_| false, comma: ",", colon: ":", ..PYTHON },
            ..KEPT
        },
        Program { name: "Python sort_keys", number: python, order: Order::Sorted, writer: PYTHON, ..KEPT },
        Program { name: "Python indent=4", number: python, writer: PYTHON.lines("    "), ..KEPT },
        Program { name: "JSON.stringify", number: javascript, order: Order::IntegersFirst, ..KEPT },
        Program { name: "JSON.stringify, 2", number: javascript, order: Order::IntegersFirst, writer: lines, ..KEPT },
        Program {
            name: "JSON.stringify, tab",
            number: javascript,
            order: Order::IntegersFirst,
            writer: COMPACT.lines("\t"),
            ..KEPT
        },
        Program { name: "Go any", number: javascript, order: Order::Sorted, writer: GO, ..KEPT },
        Program { name: "Go Encoder", order: Order::Sorted, writer: GO, end: "\n", ..KEPT },
        Program { name: "Jackson Map", number: java, ..KEPT },
        Program { name: "Jackson tree", number: java_exact, ..KEPT },
        Program { name: "Jackson pretty", number: java, writer: JACKSON_LINES, ..KEPT },
        Program {
            name: "Jackson ASCII",
            writer: Writer { escape: |c| c > '~', upper: true, ..COMPACT },
            number: java,
            ..KEPT
        },
        Program { name: "Gson", writer: GSON, without_nulls: true, ..KEPT },
        Program { name: "fastjson", without_nulls: true, ..KEPT },
        Program { name: "System.Text.Json", writer: DOT_NET, ..KEPT },
        Program {
            name: "System.Text.Json on Windows, indented",
            writer: Writer { newline: "\r\n", ..DOT_NET.lines("  ") },
            ..KEPT
        },
        Program {
            name: "System.Text.Json, all ranges",
            writer: Writer {
                escape: |c| c > '\u{ffff}' || matches!(c, '<' | '>' | '&' | '\'' | '"' | '+' | '`'),
                ..DOT_NET
            },
            ..KEPT
        },
        Program { name: "Newtonsoft", number: python, ..KEPT },
        Program { name: "PHP json_encode", number: python, writer: PHP, ..KEPT },
        Program {
            name: "PHP JSON_UNESCAPED_UNICODE",
            number: python,
            writer: Writer { escape: |c| matches!(c, '\u{2028}' | '\u{2029}'), slash: true, ..COMPACT },
            ..KEPT
        },
        Program { name: "PHP pretty", number: python, writer: PHP.lines("    "), ..KEPT },
        Program { name: "jq -c", number: javascript, end: "\n", ..KEPT },
        Program { name: "jq -S", number: javascript, order: Order::Sorted, writer: lines, end: "\n", ..KEPT },
        Program { name: "Ruby JSON.generate", number: python, ..KEPT },
        Program { name: "jsonb", order: Order::ByLength, writer: Writer { escape: |_| false, ..PYTHON }, ..KEPT },
        Program { name: "only LINE SEPARATOR", writer: Writer { escape: |c| c == '\u{2028}', ..COMPACT }, ..KEPT },
    ]
}

impl Program {
    pub(super) fn run(&self, body: &[u8]) -> Option<Vec<u8>> {
        let mut json = read(body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body))?;
        json.each_object(&mut |members| {
            // If several members have the same name, the last value is kept at the position of the first member.
            let all = std::mem::take(members);
            for (name, value) in all {
                match members.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, known)) => *known = value,
                    None => members.push((name, value)),
                }
            }
            if self.without_nulls {
                members.retain(|(_, value)| *value != Json::Word("null"));
            }
            let integer = |name: &str| {
                name.parse::<u32>().ok().filter(|number| number.to_string() == name).map_or(u64::MAX, u64::from)
            };
            match self.order {
                Order::Kept => {}
                Order::Sorted => members.sort_by(|a, b| a.0.cmp(&b.0)),
                Order::ByLength => members.sort_by_key(|(name, _)| (name.len(), name.clone())),
                Order::IntegersFirst => members.sort_by_key(|(name, _)| integer(name)),
            }
        });
        json.each_number(&mut |number| *number = (self.number)(number));
        Some((self.writer.write(&json) + self.end).into_bytes())
    }

    pub(super) fn any(random: &Seeded) -> Self {
        let mut all = programs();
        all.swap_remove(random.below(all.len()))
    }
}
