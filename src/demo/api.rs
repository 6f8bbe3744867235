//! The server's REST interface, as any client uses it.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reqwest::{Client, Response, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::DemoError;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long a file may take after the stop, s.
const FILE_TIMEOUT_S: u64 = 120;

/// A client of the server.
#[derive(Clone)]
pub struct Api {
    http: Client,
    base: String,
}

/// A recording as start tells it.
#[derive(Clone, Debug, Deserialize)]
pub struct Recording {
    pub id: String,
    pub name: String,
}

/// What is told of a live recording.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    started_at_ms: Option<i64>,
    capture: Option<Capture>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Capture {
    first_frame_at_ms: Option<i64>,
}

impl Status {
    /// From the beginning of the recording to the first frame.
    pub fn first_frame_after(&self) -> Option<Duration> {
        let first = self.capture.as_ref()?.first_frame_at_ms?;
        let milliseconds = first - self.started_at_ms?;
        u64::try_from(milliseconds).ok().map(Duration::from_millis)
    }
}

impl Api {
    pub fn new(port: u16) -> Result<Self, DemoError> {
        let http = Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        Ok(Self {
            http,
            base: format!("http://127.0.0.1:{port}"),
        })
    }

    /// Where the server answers.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/readyz", self.base)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Where publishers of a room post.
    pub fn whip_url(&self, room: &str) -> Result<Url, DemoError> {
        let mut url = self.url(&["whip", room])?;
        url.set_query(None);
        Ok(url)
    }

    /// `POST /token`
    pub async fn token(&self, room: &str, participant: &str) -> Result<String, DemoError> {
        let body = json!({ "roomName": room, "participantName": participant });
        let answer = self.post("token", &["token"], &body).await?;
        let token = answer["token"].as_str();
        token
            .map(str::to_owned)
            .ok_or(DemoError::Answer("POST /token"))
    }

    /// `POST /recordings/start`
    pub async fn start(&self, room: &str) -> Result<Recording, DemoError> {
        let body = json!({ "roomName": room });
        let mut answer = self.post("start", &["recordings", "start"], &body).await?;
        serde_json::from_value(answer["recording"].take())
            .map_err(|_| DemoError::Answer("POST /recordings/start"))
    }

    /// `POST /recordings/stop`
    pub async fn stop(&self, room: &str) -> Result<(), DemoError> {
        let body = json!({ "roomName": room });
        self.post("stop", &["recordings", "stop"], &body)
            .await
            .map(drop)
    }

    /// `GET /status/:id`
    pub async fn status(&self, id: &str) -> Result<Status, DemoError> {
        let answer = self.http.get(self.url(&["status", id])?).send().await?;
        Ok(checked("status", answer).await?.json().await?)
    }

    /// Waits until the file is complete.
    pub async fn wait_for_file(&self, id: &str) -> Result<(), DemoError> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(FILE_TIMEOUT_S) {
            let url = self.url(&["v1", "recordings", id])?;
            let answer = self.http.get(url).send().await?;
            let recording: Value = checked("the recording", answer).await?.json().await?;
            match recording["state"].as_str().unwrap_or_default() {
                "complete" => return Ok(()),
                state @ ("failed" | "aborted" | "limit_reached") => {
                    return Err(DemoError::Ended {
                        state: state.to_owned(),
                        reason: recording["error"].to_string(),
                    });
                }
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        Err(DemoError::NoFile(FILE_TIMEOUT_S))
    }

    /// `GET /recordings/:name`
    pub async fn fetch(&self, name: &str, file: &mut File) -> Result<(), DemoError> {
        let answer = self
            .http
            .get(self.url(&["recordings", name])?)
            .send()
            .await?;
        let mut body = checked("the file", answer).await?.bytes_stream();
        while let Some(piece) = body.next().await {
            file.write_all(&piece?)
                .map_err(|source| DemoError::Output {
                    path: name.into(),
                    source,
                })?;
        }
        Ok(())
    }

    async fn post(
        &self,
        what: &'static str,
        path: &[&str],
        body: &Value,
    ) -> Result<Value, DemoError> {
        let answer = self.http.post(self.url(path)?).json(body).send().await?;
        Ok(checked(what, answer).await?.json().await?)
    }

    fn url(&self, path: &[&str]) -> Result<Url, DemoError> {
        let mut url = Url::parse(&self.base).map_err(|_| DemoError::Answer("its address"))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        Ok(url)
    }
}

async fn checked(what: &'static str, answer: Response) -> Result<Response, DemoError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    Err(DemoError::Refused {
        what,
        status: status.as_u16(),
        body: answer.text().await.unwrap_or_default(),
    })
}
