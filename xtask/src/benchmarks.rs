//! The sections of BENCHMARKS.md. The part before the first section is written by the `paytend-bench` program.

use std::path::PathBuf;

use crate::shell::root;

fn path() -> PathBuf {
    root().join("BENCHMARKS.md")
}

/// Returns all sections, so that a command that rewrites the first part can keep them.
pub(crate) fn sections() -> String {
    let text = std::fs::read_to_string(path()).unwrap_or_default();
    text.find("\n## ").map(|at| text[at..].to_owned()).unwrap_or_default()
}

/// Appends sections that [`sections`] has returned.
pub(crate) fn append(sections: &str) -> Result<(), String> {
    let text = std::fs::read_to_string(path()).map_err(|error| error.to_string())?;
    std::fs::write(path(), format!("{}\n{sections}", text.trim_end())).map_err(|error| error.to_string())
}

/// Replaces the section with this heading, or appends it.
pub(crate) fn replace(heading: &str, body: &str) -> Result<(), String> {
    let text = std::fs::read_to_string(path()).map_err(|error| error.to_string())?;
    std::fs::write(path(), replaced(&text, heading, body)).map_err(|error| error.to_string())
}

fn replaced(text: &str, heading: &str, body: &str) -> String {
    let section = format!("## {heading}\n\n{}\n", body.trim());
    let mut parts: Vec<String> = text.split("\n## ").map(|part| part.trim_end().to_owned() + "\n").collect();
    for part in &mut parts[1..] {
        part.insert_str(0, "## ");
    }
    match parts.iter_mut().find(|part| part.starts_with(&format!("## {heading}\n"))) {
        Some(part) => *part = section,
        None => parts.push(section),
    }
    parts.join("\n")
}

#[cfg(test)]
mod tests {
    use super::replaced;

    const TEXT: &str = "# Benchmarks\n\nfirst\n\n## One\n\nold\n\n## Two\n\nkept\n";

    #[test]
    fn section_is_replaced_in_place() {
        let expected = "# Benchmarks\n\nfirst\n\n## One\n\nnew\n\n## Two\n\nkept\n";
        assert_eq!(replaced(TEXT, "One", "new\n"), expected);
        assert_eq!(replaced(expected, "One", "new"), expected);
    }

    #[test]
    fn unknown_section_is_appended() {
        assert_eq!(replaced(TEXT, "Three", "new"), format!("{TEXT}\n## Three\n\nnew\n"));
    }
}
