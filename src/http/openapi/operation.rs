use actix_web::http::Method;
use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::http::paths::{Audience, audience, is_room_record};
use crate::http::refusal::{ApiRefusalBody, RefusalBody, V1RefusalBody};

/// What refusals mean, by status.
const REFUSALS: [(u16, &str); 20] = [
    (
        400,
        "The request cannot be understood, or asks for what is out of bounds",
    ),
    (401, "The key or token is missing or wrong"),
    (
        403,
        "The key or token does not allow this, or there is no key that could",
    ),
    (404, "There is no such thing"),
    (408, "The body took too long"),
    (
        409,
        "It is not possible in the state that the recording is in",
    ),
    (412, "If-Match names another ICE session"),
    (413, "The body is too large"),
    (415, "The body has another media type than is taken"),
    (416, "The recording is shorter"),
    (421, "Without a key this server answers only to localhost"),
    (422, "The request is understood, but cannot be followed"),
    (428, "If-Match is needed"),
    (
        429,
        "There were too many requests; Retry-After says when to come back",
    ),
    (500, "The server failed; its log tells more"),
    (502, "The media server cannot be reached, or refuses"),
    (
        503,
        "It is not possible now; the message says what is short",
    ),
    (504, "It took too long"),
    (405, "The path does not know this method"),
    (406, "There is no such representation"),
];

/// What parts of paths stand for.
const PATH_PARAMETERS: [(&str, &str); 6] = [
    ("name", "The recording's file name"),
    ("id", "The id of the recording, or of the event"),
    ("room", "The room's name"),
    ("session", "The session, as Location named it"),
    ("file", "A file of the pages"),
    ("token", "Drawn by the server"),
];

/// Collects the schemas of all types.
pub struct Schemas(SchemaGenerator);

impl Default for Schemas {
    fn default() -> Self {
        let settings = SchemaSettings::draft2020_12()
            .for_serialize()
            .with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            });
        Self(settings.into_generator())
    }
}

impl Schemas {
    /// The schema of a type, by reference.
    pub fn of<T: JsonSchema>(&mut self) -> Value {
        let mut schema = self.0.subschema_for::<T>().to_value();
        without_links(&mut schema);
        schema
    }

    pub fn into_definitions(mut self) -> Map<String, Value> {
        let mut definitions = self.0.take_definitions(true);
        definitions.values_mut().for_each(without_links);
        definitions
    }
}

/// Descriptions are comments of the code, whose links lead nowhere here.
fn without_links(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = plain(text);
            }
            fields.values_mut().for_each(without_links);
        }
        Value::Array(items) => items.iter_mut().for_each(without_links),
        _ => {}
    }
}

/// Text without its links, and with the line breaks of a comment taken out.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("[`") {
        plain.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        let Some(end) = rest.find("`]") else { continue };
        plain.push_str(&rest[..=end]);
        rest = &rest[end + 2..];
        if let Some(target) = rest.strip_prefix('(') {
            rest = target.split_once(')').map_or("", |(_, after)| after);
        }
    }
    plain.push_str(rest);
    plain.replace('\n', " ")
}

/// A method of a path.
pub struct Operation {
    /// In lower case.
    pub method: &'static str,
    pub path: &'static str,
    value: Value,
    refusals: Vec<u16>,
}

impl Operation {
    pub fn new(method: &'static str, path: &'static str, summary: &str) -> Self {
        let parameters: Vec<Value> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| {
                let meaning = PATH_PARAMETERS.iter().find(|(known, _)| *known == name);
                json!({
                    "name": name,
                    "in": "path",
                    "required": true,
                    "description": meaning.map_or("", |(_, meaning)| meaning),
                    "schema": { "type": "string", "minLength": 1 },
                })
            })
            .collect();
        let value = json!({
            "operationId": operation_id(method, path),
            "summary": summary,
            "tags": [tag(path)],
            "security": security(method, path),
            "parameters": parameters,
            "responses": {},
        });
        let refusals = match audience(path) {
            Audience::Public => vec![429],
            Audience::Publishers => vec![401, 403, 429],
            Audience::Clients | Audience::Operators => vec![401, 403, 421, 429],
        };
        Self {
            method,
            path,
            value,
            refusals,
        }
    }

    pub fn description(mut self, text: &str) -> Self {
        self.value["description"] = text.into();
        self
    }

    /// A field of the query, which may be left out.
    pub fn query(self, name: &str, text: &str, schema: Value) -> Self {
        self.parameter("query", name, text, schema)
    }

    /// A header, which may be left out.
    pub fn header(self, name: &str, text: &str) -> Self {
        self.parameter("header", name, text, json!({ "type": "string" }))
    }

    fn parameter(mut self, place: &str, name: &str, text: &str, schema: Value) -> Self {
        if let Some(parameters) = self.value["parameters"].as_array_mut() {
            let parameter =
                json!({ "name": name, "in": place, "description": text, "schema": schema });
            parameters.push(parameter);
        }
        self
    }

    /// A JSON body like `example`.
    pub fn takes<T: JsonSchema + Serialize>(self, schemas: &mut Schemas, example: &T) -> Self {
        let content = json!({
            "application/json": { "schema": schemas.of::<T>(), "example": example },
        });
        self.body(content)
    }

    /// A body of text.
    pub fn takes_text(self, media_type: &str) -> Self {
        self.body(json!({ media_type: { "schema": { "type": "string" } } }))
    }

    fn body(mut self, content: Value) -> Self {
        self.value["requestBody"] = json!({ "required": true, "content": content });
        self.refuses(&[400, 408, 413])
    }

    /// A JSON answer.
    pub fn answers<T: JsonSchema>(
        mut self,
        schemas: &mut Schemas,
        status: u16,
        text: &str,
    ) -> Self {
        let mut answer = json!({ "description": text });
        if self.method != "head" {
            answer["content"] = json!({ "application/json": { "schema": schemas.of::<T>() } });
        }
        self.value["responses"][status.to_string()] = answer;
        self
    }

    /// An answer of another media type; none has no body.
    pub fn returns(mut self, status: u16, text: &str, media_type: &str) -> Self {
        let mut answer = json!({ "description": text });
        if !media_type.is_empty() && self.method != "head" {
            answer["content"] = json!({ media_type: {} });
        }
        self.value["responses"][status.to_string()] = answer;
        self
    }

    /// Further statuses with which it may be refused.
    pub fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refusals.extend(statuses);
        self
    }

    pub fn into_value(mut self, schemas: &mut Schemas) -> Value {
        let body = match self.path {
            path if path.starts_with("/v1/") => schemas.of::<V1RefusalBody>(),
            path if path.starts_with("/api/") => schemas.of::<ApiRefusalBody>(),
            _ => schemas.of::<RefusalBody>(),
        };
        for status in &self.refusals {
            let meaning = REFUSALS.iter().find(|(known, _)| known == status);
            let mut answer = json!({ "description": meaning.map_or("", |(_, meaning)| meaning) });
            if self.method != "head" {
                answer["content"] = json!({ "application/json": { "schema": body } });
            }
            self.value["responses"][status.to_string()] = answer;
        }
        self.value
    }
}

/// `get /v1/recordings/{id}` becomes `getV1RecordingsId`.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .fold(method.to_owned(), |mut id, word| {
            let (first, rest) = word.split_at(1);
            id.push_str(&first.to_ascii_uppercase());
            id.push_str(rest);
            id
        })
}

/// The interface that a path belongs to.
fn tag(path: &str) -> &'static str {
    match path {
        path if path.starts_with("/api/") => "channels",
        path if path.starts_with("/whip/") => "publishers",
        path => match audience(path) {
            Audience::Clients => "recordings",
            Audience::Operators => "operators",
            Audience::Publishers | Audience::Public => "server",
        },
    }
}

pub fn tags() -> Value {
    json!([
        { "name": "recordings", "description": "For the applications that record rooms: the paths of OpenVidu's recording applications" },
        { "name": "channels", "description": "For channels of Agora: the paths of Memharbor" },
        { "name": "publishers", "description": "WHIP (RFC 9725), to publish in rooms of this server" },
        { "name": "operators", "description": "For whoever runs the server" },
        { "name": "server", "description": "Open to everybody: health checks and pages" },
    ])
}

/// Which of the schemes open a path. Without any it may be open, if the server is configured so.
fn security(method: &str, path: &str) -> Value {
    let audience = audience(path);
    let reads = ["get", "head"].contains(&method);
    let is_keyed = matches!(audience, Audience::Clients | Audience::Operators);
    let records = Method::from_bytes(method.to_uppercase().as_bytes())
        .is_ok_and(|method| is_room_record(&method, path));
    let opens = [
        (audience != Audience::Public, "operatorKey"),
        (audience == Audience::Clients, "clientKey"),
        (is_keyed && reads, "readKey"),
        (records, "recorderToken"),
        (audience == Audience::Publishers, "publisherToken"),
    ];
    let mut schemes: Vec<Value> = opens
        .iter()
        .filter(|(opens, _)| *opens)
        .map(|(_, scheme)| json!({ *scheme: [] }))
        .collect();
    if is_keyed {
        schemes.push(json!({}));
    }
    schemes.into()
}

pub fn security_schemes() -> Value {
    let bearer = |text: &str| json!({ "type": "http", "scheme": "bearer", "description": text });
    json!({
        "operatorKey": bearer("auth.operator_key: opens everything"),
        "clientKey": bearer("auth.client_key: opens the paths of applications"),
        "readKey": bearer("auth.read_key: opens what only reads"),
        "recorderToken": bearer("A token of LiveKit's with the grant roomRecord"),
        "publisherToken": bearer("A token of POST /token for one room"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_comments_become_their_text() {
        for (text, expected) in [
            ("a [`B`](C::D) e\nf", "a `B` e f"),
            ("[`B`] c", "`B` c"),
            ("plain [text]", "plain [text]"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }
}
