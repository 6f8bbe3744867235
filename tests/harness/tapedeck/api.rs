//! The server's REST interface, as its clients use it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Tapedeck;

/// An answer: status and JSON body (null if it is none).
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Value,
}

impl Reply {
    /// The text of `{"errorMessage": …}`.
    pub fn error_message(&self) -> &str {
        self.body["errorMessage"].as_str().unwrap_or_default()
    }

    /// The recording of an answer to start or stop.
    ///
    /// # Panics
    /// The answer is no success or holds none.
    pub fn recording(&self) -> Recording {
        assert_eq!(self.status, 200, "{}", self.body);
        serde_json::from_value(self.body["recording"].clone())
            .unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A recording as start, stop and list tell it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Recording {
    pub id: String,
    pub name: String,
    pub room_name: String,
    pub room_id: String,
    /// Unix ms.
    pub started_at: f64,
    /// s
    #[serde(default)]
    pub duration: f64,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
    #[serde(default)]
    pub status: Option<String>,
}

impl Tapedeck {
    /// `POST path` with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(self.http.post(self.url(path)).json(&body)).await
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.http.get(self.url(path))).await
    }

    /// A request to be filled by hand.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, self.url(path))
    }

    /// Sends a request made by hand.
    ///
    /// # Panics
    /// The server does not answer.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let answer = request.send().await.expect("the server answers");
        let status = answer.status().as_u16();
        let body = answer.bytes().await.expect("a body");
        Reply {
            status,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        }
    }

    /// Starts a recording that must start.
    pub async fn start_recording(&self, room: &str) -> Recording {
        let reply = self
            .post("/recordings/start", json!({ "roomName": room }))
            .await;
        reply.recording()
    }

    /// Stops a recording and waits until its file is there.
    ///
    /// # Panics
    /// It is not finished in 90 s.
    pub async fn stop_recording(&self, room: &str) -> Recording {
        self.keep_logs();
        let reply = self
            .post("/recordings/stop", json!({ "roomName": room }))
            .await;
        let stopped = reply.recording();
        self.wait_for_end(&stopped.id).await;
        self.listed(&stopped.id)
            .await
            .unwrap_or_else(|| panic!("{} is not listed: {}", stopped.id, reply.body))
    }

    /// Waits until a recording is in a final state and returns what `/v1` tells of it.
    pub async fn wait_for_end(&self, id: &str) -> Value {
        crate::wait::until(
            "the end of the recording",
            Duration::from_secs(90),
            || async {
                let recording = self.get(&format!("/v1/recordings/{id}")).await.body;
                let state = recording["state"].as_str()?;
                let ended = ["complete", "limit_reached", "aborted", "failed"];
                ended.contains(&state).then_some(recording)
            },
        )
        .await
    }

    /// The finished recordings of the list.
    pub async fn list(&self) -> Vec<Recording> {
        let reply = self.get("/recordings").await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        serde_json::from_value(reply.body["recordings"].clone())
            .unwrap_or_else(|error| panic!("{error}: {}", reply.body))
    }

    /// A finished recording of the list.
    pub async fn listed(&self, id: &str) -> Option<Recording> {
        let all = self.list().await;
        all.into_iter().find(|recording| recording.id == id)
    }
}
