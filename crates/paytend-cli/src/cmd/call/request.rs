//! The options that describe a request, shared by `call` and `pages`.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use paytend_model::{Description, OperationEntry};

use crate::connection::ConnectionArgs;
use crate::exit::{Category, Failure};
use crate::inputs::Inputs;
use crate::operations::{Target, suggested};
use crate::output;
use crate::payload::{Node, field_at, value};
use crate::{duration, prompt, suggest};

/// The maximum size of the business data, in bytes.
const MAX_DATA: usize = 4 << 20;

#[derive(Args)]
pub(crate) struct RequestArgs {
    /// The operation: a name such as topup or issuing.getCities, or a path; `paytend endpoints` lists the operations
    #[arg(value_parser = suggested(), hide_possible_values = true)]
    pub(crate) operation: String,
    /// The business data as JSON, `@FILE`, or `-` for standard input
    #[arg(long, short, value_name = "JSON")]
    data: Option<String>,
    /// A field of the business data, such as orderNo=T-1 or eeaAddress.city=Vilnius; may be repeated
    #[arg(long, short, value_name = "FIELD=VALUE")]
    field: Vec<String>,
    /// A field whose value is the content of a file, or of standard input for `-`; may be repeated
    #[arg(long, value_name = "FIELD=PATH")]
    file: Vec<String>,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// The time limit for the whole call, or in `pages` for each page, such as 30s or 2m
    #[arg(long, value_name = "DURATION", value_parser = duration::positive)]
    pub(crate) deadline: Option<Duration>,
}

impl RequestArgs {
    /// Returns the business data, checked against the operation. On a terminal, asks for missing fields.
    pub(crate) fn payload(&self, target: &Target) -> Result<String, Failure> {
        let inputs = &mut Inputs::default();
        let mut data = Node::object(&self.data(inputs)?).map_err(|error| Failure::usage(format!("--data: {error}")))?;
        let request = match target {
            Target::Known(entry) => Some(entry.request),
            Target::Path(_) => None,
        };
        for given in &self.field {
            let (path, text) = pair(given, "--field")?;
            warn_if_unknown(request, path);
            let field = request.and_then(|request| field_at(request.fields, path));
            set(&mut data, path, value(field, text))?;
        }
        for given in &self.file {
            let (path, file) = pair(given, "--file")?;
            warn_if_unknown(request, path);
            set(&mut data, path, Ok(content(Path::new(file), inputs)?))?;
        }
        match target {
            Target::Known(entry) => reviewed(entry, data, inputs),
            Target::Path(path) => {
                output::warn(format!("{path} is not a known operation, so its fields are not checked"));
                Ok(data.to_string())
            }
        }
    }

    fn data(&self, inputs: &mut Inputs) -> Result<String, Failure> {
        let text = match self.data.as_deref() {
            None => return Ok("{}".to_owned()),
            Some("-") => inputs.read(Path::new("-"), "--data", MAX_DATA)?,
            Some(text) => match text.strip_prefix('@') {
                Some(file) => inputs.read(Path::new(file), "--data", MAX_DATA)?,
                None => return Ok(text.to_owned()),
            },
        };
        String::from_utf8(text.to_vec()).map_err(|_| Failure::usage("--data is not valid UTF-8: pass a JSON object"))
    }
}

fn pair<'a>(given: &'a str, option: &str) -> Result<(&'a str, &'a str), Failure> {
    given.split_once('=').ok_or_else(|| Failure::usage(format!("{option} {given}: expected FIELD=VALUE")))
}

fn set(data: &mut Node, path: &str, value: Result<Node, String>) -> Result<(), Failure> {
    let value = value.map_err(|error| Failure::usage(format!("`{path}`: {error}")))?;
    data.set(path, value).map_err(Failure::usage)
}

/// Returns the content of a file, or of standard input for `-`, base64-encoded.
fn content(file: &Path, inputs: &mut Inputs) -> Result<Node, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::new(Category::Configuration, format!("cannot read {}: {error}", file.display()))
    };
    let content = if file == Path::new("-") {
        paytend_client::file_from_reader(inputs.read(file, "--file", MAX_DATA)?.as_slice())
    } else {
        paytend_client::file_from_path(file)
    };
    let content = content.map_err(|error| unreadable(&error))?;
    serde_json::to_string(&content).map(Node::Text).map_err(|error| unreadable(&error))
}

/// Warns about a field that the operation does not have. The field is sent, because the provider may have added it.
fn warn_if_unknown(request: Option<Description>, path: &str) {
    let Some(request) = request.filter(|request| field_at(request.fields, path).is_none()) else { return };
    let hint = suggest::did_you_mean(path, request.fields.iter().map(|field| field.name));
    output::warn(match hint {
        Some(hint) => format!("`{path}` is not a known field of this request: {hint}"),
        None => format!("`{path}` is not a known field of this request"),
    });
}

/// Checks the business data. On a terminal, asks for missing fields.
fn reviewed(entry: &OperationEntry, mut data: Node, inputs: &mut Inputs) -> Result<String, Failure> {
    let mut findings = entry.review(&data.to_string());
    let is_missing = |data: &Node, field: &str| {
        !field.is_empty() && !data.has(field) && field_at(entry.request.fields, field).is_some()
    };
    let missing = findings.iter().filter(|finding| finding.is_error() && is_missing(&data, &finding.field));
    let missing: Vec<String> = missing.map(|finding| finding.field.clone()).collect();
    if !missing.is_empty() && prompt::is_interactive() {
        for path in missing {
            let field = field_at(entry.request.fields, &path);
            let is_file = field.is_some_and(|field| field.type_name == "FileContent");
            let about = field.and_then(|field| field.about.lines().next()).unwrap_or_default().trim();
            let answer = prompt::ask(&format!("{path} ({})", about.trim_end_matches('.')), None)?;
            let value = if is_file { Ok(content(Path::new(&answer), inputs)?) } else { value(field, &answer) };
            set(&mut data, &path, value)?;
        }
        findings = entry.review(&data.to_string());
    }
    let (errors, warnings): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| finding.is_error());
    warnings.iter().for_each(output::warn);
    if errors.is_empty() {
        return Ok(data.to_string());
    }
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let name = entry.info.name;
    Err(Failure::usage(format!(
        "invalid {name} request: {}; `paytend endpoints {}.{name}` describes the fields",
        errors.join("; "),
        entry.info.product
    )))
}
