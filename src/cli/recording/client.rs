use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Url};
use serde::Serialize;
use serde_json::Value;
use tapedeck_pipelines::job::Secret;

use crate::config::{self, ConfigError};
use crate::http::separate;
use crate::serve::key_file::{self, KeyFileError};

use super::ServerOptions;

/// How long an answer may take: a stop waits for the file.
const TIMEOUT: Duration = Duration::from_secs(320);
/// How long it may take to reach a server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Configuration(#[from] ConfigError),
    #[error(transparent)]
    KeptKey(#[from] KeyFileError),
    #[error("the key in {} cannot be read: {source}", path.display())]
    KeyFile { path: PathBuf, source: io::Error },
    #[error("{0} is no address of a server: write it as http://HOST:PORT")]
    Address(String),
    #[error(
        "no server answers at {server} ({reason}): start it with `tapedeck serve`, or name another with --server"
    )]
    Unreachable { server: String, reason: String },
    #[error(
        "the server refuses the key: set TAPEDECK_AUTH_OPERATOR_KEY, or name its file with --key-file"
    )]
    Unauthorized,
    #[error("{message}{}", if hint.is_empty() { String::new() } else { format!(": {hint}") })]
    Refused { message: String, hint: String },
    #[error("the answer is not one of a Tapedeck server: is --server right?")]
    Answer,
}

impl ClientError {
    /// What the command ends with.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Unreachable { .. } => ExitCode::from(3),
            _ => ExitCode::FAILURE,
        }
    }
}

/// A client of a running server.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    key: Secret,
}

impl Client {
    /// # Errors
    /// The configuration has mistakes, the key cannot be read, or the address is none.
    pub fn new(options: &ServerOptions) -> Result<Self, ClientError> {
        let settings = config::load(options.config.as_deref())?.settings;
        let base = match &options.server {
            Some(server) => server.clone(),
            None => address(&settings.server.host, settings.server.port),
        };
        let key = match &options.key_file {
            Some(path) => {
                let text = fs::read_to_string(path).map_err(|source| ClientError::KeyFile {
                    path: path.clone(),
                    source,
                })?;
                Secret::new(text.trim())
            }
            None => match separate(settings.auth.operator_key.reveal()).next() {
                // Of several keys each opens everything.
                Some(key) => Secret::new(key),
                // What the server of this data folder keeps is no other server's business.
                None if options.server.is_none() => {
                    let folder = Path::new(&settings.data.dir);
                    let kept = key_file::load(folder, key_file::OPERATOR)?;
                    kept.unwrap_or_else(|| Secret::new(""))
                }
                None => Secret::new(""),
            },
        };
        let parsed = Url::parse(&base).ok();
        let parsed = parsed.filter(|url| ["http", "https"].contains(&url.scheme()));
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|error| unreachable(&base, &error))?;
        Ok(Self {
            http,
            base: parsed.ok_or(ClientError::Address(base))?,
            key,
        })
    }

    pub async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, ClientError> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send(self.http.request(Method::GET, url)).await
    }

    pub async fn post(&self, path: &[&str], body: &impl Serialize) -> Result<Value, ClientError> {
        self.send(self.http.post(self.url(path)).json(body)).await
    }

    pub async fn delete(&self, path: &[&str]) -> Result<Value, ClientError> {
        self.send(self.http.delete(self.url(path))).await
    }

    /// An address of the server's as it can be opened from here.
    pub fn absolute(&self, address: &str) -> Result<String, ClientError> {
        let joined = self.base.join(address);
        joined.map(String::from).map_err(|_| ClientError::Answer)
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    async fn send(&self, mut request: RequestBuilder) -> Result<Value, ClientError> {
        if !self.key.is_empty() {
            request = request.bearer_auth(self.key.reveal());
        }
        let answer = request
            .send()
            .await
            .map_err(|error| unreachable(self.base.as_str(), &error))?;
        let status = answer.status();
        let text = answer
            .text()
            .await
            .map_err(|error| unreachable(self.base.as_str(), &error))?;
        let body: Option<Value> = serde_json::from_str(&text).ok();
        if status.is_success() {
            return body.ok_or(ClientError::Answer);
        }
        if status.as_u16() == 401 {
            return Err(ClientError::Unauthorized);
        }
        Err(body
            .as_ref()
            .and_then(refused)
            .unwrap_or(ClientError::Answer))
    }
}

/// What a refusal says, in the shapes of our interfaces.
fn refused(body: &Value) -> Option<ClientError> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let message = text(&body["errorMessage"])
        .or_else(|| text(&body["error"]["message"]))
        .or_else(|| text(&body["error"]))?;
    let hint = text(&body["error"]["hint"]).unwrap_or_default();
    Some(ClientError::Refused { message, hint })
}

/// The last of the causes says most; no address of ours has a secret in it.
fn unreachable(server: &str, error: &reqwest::Error) -> ClientError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    ClientError::Unreachable {
        server: server.trim_end_matches('/').to_owned(),
        reason: cause.to_string(),
    }
}

/// Where a server that listens there is reached from this machine.
fn address(host: &str, port: u16) -> String {
    let host = match host {
        "0.0.0.0" | "::" | "" => "localhost",
        host => host,
    };
    match host.contains(':') {
        true => format!("http://[{host}]:{port}"),
        false => format!("http://{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_is_found_where_it_listens() {
        for (host, expected) in [
            ("127.0.0.1", "http://127.0.0.1:6080"),
            ("0.0.0.0", "http://localhost:6080"),
            ("::", "http://localhost:6080"),
            ("::1", "http://[::1]:6080"),
            ("rooms.example", "http://rooms.example:6080"),
        ] {
            assert_eq!(address(host, 6_080), expected);
        }
    }

    #[test]
    fn refusals_are_told_in_their_words() {
        for (body, expected) in [
            (json!({"errorMessage": "A"}), "A"),
            (
                json!({"error": {"code": "c", "message": "B", "hint": "do C"}}),
                "B: do C",
            ),
            (
                json!({"error": {"code": "c", "message": "B", "hint": ""}}),
                "B",
            ),
            (json!({"error": "D"}), "D"),
        ] {
            assert_eq!(refused(&body).unwrap().to_string(), expected);
        }
        assert!(refused(&json!([1])).is_none());
    }
}
