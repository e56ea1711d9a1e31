//! Checks that a binding's tests run the code blocks of its README.
//!
//! The Python and Node tests run the code blocks themselves. The tests for the compiled languages run a program with
//! marked regions, which must equal the README's code blocks.

use std::path::Path;

use crate::shell::root;

/// The markers at the start and end of a region.
const BEGIN: &str = "README: begin";
const END: &str = "README: end";

/// A README, and the program that runs its code.
struct Readme {
    language: &'static str,
    path: &'static str,
    /// The language tag of the README's code blocks.
    fence: &'static str,
    /// The program with the regions; `None` if the tests run the code blocks themselves.
    program: Option<&'static str>,
}

const READMES: [Readme; 5] = [
    Readme {
        language: "c",
        path: "crates/paytend-ffi/README.md",
        fence: "c",
        program: Some("crates/paytend-ffi/tests/c/readme.c"),
    },
    Readme { language: "python", path: "crates/paytend-python/README.md", fence: "python", program: None },
    Readme { language: "node", path: "crates/paytend-node/README.md", fence: "js", program: None },
    Readme {
        language: "java",
        path: "crates/paytend-java/README.md",
        fence: "java",
        program: Some("crates/paytend-java/src/test/java/io/github/paytendrs/paytend/ReadmeTest.java"),
    },
    Readme {
        language: "go",
        path: "crates/paytend-ffi/go/README.md",
        fence: "go",
        program: Some("crates/paytend-ffi/go/readme_test.go"),
    },
];

/// Checks that a language's README contains the code that its tests run.
pub(super) fn check(language: &str) -> Result<(), String> {
    READMES.iter().filter(|readme| readme.language == language).try_for_each(Readme::check)
}

impl Readme {
    fn check(&self) -> Result<(), String> {
        let Some(program) = self.program else { return Ok(()) };
        let (shown, run) = (blocks(&read(self.path)?, self.fence), regions(&read(program)?));
        compare(&shown, &run).map_err(|problem| format!("{} and {program}: {problem}", self.path))
    }
}

fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(root().join(Path::new(path))).map_err(|error| format!("{path}: {error}"))
}

/// Checks that each code block equals the region with the same number.
fn compare(shown: &[String], run: &[String]) -> Result<(), String> {
    if shown.is_empty() || shown.len() != run.len() {
        return Err(format!("the README has {} code blocks, the program has {} regions", shown.len(), run.len()));
    }
    match shown.iter().zip(run).position(|(shown, run)| shown != run) {
        Some(at) => Err(format!("code block {} differs from the program:\n{}", at + 1, run[at])),
        None => Ok(()),
    }
}

/// Returns the code blocks in a language from a Markdown document.
fn blocks(markdown: &str, fence: &str) -> Vec<String> {
    between(markdown, |line| line == format!("```{fence}"), |line| line == "```")
}

/// Returns the marked regions of a program, without empty lines at the ends and without common indentation.
fn regions(program: &str) -> Vec<String> {
    between(program, |line| line.contains(BEGIN), |line| line.contains(END)).iter().map(|text| dedented(text)).collect()
}

/// Returns the parts of `text` between the lines that satisfy `begins` and `ends`.
fn between(text: &str, begins: impl Fn(&str) -> bool, ends: impl Fn(&str) -> bool) -> Vec<String> {
    let (mut parts, mut open) = (Vec::new(), None::<String>);
    for line in text.lines() {
        match open.take() {
            None if begins(line) => open = Some(String::new()),
            None => {}
            Some(part) if ends(line) => parts.push(part),
            Some(part) => open = Some(part + line + "\n"),
        }
    }
    parts
}

fn dedented(text: &str) -> String {
    let text = text.trim_matches('\n');
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let common = text.lines().filter(|line| !line.trim().is_empty()).map(indentation).min().unwrap_or_default();
    text.lines().map(|line| line.get(common..).unwrap_or_default().to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::{ALL, VERBS};

    #[test]
    fn readme_code_is_run_by_tests() {
        for binding in &ALL {
            assert!(READMES.iter().any(|readme| readme.language == binding.name), "{}", binding.name);
            check(binding.name).unwrap();
        }
    }

    #[test]
    fn code_block_that_differs_from_program_is_refused() {
        let shown = blocks("text\n```c\nint a;\n\n  int b;\n```\n```sh\nls\n```\n", "c");
        let run = |program: &str| regions(program);
        let same = "  // README: begin\n  int a;\n\n    int b;\n  // README: end\n";
        assert_eq!(compare(&shown, &run(same)), Ok(()));
        assert!(compare(&shown, &run(&same.replace("int b", "int c"))).is_err());
        assert!(compare(&shown, &run("")).is_err());
        assert!(compare(&[], &[]).is_err());
    }

    #[test]
    fn xtask_commands_in_readmes_exist() {
        for readme in &READMES {
            let text = read(readme.path).unwrap();
            let lines: Vec<&str> = text.lines().flat_map(|line| line.split('`')).collect();
            let commands: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("cargo xtask ")).collect();
            assert!(!commands.is_empty(), "{}", readme.path);
            for command in commands {
                let words: Vec<&str> = command.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
                let ["bindings", verb, language] = *words else { panic!("{}: {command}", readme.path) };
                assert!(VERBS.contains(&verb), "{command}");
                assert_eq!(language, readme.language, "{command}");
            }
        }
    }

    /// Every command in a `sh` block is a `cargo xtask` command or is run by the language's tests.
    #[test]
    fn each_shell_line_is_an_xtask_command_or_is_tested() {
        for readme in &READMES {
            let text = read(readme.path).unwrap();
            for line in blocks(&text, "sh").iter().flat_map(|block| block.lines()) {
                let run_by_tests = matches!(readme.language, "python" | "node");
                assert!(line.starts_with("cargo xtask ") || run_by_tests, "{}: {line}", readme.path);
            }
        }
    }

    /// Each README lists the platforms that the workflow builds packages for.
    #[test]
    fn readmes_list_the_platforms_with_prebuilt_packages() {
        let workflow = read(".github/workflows/bindings.yml").unwrap();
        let packed: Vec<&str> = workflow.lines().filter(|line| line.contains("{ os: ")).collect();
        assert!(!packed.is_empty());
        for readme in &READMES {
            let text = read(readme.path).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
            let lines: Vec<_> = packed.iter().filter(|line| names(line, readme.language)).collect();
            let everywhere = ["ubuntu", "macos", "windows"].iter().all(|os| lines.iter().any(|line| line.contains(os)));
            let expected = if everywhere {
                "Prebuilt packages are available for Linux, macOS and Windows."
            } else {
                assert!(lines.iter().all(|line| line.contains("ubuntu")), "{}", readme.path);
                "Prebuilt packages are available for Linux only."
            };
            assert!(text.contains(expected), "{}: {expected}", readme.path);
        }
    }

    fn names(line: &str, language: &str) -> bool {
        line.split('"').nth(1).is_some_and(|languages| languages.split(' ').any(|name| name == language))
    }

    /// The codes are the same in every language, and each README lists them in the same order.
    #[test]
    fn readmes_list_all_error_codes() {
        let code = read("crates/paytend-bindings/src/failure.rs").unwrap();
        let names: Vec<&str> = code
            .lines()
            .filter_map(|line| line.trim().strip_prefix("/// `")?.split_once("`: "))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names.len(), 10);
        for readme in &READMES {
            let text = read(readme.path).unwrap();
            let mut rest = text.as_str();
            for name in &names {
                let at = rest.find(&format!("`{name}`"));
                rest = &rest[at.unwrap_or_else(|| panic!("{}: {name}", readme.path))..];
            }
        }
    }

    #[test]
    fn readme_lines_have_at_most_120_columns() {
        for readme in &READMES {
            let text = read(readme.path).unwrap();
            let long = text.lines().find(|line| line.chars().count() > 120);
            assert_eq!(long, None, "{}", readme.path);
        }
    }
}
