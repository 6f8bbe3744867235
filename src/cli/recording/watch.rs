use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::client::{Client, ClientError};
use super::{ID, show};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// A render that is further behind is told, ms.
const MUCH_LAG: u64 = 10_000;

/// What is told of a recording; a line follows when it has become something else.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    room: String,
    state: String,
    participants: Vec<String>,
    gaps: usize,
    warnings: usize,
    restarts: u64,
    is_late: bool,
    size: Option<u64>,
    error: Option<String>,
}

impl Seen {
    fn of(recording: &Value) -> Self {
        let list = |value: &Value| value.as_array().map_or(0, Vec::len);
        let count = |value: &Value| value.as_u64().unwrap_or_default();
        let people = recording["capture"]["participants"].as_array();
        Self {
            room: show::text(&recording["roomName"]).to_owned(),
            state: show::text(&recording["state"]).to_owned(),
            participants: people
                .into_iter()
                .flatten()
                .map(|person| show::text(&person["identity"]).to_owned())
                .collect(),
            gaps: list(&recording["gaps"]),
            warnings: list(&recording["warnings"]),
            restarts: count(&recording["restarts"]["capture"])
                + count(&recording["restarts"]["render"]),
            is_late: count(&recording["render"]["lagMs"]) > MUCH_LAG,
            size: recording["sizeBytes"].as_u64(),
            error: recording["error"].as_str().map(str::to_owned),
        }
    }

    /// What has changed, in words; nothing if nothing has.
    fn changes(&self, before: Option<&Self>) -> Vec<String> {
        let nothing = Self::default();
        let before = before.unwrap_or(&nothing);
        let mut told = Vec::new();
        if self.state != before.state {
            told.push(self.state.clone());
        }
        for (known, others, word) in [
            (&self.participants, &before.participants, "joined"),
            (&before.participants, &self.participants, "left"),
        ] {
            let new = known.iter().filter(|name| !others.contains(name));
            told.extend(new.map(|name| format!("{name} {word}")));
        }
        for (now, then, word) in [
            (self.gaps, before.gaps, "gap"),
            (self.warnings, before.warnings, "warning"),
        ] {
            if now > then {
                let plural = if now - then > 1 { "s" } else { "" };
                told.push(format!("{} {word}{plural}", now - then));
            }
        }
        if self.restarts > before.restarts {
            told.push("a process was started again".to_owned());
        }
        if self.is_late != before.is_late {
            let words = ["the render has caught up", "the render is late"];
            told.push(words[usize::from(self.is_late)].to_owned());
        }
        if let (Some(size), None) = (self.size, before.size) {
            told.push(show::bytes(size));
        }
        if let Some(error) = self.error.as_ref().filter(|_| self.error != before.error) {
            told.push(error.clone());
        }
        told
    }

    /// Whether nothing will change any more, and if so whether there is a file.
    fn end(&self) -> Option<bool> {
        match self.state.as_str() {
            "complete" | "limit_reached" => Some(true),
            "failed" | "aborted" => Some(false),
            _ => None,
        }
    }
}

/// Tells what happens: to all recordings until Ctrl-C, or to one until it has finished. A server that
/// is away is waited for.
pub async fn run(
    client: &Client,
    which: Option<&str>,
    is_json: bool,
) -> Result<ExitCode, ClientError> {
    let watched = watch(client, which, is_json);
    tokio::select! {
        ended = watched => ended,
        _ = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
    }
}

async fn watch(
    client: &Client,
    which: Option<&str>,
    is_json: bool,
) -> Result<ExitCode, ClientError> {
    let mut known: BTreeMap<String, Seen> = BTreeMap::new();
    let mut is_first = true;
    let mut is_away = false;
    loop {
        let recordings = match look(client, which, &known).await {
            Ok(recordings) => recordings,
            Err(error @ ClientError::Unreachable { .. }) if !is_first => {
                if !is_away {
                    eprintln!("warning: {error}");
                }
                is_away = true;
                sleep(EVERY).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        if is_first && recordings.is_empty() {
            match which {
                Some(which) => {
                    return Err(ClientError::Refused {
                        message: format!("no recording of {which} is live"),
                        hint: String::new(),
                    });
                }
                None => eprintln!("no recording is live; waiting for one"),
            }
        }
        (is_first, is_away) = (false, false);
        let mut ended = None;
        for recording in &recordings {
            let id = show::text(&recording["id"]).to_owned();
            let seen = Seen::of(recording);
            let changes = seen.changes(known.get(&id));
            if !changes.is_empty() && tell(&id, &seen, &changes, is_json).is_err() {
                return Ok(ExitCode::SUCCESS);
            }
            ended = ended.or(seen.end());
            match seen.end() {
                Some(_) => known.remove(&id),
                None => known.insert(id, seen),
            };
        }
        if let (Some(_), Some(is_whole), true) = (which, ended, known.is_empty()) {
            return Ok(ExitCode::from(u8::from(!is_whole)));
        }
        sleep(EVERY).await;
    }
}

/// The live recordings that are watched, and those that were live at the last look.
async fn look(
    client: &Client,
    which: Option<&str>,
    known: &BTreeMap<String, Seen>,
) -> Result<Vec<Value>, ClientError> {
    let mut status = client.get(&["status"], &[]).await?;
    let Value::Array(mut recordings) = status["sessions"].take() else {
        return Err(ClientError::Answer);
    };
    let is_watched = |recording: &Value| {
        which.is_none_or(|which| recording["id"] == which || recording["roomName"] == which)
    };
    recordings.retain(is_watched);
    let mut gone: Vec<&str> = known.keys().map(String::as_str).collect();
    if let Some(id) = which.filter(|which| which.starts_with(ID) && known.is_empty()) {
        // It may have finished before anybody looked.
        gone.push(id);
    }
    gone.retain(|id| recordings.iter().all(|recording| recording["id"] != **id));
    for id in gone {
        recordings.push(client.get(&["v1", "recordings", id], &[]).await?);
    }
    Ok(recordings)
}

fn tell(id: &str, seen: &Seen, changes: &[String], is_json: bool) -> io::Result<()> {
    let mut output = io::stdout();
    let time = tapedeck_storage::utc_text(now_ms());
    match is_json {
        true => {
            let line = json!({ "time": time, "id": id, "roomName": seen.room, "state": seen.state, "changes": changes });
            writeln!(output, "{line}")
        }
        false => writeln!(output, "{time} {id} {}: {}", seen.room, changes.join(", ")),
    }?;
    output.flush()
}

fn now_ms() -> i64 {
    let now = time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    i64::try_from(now).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(state: &str, people: &[&str]) -> Value {
        let people: Vec<Value> = people
            .iter()
            .map(|name| json!({ "identity": name }))
            .collect();
        json!({"roomName": "studio", "state": state, "capture": {"participants": people},
            "gaps": [], "warnings": [], "restarts": {"capture": 0, "render": 0}})
    }

    #[test]
    fn a_line_tells_what_has_changed() {
        let active = Seen::of(&recording("active", &["alice"]));
        assert_eq!(active.changes(None), ["active", "alice joined"]);
        assert!(active.changes(Some(&active)).is_empty());

        let mut later = recording("paused", &["bob"]);
        later["gaps"] = json!([{}, {}]);
        later["restarts"]["capture"] = json!(1);
        later["render"] = json!({"lagMs": 20_000});
        let later = Seen::of(&later);
        let expected = [
            "paused",
            "bob joined",
            "alice left",
            "2 gaps",
            "a process was started again",
            "the render is late",
        ];
        assert_eq!(later.changes(Some(&active)), expected);
        assert_eq!(later.end(), None);
    }

    #[test]
    fn a_failed_recording_is_told_with_its_reason() {
        let mut failed = recording("failed", &[]);
        failed["error"] = json!("the disk is full");
        let failed = Seen::of(&failed);
        assert_eq!(failed.changes(None), ["failed", "the disk is full"]);
        assert_eq!(failed.end(), Some(false));
    }
}
