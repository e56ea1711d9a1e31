//! The OpenAPI 3.1 document for all operations and notifications (the `schema` feature), generated from the types.
//!
//! The document describes two layers. `requestBody` describes the envelope, which is sent on the wire. OpenAPI tools
//! cannot see the payload, because it is encrypted. The payload is described under `x-plaintext` and
//! `components.schemas`.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::envelope::{Acknowledgement, NotificationEnvelope, RequestEnvelope, ResponseEnvelope};
use crate::notification::{Notification, NotificationInfo};
use crate::operation::{OperationInfo, PayloadRule, Product};
use crate::provenance::Provenance;
use crate::registry::{OperationEntry, operations};
use crate::value::FieldType;
use crate::{payby, payermax};

const ENVELOPE: &str = "\
Every request is an HTTPS POST of a JSON envelope in UTF-8. Its payload (`bizData`, `respData`, `content`) is a JSON \
object, encrypted with AES-192 in ECB mode with PKCS#7 padding and written as base64. The AES key is the 24 base64 \
characters of the session key as ASCII bytes, not the bytes that they encode. `randomKey` is the session key, \
encrypted with RSA PKCS#1 v1.5 for the receiver, as base64. `signature` is the sender's SHA256withRSA signature. It \
covers all non-empty fields except `signature` and `encryptFlag`, written as `name=value` in ASCII order of the names \
and joined with `&`. Payload and session key are signed in plaintext. If `x-payload` is `unsigned`, the payload is \
excluded from the signature. Notifications from PayBy and PayerMax have no envelope; their signature is in a header. \
In this document, the schema of a body describes the envelope. The schema of the payload is under `x-plaintext`, with \
an example.\n\n\
`x-provenance` is the source of a fact: `documented` by the provider, `observed` (in the provider's published \
programs), or `inferred`, which may be wrong. `x-kind` is `query` for an operation that only reads, or `mutation` for \
one that changes state and must never be blindly retried. `x-payload` is `signed`, `unsigned`, or `none` if the \
operation has no business data. `x-plaintext-example` is an example of the payload before encryption. \
`x-request-object`, `x-response-object` and `x-object` are the provider's names of objects. `x-known-values` lists \
the known codes; other values can occur. `x-max-file-bytes` is the largest file size, before base64. `x-notify-type` \
is the `notifyType`.";

/// Returns the OpenAPI document.
///
/// ```
/// let document = paytend_model::openapi::document();
/// assert_eq!(document["openapi"], "3.1.0");
/// assert!(document["paths"]["/issuing/card/topup"]["post"]["x-provenance"]["path"] == "observed");
/// ```
pub fn document() -> Value {
    // In an OpenAPI document, shared schemas are under `components`.
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let paths: Map<String, Value> = operations()
        .iter()
        .map(|entry| (entry.info.path.to_owned(), json!({ "post": operation(entry, &mut generator) })))
        .collect();
    let mut webhooks: Map<String, Value> = Notification::kinds()
        .map(|kind| (webhook_name(kind), json!({ "post": notification(kind, &mut generator) })))
        .collect();
    let acknowledgements = [payby::ACKNOWLEDGEMENT, payermax::ACKNOWLEDGEMENT];
    for ((name, title, schema, example), acknowledgement) in [
        detached::<payby::TransferToBankNotification>(
            "payby.transferToBank",
            "PayBy: transfer to bank",
            &mut generator,
        ),
        detached::<payermax::BalanceChangeNotification>(
            "payermax.balanceChange",
            "PayerMax: balance change",
            &mut generator,
        ),
    ]
    .into_iter()
    .zip(acknowledgements)
    {
        webhooks.insert(name.into(), json!({ "post": signed_body(name, title, &schema, &example, acknowledgement) }));
    }
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Paytend BaaS Core, Funding Notification and Issuing Cards",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ENVELOPE,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{
            "url": "https://sandbox-api.paytend.com",
            "description": "The sandbox. Paytend provides the production URL with the contract.",
            "x-provenance": "observed",
        }],
        "tags": [
            { "name": Product::Issuing.as_str(), "description": "Issuing Cards" },
            { "name": Product::Baas.as_str(), "description": "BaaS Core and Funding Notification" },
            { "name": "payby", "description": "PayBy" },
            { "name": "payermax", "description": "PayerMax" },
        ],
        // The document declares no security scheme, because only the signature inside the envelope authenticates a
        // request.
        "security": [],
        "paths": paths,
        "webhooks": webhooks,
        "components": { "schemas": generator.take_definitions(true) },
    })
}

fn operation(entry: &OperationEntry, generator: &mut SchemaGenerator) -> Value {
    let OperationInfo { name, title, product, kind, payload, max_file_bytes, provenance, .. } = *entry.info;
    let schemas = (entry.schemas)(generator);
    let request = match payload {
        PayloadRule::None => None,
        _ => Some((json!(schemas.request), schemas.request_example)),
    };
    let response = entry.info.response_object.map(|_| (json!(schemas.response), schemas.response_example));
    let mut operation = json!({
        "operationId": format!("{product}_{name}"),
        "tags": [product.as_str()],
        "summary": title,
        "description": crate::schema::lines(entry.request.about),
        "requestBody": {
            "required": true,
            "content": { "application/json": body::<RequestEnvelope>("bizData", request, generator) },
        },
        "responses": {
            "200": {
                "description": "A success if `respCode` is \"00\" and the signature is valid, otherwise a failure.",
                "content": { "application/json": body::<ResponseEnvelope>("respData", response, generator) },
            },
        },
        "x-kind": kind.to_string(),
        "x-payload": payload.to_string(),
        "x-documentation": format!("{}, {title}", entry.info.documentation),
        "x-provenance": sources(provenance),
    });
    let further = [
        ("x-request-object", entry.info.request_object.map(Value::from)),
        ("x-response-object", entry.info.response_object.map(Value::from)),
        ("x-max-file-bytes", max_file_bytes.map(Value::from)),
    ];
    if let Value::Object(members) = &mut operation {
        members.extend(further.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    operation
}

fn notification(kind: &NotificationInfo, generator: &mut SchemaGenerator) -> Value {
    let (schema, example) = (kind.schema)(generator);
    let mut envelope = body::<NotificationEnvelope>("content", Some((json!(schema), example)), generator);
    envelope["example"]["notifyType"] = kind.notify_type.into();
    json!({
        "operationId": webhook_name(kind).replace('.', "_"),
        "tags": [kind.product.as_str()],
        "summary": kind.title,
        "description": format!(
            "`notifyType` {} of this product. The other product uses the same number with a different meaning.",
            kind.notify_type
        ),
        "requestBody": { "required": true, "content": { "application/json": envelope } },
        "responses": {
            "200": {
                "description": "`status` is \"00\" for success, and any other value for a failure.",
                "content": { "application/json": {
                    "schema": json!(generator.subschema_for::<Acknowledgement>()),
                    "example": { "msg": "success", "status": "00" },
                } },
            },
        },
        "x-notify-type": kind.notify_type,
        "x-object": kind.object,
        "x-provenance": {
            "notification": "documented",
            "content": kind.content.source.to_string(),
        },
    })
}

/// Returns a webhook's name, such as `baas.fundDeposit`.
fn webhook_name(kind: &NotificationInfo) -> String {
    let title = kind.title.trim_end_matches(" notification").to_lowercase();
    let mut words = title.split(' ').map(str::to_owned);
    let mut name = words.next().unwrap_or_default();
    for mut word in words {
        if let Some(first) = word.get_mut(0..1) {
            first.make_ascii_uppercase();
        }
        name.push_str(&word);
    }
    format!("{}.{name}", kind.product)
}

/// Describes an envelope and, if there is a payload, the plaintext of the payload field.
fn body<E: FieldType + JsonSchema>(
    field: &str,
    plaintext: Option<(Value, Option<Value>)>,
    generator: &mut SchemaGenerator,
) -> Value {
    let mut example = E::example().unwrap_or_default();
    let mut schema = json!(generator.subschema_for::<E>());
    match plaintext {
        Some((plain, plain_example)) => {
            // `respData` is not required, because a failure response has no data.
            if field != "respData" {
                schema["required"] = json!([field]);
            }
            schema["properties"] = json!({ field: {
                "type": "string",
                "description": "The JSON text of `x-plaintext`, AES-encrypted, as base64.",
                "x-plaintext": plain,
                "x-plaintext-example": plain_example,
            } });
        }
        None => example[field] = "".into(),
    }
    if let Value::Object(members) = &mut example {
        // `encryptFlag` is reserved, so it is omitted from the example.
        members.remove("encryptFlag");
    }
    json!({ "schema": schema, "example": example })
}

type Detached = (&'static str, &'static str, Value, Value);

fn detached<N: FieldType + JsonSchema>(
    name: &'static str,
    title: &'static str,
    generator: &mut SchemaGenerator,
) -> Detached {
    (name, title, json!(generator.subschema_for::<N>()), N::example().unwrap_or_default())
}

/// Describes a notification with a signature in a header.
fn signed_body(name: &str, title: &str, schema: &Value, example: &Value, acknowledgement: &str) -> Value {
    let accepted: Value = serde_json::from_str(acknowledgement).unwrap_or_default();
    json!({
        "operationId": name.replace('.', "_"),
        "tags": [name.split('.').next()],
        "summary": title,
        "parameters": [{
            "name": "sign", "in": "header", "required": true,
            "description": "The SHA256withRSA signature of the body's bytes as sent, as base64.",
            "schema": { "type": "string", "contentEncoding": "base64" },
        }],
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": schema, "example": example } },
        },
        "responses": {
            "200": {
                "description": "Accepts the notification.",
                "content": { "application/json": { "schema": { "const": accepted }, "example": accepted } },
            },
        },
        "x-provenance": { "notification": "documented", "content": "documented" },
    })
}

fn sources(provenance: Provenance) -> Value {
    json!({
        "operation": provenance.operation.to_string(),
        "path": provenance.path.to_string(),
        "request": provenance.request.to_string(),
        "response": provenance.response.to_string(),
    })
}
