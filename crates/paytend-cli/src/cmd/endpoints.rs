//! `paytend endpoints`: lists the operations of the API.

use clap::Args as ClapArgs;
use paytend_model::{Description, OperationEntry, OperationError, operation, operations};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::output;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Show only this operation, with its fields: a name such as `topup` or `issuing.getCities`, or a path
    name: Option<String>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let Some(name) = &args.name else {
        for entry in operations() {
            output::line(&if args.json { to_json(entry).to_string() } else { summary(entry) })?;
        }
        return Ok(());
    };
    let entry = operation(name).map_err(|error: OperationError| {
        Failure::usage(format!("{name}: {error}; run `paytend endpoints` for a list"))
    })?;
    output::line(&if args.json { to_json(entry).to_string() } else { details(entry) })?;
    Ok(())
}

fn summary(entry: &OperationEntry) -> String {
    let info = entry.info;
    format!("{:<8} {:<8} {:<43} {} (path {})", info.product, info.kind, info.path, info.title, info.provenance.path)
}

fn details(entry: &OperationEntry) -> String {
    let (info, provenance) = (entry.info, entry.info.provenance);
    let mut text = format!(
        "{} ({})\npath       {} ({})\nkind       {}\npayload    {}\n",
        info.title, info.documentation, info.path, provenance.path, info.kind, info.payload
    );
    if let Some(bytes) = info.max_file_bytes {
        text.push_str(&format!("file       at most {bytes} bytes before base64 encoding\n"));
    }
    for (what, object, description) in
        [("request", info.request_object, entry.request), ("response", info.response_object, entry.response)]
    {
        text.push_str(&format!("{what:<10} {}: {}\n", object.unwrap_or("none"), description.rust_type()));
        for field in description.fields {
            let mut about: Vec<String> = field.about.lines().take(1).map(|line| line.trim().to_owned()).collect();
            about.extend(field.rules.iter().map(|rule| format!("it {rule}")));
            let needed = if field.required { "required" } else { "optional" };
            let (name, type_name, about) = (field.name, field.type_name, about.join(" "));
            text.push_str(&format!("  {name:<20} {type_name:<16} {needed}  {:<10}  {about}\n", field.source));
        }
    }
    text.trim_end().to_owned()
}

fn to_json(entry: &OperationEntry) -> Value {
    let (info, provenance) = (entry.info, entry.info.provenance);
    json!({
        "name": info.name, "title": info.title, "product": info.product.as_str(), "path": info.path,
        "kind": info.kind.to_string(), "payload": info.payload.to_string(), "documentation": info.documentation,
        "maxFileBytes": info.max_file_bytes,
        "requestObject": info.request_object, "requestType": entry.request.rust_type(),
        "request": fields(&entry.request),
        "responseObject": info.response_object, "responseType": entry.response.rust_type(),
        "response": fields(&entry.response),
        "provenance": {
            "operation": provenance.operation.to_string(), "path": provenance.path.to_string(),
            "request": provenance.request.to_string(), "response": provenance.response.to_string(),
        },
    })
}

fn fields(description: &Description) -> Vec<Value> {
    let field = |field: &paytend_model::Field| {
        json!({
            "name": field.name, "type": field.type_name, "required": field.required,
            "provenance": field.source.to_string(),
            "rules": field.rules.iter().map(ToString::to_string).collect::<Vec<_>>(), "about": field.about.trim(),
        })
    };
    description.fields.iter().map(field).collect()
}
