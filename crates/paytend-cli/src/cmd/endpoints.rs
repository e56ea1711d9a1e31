//! `paytend endpoints`

use clap::Args as ClapArgs;
use paytend_model::{OperationKind, PayloadRule, Product, operations};
use serde_json::json;

use crate::exit::Failure;
use crate::output;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    for info in operations() {
        let kind = match info.kind {
            OperationKind::Query => "query",
            OperationKind::Mutation => "mutation",
        };
        let product = match info.product {
            Product::Issuing => "issuing",
            _ => "baas",
        };
        let payload = match info.payload {
            PayloadRule::Signed => "signed",
            PayloadRule::Unsigned => "unsigned",
            PayloadRule::None => "none",
        };
        let sure = info.provenance;
        if args.json {
            let provenance = json!({
                "operation": sure.operation.to_string(), "path": sure.path.to_string(),
                "request": sure.request.to_string(), "response": sure.response.to_string(),
            });
            let object = json!({
                "name": info.name, "title": info.title, "product": product, "path": info.path, "kind": kind,
                "payload": payload, "documentation": info.documentation, "provenance": provenance,
            });
            output::line(&object.to_string())?;
        } else {
            output::line(&format!("{:<8} {kind:<8} {:<40} {} (path {})", product, info.path, info.title, sure.path))?;
        }
    }
    Ok(())
}
