//! A client of the Chrome DevTools Protocol over a pair of pipes
//! (<https://chromedevtools.github.io/devtools-protocol/>): JSON messages, each ended by a zero
//! byte. A debugging port would be open to all users of the machine, and a browser on pipes ends
//! by itself when its driver is gone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// How long the browser may take to carry out a command. Its answer may never come when a renderer
/// has died.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest message, bytes.
const MAX_MESSAGE_BYTES: u64 = 16 << 20;

/// Commands on their way.
const QUEUE: usize = 64;

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DevToolsError {
    #[error("the browser has gone")]
    Gone,
    #[error("the browser does not answer")]
    Silent,
    #[error("the browser refused {method}: {message}")]
    Refused {
        method: &'static str,
        message: String,
    },
}

type Answer = Result<Value, String>;
type Answers = Arc<Mutex<HashMap<u64, oneshot::Sender<Answer>>>>;

/// A connection to a browser. When it is dropped, its pipes are closed.
pub struct DevTools {
    commands: mpsc::Sender<Vec<u8>>,
    answers: Answers,
    next_id: AtomicU64,
    lost_targets: broadcast::Sender<String>,
    closed: watch::Receiver<bool>,
    tasks: [JoinHandle<()>; 2],
}

impl DevTools {
    /// Takes the ends of the pipes.
    pub fn new(
        reading: impl AsyncRead + Send + Unpin + 'static,
        writing: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let (commands, queued) = mpsc::channel(QUEUE);
        let (lost_targets, _) = broadcast::channel(QUEUE);
        let (closing, closed) = watch::channel(false);
        let answers = Answers::default();
        let reader = Reader {
            answers: answers.clone(),
            lost_targets: lost_targets.clone(),
            closing,
        };
        let tasks = [
            tokio::spawn(reader.run(reading)),
            tokio::spawn(write(writing, queued)),
        ];
        Self {
            commands,
            answers,
            next_id: AtomicU64::new(1),
            lost_targets,
            closed,
            tasks,
        }
    }

    /// Carries out a command; returns its result.
    ///
    /// # Errors
    /// The browser refuses, does not answer, or has gone.
    pub async fn command(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<Value, DevToolsError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        lock(&self.answers).insert(id, sender);
        let mut message = json!({ "id": id, "method": method, "params": params })
            .to_string()
            .into_bytes();
        message.push(0);
        let carried_out = async {
            self.commands
                .send(message)
                .await
                .map_err(|_| DevToolsError::Gone)?;
            answer
                .await
                .map_err(|_| DevToolsError::Gone)?
                .map_err(|message| DevToolsError::Refused { method, message })
        };
        let outcome = tokio::time::timeout(ANSWER_TIMEOUT, carried_out).await;
        lock(&self.answers).remove(&id);
        outcome.unwrap_or(Err(DevToolsError::Silent))
    }

    /// Ids of targets that crash or are gone from now on, once they are discovered.
    pub fn lost_targets(&self) -> broadcast::Receiver<String> {
        self.lost_targets.subscribe()
    }

    /// Tells when the browser has closed its end.
    pub fn closed(&self) -> watch::Receiver<bool> {
        self.closed.clone()
    }
}

impl Drop for DevTools {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn write(mut writing: impl AsyncWrite + Unpin, mut queued: mpsc::Receiver<Vec<u8>>) {
    while let Some(message) = queued.recv().await {
        if writing.write_all(&message).await.is_err() {
            return;
        }
    }
}

#[derive(Deserialize)]
struct Incoming {
    id: Option<u64>,
    #[serde(default)]
    result: Value,
    error: Option<RefusedWith>,
    #[serde(default)]
    method: String,
    #[serde(default)]
    params: Value,
}

#[derive(Deserialize)]
struct RefusedWith {
    #[serde(default)]
    message: String,
}

struct Reader {
    answers: Answers,
    lost_targets: broadcast::Sender<String>,
    closing: watch::Sender<bool>,
}

impl Reader {
    async fn run(self, reading: impl AsyncRead + Unpin) {
        let mut reading = BufReader::new(reading);
        let mut message = Vec::new();
        loop {
            message.clear();
            let mut bounded = (&mut reading).take(MAX_MESSAGE_BYTES);
            let read = bounded.read_until(0, &mut message).await;
            if read.is_err() || message.pop_if(|last| *last == 0).is_none() {
                break;
            }
            match serde_json::from_slice::<Incoming>(&message) {
                Ok(incoming) => self.take(incoming),
                Err(error) => log::debug!("ignoring a message of the browser: {error}"),
            }
        }
        lock(&self.answers).clear();
        // Nobody may be left to be told.
        let _ = self.closing.send(true);
    }

    fn take(&self, incoming: Incoming) {
        if let Some(id) = incoming.id {
            if let Some(waiting) = lock(&self.answers).remove(&id) {
                let answer = match incoming.error {
                    Some(error) => Err(error.message),
                    None => Ok(incoming.result),
                };
                // Whoever asked may have given up.
                let _ = waiting.send(answer);
            }
            return;
        }
        let is_loss = ["Target.targetCrashed", "Target.targetDestroyed"];
        if is_loss.contains(&incoming.method.as_str())
            && let Some(target) = incoming.params["targetId"].as_str()
        {
            // Nobody may be interested.
            let _ = self.lost_targets.send(target.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::DuplexStream;

    use super::*;

    fn connected() -> (DevTools, BufReader<DuplexStream>, DuplexStream) {
        let (reading, answering) = tokio::io::duplex(1 << 16);
        let (writing, asked) = tokio::io::duplex(1 << 16);
        (
            DevTools::new(reading, writing),
            BufReader::new(asked),
            answering,
        )
    }

    async fn asked(from: &mut BufReader<DuplexStream>) -> Value {
        let mut message = Vec::new();
        from.read_until(0, &mut message).await.unwrap();
        assert_eq!(message.pop(), Some(0));
        serde_json::from_slice(&message).unwrap()
    }

    #[tokio::test]
    async fn answers_find_their_commands_whatever_their_order() {
        let (devtools, mut asking, mut answering) = connected();
        let browser = async {
            let [first, second] = [asked(&mut asking).await, asked(&mut asking).await];
            let refusal = json!({ "id": second["id"], "error": { "message": "no" } });
            let answer = json!({ "id": first["id"], "result": { "of": first["method"] } });
            for message in [json!({ "method": "Some.event" }), refusal, answer] {
                answering
                    .write_all(format!("{message}\0").as_bytes())
                    .await
                    .unwrap();
            }
        };
        let both = async {
            tokio::join!(
                devtools.command("A.one", json!({})),
                devtools.command("A.two", json!({}))
            )
        };
        let ((first, second), ()) = tokio::join!(both, browser);
        assert_eq!(first, Ok(json!({ "of": "A.one" })));
        let refused = DevToolsError::Refused {
            method: "A.two",
            message: "no".to_owned(),
        };
        assert_eq!(second, Err(refused));
    }

    #[tokio::test]
    async fn a_crash_and_the_end_are_told() {
        let (devtools, mut asking, mut answering) = connected();
        let mut lost = devtools.lost_targets();
        let crash = json!({ "method": "Target.targetCrashed", "params": { "targetId": "T" } });
        answering
            .write_all(format!("{crash}\0").as_bytes())
            .await
            .unwrap();
        assert_eq!(lost.recv().await.unwrap(), "T");
        let dying = async {
            asked(&mut asking).await;
            drop(answering);
        };
        let (outcome, ()) = tokio::join!(devtools.command("A.one", json!({})), dying);
        assert_eq!(outcome, Err(DevToolsError::Gone));
        assert!(devtools.closed().wait_for(|closed| *closed).await.is_ok());
    }
}
