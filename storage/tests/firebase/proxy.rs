//! A proxy before a store, which does to requests what networks and services do to them.

use std::sync::{Arc, Mutex};

use storage_testing::stand_in::{Answer, Request, Response, StandIn};

use crate::http;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Passes,
    /// This status, and the service never hears of it.
    Answered(u16),
    /// The service hears of it, its answer is lost.
    AnswerLost,
}

type Judge = dyn Fn(&Request) -> Fate + Send + Sync;

pub struct Proxy {
    server: StandIn,
    judge: Arc<Mutex<Arc<Judge>>>,
    passed: Arc<Mutex<Vec<Request>>>,
}

impl Proxy {
    pub async fn start(service: String) -> Self {
        let judge: Arc<Mutex<Arc<Judge>>> = Arc::new(Mutex::new(Arc::new(|_| Fate::Passes)));
        let passed = Arc::new(Mutex::new(Vec::new()));
        let (judging, passing) = (judge.clone(), passed.clone());
        let http = http();
        let server = StandIn::start(move |request| {
            let fate = judging.lock().unwrap().clone()(&request);
            if fate == Fate::Passes {
                passing.lock().unwrap().push(request.clone());
            }
            let (http, service) = (http.clone(), service.clone());
            Box::pin(async move {
                match fate {
                    Fate::Answered(status) => Some(Response::status(status)),
                    Fate::Passes => forward(&http, &service, request).await,
                    Fate::AnswerLost => {
                        forward(&http, &service, request).await;
                        None
                    }
                }
            }) as Answer
        })
        .await;
        Self {
            server,
            judge,
            passed,
        }
    }

    /// Scheme, host and port.
    pub fn address(&self) -> &str {
        &self.server.address
    }

    /// What happens to requests from now on.
    pub fn judge(&self, judge: impl Fn(&Request) -> Fate + Send + Sync + 'static) {
        *self.judge.lock().unwrap() = Arc::new(judge);
    }

    /// What was let through.
    pub fn passed(&self) -> Vec<Request> {
        self.passed.lock().unwrap().clone()
    }
}

/// Hands a request on to the service at `address`.
async fn forward(http: &reqwest::Client, address: &str, request: Request) -> Option<Response> {
    let method = reqwest::Method::from_bytes(request.method.as_bytes()).unwrap();
    let mut forwarded = http.request(method, format!("{address}{}", request.target));
    for (name, value) in &request.headers {
        if !["content-length", "connection"].contains(&name.as_str()) {
            forwarded = forwarded.header(name, value);
        }
    }
    let response = forwarded.body(request.body).send().await.ok()?;
    let status = response.status().as_u16();
    let kept = |name: &str| !["content-length", "transfer-encoding", "connection"].contains(&name);
    let headers = response
        .headers()
        .iter()
        .filter(|(name, _)| kept(name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    Some(Response {
        status,
        headers,
        body: response.bytes().await.ok()?.to_vec(),
    })
}
