//! Tests for `paytend config`, and for the connections that other commands select.

use std::path::Path;
use std::process::Command;

use paytend_vectors::Seeded;

use crate::running::RunningSandbox;
use crate::schema::checked;
use crate::support::{Keys, RunOutput, command, finish, set_mode};

/// A configuration file in a temporary folder.
struct Config(tempfile::TempDir);

impl Config {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> std::path::PathBuf {
        self.0.path().join("settings/paytend.toml")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = command();
        command.env("PAYTEND_CONFIG", self.file()).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> RunOutput {
        finish(&mut self.command(args), b"")
    }

    /// Creates a profile with the test keys.
    fn init(&self, keys: &Keys, name: &str, url: &str) -> RunOutput {
        let (own, paytend) = (keys.arg("partner.pem"), keys.arg("paytend.pub"));
        let keys = ["--private-key-file", &own, "--public-key-file", &paytend];
        let command = ["config", "init", name, "--base-url", url, "--partner-id", "888666000100260"];
        self.run(&[&command[..], &keys].concat())
    }
}

#[test]
fn profile_can_be_created_shown_and_changed() {
    let (config, keys) = (Config::new(), Keys::new());
    let created = config.init(&keys, "one", "https://one.example");
    assert_eq!((created.code, created.stdout.as_str()), (0, ""), "{}", created.stderr);
    assert_eq!(config.init(&keys, "two", "sandbox").code, 0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&config.file()), mode(config.file().parent().unwrap())), (0o600, 0o700));
    }
    let list = checked("config-list", &config.run(&["config", "list", "--json"]).stdout);
    assert_eq!(list["profiles"][0]["url"], "https://one.example");
    assert_eq!((&list["profiles"][1]["url"], &list["profiles"][1]["selected"]), (&"sandbox".into(), &false.into()));
    // An existing profile is replaced only with `--replace`.
    let again = config.init(&keys, "one", "https://other.example");
    assert!(again.code == 2 && again.stderr.contains("--replace"), "{}", again.stderr);

    assert_eq!(config.run(&["config", "set", "deadline_seconds", "7", "--profile", "one"]).code, 0);
    assert_eq!(config.run(&["config", "set", "base_url", "https://new.example", "--profile", "two"]).code, 0);
    let shown = checked("config-show", &config.run(&["config", "show", "two", "--json"]).stdout);
    assert_eq!(shown["settings"]["base_url"], "https://new.example");
    assert!(shown["settings"].get("environment").is_none());
    let one = config.run(&["config", "show", "one"]).stdout;
    assert!(one.contains("deadline_seconds") && one.contains(" 7\n") && one.contains("https://one.example"), "{one}");
    let path = config.run(&["config", "path"]).stdout;
    assert_eq!(Path::new(path.trim_end()), config.file());
}

#[test]
fn changing_a_setting_keeps_comments_and_other_profiles() {
    let config = Config::new();
    std::fs::create_dir_all(config.file().parent().unwrap()).unwrap();
    let text = "# mine\n[profiles.one] # the first\nbase_url = \"https://one.example\" # here\n\n[profiles.two]\n";
    std::fs::write(config.file(), text).unwrap();
    let set = config.run(&["config", "set", "max_in_flight", "3", "--profile", "two"]);
    assert!(set.code == 0 && set.stderr.contains("not usable yet"), "{}", set.stderr);
    let changed = format!("{text}max_in_flight = 3\n");
    assert_eq!(std::fs::read_to_string(config.file()).unwrap(), changed);
    // A symbolic link is kept, and its target is changed.
    #[cfg(unix)]
    {
        let target = config.0.path().join("target.toml");
        std::fs::rename(config.file(), &target).unwrap();
        std::os::unix::fs::symlink(&target, config.file()).unwrap();
        assert_eq!(config.run(&["config", "set", "max_in_flight", "", "--profile", "two"]).code, 0);
        assert_eq!(std::fs::read_to_string(&target).unwrap(), text);
        assert!(std::fs::symlink_metadata(config.file()).unwrap().is_symlink());
    }
}

#[test]
fn secrets_are_neither_accepted_as_arguments_nor_shown() {
    let config = Config::new();
    std::fs::create_dir_all(config.file().parent().unwrap()).unwrap();
    let text = "[profiles.one]\nprivate_key = \"CANARY\"\nproxy = \"http://user:CANARY@proxy.example:1\"\n";
    std::fs::write(config.file(), text).unwrap();
    set_mode(&config.file(), 0o600);
    for args in [
        &["config", "show"][..],
        &["config", "show", "--json"],
        &["config", "list"],
        &["config", "set", "private_key", "CANARY"],
        &["config", "set", "proxy", "http://user:CANARY@proxy.example"],
        &["config", "set", "deadline_seconds", "CANARY"],
        &["config", "set", "max_in_flight", "2"],
        &["call", "getPartnerBalance"],
    ] {
        let ran = config.run(args);
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("CANARY"), "{args:?}: {} {}", ran.stdout, ran.stderr);
    }
    // The error for invalid TOML does not quote the line, which can contain a key.
    std::fs::write(config.file(), "[profiles.one]\nprivate_key = CANARY\n").unwrap();
    let ran = config.run(&["config", "list"]);
    assert!(ran.code == 3 && ran.stderr.contains("line 2") && !ran.stderr.contains("CANARY"), "{}", ran.stderr);
}

/// Without the `keyring` feature, the command names the feature, and a profile that uses a keyring entry is refused.
#[cfg(not(feature = "keyring"))]
#[test]
fn build_without_the_keyring_feature_refuses_keyring_entries() {
    let (config, keys) = (Config::new(), Keys::new());
    assert_eq!(config.init(&keys, "one", "http://127.0.0.1:1").code, 0);
    let own = keys.arg("partner.pem");
    let unchanged = |args: &[&str], code: i32, part: &str| {
        let before = std::fs::read_to_string(config.file()).unwrap();
        let ran = config.run(args);
        assert!(ran.code == code && ran.stderr.contains(part), "{args:?}: {}", ran.stderr);
        assert_eq!(std::fs::read_to_string(config.file()).unwrap(), before, "the profile must not change");
    };
    unchanged(&["config", "secret", &own], 3, "--features keyring");
    unchanged(&["config", "secret", "--remove"], 2, "no private key in the keyring");
    let set = config.run(&["config", "set", "private_key_keyring", "entry"]);
    assert!(set.code == 0 && set.stderr.contains("--features keyring"), "{}", set.stderr);
    assert!(!std::fs::read_to_string(config.file()).unwrap().contains("private_key_file"));
    let call = config.run(&["call", "getPartnerBalance"]);
    assert!(call.code == 3 && call.stderr.contains("private_key_keyring"), "{}", call.stderr);
    let doctor = config.run(&["doctor"]);
    assert!(doctor.code == 1 && doctor.stdout.contains("--features keyring"), "{}", doctor.stdout);
    let listen = config.run(&["listen"]);
    assert!(listen.code == 3 && listen.stderr.contains("--features keyring"), "{}", listen.stderr);
    unchanged(&["config", "secret", "--remove"], 3, "--features keyring");
    let replaced = config.run(&["config", "set", "private_key_file", &own]);
    assert!(replaced.code == 0 && replaced.stderr.contains("still contains the entry `entry`"), "{}", replaced.stderr);
    // The passphrase of an encrypted key is read from a file or from the environment.
    let encrypted = keys.arg("encrypted.pem");
    let form = paytend_vectors::key_forms().1.into_iter().find(|case| case.file == "encrypted-pbkdf2.pem").unwrap();
    let phrase = keys.arg("phrase");
    for (path, data) in [(&encrypted, form.data()), (&phrase, b"correct horse\n".to_vec())] {
        std::fs::write(path, data).unwrap();
        set_mode(Path::new(path), 0o600);
    }
    unchanged(&["config", "secret", &encrypted], 3, "is encrypted");
    unchanged(&["config", "secret", &encrypted, "--passphrase-file", &phrase], 3, "--features keyring");
    let mut by_variable = config.command(&["config", "secret", &encrypted]);
    let ran = finish(by_variable.env("PAYTEND_PASSPHRASE", "correct horse"), b"");
    assert!(ran.code == 3 && ran.stderr.contains("--features keyring"), "{}", ran.stderr);
    // A private key is never accepted as an argument.
    let canary = config.run(&["config", "secret", "CANARY-KEY"]);
    assert!(canary.code == 3 && canary.stderr.contains("cannot read the key file"), "{}", canary.stderr);
}

#[test]
fn invalid_profile_is_not_written() {
    let (config, keys) = (Config::new(), Keys::new());
    let own = keys.arg("partner.pem");
    let missing = config.run(&["config", "init", "--base-url", "sandbox"]);
    assert!(missing.code == 2 && missing.stderr.contains("--partner-id, --private-key-file, --public-key-file"));
    for (url, id, file, code, part) in [
        ("https://one.example", "888666000100260", "/no/such/file", 3, "public_key_file"),
        ("http://one.example", "888666000100260", &*keys.arg("paytend.pub"), 3, "plain HTTP"),
        ("https://one.example", "no id", &*keys.arg("paytend.pub"), 3, "partner ID"),
    ] {
        let key = ["--private-key-file", &own, "--public-key-file", file];
        let ran = config.run(&[&["config", "init", "--base-url", url, "--partner-id", id][..], &key].concat());
        assert!(ran.code == code && ran.stderr.contains(part), "{}: {}", ran.code, ran.stderr);
        assert!(!config.file().exists());
    }
    let not_sandbox = config.run(&["config", "init", "--from-sandbox", "/no/such/directory"]);
    assert!(not_sandbox.code == 3 && not_sandbox.stderr.contains("paytend.toml"), "{}", not_sandbox.stderr);
}

/// `config set` creates a lock file beside the profile file. If a different program has a file with this or a similar
/// name, its content is kept.
#[test]
fn files_beside_the_profile_file_are_not_changed() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), Keys::new());
    for (name, neighbour) in [("uv.toml", "uv.lock"), ("x.lock", "x"), ("config.toml", "config.toml.lock")] {
        let (file, neighbour) = (folder.path().join(name), folder.path().join(neighbour));
        std::fs::write(&neighbour, "foreign").unwrap();
        let text = "[profiles.one]\nbase_url = \"https://one.example\"\n\n[profiles.two]\n";
        std::fs::write(&file, text).unwrap();
        let run = |args: &[&str]| finish(command().args(args).env("PAYTEND_CONFIG", &file), b"");
        assert_eq!(run(&["config", "set", "max_in_flight", "3", "--profile", "two"]).code, 0);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{text}max_in_flight = 3\n"), "{name}");
        // A change that the command refuses does not change the neighbouring file either.
        let (own, paytend) = (keys.arg("partner.pem"), keys.arg("paytend.pub"));
        let init = ["config", "init", "two", "--base-url", "sandbox", "--partner-id", "888666000100260"];
        let refused = run(&[&init[..], &["--private-key-file", &own, "--public-key-file", &paytend]].concat());
        assert!(refused.code == 2 && refused.stderr.contains("--replace"), "{}", refused.stderr);
        assert_eq!(std::fs::read_to_string(&neighbour).unwrap(), "foreign", "{name}");
    }
}

/// Relative paths in arguments start at the current directory, but relative paths in a profile start at its file.
#[test]
fn relative_paths_are_stored_as_absolute_paths() {
    let (config, keys) = (Config::new(), Keys::new());
    assert_eq!(config.init(&keys, "one", "https://one.example").code, 0);
    for (setting, file) in [("public_key_file", "paytend.pub"), ("payby_public_key_file", "payby.pub")] {
        let set = finish(config.command(&["config", "set", setting, file]).current_dir(keys.path("")), b"");
        assert_eq!((set.code, set.stderr.as_str()), (0, ""));
        let shown = checked("config-show", &config.run(&["config", "show", "--json"]).stdout);
        let stored = Path::new(shown["settings"][setting].as_str().unwrap());
        assert!(stored.is_absolute() && stored.exists(), "{}", stored.display());
    }
}

/// Several processes change different settings at the same time.
#[test]
fn concurrent_changes_are_all_stored() {
    let (config, keys, random) = (Config::new(), Keys::new(), Seeded::new());
    assert_eq!(config.init(&keys, "one", "https://one.example").code, 0);
    let settings = ["deadline_seconds", "attempt_timeout_seconds", "connect_timeout_seconds", "max_in_flight"];
    let values: Vec<String> = settings.iter().map(|_| (1 + random.next() % 1000).to_string()).collect();
    let changes = settings.iter().zip(&values);
    let running = changes.map(|(name, value)| config.command(&["config", "set", name, value]).spawn().unwrap());
    for mut process in running.collect::<Vec<_>>() {
        assert_eq!(process.wait().unwrap().code(), Some(0));
    }
    let shown = checked("config-show", &config.run(&["config", "show", "--json"]).stdout);
    for (name, value) in settings.iter().zip(&values) {
        assert_eq!(shown["settings"][name].to_string(), *value, "{name}");
    }
}

#[test]
fn environment_variables_override_a_sandbox_profile() {
    let (config, folder) = (Config::new(), tempfile::tempdir().unwrap());
    let keys = folder.path().join("keys");
    let running = RunningSandbox::start(&["--keys", keys.to_str().unwrap(), "--timing", "instant"]);
    let created = config.run(&["config", "init", "local", "--from-sandbox", keys.to_str().unwrap()]);
    assert_eq!(created.code, 0, "{}", created.stderr);
    let call = |command: &mut Command| finish(command.args(["call", "getPartnerBalance"]).current_dir("/"), b"");
    let sent = call(&mut config.command(&[]));
    assert!(sent.code == 0 && sent.stdout.contains("10000.00"), "{} {}", sent.stdout, sent.stderr);
    // Environment variables override the profile's settings, and can be used without a profile.
    let elsewhere = call(config.command(&[]).env("PAYTEND_BASE_URL", "http://127.0.0.1:1"));
    assert_eq!(elsewhere.code, 5, "{}", elsewhere.stderr);
    let unknown = call(config.command(&[]).env("PAYTEND_PROFILE", "locals"));
    assert!(unknown.code == 3 && unknown.stderr.contains("did you mean `local`?"), "{}", unknown.stderr);
    let none = call(&mut command());
    assert!(none.code == 3 && none.stderr.contains("paytend config init"), "{}", none.stderr);
    let mut from_env = command();
    from_env.env("PAYTEND_BASE_URL", running.url("base_url"));
    from_env.env("PAYTEND_PRIVATE_KEY_FILE", keys.join("partner-private.pem"));
    from_env.env("PAYTEND_PUBLIC_KEY_FILE", keys.join("paytend-public.b64"));
    from_env.env("PAYTEND_PARTNER_ID", std::fs::read_to_string(keys.join("partner-id")).unwrap().trim());
    assert_eq!(call(&mut from_env).code, 0);
    // Options override environment variables. With a key directory, no profile is needed.
    let mut options = config.command(&[]);
    options.env("PAYTEND_BASE_URL", "http://127.0.0.1:1").env("PAYTEND_PROFILE", "none");
    options.args(["call", "getPartnerBalance", "--keys", keys.to_str().unwrap()]);
    assert_eq!(finish(&mut options, b"").code, 0);
    std::fs::remove_file(keys.join("paytend.toml")).unwrap();
    assert_eq!(finish(&mut options, b"").code, 2);
    assert_eq!(finish(options.args(["--base-url", &running.url("base_url")]), b"").code, 0);
}

#[cfg(unix)]
#[test]
fn missing_settings_are_asked_for_on_a_terminal() {
    let (config, keys) = (Config::new(), Keys::new());
    let mut command = config.command(&["config", "init", "--partner-id", "888666000100260"]);
    let mut terminal = crate::pty::Terminal::start(&mut command);
    for (question, answer) in [
        ("Base URL", ""),
        ("private key", &*keys.arg("partner.pem")),
        ("Paytend's public key", &*keys.arg("paytend.pub")),
    ] {
        terminal.expect(question);
        terminal.type_line(answer);
    }
    assert_eq!(terminal.wait(), Some(0), "{}", terminal.shown());
    let shown = checked("config-show", &config.run(&["config", "show", "--json"]).stdout);
    assert_eq!(shown["settings"]["environment"], "sandbox");
}
