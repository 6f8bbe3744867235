//! A stand-in for Firestore, written from the reference of its REST API, for what Google's emulator
//! is too slow for and for machines without it: it cannot prove that Google does the same.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::stand_in::{Answer, Request, Response, StandIn};

/// The collection `recordings` of the project `demo`.
#[derive(Clone, Default)]
pub struct Collection {
    /// Fields by id.
    pub documents: Arc<Mutex<BTreeMap<String, Value>>>,
    /// Answers 503 to everything.
    pub is_down: Arc<AtomicBool>,
}

impl Collection {
    /// Serves it until what is returned ends.
    pub async fn serve(&self) -> StandIn {
        let collection = self.clone();
        StandIn::start(move |request| {
            let response = collection.answer(&request);
            Box::pin(async move { Some(response) }) as Answer
        })
        .await
    }

    fn answer(&self, request: &Request) -> Response {
        if self.is_down.load(Ordering::Relaxed) {
            return Response::status(503);
        }
        let root = "projects/demo/databases/(default)/documents";
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((request.target.as_str(), ""));
        let Some(path) = path.strip_prefix(&format!("/v1/{root}")) else {
            return Response::status(404);
        };
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let mut documents = self.documents.lock().unwrap();
        let document = |id: &str, fields: &Value| json!({"name": format!("{root}/recordings/{id}"), "fields": fields});
        let id = path.strip_prefix("/recordings/");
        match (request.method.as_str(), id) {
            ("POST", None) if path == ":runQuery" => {
                let filter = &body["structuredQuery"]["where"]["fieldFilter"];
                let wanted = filter["value"]["arrayValue"]["values"].as_array().unwrap();
                let field = filter["field"]["fieldPath"].as_str().unwrap();
                let found = documents
                    .iter()
                    .filter(|(_, fields)| wanted.contains(&fields[field]))
                    .map(|(id, fields)| json!({"document": document(id, fields)}));
                let mut found: Vec<Value> = found.collect();
                if found.is_empty() {
                    found.push(json!({"readTime": "2026-01-01T00:00:00Z"}));
                }
                Response::json(200, Value::Array(found))
            }
            ("POST", None) => {
                let id = query.strip_prefix("documentId=").unwrap().to_owned();
                if documents.contains_key(&id) {
                    let error = json!({"error": {"code": 409, "status": "ALREADY_EXISTS"}});
                    return Response::json(409, error);
                }
                let answer = document(&id, &body["fields"]);
                documents.insert(id, body["fields"].clone());
                Response::json(200, answer)
            }
            ("GET", None) => Response::json(200, json!({})),
            ("GET", Some(id)) => match documents.get(id) {
                Some(fields) => Response::json(200, document(id, fields)),
                None => Response::status(404),
            },
            ("PATCH", Some(id)) => {
                documents.insert(id.to_owned(), body["fields"].clone());
                Response::json(200, document(id, &body["fields"]))
            }
            ("DELETE", Some(id)) => {
                documents.remove(id);
                Response::json(200, json!({}))
            }
            _ => Response::status(400),
        }
    }
}
