//! Tests for the settings that `paytend doctor` and `paytend inspect` use, and for the next steps that change them.

use std::path::Path;
use std::process::Command;

use crate::doctor::{Place, doctor};
use crate::support::{command, finish, set_mode};

fn write(path: &Path, data: &[u8]) {
    std::fs::write(path, data).unwrap();
    set_mode(path, 0o600);
}

/// Creates the profiles `local` and `other` from the sandbox's settings. Returns a command that uses them.
fn with_profiles(place: &Place) -> impl Fn(&[&str]) -> Command {
    let (config, keys) = (place.folder.path().join("config.toml"), place.keys(""));
    let with = move |args: &[&str]| {
        let mut command = command();
        command.env("PAYTEND_CONFIG", &config).args(args);
        command
    };
    for profile in ["local", "other"] {
        let init = ["config", "init", profile, "--from-sandbox", keys.to_str().unwrap()];
        assert_eq!(finish(&mut with(&init), b"").code, 0);
    }
    with
}

#[test]
fn next_step_changes_the_settings_that_were_checked() {
    let place = Place::new(&[]);
    let with = with_profiles(&place);
    let own = place.keys("partner-public.b64").to_str().unwrap().to_owned();
    let swap = ["config", "set", "public_key_file", &own, "--profile", "local"];
    assert_eq!(finish(&mut with(&swap), b"").code, 0);
    let by_profile = ["doctor", "--json", "--profile", "local"];
    let next = |command: &mut Command, check: &str| {
        let report = doctor(command);
        report.expect(check, "fail", "");
        report.next(check)
    };
    assert_eq!(next(&mut with(&by_profile), "other side"), "paytend config set public_key_file FILE --profile local");
    let by_profile = ["doctor", "--json", "--profile", "other"];
    let variable = next(with(&by_profile).env("PAYTEND_PUBLIC_KEY_FILE", &own), "other side");
    assert_eq!(variable, "correct PAYTEND_PUBLIC_KEY_FILE");
    let key = std::fs::read_to_string(&own).unwrap();
    assert_eq!(next(with(&by_profile).env("PAYTEND_PUBLIC_KEY", key), "other side"), "correct PAYTEND_PUBLIC_KEY");
    let mut variables = command();
    variables.args(["doctor", "--json"]).env("PAYTEND_BASE_URL", "http://127.0.0.1:1");
    assert_eq!(next(&mut variables, "private key"), "set PAYTEND_PRIVATE_KEY_FILE");
    assert_eq!(next(&mut variables, "partner ID"), "set PAYTEND_PARTNER_ID");

    // The settings come from a key directory, first with and then without its `paytend.toml`.
    place.set("public_key_file = \"partner-public.b64\"");
    let directory = place.doctor(&[]);
    let file = place.keys("paytend.toml");
    assert_eq!(directory.next("other side"), format!("set public_key_file in {}", file.display()));
    std::fs::remove_file(file).unwrap();
    std::fs::copy(own, place.keys("paytend-public.b64")).unwrap();
    let directory = place.doctor(&[]);
    let key = place.keys("paytend-public.b64");
    assert_eq!(directory.next("other side"), format!("replace {}", key.display()));
    assert_eq!(directory.next("base URL"), "pass --base-url URL");
}

/// In all three commands, `PAYTEND_PASSPHRASE` overrides the passphrase file in the profile.
#[test]
fn doctor_and_inspect_use_the_same_passphrase_as_call() {
    let place = Place::new(&[]);
    let with = with_profiles(&place);
    let form = paytend_vectors::key_forms().1.into_iter().find(|case| case.file == "encrypted-pbkdf2.pem").unwrap();
    write(&place.keys("encrypted.pem"), &form.data());
    write(&place.keys("wrong"), b"wrong");
    write(&place.keys("right"), b"correct horse");
    for (setting, file) in [("private_key_file", "encrypted.pem"), ("private_key_passphrase_file", "wrong")] {
        let path = place.keys(file).to_str().unwrap().to_owned();
        assert_eq!(finish(&mut with(&["config", "set", setting, &path, "--profile", "local"]), b"").code, 0);
    }
    let (wrong, right) = (place.keys("wrong"), place.keys("right"));
    let no_message = place.keys("partner-id").to_str().unwrap().to_owned();
    for (variables, works) in [
        (&[][..], false),
        (&[("PAYTEND_PASSPHRASE", Path::new("correct horse"))], true),
        (&[("PAYTEND_PASSPHRASE_FILE", &*right)], true),
        (&[("PAYTEND_PASSPHRASE", Path::new("correct horse")), ("PAYTEND_PASSPHRASE_FILE", &wrong)], false),
        (&[("PAYTEND_PASSPHRASE", Path::new("wrong")), ("PAYTEND_PASSPHRASE_FILE", &right)], true),
    ] {
        let run = |args: &[&str]| {
            let mut command = with(args);
            command.args(["--profile", "local"]).envs(variables.iter().copied());
            command
        };
        let call = finish(&mut run(&["call", "getPartnerBalance", "--dry-run"]), b"");
        assert_eq!(call.code, if works { 0 } else { 3 }, "{variables:?}: {}", call.stderr);
        let inspect = finish(&mut run(&["inspect", &no_message]), b"");
        assert_eq!(inspect.code, if works { 1 } else { 3 }, "{variables:?}: {}", inspect.stderr);
        let report = doctor(&mut run(&["doctor", "--json"]));
        let checks = report.json["checks"].as_array().unwrap();
        let key = checks.iter().find(|check| check["name"] == "private key").unwrap();
        assert_eq!(key["status"] != "fail", works, "{variables:?}: {key}");
    }
}
