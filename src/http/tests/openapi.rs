//! The OpenAPI document says what the server does: its paths are those that are registered, and what
//! any test is answered with is what it promises.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use actix_web::http::Method;
use serde_json::Value;

use super::*;
use crate::http::openapi::document;

fn described() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(document)
}

#[actix_web::test]
async fn every_path_is_described_and_none_besides() {
    let server = Server::default();
    assert_eq!(server.get("/openapi.json").await.json(), *described());
    let registered: BTreeSet<(String, String)> = matrix::registered()
        .into_iter()
        // With a slash at its end it is the same path.
        .filter(|(_, path)| path == "/" || !path.ends_with('/'))
        .map(|(method, path)| (path, method.to_lowercase()))
        .collect();
    let paths = described()["paths"].as_object().unwrap();
    let documented: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |method| (path.clone(), method.clone()))
        })
        .collect();
    assert_eq!(documented, registered);
}

#[test]
fn every_reference_leads_somewhere_and_names_are_unique() {
    let text = described().to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(described().pointer(pointer).is_some(), "{pointer}");
    }
    let schemas = described()["components"]["schemas"].as_object().unwrap();
    for name in schemas.keys() {
        assert!(
            !name.ends_with(|c: char| c.is_ascii_digit()),
            "two types are called {name}"
        );
    }
    let ids: Vec<&str> = text
        .split("\"operationId\":\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let unique: BTreeSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), unique.len(), "{ids:?}");
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let schema = serde_json::json!({"type": "object", "required": ["a"], "properties": {
        "a": {"type": ["integer", "null"]}, "b": {"type": "array", "items": {"enum": ["x"]}}}});
    let faults = |value: Value| {
        let mut faults = Vec::new();
        check(&schema, &value, "", &mut faults);
        faults.len()
    };
    assert_eq!(
        faults(serde_json::json!({"a": null, "b": ["x"], "c": 1})),
        0
    );
    assert_eq!(faults(serde_json::json!({"b": []})), 1);
    assert_eq!(faults(serde_json::json!({"a": 1.5, "b": ["y", "x"]})), 2);
    assert_eq!(faults(serde_json::json!([])), 1);
}

/// Checks that an answer is one of those that the document promises.
pub fn assert_promised(method: &Method, path: &str, answer: &Answer) {
    let method = method.as_str().to_lowercase();
    let Some((template, operation)) = operation(&method, path) else {
        return;
    };
    let what = format!("{method} {template} answered {}", answer.status);
    let promised = &operation["responses"][answer.status.to_string()];
    assert!(promised.is_object(), "{what}, which is not documented");
    let json = &promised["content"]["application/json"]["schema"];
    if json.is_object() {
        let mut faults = Vec::new();
        check(json, &answer.json(), "", &mut faults);
        assert!(faults.is_empty(), "{what}: {faults:#?}\n{}", answer.json());
    }
}

/// What the document says of a method of a path; none of what is not registered.
fn operation<'a>(method: &str, path: &str) -> Option<(&'a str, &'a Value)> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let template: Vec<&str> = template.split('/').collect();
        template.len() == parts.len()
            && template
                .iter()
                .zip(&parts)
                .all(|(known, part)| known == part || (known.starts_with('{') && !part.is_empty()))
    };
    let paths = described()["paths"].as_object()?.iter();
    let mut fitting: Vec<_> = paths.filter(|(template, _)| fits(template)).collect();
    // `/recordings/start` rather than `/recordings/{name}`.
    fitting.sort_by_key(|(template, _)| template.matches('{').count());
    let (template, methods) = fitting.first()?;
    Some((template.as_str(), methods.get(method)?))
}

/// JSON Schema, as far as our own types need it.
fn check(schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let Some(schema) = schema.as_object() else {
        return;
    };
    for (keyword, rule) in schema {
        match keyword.as_str() {
            "$ref" => {
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                check(described().pointer(pointer).unwrap(), value, at, faults);
            }
            "type" => {
                let types: Vec<&str> = match rule {
                    Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
                    one => one.as_str().into_iter().collect(),
                };
                if !types.iter().any(|name| has_type(value, name)) {
                    faults.push(format!("{at}: {value} is not {types:?}"));
                }
            }
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        check(rule, value, &format!("{at}.{name}"), faults);
                    }
                }
            }
            "required" => {
                for name in rule.as_array().unwrap().iter().filter_map(Value::as_str) {
                    if value.is_object() && value.get(name).is_none() {
                        faults.push(format!("{at}.{name} is missing"));
                    }
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(rule, item, &format!("{at}[{index}]"), faults);
                }
            }
            "enum" if !rule.as_array().unwrap().contains(value) => {
                faults.push(format!("{at}: {value} is none of {rule}"));
            }
            "const" if rule != value => faults.push(format!("{at}: {value} is not {rule}")),
            "anyOf" | "oneOf" => {
                let fits = |rule: &Value| {
                    let mut faults = Vec::new();
                    check(rule, value, at, &mut faults);
                    faults.is_empty()
                };
                if !rule.as_array().unwrap().iter().any(fits) {
                    faults.push(format!("{at}: {value} fits none of {rule}"));
                }
            }
            "allOf" => {
                for rule in rule.as_array().unwrap() {
                    check(rule, value, at, faults);
                }
            }
            "enum" | "const" | "description" | "title" | "format" | "minimum" | "maximum"
            | "default" | "minLength" | "maxLength" => {}
            other => panic!("the checker does not know {other}"),
        }
    }
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}
