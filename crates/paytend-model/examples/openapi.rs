//! Prints the OpenAPI document: `cargo run -p paytend-model --features schema --example openapi`.

#![allow(clippy::print_stdout)]

fn main() -> Result<(), serde_json::Error> {
    println!("{}", serde_json::to_string_pretty(&paytend_model::openapi::document())?);
    Ok(())
}
