//! OpenAPI 3.1, generated from the table of operations and the shapes of its bodies.
#![cfg_attr(
    not(test),
    expect(clippy::indexing_slicing, reason = "the program's own tables are read, where a missing field is null")
)]

use aegis_model::error::ErrorEnvelope;
use aegis_model::id::NAME_PATTERN;
use aegis_model::operation::{Effect, Method};
use aegis_model::{Code, Operation};
use axum::http::header;
use axum::response::IntoResponse;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::route::{Route, SchemaOf};
use crate::routes;

/// Answers `/openapi.json`.
pub async fn serve() -> impl IntoResponse {
    static TEXT: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| openapi().to_string());
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str())
}

/// The whole document.
pub fn openapi() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let mut paths = Map::new();
    for route in routes::all() {
        let path = format!("/api/v1{}", route.operation.path());
        let described = operation(&route, &mut generator);
        let entry = paths.entry(path).or_insert_with(|| json!({}));
        if let Some(entry) = entry.as_object_mut() {
            entry.insert(route.operation.method().as_str().to_ascii_lowercase(), described);
        }
    }
    for path in ["/health", "/health/live", "/health/ready"] {
        paths.insert(path.to_owned(), health(path, &mut generator));
    }
    let envelope = generator.subschema_for::<ErrorEnvelope>();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Aegis",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Self-hosted, zero-trust runtime and operating system for AI agents.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"api_key": []}, {"bearer": []}, {"sigv4": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "sigv4": {
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "AWS Signature Version 4, in the header or in the query, by a key of `POST /keys` with `kind: aws`.",
                },
            },
            "responses": {
                "Error": {
                    "description": "What went wrong; the code decides the status.",
                    "content": {"application/json": {"schema": envelope}},
                },
            },
            "schemas": generator.take_definitions(true),
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let operation = route.operation;
    let mut described = Map::new();
    described.insert("operationId".to_owned(), operation.as_str().into());
    described.insert("summary".to_owned(), operation.summary().into());
    described.insert("tags".to_owned(), json!([tag(operation)]));
    described.insert("x-aegis-role-group".to_owned(), operation.group().as_str().into());
    let mut parameters = path_parameters(operation.path());
    parameters.extend(query_parameters(route.shape.query, generator));
    if operation.method() == Method::Post && operation.effect() != Effect::Read {
        parameters.push(idempotency_header());
    }
    if !parameters.is_empty() {
        described.insert("parameters".to_owned(), Value::Array(parameters));
    }
    if !route.shape.request.is_empty() {
        described.insert("requestBody".to_owned(), request_body(&route.shape.request, generator));
    }
    described.insert("responses".to_owned(), responses(route, generator));
    Value::Object(described)
}

/// The first segment of the path.
fn tag(operation: Operation) -> &'static str {
    operation.path().split('/').nth(1).unwrap_or("")
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    names
        .map(|name| {
            let schema = match name {
                "version" => json!({"type": "integer", "format": "uint64", "minimum": 1}),
                "key_id" => json!({"type": "string", "pattern": "^key_[0-9a-hjkmnp-tv-z]{26}$"}),
                "run_id" => json!({"type": "string", "pattern": "^run_[0-9a-hjkmnp-tv-z]{26}$"}),
                "session_id" => json!({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,255}$"}),
                "path" => json!({"type": "string", "minLength": 1}),
                _ => json!({"type": "string", "pattern": NAME_PATTERN}),
            };
            json!({"name": name, "in": "path", "required": true, "schema": schema})
        })
        .collect()
}

/// One parameter for each property of the query's type.
fn query_parameters(query: Option<SchemaOf>, generator: &mut SchemaGenerator) -> Vec<Value> {
    let Some(schema_of) = query else {
        return Vec::new();
    };
    let reference = schema_of(generator).to_value();
    let name = reference["$ref"].as_str().and_then(|path| path.rsplit('/').next()).unwrap_or("").to_owned();
    let definition = generator.definitions_mut().remove(&name).unwrap_or_default();
    let required: Vec<&str> =
        definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = definition["properties"].as_object().cloned().unwrap_or_default();
    properties
        .into_iter()
        .map(|(name, schema)| {
            let needed = required.contains(&name.as_str());
            json!({"name": name, "in": "query", "required": needed, "schema": without_null(schema)})
        })
        .collect()
}

/// A query cannot hold a null: an absent parameter is simply not there.
fn without_null(mut schema: Value) -> Value {
    if let Some(kinds) = schema["type"].as_array() {
        let kept: Vec<Value> = kinds.iter().filter(|kind| *kind != "null").cloned().collect();
        schema["type"] = match kept.as_slice() {
            [only] => only.clone(),
            _ => Value::Array(kept),
        };
    }
    if let Some([first, null]) = schema["anyOf"].as_array().map(Vec::as_slice)
        && null["type"] == "null"
    {
        return first.clone();
    }
    schema
}

fn idempotency_header() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "required": false,
        "description": "Repeating a request with the same key within 24 hours has no second effect.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    })
}

fn request_body(shapes: &[(&'static str, SchemaOf)], generator: &mut SchemaGenerator) -> Value {
    let content: Map<String, Value> = shapes
        .iter()
        .map(|(kind, schema_of)| ((*kind).to_owned(), json!({"schema": schema_of(generator).to_value()})))
        .collect();
    json!({"required": true, "content": content})
}

fn responses(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    if let Some((status, schema_of)) = route.shape.answer {
        let mut answer = json!({"description": route.operation.summary()});
        if let Some(schema_of) = schema_of {
            answer["content"] = json!({"application/json": {"schema": schema_of(generator).to_value()}});
        }
        if route.shape.bytes {
            let bytes = json!({"type": "string", "format": "binary"});
            answer["content"]["application/octet-stream"] = json!({"schema": bytes});
        }
        if route.shape.events {
            let said = json!({"type": "string", "description": "Server-sent events: `run`, then `event` and `gap`, then `outcome`."});
            answer["content"]["text/event-stream"] = json!({"schema": said});
        }
        responses.insert(status.to_string(), answer);
    }
    if route.shape.switches {
        responses.insert("101".to_owned(), json!({"description": "The connection is the program's."}));
    }
    if let Some((status, schema_of)) = route.shape.instead {
        let content = json!({"application/json": {"schema": schema_of(generator).to_value()}});
        responses.insert(status.to_string(), json!({"description": "It goes on; ask later.", "content": content}));
    }
    let mut statuses: Vec<u16> = Code::ALL.iter().map(|code| code.status()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    for status in statuses {
        responses.insert(status.to_string(), json!({"$ref": "#/components/responses/Error"}));
    }
    Value::Object(responses)
}

fn health(path: &str, generator: &mut SchemaGenerator) -> Value {
    let schema = generator.subschema_for::<aegis_model::api::Health>();
    let name = path.trim_start_matches('/').replace('/', "_");
    json!({"get": {
        "operationId": name,
        "summary": "Whether the server is well. Open to everybody.",
        "tags": ["health"],
        "security": [],
        "responses": {
            "200": {"description": "Well.", "content": {"application/json": {"schema": schema}}},
            "503": {"description": "Not well, or going down.", "content": {"application/json": {"schema": schema}}},
        },
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_table_is_served_once_and_described() {
        let served: Vec<Operation> = routes::all().iter().map(|route| route.operation).collect();
        for operation in Operation::ALL {
            assert_eq!(served.iter().filter(|other| *other == operation).count(), 1, "{operation:?}");
        }
        let document = openapi();
        for operation in Operation::ALL {
            let path = format!("/api/v1{}", operation.path());
            let method = operation.method().as_str().to_ascii_lowercase();
            assert_eq!(document["paths"][path][method]["operationId"], operation.as_str());
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = openapi();
        let text = document.to_string();
        for reference in text.split("\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(reference).is_some(), "#{reference}");
        }
    }
}
