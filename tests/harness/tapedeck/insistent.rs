//! A client that asks again while the server is down.

use std::ops::Range;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Recording, Tapedeck, now_ms};

/// How long it asks.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// Asks until it is answered, as a client does whose server is killed again and again.
#[derive(Clone)]
pub struct Insistent {
    http: reqwest::Client,
    base: String,
}

impl Insistent {
    /// A client of a server that may be killed and run again meanwhile.
    pub fn of(tapedeck: &Tapedeck) -> Self {
        Self {
            http: tapedeck.http.clone(),
            base: tapedeck.url(""),
        }
    }

    /// Starts a recording. A start that was cut off is repeated under its idempotency key; one
    /// that was refused, because its room's processes were killed, is begun anew.
    ///
    /// # Panics
    /// It does not start within half a minute, or is answered that the server failed: captures
    /// that die are started again, and so is the server.
    pub async fn start(&self, body: &Value) -> Recording {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let key = format!("{:032x}", rand::random::<u128>());
            let ask = || {
                self.http
                    .post(format!("{}/recordings/start", self.base))
                    .header("idempotency-key", &key)
                    .json(body)
            };
            let (status, answer) = self.answer("start", ask, deadline).await;
            let recording =
                (status == 200).then(|| serde_json::from_value(answer["recording"].clone()));
            if let Some(Ok(recording)) = recording {
                return recording;
            }
            assert_ne!(status, 500, "{answer}");
            assert!(Instant::now() < deadline, "no start: {status} {answer}");
            println!("start of {body} refused: {status} {answer}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Pauses the recording of a room, or goes on with it.
    ///
    /// # Panics
    /// It is refused for half a minute.
    pub async fn pause(&self, room: &str, source: &str, pause: bool) {
        let deadline = Instant::now() + PATIENCE;
        let body = json!({ "roomName": room, "source": source });
        let path = if pause { "pause" } else { "resume" };
        let url = format!("{}/recordings/{path}", self.base);
        loop {
            let ask = || self.http.post(&url).json(&body);
            let (status, answer) = self.answer(path, ask, deadline).await;
            if status == 200 {
                return;
            }
            assert!(Instant::now() < deadline, "no {path}: {status} {answer}");
            println!("{path} of {room} refused: {status} {answer}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Stops the recording of a room; returns between which times (Unix ms) it ended.
    pub async fn stop(&self, room: &str, source: &str) -> Range<f64> {
        let asked = now_ms();
        let body = json!({ "roomName": room, "source": source });
        let ask = || {
            self.http
                .post(format!("{}/recordings/stop", self.base))
                .json(&body)
        };
        // "Not recording" is the answer after a stop that was cut off.
        self.answer("stop", ask, Instant::now() + PATIENCE).await;
        asked..now_ms()
    }

    /// Deletes a recording's file, or finds that it was deleted by a request that was cut off.
    ///
    /// # Panics
    /// It is refused.
    pub async fn delete(&self, name: &str) {
        let url = format!("{}/recordings/{name}", self.base);
        let ask = || self.http.delete(&url);
        let (status, answer) = self.answer("delete", ask, Instant::now() + PATIENCE).await;
        assert!([200, 404].contains(&status), "{status} {answer}");
    }

    /// Waits until a recording is in a final state and returns what `/v1` tells of it.
    ///
    /// # Panics
    /// That takes more than a minute.
    pub async fn end_of(&self, id: &str) -> Value {
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            let ask = || self.http.get(format!("{}/v1/recordings/{id}", self.base));
            let (status, recording) = self.answer("status", ask, deadline).await;
            assert_eq!(status, 200, "{id} is unknown: {recording}");
            let state = recording["state"].as_str().unwrap_or_default();
            if ["complete", "limit_reached", "aborted", "failed"].contains(&state) {
                return recording;
            }
            assert!(Instant::now() < deadline, "{id} does not end: {recording}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks until an answer arrives whole.
    async fn answer(
        &self,
        what: &str,
        ask: impl Fn() -> reqwest::RequestBuilder,
        deadline: Instant,
    ) -> (u16, Value) {
        loop {
            let error = match ask().send().await {
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    match answer.bytes().await {
                        Ok(body) => {
                            return (status, serde_json::from_slice(&body).unwrap_or_default());
                        }
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            assert!(Instant::now() < deadline, "no answer to {what}: {error}");
            tokio::time::sleep(PAUSE).await;
        }
    }
}
