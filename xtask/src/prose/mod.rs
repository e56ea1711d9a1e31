//! `prose`: checks the language of documentation, comments and messages.

mod rules;
mod texts;

use std::path::Path;

use crate::shell::{output, root};

/// Extensions of the files that are checked.
const CHECKED: [&str; 10] = [".rs", ".md", ".js", ".mjs", ".ts", ".toml", ".py", ".java", ".go", ".html"];
/// Extensions of the files whose line length is limited.
const LIMITED: [&str; 5] = [".rs", ".md", ".js", ".mjs", ".toml"];
/// Directories with data or with files from third parties.
const DATA: [&str; 5] = ["vectors/", "reference/", "fuzz/corpus/", "crates/paytend-sandbox/tests/data/", "tests/data/"];

/// Checks the files whose path begins with one of `prefixes`, or all files if there are none.
pub(crate) fn run(prefixes: &[&str]) -> Result<(), String> {
    let listed = output("git", &["ls-files", "--cached", "--others", "--exclude-standard"])
        .ok_or("git cannot list the files: run this command in a clone of the repository")?;
    let mut findings = Vec::new();
    for path in listed.lines().filter(|path| is_checked(path, prefixes)) {
        // Skip deleted files, which git lists until the deletion is committed.
        let Ok(source) = std::fs::read_to_string(root().join(path)) else { continue };
        findings.extend(check(path, &source).into_iter().map(|finding| format!("{path}:{finding}")));
    }
    if findings.is_empty() {
        println!("prose: no findings");
        return Ok(());
    }
    println!("{}", findings.join("\n"));
    Err(format!("{} findings; the rules are in xtask/src/prose/rules.rs", findings.len()))
}

fn is_checked(path: &str, prefixes: &[&str]) -> bool {
    let wanted = prefixes.is_empty() || prefixes.iter().any(|prefix| path.starts_with(prefix));
    let data = DATA.iter().any(|folder| path.starts_with(folder) || path.contains(&format!("/{folder}")));
    // The files in this module are not checked, because they list the phrases that are not allowed.
    let own = path.starts_with("xtask/src/prose/");
    wanted && !data && !own && has(path, &CHECKED) && Path::new(path).file_name().is_some_and(|name| name != "LICENSE")
}

fn has(path: &str, extensions: &[&str]) -> bool {
    extensions.iter().any(|extension| path.ends_with(extension))
}

/// Returns the findings in a file, each with its line.
fn check(path: &str, source: &str) -> Vec<String> {
    let texts = texts::find(path, source);
    let mut findings = Vec::new();
    if has(path, &LIMITED) {
        findings.extend(rules::long_lines(source));
    }
    findings.extend(rules::words(&texts));
    findings.extend(rules::sentences(&texts));
    if path.ends_with(".rs") && !path.contains("/tests/") && !path.starts_with("xtask/") {
        findings.extend(rules::verbs(source));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn each_rule_reports_a_violation() {
        let long = format!("//! {}\n", "word ".repeat(31));
        for (source, finding) in [
            ("/// Tells whoever asks.\n", "1: \"whoever\""),
            ("let text = \"nobody is there\";\n", "1: \"nobody\""),
            ("/// Whether it holds.\npub fn holds() {}\n", "1: documentation of a function does not begin with a verb"),
            (&format!("// {}\n", "x".repeat(120)), "1: 123 columns"),
            (&long, "1: a sentence of 31 words"),
        ] {
            let findings = check("crates/x/src/lib.rs", source);
            assert!(findings.iter().any(|found| found.starts_with(finding)), "{source}: {findings:?}");
        }
    }

    #[test]
    fn plain_text_has_no_finding() {
        let source = "//! Opens messages.\n\n/// Returns whether the message is authentic.\n///\n/// ```\n\
                      /// nobody();\n/// ```\npub fn is_authentic() {}\n// A table row may be long in Markdown.\n";
        assert_eq!(check("crates/x/src/lib.rs", source), Vec::<String>::new());
        let table = format!("| {} |\n", "x".repeat(200));
        assert_eq!(check("README.md", &table), Vec::<String>::new());
        // Identifiers, and code in documentation, are not checked.
        assert_eq!(check("README.md", "Call `nobody` first.\n"), Vec::<String>::new());
    }
}
