//! A receiver of webhooks.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use storage_testing::stand_in::{Request, Response, StandIn};

use crate::livekit::{API_KEY, API_SECRET};

/// Answers as it is told and remembers what it took.
pub struct Receiver {
    stand_in: StandIn,
    /// What requests are answered with; 0 cuts the connection.
    status: Arc<AtomicU16>,
    inbox: Arc<Mutex<Vec<Received>>>,
}

/// A webhook that was answered with 200.
#[derive(Clone, Debug)]
pub struct Received {
    pub target: String,
    pub content_type: String,
    pub authorization: String,
    pub body: String,
    /// The body's JSON.
    pub event: Value,
}

impl Received {
    /// `EGRESS_…`; protobuf leaves the first one out.
    pub fn status(&self) -> &str {
        let status = &self.event["egressInfo"]["status"];
        status.as_str().unwrap_or("EGRESS_STARTING")
    }

    /// The recording's id.
    pub fn recording(&self) -> &str {
        let id = &self.event["egressInfo"]["egressId"];
        id.as_str().unwrap_or_default()
    }

    /// `EV_…`
    pub fn id(&self) -> &str {
        self.event["id"].as_str().unwrap_or_default()
    }
}

impl Receiver {
    /// A receiver that answers with `status`; 0 cuts each connection.
    pub async fn start(status: u16) -> Self {
        let status = Arc::new(AtomicU16::new(status));
        let inbox = Arc::<Mutex<Vec<Received>>>::default();
        let (answered, taken) = (status.clone(), inbox.clone());
        let stand_in = StandIn::start(move |request| {
            let status = answered.load(Ordering::SeqCst);
            if status == 200 {
                let mut inbox = taken.lock().unwrap_or_else(PoisonError::into_inner);
                inbox.push(received(request));
            }
            let answer = Response::status(status).header("location", "/elsewhere");
            Box::pin(async move { (status != 0).then_some(answer) })
        })
        .await;
        Self {
            stand_in,
            status,
            inbox,
        }
    }

    /// Answers differently from now on.
    pub fn answer_with(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    pub fn url(&self) -> String {
        format!("{}/hook?token=hidden", self.stand_in.address)
    }

    /// What it took so far.
    pub fn inbox(&self) -> Vec<Received> {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.clone()
    }

    /// What it was told of a recording, in the order of arrival.
    pub fn told_of(&self, id: &str) -> Vec<Received> {
        let mut inbox = self.inbox();
        inbox.retain(|received| received.recording() == id);
        inbox
    }

    /// Waits until it was told of the end of a recording.
    pub async fn wait_for_end(&self, id: &str, limit: Duration) {
        crate::wait::until(&format!("a webhook of the end of {id}"), limit, || async {
            let told = self.told_of(id);
            let mut ends = told.iter().filter(|it| it.event["event"] == "egress_ended");
            ends.next().map(drop)
        })
        .await;
    }

    /// What LiveKit's own receiver (of its Python server SDK) makes of all that came, in order: event,
    /// recording, status and sizes of files.
    ///
    /// # Panics
    /// It refuses one of them.
    pub fn as_livekit_reads_it(&self) -> Vec<Value> {
        let python = crate::cache_dir().join("venv/bin/python");
        assert!(
            python.is_file(),
            "LiveKit's Python SDK is missing; get it with: scripts/test-dependencies"
        );
        let mut child = Command::new(python)
            .arg(crate::clients::folder().join("webhooks.py"))
            .env("LIVEKIT_API_KEY", API_KEY)
            .env("LIVEKIT_API_SECRET", API_SECRET)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python runs");
        let mut input = child.stdin.take().expect("its input");
        for received in self.inbox() {
            let line = json!({ "body": received.body, "token": received.authorization });
            writeln!(input, "{line}").expect("it reads");
        }
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "LiveKit's receiver refuses it");
        let lines = String::from_utf8(output.stdout).expect("text");
        let read = lines.lines().map(serde_json::from_str);
        read.collect::<Result<_, _>>().expect("JSON")
    }
}

fn received(request: Request) -> Received {
    let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
    let body = String::from_utf8_lossy(&request.body).into_owned();
    Received {
        content_type: header("content-type"),
        authorization: header("authorization"),
        event: serde_json::from_str(&body).unwrap_or_default(),
        target: request.target,
        body,
    }
}
