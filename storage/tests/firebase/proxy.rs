//! A proxy before a store, which does to requests what networks and services do to them.

use std::sync::{Arc, Mutex};

use crate::http;
use crate::stand_in::{Answer, Request, Response, StandIn, forward};

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
