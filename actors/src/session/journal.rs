//! What a child wrote down about itself, as the snapshots it would have sent to a server that was
//! there.

use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tapedeck_pipelines::control::{
    CaptureSnapshot, CaptureState, EndReason, Event, OutputFile, RenderSnapshot, RenderState, Role,
    Warning,
};
use tapedeck_pipelines::log::{Told, last_time_ns};
use tapedeck_pipelines::process::JournalEntry;

use super::machine::Left;

/// What a process with this journal left in the recording's `folder`.
pub fn left(role: Role, folder: &Path, journal: &[JournalEntry]) -> Left {
    let last = journal.last();
    let log = (role == Role::Capture).then(|| folder.join("log"));
    Left {
        log_until: log_until(folder),
        // What cannot be read is told by the render.
        recorded_ms: log
            .as_ref()
            .and_then(|log| last_time_ns(log).ok())
            .map(|time_ns| time_ns / 1_000_000),
        told: log.and_then(|log| Told::read(&log).ok()),
        suspended: last.is_some_and(|entry| entry.happening == "suspended"),
    }
}

/// When the log was last written, Unix ms.
fn log_until(folder: &Path) -> Option<i64> {
    let entries = std::fs::read_dir(folder.join("log")).ok()?;
    let changes = entries.filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok());
    let last = changes.max()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(last.as_millis()).ok()
}

/// The last state that the journal of a child which has ended vouches for. A capture's log may be
/// longer than it tells.
pub fn last_state(role: Role, journal: &[JournalEntry]) -> Option<Event> {
    match role {
        Role::Capture => capture(journal).map(|snapshot| Event::Capture { snapshot }),
        Role::Render => render(journal).map(|snapshot| Event::Render { snapshot }),
    }
}

fn capture(journal: &[JournalEntry]) -> Option<CaptureSnapshot> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Joined {
        room_id: Option<String>,
        started_at_ms: Option<i64>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Sealed {
        #[serde(alias = "reason")]
        end_reason: Option<EndReason>,
        ended_at_ms: Option<i64>,
        duration_ms: u64,
    }
    let joined = journal.iter().find(|entry| entry.happening == "joined")?;
    let Joined {
        room_id,
        started_at_ms,
    } = details(joined).unwrap_or_default();
    let mut snapshot = CaptureSnapshot {
        state: CaptureState::Recording,
        room_id,
        started_at_ms: started_at_ms.or(Some(joined.at_ms)),
        ..CaptureSnapshot::default()
    };
    if let Some(entry) = journal.iter().rfind(|entry| entry.happening == "sealed") {
        let sealed: Sealed = details(entry).unwrap_or_default();
        snapshot.state = CaptureState::Sealed;
        snapshot.end_reason = sealed.end_reason;
        snapshot.ended_at_ms = sealed.ended_at_ms.or(Some(entry.at_ms));
        snapshot.duration_ms = sealed.duration_ms;
    }
    Some(snapshot)
}

fn render(journal: &[JournalEntry]) -> Option<RenderSnapshot> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Told {
        warnings: Vec<Warning>,
        further_outputs: Vec<OutputFile>,
    }
    let last = journal
        .last()
        .filter(|entry| entry.happening == "finished")?;
    // The output is told under its own name, or its fields are the details themselves.
    let output = match last.details.get("output") {
        Some(output) => serde_json::from_value(output.clone()).ok(),
        None => details::<OutputFile>(last),
    };
    let is_there = |output: &OutputFile| {
        std::fs::metadata(&output.path).is_ok_and(|file| file.len() == output.size_bytes)
    };
    let output = output.filter(is_there)?;
    let told: Told = details(last).unwrap_or_default();
    if !told.further_outputs.iter().all(is_there) {
        return None;
    }
    Some(RenderSnapshot {
        state: RenderState::Finished,
        output: Some(output),
        further_outputs: told.further_outputs,
        warnings: told.warnings,
        ..RenderSnapshot::default()
    })
}

fn details<T: DeserializeOwned>(entry: &JournalEntry) -> Option<T> {
    serde_json::from_value(Value::Object(entry.details.clone())).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(happening: &str, details: Value) -> JournalEntry {
        let mut json = json!({"at_ms": 5_000, "monotonic_ms": 1, "pid": 7, "happening": happening});
        json.as_object_mut()
            .unwrap()
            .extend(details.as_object().unwrap().clone());
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_capture_that_joined_has_recorded() {
        assert_eq!(
            last_state(Role::Capture, &[entry("started", json!({}))]),
            None
        );
        let joined = entry("joined", json!({"room_id": "RM_x", "started_at_ms": 4_000}));
        let Some(Event::Capture { snapshot }) = last_state(Role::Capture, &[joined]) else {
            panic!()
        };
        assert_eq!(snapshot.state, CaptureState::Recording);
        assert_eq!(
            (snapshot.started_at_ms, snapshot.room_id.as_deref()),
            (Some(4_000), Some("RM_x"))
        );
    }

    #[test]
    fn what_is_left_tells_when_the_log_was_written_and_whether_it_is_to_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let suspended = [entry("joined", json!({})), entry("suspended", json!({}))];
        let none = Left {
            suspended: true,
            ..Left::default()
        };
        assert_eq!(left(Role::Capture, folder.path(), &suspended), none);
        let log = folder.path().join("log");
        std::fs::create_dir(&log).unwrap();
        for (name, at_s) in [("000001.tdl", 5_000), ("000002.tdl", 7_000)] {
            let file = std::fs::File::create(log.join(name)).unwrap();
            let at = UNIX_EPOCH + std::time::Duration::from_secs(at_s);
            file.set_modified(at).unwrap();
        }
        let written = Left {
            log_until: Some(7_000_000),
            ..Left::default()
        };
        assert_eq!(left(Role::Capture, folder.path(), &suspended[..1]), written);
    }

    #[test]
    fn a_sealed_log_keeps_its_reason() {
        let journal = [
            entry("joined", json!({})),
            entry(
                "sealed",
                json!({"end_reason": "room_ended", "ended_at_ms": 9_000}),
            ),
            entry("left", json!({})),
        ];
        let Some(Event::Capture { snapshot }) = last_state(Role::Capture, &journal) else {
            panic!()
        };
        assert_eq!(snapshot.state, CaptureState::Sealed);
        assert_eq!(snapshot.started_at_ms, Some(5_000));
        assert_eq!(snapshot.end_reason, Some(EndReason::RoomEnded));
        assert_eq!(snapshot.ended_at_ms, Some(9_000));
    }

    #[test]
    fn a_finished_render_counts_while_its_file_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output.mp4");
        let output = json!({"path": path, "size_bytes": 4, "duration_ms": 1_000, "sha256": "aa"});
        for details in [json!({"output": output}), output.clone()] {
            let journal = [entry("started", json!({})), entry("finished", details)];
            std::fs::write(&path, b"film").unwrap();
            let Some(Event::Render { snapshot }) = last_state(Role::Render, &journal) else {
                panic!()
            };
            assert_eq!(snapshot.output.unwrap().duration_ms, 1_000);
            std::fs::write(&path, b"torn").unwrap();
            std::fs::remove_file(&path).unwrap();
            assert_eq!(last_state(Role::Render, &journal), None);
        }
    }

    #[test]
    fn further_files_count_with_the_main_one() {
        let folder = tempfile::tempdir().unwrap();
        let [main, further] = ["output.wav", "output-2.wav"].map(|name| folder.path().join(name));
        let details = json!({
            "path": main, "size_bytes": 4,
            "further_outputs": [{"path": further, "size_bytes": 4, "suffix": "-2"}],
        });
        let journal = [entry("finished", details)];
        std::fs::write(&main, b"tone").unwrap();
        assert_eq!(last_state(Role::Render, &journal), None);
        std::fs::write(&further, b"tone").unwrap();
        let Some(Event::Render { snapshot }) = last_state(Role::Render, &journal) else {
            panic!()
        };
        assert_eq!(snapshot.further_outputs[0].suffix, "-2");
    }

    #[test]
    fn a_render_that_was_started_again_has_not_finished() {
        let journal = [
            entry("finished", json!({"output": {}})),
            entry("started", json!({})),
        ];
        assert_eq!(last_state(Role::Render, &journal), None);
    }
}
