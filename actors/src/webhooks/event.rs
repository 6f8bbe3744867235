//! What of a recording is told, and in which words: `livekit.WebhookEvent` as protobuf's JSON.

use livekit_protocol::egress_info::Request;
use livekit_protocol::{
    EgressInfo, EgressStatus, EncodedFileOutput, EncodedFileType, FileInfo,
    RoomCompositeEgressRequest, WebhookEvent,
};
use serde::{Deserialize, Serialize};
use tapedeck_pipelines::control::{EndReason, OutputFile};
use tapedeck_pipelines::job::OutputFormat;
use tapedeck_storage::Stored;

use crate::{Manifest, RecordingState};

const NS_PER_MS: i64 = 1_000_000;

/// How far a recording has come, as receivers are told it. Each is told once, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    Starting,
    Active,
    Ending,
    Ended,
}

impl Milestone {
    const ALL: [Self; 4] = [Self::Starting, Self::Active, Self::Ending, Self::Ended];

    /// The last one that a recording has reached.
    fn of(state: RecordingState) -> Self {
        use RecordingState::*;
        match state {
            Starting => Self::Starting,
            Active | Paused | Interrupted => Self::Active,
            Ending | Uploading => Self::Ending,
            Complete | LimitReached | Aborted | Failed => Self::Ended,
        }
    }

    /// The name of its event.
    pub fn event(self) -> &'static str {
        match self {
            Self::Starting => "egress_started",
            Self::Active | Self::Ending => "egress_updated",
            Self::Ended => "egress_ended",
        }
    }
}

/// What is to be told of a recording behind `told`, in order. A server that was away may have missed
/// steps: they follow from where the recording stands.
pub fn owed(manifest: &Manifest, told: Option<Milestone>) -> Vec<Milestone> {
    let reached = Milestone::of(manifest.state);
    let has_run = manifest.started_at.is_some();
    let was_ending = manifest.file.is_some() || manifest.stop_requested_at.is_some();
    let is_owed = |milestone: &Milestone| {
        told.is_none_or(|told| *milestone > told)
            && match milestone {
                Milestone::Active => *milestone <= reached && has_run,
                Milestone::Ending => {
                    reached == Milestone::Ending
                        || (reached == Milestone::Ended && has_run && was_ending)
                }
                milestone => *milestone <= reached,
            }
    };
    Milestone::ALL.into_iter().filter(is_owed).collect()
}

/// LiveKit's word for a recording that has come so far.
pub fn status(manifest: &Manifest, milestone: Milestone) -> EgressStatus {
    match (milestone, manifest.state) {
        (Milestone::Starting, _) => EgressStatus::EgressStarting,
        (Milestone::Active, _) => EgressStatus::EgressActive,
        (Milestone::Ending, _) => EgressStatus::EgressEnding,
        (Milestone::Ended, RecordingState::LimitReached) => EgressStatus::EgressLimitReached,
        (Milestone::Ended, RecordingState::Aborted) => EgressStatus::EgressAborted,
        (Milestone::Ended, RecordingState::Failed) => EgressStatus::EgressFailed,
        (Milestone::Ended, _) => EgressStatus::EgressComplete,
    }
}

/// The body of an event. `now` is Unix ms.
///
/// # Errors
/// It has no JSON form.
pub fn body(
    manifest: &Manifest,
    milestone: Milestone,
    id: &str,
    now: i64,
) -> Result<String, serde_json::Error> {
    serde_json::to_string(&WebhookEvent {
        event: milestone.event().into(),
        id: id.into(),
        created_at: now / 1_000,
        egress_info: Some(egress_info(manifest, milestone, now)),
        ..WebhookEvent::default()
    })
}

fn egress_info(manifest: &Manifest, milestone: Milestone, now: i64) -> EgressInfo {
    let has_ended = milestone == Milestone::Ended;
    let has_run = milestone > Milestone::Starting;
    EgressInfo {
        egress_id: manifest.id.clone(),
        room_id: manifest.room_id.clone(),
        room_name: manifest.room_name.clone(),
        status: status(manifest, milestone) as i32,
        started_at: manifest
            .started_at
            .filter(|_| has_run)
            .map_or(0, nanoseconds),
        ended_at: manifest
            .ended_at
            .filter(|_| has_ended)
            .map_or(0, nanoseconds),
        updated_at: nanoseconds(now),
        file_results: match (has_run, has_ended) {
            (true, true) => files(manifest),
            (true, false) => vec![FileInfo {
                filename: manifest.name.clone(),
                started_at: manifest.started_at.map_or(0, nanoseconds),
                ..FileInfo::default()
            }],
            (false, _) => Vec::new(),
        },
        error: manifest
            .error
            .clone()
            .filter(|_| has_ended)
            .unwrap_or_default(),
        details: manifest
            .end_reason
            .filter(|_| has_ended)
            .map(details)
            .unwrap_or_default(),
        request: Some(Request::RoomComposite(request(manifest))),
        ..EgressInfo::default()
    }
}

fn request(manifest: &Manifest) -> RoomCompositeEgressRequest {
    let output = &manifest.output;
    let file_type = match output.format {
        OutputFormat::Mp4 => EncodedFileType::Mp4,
        // Of LiveKit's types none is WAV.
        OutputFormat::Wav => EncodedFileType::DefaultFiletype,
    };
    RoomCompositeEgressRequest {
        room_name: manifest.room_name.clone(),
        layout: "grid".into(),
        audio_only: output.audio_only || output.format == OutputFormat::Wav,
        file_outputs: vec![EncodedFileOutput {
            file_type: file_type as i32,
            filepath: manifest.name.clone(),
            disable_manifest: true,
            ..EncodedFileOutput::default()
        }],
        ..RoomCompositeEgressRequest::default()
    }
}

/// The files, the main one first.
fn files(manifest: &Manifest) -> Vec<FileInfo> {
    let mut files: Vec<_> = manifest.files().collect();
    if !files.is_empty() {
        files.rotate_right(1);
    }
    // What the store said begins with the main file, too.
    let mut stored = manifest.stored.iter();
    let files = files.into_iter();
    files
        .map(|(name, file)| file_info(manifest, name, file, stored.next()))
        .collect()
}

fn file_info(
    manifest: &Manifest,
    name: String,
    file: &OutputFile,
    stored: Option<&Stored>,
) -> FileInfo {
    let location = stored.map(|stored| stored.url.as_ref().unwrap_or(&stored.path).clone());
    FileInfo {
        filename: stored.map_or(name, |stored| stored.path.clone()),
        started_at: manifest.started_at.map_or(0, nanoseconds),
        ended_at: manifest.ended_at.map_or(0, nanoseconds),
        duration: i64::try_from(file.duration_ms).map_or(i64::MAX, nanoseconds),
        size: i64::try_from(file.size_bytes).unwrap_or(i64::MAX),
        location: location.unwrap_or_default(),
    }
}

/// Why it ended, as LiveKit's egress puts it.
fn details(reason: EndReason) -> String {
    let reason = match reason {
        EndReason::Stopped => "StopEgress API",
        EndReason::RoomEnded | EndReason::RoomEmpty => "Source closed",
        EndReason::MaxDuration => "Limit reached",
        _ => "Failure",
    };
    format!("End reason: {reason}")
}

fn nanoseconds(ms: i64) -> i64 {
    ms.saturating_mul(NS_PER_MS)
}

#[cfg(test)]
mod tests {
    use Milestone::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::manifest;

    fn at(state: RecordingState) -> Manifest {
        Manifest {
            state,
            started_at: Some(2_000),
            ..manifest()
        }
    }

    fn complete() -> Manifest {
        Manifest {
            ended_at: Some(14_345),
            end_reason: Some(EndReason::Stopped),
            stop_requested_at: Some(14_000),
            file: Some(OutputFile {
                path: "/data/work/EG_abcdefghijkl/output.mp4".into(),
                size_bytes: 1_234_567,
                duration_ms: 12_345,
                ..OutputFile::default()
            }),
            stored: vec![Stored {
                path: "recordings/room.mp4".into(),
                size: 1_234_567,
                url: None,
                document: None,
            }],
            ..at(RecordingState::Complete)
        }
    }

    #[test]
    fn each_step_is_told_once_and_in_order() {
        assert_eq!(owed(&manifest(), None), [Starting]);
        assert_eq!(owed(&at(RecordingState::Active), Some(Starting)), [Active]);
        for state in [RecordingState::Paused, RecordingState::Interrupted] {
            assert_eq!(owed(&at(state), Some(Active)), []);
        }
        assert_eq!(owed(&at(RecordingState::Ending), Some(Active)), [Ending]);
        assert_eq!(owed(&at(RecordingState::Uploading), Some(Ending)), []);
        assert_eq!(owed(&complete(), Some(Ending)), [Ended]);
        assert_eq!(owed(&complete(), Some(Ended)), []);
    }

    #[test]
    fn what_a_server_that_was_away_missed_follows_from_where_the_recording_stands() {
        assert_eq!(owed(&complete(), None), [Starting, Active, Ending, Ended]);
        assert_eq!(owed(&complete(), Some(Starting)), [Active, Ending, Ended]);
        let never_joined = Manifest {
            state: RecordingState::Failed,
            ..manifest()
        };
        assert_eq!(owed(&never_joined, Some(Starting)), [Ended]);
    }

    #[test]
    fn the_end_is_told_as_livekit_tells_it() {
        let body = body(&complete(), Ended, "EV_x", 15_999).unwrap();
        let told: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            told,
            json!({
                "event": "egress_ended",
                "id": "EV_x",
                "createdAt": "15",
                "egressInfo": {
                    "egressId": "EG_abcdefghijkl",
                    "roomId": "RM_x",
                    "roomName": "room",
                    "status": "EGRESS_COMPLETE",
                    "startedAt": "2000000000",
                    "endedAt": "14345000000",
                    "updatedAt": "15999000000",
                    "details": "End reason: StopEgress API",
                    "fileResults": [{
                        "filename": "recordings/room.mp4",
                        "startedAt": "2000000000",
                        "endedAt": "14345000000",
                        "duration": "12345000000",
                        "size": "1234567",
                        "location": "recordings/room.mp4"
                    }],
                    "roomComposite": {
                        "roomName": "room",
                        "layout": "grid",
                        "fileOutputs": [{
                            "fileType": "MP4",
                            "filepath": "room-2026-11-21T225328-RM_x.mp4",
                            "disableManifest": true
                        }]
                    }
                }
            })
        );
    }

    #[test]
    fn an_earlier_step_that_is_told_late_tells_nothing_of_later_ones() {
        let body = body(&complete(), Active, "EV_x", 15_999).unwrap();
        let told: Value = serde_json::from_str(&body).unwrap();
        let info = &told["egressInfo"];
        assert_eq!(told["event"], "egress_updated");
        assert_eq!(info["status"], "EGRESS_ACTIVE");
        assert_eq!(info["startedAt"], "2000000000");
        assert!(info.get("endedAt").is_none() && info.get("details").is_none());
        assert!(info["fileResults"][0].get("size").is_none());
    }

    #[test]
    fn every_end_has_its_word_and_a_failure_its_reason() {
        let failed = Manifest {
            error: Some("the disk is full".into()),
            ..at(RecordingState::Failed)
        };
        let told = body(&failed, Ended, "EV_x", 1).unwrap();
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["egressInfo"]["status"], "EGRESS_FAILED");
        assert_eq!(told["egressInfo"]["error"], "the disk is full");
        let word = |state| status(&at(state), Ended).as_str_name();
        assert_eq!(word(RecordingState::Aborted), "EGRESS_ABORTED");
        assert_eq!(word(RecordingState::LimitReached), "EGRESS_LIMIT_REACHED");
    }
}
