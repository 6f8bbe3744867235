//! The HTTP surfaces with a recorder and a store that only remember.

mod access;
mod agora;
mod channels;
mod events;
mod fakes;
mod fuzz;
mod limits;
mod livekit;
mod matrix;
mod metrics;
mod openapi;
mod operators;
mod pages;
mod pictures;
mod recording;
mod refusals;
mod streaming;
mod uploads;
mod whip;
mod whip_access;

use std::sync::Arc;

use actix_web::App;
use actix_web::middleware::from_fn;
use actix_web::test::{self, TestRequest};
use actix_web::web::{Bytes, Data};
use serde_json::Value;
use tapedeck_pipelines::job::Secret;

use crate::auto_record::AutoRecord;
use crate::config::{Auth, Settings};
use crate::livekit::{Credentials, RoomCredentials};

use super::{
    Access, ClientPaths, Keys, OperatorPaths, Proxies, Services, SignedLinks, Throttle, arrive,
    guard, measure, routes, share, throttle,
};
use fakes::{FakeRecorder, MemoryStore};

/// What tokens for rooms of the server are signed with.
const ROOMS_SECRET: &str = "secret-of-the-rooms";

/// What a server under test consists of.
struct Server {
    settings: Settings,
    access: Access,
    recorder: Arc<FakeRecorder>,
    store: MemoryStore,
    data_dir: tempfile::TempDir,
    throttle: Data<Throttle>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            access: Access {
                clients: ClientPaths::OpenLocally,
                operators: OperatorPaths::OpenLocally,
                keys: Keys::default(),
            },
            recorder: Arc::default(),
            store: MemoryStore::default(),
            data_dir: tempfile::tempdir().unwrap(),
            throttle: Data::new(Throttle::new(&crate::config::Server {
                failed_logins_per_min: 0,
                ..Default::default()
            })),
        }
    }
}

/// These keys, each of which may be empty.
fn keys(operator: &str, client: &str, read: &str) -> Keys {
    Keys::new(&Auth {
        operator_key: Secret::new(operator),
        client_key: Secret::new(client),
        read_key: Secret::new(read),
        ..Auth::default()
    })
}

/// An answer, with its body read.
struct Answer {
    status: u16,
    headers: actix_web::http::header::HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }

    fn json_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn error_message(&self) -> String {
        self.json()["errorMessage"]
            .as_str()
            .unwrap_or_else(|| panic!("{:?}", self.body))
            .to_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Server {
    fn services(&self) -> Data<Services> {
        let credentials = |secret| Credentials {
            api_key: "devkey".into(),
            api_secret: Secret::new(secret),
        };
        Data::new(Services::new(
            self.recorder.clone(),
            Arc::new(self.store.clone()),
            RoomCredentials {
                livekit: credentials("secret"),
                own: credentials(ROOMS_SECRET),
            },
            SignedLinks::new(&Secret::new("the-key-of-links")),
            self.settings.clone(),
            AutoRecord::new(&self.settings).unwrap(),
            self.data_dir.path().to_owned(),
        ))
    }

    async fn send(&self, request: TestRequest) -> Answer {
        self.send_to(self.services(), request).await
    }

    async fn send_to(&self, services: Data<Services>, request: TestRequest) -> Answer {
        let app = App::new()
            .app_data(services)
            .app_data(Data::new(self.access.clone()))
            .app_data(Data::new(
                Proxies::parse(&self.settings.server.trusted_proxies).unwrap(),
            ))
            .app_data(self.throttle.clone())
            .configure(routes)
            .wrap(from_fn(guard))
            .wrap(from_fn(throttle))
            .wrap(from_fn(share))
            .wrap(from_fn(arrive))
            .wrap(from_fn(measure));
        let request = request.to_request();
        let (method, path) = (request.method().clone(), request.path().to_owned());
        let response = test::call_service(&test::init_service(app).await, request).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let Ok(body) = actix_web::body::to_bytes(response.into_body()).await else {
            panic!("the body broke off")
        };
        let answer = Answer {
            status,
            headers,
            body,
        };
        openapi::assert_promised(&method, &path, &answer);
        answer
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(TestRequest::get().uri(path)).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(TestRequest::post().uri(path).set_json(body))
            .await
    }
}
