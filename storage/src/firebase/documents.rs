//! Documents of Firestore, by its REST API.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client::{Client, Fault, Service};
use super::description::FILENAME;
use super::encoding;
use super::objects;

/// The collection in which recordings are described.
const COLLECTION: &str = "recordings";
/// The most values that one query may ask for.
const QUERIED_AT_ONCE: usize = 30;

/// The fields of a document, each value with its type: `{"filename": {"stringValue": "x"}}`.
pub type Fields = Map<String, Value>;

/// The documents of a project.
pub struct Documents {
    /// Scheme and host.
    pub endpoint: String,
    pub project_id: String,
    pub service: Service,
}

/// A document.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Document {
    /// `projects/…/documents/recordings/ID`.
    pub name: String,
    #[serde(default)]
    pub fields: Fields,
}

/// One answer to a query, which may hold none.
#[derive(Deserialize)]
struct Found {
    document: Option<Document>,
}

impl Documents {
    fn root(&self) -> String {
        let project = encoding::segment(&self.project_id);
        format!(
            "{}/v1/projects/{project}/databases/(default)/documents",
            self.endpoint
        )
    }

    /// Makes a document; whether there was none of this id.
    pub async fn create(&self, client: &Client, id: &str, fields: &Fields) -> Result<bool, Fault> {
        let request = client
            .http()
            .post(format!("{}/{COLLECTION}", self.root()))
            .query(&[("documentId", id)])
            .json(&json!({"fields": fields}));
        match client.send(request).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.is_status(409) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// None when there is no such document.
    pub async fn get(&self, client: &Client, id: &str) -> Result<Option<Document>, Fault> {
        let address = format!("{}/{COLLECTION}/{}", self.root(), encoding::segment(id));
        match client.send(client.http().get(address)).await {
            Ok(response) => objects::json(response).await.map(Some),
            Err(fault) if fault.is_status(404) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Replaces all fields of a document.
    pub async fn replace(&self, client: &Client, id: &str, fields: &Fields) -> Result<(), Fault> {
        let address = format!("{}/{COLLECTION}/{}", self.root(), encoding::segment(id));
        let request = client
            .http()
            .patch(address)
            .json(&json!({"fields": fields}));
        client.send(request).await.map(drop)
    }

    /// The documents about files of these names, whoever wrote them.
    pub async fn about(&self, client: &Client, names: &[&str]) -> Result<Vec<Document>, Fault> {
        let mut documents = Vec::new();
        for names in names.chunks(QUERIED_AT_ONCE) {
            let values: Vec<Value> = names
                .iter()
                .map(|name| json!({"stringValue": name}))
                .collect();
            let query = json!({"structuredQuery": {
                "from": [{"collectionId": COLLECTION}],
                "where": {"fieldFilter": {
                    "field": {"fieldPath": FILENAME},
                    "op": "IN",
                    "value": {"arrayValue": {"values": values}},
                }},
            }});
            let request = client.http().post(format!("{}:runQuery", self.root()));
            let response = client.send(request.json(&query)).await?;
            let found: Vec<Found> = objects::json(response).await?;
            documents.extend(found.into_iter().filter_map(|found| found.document));
        }
        Ok(documents)
    }

    /// Gone already is success.
    pub async fn delete(&self, client: &Client, document: &Document) -> Result<(), Fault> {
        // Ids are the clients' to choose, and may hold anything but a slash.
        let address = format!("{}/v1/{}", self.endpoint, encoded(&document.name));
        match client.send(client.http().delete(address)).await {
            Ok(_) => Ok(()),
            Err(fault) if fault.is_status(404) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Whether documents can be read at all.
    pub async fn probe(&self, client: &Client) -> Result<(), Fault> {
        let request = client
            .http()
            .get(format!("{}/{COLLECTION}", self.root()))
            .query(&[("pageSize", "1")]);
        client.send(request).await.map(drop)
    }
}

/// A document's name in an address. The parentheses of `(default)` stay as they are.
fn encoded(name: &str) -> String {
    encoding::path(name).replace("%28default%29", "(default)")
}
