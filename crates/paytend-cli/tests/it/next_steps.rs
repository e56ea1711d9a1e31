//! Tests that error messages name the problem and the next step.

use std::collections::BTreeSet;

use crate::help::commands;
use crate::inbox_service::Workplace;
use crate::support::{command, finish, run};

/// Command lines that fail, each with its exit code, the problem and the next step in its message. `KEYS` is a key
/// directory, `DIR` is an empty directory, and `SEALED` stands for the options of `seal` and `open`.
const FAILURES: &[(&str, i32, &str, &str)] = &[
    // Profiles and connections.
    ("config show", 2, "no profile is selected", "pass the name of a profile"),
    ("config show nope", 3, "no profile `nope`", "create it with `paytend config init`"),
    ("config set base_url https://a.example", 2, "there are no profiles", "`paytend config init`"),
    ("config init", 2, "missing settings", "pass --base-url"),
    ("config init one --from-sandbox DIR", 3, "cannot read DIR/paytend.toml", "pass the --keys directory"),
    ("config secret KEYS/partner-private.pem", 2, "there are no profiles", "`paytend config init`"),
    ("doctor", 1, "1 check failed", "take its `next` step"),
    ("call getPartnerBalance", 3, "no connection is configured", "`paytend config init`"),
    ("call getPartnerBalance --keys KEYS", 2, "no base URL", "pass --base-url URL"),
    ("call getPartnerBalance --keys DIR --base-url http://127.0.0.1:1", 3, "cannot read", "DIR/partner-private.pem"),
    (
        "call getPartnerBalance --keys KEYS --base-url http://127.0.0.1:1",
        5,
        "cannot connect",
        "`paytend doctor` checks the connection, with the same --profile, --keys and --base-url",
    ),
    ("call getPartnersBalance", 2, "getPartnersBalance: ", "did you mean `issuing.getPartnerBalance`?"),
    ("call topup --keys KEYS --base-url http://127.0.0.1:1", 2, "invalid topup request", "`paytend endpoints"),
    ("call topup --keys KEYS --base-url http://127.0.0.1:1 -f orderNo", 2, "orderNo", "expected FIELD=VALUE"),
    ("call getPartnerBalance --resolve", 2, "--resolve is supported for topup", "remove the option"),
    ("pages topup", 2, "does not return pages", "issuing.getCities"),
    ("pages issuing.getCities", 3, "no connection is configured", "`paytend config init`"),
    ("listen", 3, "no connection is configured", "pass --profile NAME or --keys DIR"),
    ("listen --keys DIR", 3, "there are no keys in DIR", "`paytend sandbox --keys DIR`"),
    ("listen --only fund-deposits", 2, "no notification kind `fund-deposits`", "did you mean `fund-deposit`?"),
    ("listen --keys KEYS --port PORT", 5, "cannot listen on 127.0.0.1:PORT", "choose another --port"),
    // Keys and messages.
    ("keys generate --bits 1000 --out DIR/new", 2, "--bits 1000", "a multiple of 128"),
    ("keys generate --bits 1024 --out KEYS/pair", 3, "already exists", "choose a different --out directory"),
    ("keys inspect KEYS/partner-id", 3, "KEYS/partner-id: not an RSA key", "PEM, DER or base64"),
    ("seal SEALED --kind response --fields {}", 2, "--as and --kind do not match", "a partner seals requests"),
    ("seal SEALED --kind request --fields x", 2, "--fields must be a JSON object", "such as {\"partnerId\""),
    ("seal SEALED --kind request --fields {} --operation tupop", 2, "tupop: ", "did you mean `issuing.topup`?"),
    (
        "seal SEALED --kind request --fields {} --operation topup",
        2,
        "invalid topup request",
        "`paytend endpoints topup`",
    ),
    ("open SEALED --kind request", 2, "--as and --kind do not match", "a partner opens responses"),
    (
        "open SEALED --kind response",
        4,
        "the message",
        "`paytend explain` reports why, with the same message, keys and --kind",
    ),
    (
        "verify --provider payby --public-key KEYS/payby-public.b64 --sign AAAA",
        4,
        "not authentic",
        "`paytend explain` reports why, with the same message, --provider, --public-key and --sign",
    ),
    ("inspect -", 1, "message was found", "capture the complete body"),
    ("explain --public-key KEYS/paytend-public.b64", 2, "messages are encrypted", "pass --private-key FILE"),
    ("explain --provider payby --public-key KEYS/payby-public.b64 --kind request", 2, "--kind", "remove them"),
    ("explain --provider payby --public-key KEYS/payby-public.b64", 4, "not authentic", "the findings explain why"),
    ("endpoints nope", 2, "nope: ", "run `paytend endpoints` for a list"),
    ("help cal", 2, "cal", "did you mean `call`?"),
    ("completions tcsh", 2, "invalid value 'tcsh'", "possible values: "),
    // The sandbox.
    ("sandbox", 2, "required arguments were not provided", "--keys <DIR>"),
    ("sandbox logs tail", 2, "no sandbox", "pass --url URL or --keys DIR"),
    ("sandbox logs show --url example", 2, "not an http URL", "pass the `control_url`"),
    (
        "sandbox callback baas https://a.example --url http://127.0.0.1:1",
        5,
        "cannot connect",
        "`paytend sandbox --keys",
    ),
    ("sandbox resend 1", 2, "no sandbox", "pass --url URL or --keys DIR"),
    ("sandbox fault list", 2, "no sandbox", "pass --url URL or --keys DIR"),
    ("sandbox fault set topup:resetAfter:next", 2, "no sandbox", "pass --url URL or --keys DIR"),
    ("sandbox fault clear", 2, "no sandbox", "pass --url URL or --keys DIR"),
    ("sandbox clock show", 2, "no sandbox", "pass --url URL or --keys DIR"),
    ("sandbox clock advance 1s", 2, "no sandbox", "pass --url URL or --keys DIR"),
    ("sandbox clock freeze", 2, "no sandbox", "pass --url URL or --keys DIR"),
    ("sandbox clock rate 2", 2, "no sandbox", "pass --url URL or --keys DIR"),
    ("sandbox seed --funds 1.00", 2, "no sandbox", "pass --url URL or --keys DIR"),
    ("sandbox export", 2, "no sandbox", "pass --url URL or --keys DIR"),
    ("sandbox import -", 2, "no sandbox", "pass --url URL or --keys DIR"),
    ("sandbox scenario run topup-lost-responses", 3, "cannot read", "did you mean `topup-lost-response`?"),
    ("scenario nope", 3, "cannot read nope", "`paytend scenario` lists"),
    ("control fault topup:resetAfter:next", 2, "no sandbox", "pass --url URL"),
    ("control clear-faults", 2, "no sandbox", "pass --url URL"),
    ("control advance 1s", 2, "no sandbox", "pass --url URL"),
    ("control trigger baas 2 --content x", 2, "--content: ", "pass a JSON object"),
    ("control state", 2, "no sandbox", "pass --url URL"),
    ("control deliveries", 2, "no sandbox", "pass --url URL"),
    ("control reset", 2, "no sandbox", "pass --url URL"),
    // Notifications.
    (
        "trigger baas.fund-deposits --to http://127.0.0.1:1 --keys KEYS",
        2,
        "no event",
        "did you mean `baas.fund-deposit`?",
    ),
    ("trigger baas.fund-deposit --to http://127.0.0.1:1 --keys KEYS", 5, "cannot connect", "start the receiver"),
    ("trigger baas.fund-deposit --to ftp://a.example --keys KEYS", 2, "cannot post", "pass an http or https URL"),
    ("trigger baas.fund-deposit --to http://127.0.0.1:1 --keys DIR", 3, "cannot read", "DIR/paytend-private.pem"),
    ("events list", 2, "no store", "pass --store"),
    ("events list --inbox DIR/none.db", 3, "DIR/none.db", "check the path"),
    ("events show 1", 2, "no store", "pass --store"),
    ("events tail", 2, "no store", "pass --store"),
    ("events resend 1 --to http://127.0.0.1:1 --keys KEYS", 2, "no store", "pass --store"),
    ("events resend 1 --sandbox http://127.0.0.1:1 --danger-any-permissions", 2, "cannot be used", "remove the option"),
    // Stores.
    ("inbox serve", 2, "no key directory", "pass --keys DIR"),
    ("inbox serve --store sqlite:DIR/a.db --keys DIR", 3, "cannot read DIR/partner-id", "`paytend sandbox --keys`"),
    (
        "inbox serve --store postgres://a@127.0.0.1:1/b --keys KEYS",
        2,
        "no store key",
        "`paytend inbox generate-key FILE`",
    ),
    ("inbox list", 2, "no store", "pass --store sqlite:FILE"),
    ("inbox list --store a.db", 2, "invalid store", "examples: sqlite:inbox.db"),
    ("inbox show 1", 2, "no store", "pass --store sqlite:FILE"),
    ("inbox redrive --dead", 2, "no store", "pass --store sqlite:FILE"),
    ("inbox bury 1 --why test", 2, "no store", "pass --store sqlite:FILE"),
    ("inbox stats --store sqlite:DIR/none.db", 3, "DIR/none.db", "check the path"),
    ("inbox stats --store postgres://a@127.0.0.1:1/b", 5, "cannot connect", "start the server"),
    ("inbox check", 2, "no store", "pass --store sqlite:FILE"),
    ("inbox audit", 2, "no store", "pass --store sqlite:FILE"),
    ("inbox erase --business-id T-1", 2, "no store", "pass --store sqlite:FILE"),
    ("inbox backup DIR/copy.db", 2, "no store", "pass --store sqlite:FILE"),
    ("outbox audit", 2, "no store", "pass --store sqlite:FILE"),
    ("outbox list", 2, "no store", "pass --store sqlite:FILE"),
    ("outbox show T-1", 2, "no store", "pass --store sqlite:FILE"),
    ("outbox decide T-1 --as executed --why test", 2, "no store", "pass --store sqlite:FILE"),
    ("outbox retry T-1", 2, "no store", "pass --store sqlite:FILE"),
    ("outbox close T-1 --why test", 2, "no store", "pass --store sqlite:FILE"),
    ("outbox pause tupop --why test", 2, "tupop: ", "did you mean `issuing.topup`?"),
    ("outbox resume topup", 2, "no store", "pass --store sqlite:FILE"),
    ("outbox stats", 2, "no store", "pass --store sqlite:FILE"),
    ("outbox check", 2, "no store", "pass --store sqlite:FILE"),
    ("outbox drop-content --older-than 1d", 2, "no store", "pass --store sqlite:FILE"),
    ("outbox recover --why test", 2, "no store", "pass --store sqlite:FILE"),
    ("reconcile --from 2026-11-27 --to 2026-11-27", 3, "no connection is configured", "`paytend config init`"),
    ("reconcile --from 2026-11-27 --to 27.11.", 2, "--from and --to", "2026-11-27"),
    ("reconcile --from 2026-11-27 --to 2026-11-27 --offline DIR", 3, "contains no lists", "fetch them with --out DIR"),
];

/// Commands that have no failure with a next step, with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("demo", "it needs no input; a failed step is an error of the program"),
    ("config list", "it fails only if the file is invalid, as another test shows"),
    ("config path", "it only prints a path"),
    ("sandbox fault kinds", "it only prints a list"),
    ("sandbox scenario list", "it only prints a list"),
    ("inbox generate-key", "the message names the file, and the cause from the operating system"),
    ("man", "the message names the directory, and the cause from the operating system"),
];

#[test]
fn failures_name_the_problem_and_the_next_step() {
    let place = Workplace::new();
    let empty = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path("keys/pair")).unwrap();
    std::fs::write(place.path("keys/pair/private.pem"), "").unwrap();
    let used = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = used.local_addr().unwrap().port().to_string();
    let keys = place.path("keys").to_str().unwrap().to_owned();
    let sealed =
        format!("--as partner --private-key {keys}/partner-private.pem --public-key {keys}/paytend-public.b64");
    let filled = |text: &str| {
        let text = text.replace("SEALED", &sealed).replace("KEYS", &keys).replace("PORT", &port);
        text.replace("DIR/", &format!("{}/", empty.path().display()))
    };
    let mut wrong = Vec::new();
    for (line, code, problem, next) in FAILURES {
        // The next step can name an option with its value, such as --keys DIR.
        let line = filled(line).replace(" DIR", &format!(" {}", empty.path().display()));
        let words: Vec<&str> = line.split(' ').collect();
        let ran = run(&words, b"");
        let problem = filled(problem).replace(" DIR", &format!(" {}", empty.path().display()));
        if ran.code != *code || !ran.stderr.contains(&problem) || !ran.stderr.contains(&filled(next)) {
            wrong.push(format!("{line}\n  {} {}", ran.code, ran.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_command_has_a_failure_with_a_next_step() {
    let all = commands();
    let is_group = |path: &[String]| all.iter().any(|other| other.len() > path.len() && other.starts_with(path));
    let commands: BTreeSet<String> =
        all.iter().filter(|path| !is_group(path) || path.join(" ") == "sandbox").map(|path| path.join(" ")).collect();
    let is_tested =
        |command: &str| FAILURES.iter().any(|(line, ..)| *line == command || line.starts_with(&format!("{command} ")));
    for command in &commands {
        let is_exception = EXCEPTIONS.iter().any(|(exception, _)| exception == command);
        assert!(is_tested(command) != is_exception, "{command}");
    }
    assert!(EXCEPTIONS.iter().all(|(command, why)| commands.contains(*command) && !why.is_empty()));
}

#[test]
fn unknown_options_lead_to_the_help() {
    for path in commands() {
        let words: Vec<&str> = path.iter().map(String::as_str).chain(["--no-such-option"]).collect();
        let ran = run(&words, b"");
        assert!(ran.code == 2 && ran.stderr.contains("'--help'"), "{words:?}: {} {}", ran.code, ran.stderr);
    }
}

#[test]
fn invalid_file_with_profiles_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "[profiles.one]\npartner_id = 1 2\n").unwrap();
    for words in [&["config", "list"][..], &["config", "show", "one"], &["call", "getPartnerBalance"]] {
        let ran = finish(command().args(words).env("PAYTEND_CONFIG", &config), b"");
        let message = format!("{}, line 2: not valid TOML; correct the line", config.display());
        assert!(ran.code == 3 && ran.stderr.contains(&message), "{words:?}: {} {}", ran.code, ran.stderr);
    }
}

#[test]
fn next_step_depends_on_the_source_of_the_settings() {
    let place = Workplace::new();
    let keys = place.path("keys");
    std::fs::write(keys.join("paytend.toml"), "").unwrap();
    let ran = run(&["inspect", "-", "--keys", keys.to_str().unwrap()], b"{}");
    let next = "pass the --keys directory that `paytend sandbox` wrote";
    assert!(ran.code == 3 && ran.stderr.contains(next), "{} {}", ran.code, ran.stderr);
    let mut doctor = command();
    doctor.args(["doctor", "--callback", "http://127.0.0.1:1/"]).env("PAYTEND_PARTNER_ID", "1");
    let ran = finish(&mut doctor, b"");
    let next = "the private key is not set: set PAYTEND_PRIVATE_KEY_FILE";
    assert!(ran.code == 1 && ran.stdout.contains(next), "{} {}", ran.code, ran.stdout);
}
