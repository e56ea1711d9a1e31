//! `paytend completions`: prints the completion script for a shell.

use std::io::{self, Write as _};

use clap::{Args as ClapArgs, Command};
use clap_complete::Shell;

use crate::completion::source;
use crate::exit::Failure;

/// A bash function that completes values. If there are none, it calls the generated function.
const BASH: &str = r#"
_paytend_values() {
    local line="${COMP_LINE:0:COMP_POINT}" current prefix value
    local -a words
    # The line is split only at spaces, because bash would also split it at `:` and `=`.
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    (( ${#words[@]} )) && current="${words[${#words[@]}-1]}"
    COMPREPLY=()
    while IFS= read -r value; do
        COMPREPLY+=("$value")
    done < <("$1" complete-values -- "${words[@]}" 2>/dev/null)
    if (( ${#COMPREPLY[@]} == 0 )); then
        _paytend "$@"
        return
    fi
    # bash replaces only the part of the word after the last separator.
    prefix="${current%"${current##*[$COMP_WORDBREAKS]}"}"
    COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
    if [[ ${COMPREPLY[0]} == *[:=] ]]; then
        compopt -o nospace 2>/dev/null || true
    fi
}
complete -F _paytend_values -o bashdefault -o default paytend
"#;

/// A zsh function that completes values. If there are none, it calls the generated function.
const ZSH: &str = r#"
_paytend_values() {
    local -a values open
    values=("${(@f)$("${words[1]}" complete-values -- "${(@)words[1,CURRENT]}" 2>/dev/null)}")
    values=("${(@)values:#}")
    if (( ! $#values )); then
        _paytend "$@"
        return
    fi
    # No space is added after a value that can be continued.
    open=("${(@M)values:#*[:=]}")
    values=("${(@)values:#*[:=]}")
    (( $#open )) && compadd -Q -S '' -- "${(@)open}"
    (( $#values )) && compadd -Q -- "${(@)values}"
    return 0
}

if (( $+functions[compdef] )); then
    compdef _paytend_values paytend
fi
if [ "$funcstack[1]" = "_paytend" ]; then
    _paytend_values "$@"
fi
"#;

/// The fish function that prints the possible values for the current word.
const FISH: &str = r#"
function __paytend_values
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    # The quotes preserve an empty word. In an option, fish completes only the part after `=`.
    $words[1] complete-values -- $words "$current" 2>/dev/null | string replace -r -- '^--[^=]*=' ''
end
"#;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The shell that the script is for
    shell: Shell,
}

pub(crate) fn run(args: &Args, mut command: Command) -> Result<(), Failure> {
    Ok(io::stdout().lock().write_all(script(args.shell, &mut command).as_bytes())?)
}

/// Returns the completion script for a shell.
fn script(shell: Shell, command: &mut Command) -> String {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, command, name, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => script + BASH,
        Shell::Zsh => {
            // The generated script ends with lines that call or register the generated function. `ZSH` replaces them.
            let end = script.find("\nif [ \"$funcstack[1]\"").unwrap_or(script.len());
            script.get(..end).unwrap_or_default().to_owned() + ZSH
        }
        Shell::Fish => format!("{script}{FISH}{}", fish_values(command, &[])),
        _ => script,
    }
}

/// Returns fish completions for the arguments whose values are missing from the generated script.
fn fish_values(command: &Command, path: &[&str]) -> String {
    let used: Vec<String> = path.iter().map(|name| format!("__fish_seen_subcommand_from {name}")).collect();
    let condition = used.join("; and ");
    let mut lines = String::new();
    for argument in command.get_arguments().filter(|argument| source(path, argument).is_some()) {
        let option = match (argument.get_long(), argument.get_short()) {
            (None, _) => " -f".to_owned(),
            (Some(long), None) => format!(" -l {long} -x"),
            (Some(long), Some(short)) => format!(" -l {long} -s {short} -x"),
        };
        lines.push_str(&format!("complete -c paytend -n \"{condition}\"{option} -a \"(__paytend_values)\"\n"));
    }
    for argument in command.get_positionals().filter(|argument| source(path, argument).is_none()) {
        let values: Vec<String> = argument
            .get_possible_values()
            .iter()
            .map(|value| value.get_name().to_owned())
            .filter(|value| value.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)))
            .collect();
        if !values.is_empty() && !path.is_empty() {
            let values = values.join(" ");
            lines.push_str(&format!("complete -c paytend -n \"{condition}\" -f -a \"{values}\"\n"));
        }
    }
    for child in command.get_subcommands() {
        lines.push_str(&fish_values(child, &[path, &[child.get_name()]].concat()));
    }
    lines
}
