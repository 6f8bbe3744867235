//! What can be asked of this server, as an OpenAPI document: from the types that the handlers answer
//! with. Each interface describes its own paths.

mod operation;

use std::sync::OnceLock;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, Responder};
use serde_json::{Map, Value, json};

pub use operation::{Operation, Schemas};

use super::{agora, clients, health, livekit, metrics, operators, pages, whip};

const DESCRIPTION: &str = "Records real-time rooms into files. Times ending in `Ms` and other times \
    are Unix milliseconds unless said otherwise, sizes are bytes. Fields that are not named here \
    are ignored in requests, and may come in answers of later versions.";

/// `GET` and `HEAD /openapi.json`
pub async fn openapi() -> impl Responder {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| document().to_string());
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(text.as_str())
}

/// The whole document.
pub fn document() -> Value {
    let mut schemas = Schemas::default();
    let mut paths = Map::new();
    let describe: [fn(&mut Schemas) -> Vec<Operation>; 9] = [
        clients::operations,
        operators::operations,
        agora::operations,
        whip::operations,
        livekit::operations,
        metrics::operations,
        health::operations,
        pages::operations,
        operations,
    ];
    for describe in describe {
        for operation in describe(&mut schemas) {
            let (path, method) = (operation.path, operation.method);
            let entry = paths.entry(path).or_insert_with(|| json!({}));
            entry[method] = operation.into_value(&mut schemas);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tapedeck",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": operation::tags(),
        "paths": paths,
        "components": {
            "schemas": schemas.into_definitions(),
            "securitySchemes": operation::security_schemes(),
        },
    })
}

/// This document is one of the things that can be asked for.
fn operations(_: &mut Schemas) -> Vec<Operation> {
    ["get", "head"]
        .map(|method| {
            Operation::new(method, "/openapi.json", "This document").returns(
                200,
                "OpenAPI 3.1",
                "application/json",
            )
        })
        .into()
}
