//! The sessions by recording id, and the rules of who may start.

use std::collections::HashMap;

use actix::Addr;
use tokio::time::Instant;

use super::SessionHandle;
use crate::capacity::Meter;
use crate::session::{RecordingSession, StatusSender};
use crate::{Manifest, SourceKind, StartError, StartRequest};

/// Sessions that have not finished.
#[derive(Default)]
pub struct Table {
    pub entries: HashMap<String, Entry>,
}

/// A session in the table.
pub struct Entry {
    pub session: Addr<RecordingSession>,
    pub status: StatusSender,
    /// Times it was made anew.
    pub restarts: u32,
    /// When it may be made anew next; set while that is under way.
    pub restart_at: Option<Instant>,
}

impl Entry {
    pub fn handle(&self) -> SessionHandle {
        SessionHandle {
            session: self.session.clone(),
            status: self.status.subscribe(),
        }
    }
}

impl Table {
    /// Whether a recording of such a room is live.
    pub fn records_live(&self, source: SourceKind) -> bool {
        self.entries.values().any(|entry| {
            let manifest = &entry.status.borrow().manifest;
            manifest.is_live() && manifest.source == source.name()
        })
    }

    /// Whether `request` may start a recording, answers with one that exists, or is refused.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check(
        &self,
        request: &StartRequest,
        exclusivity_key: &str,
        max_recordings: usize,
        meter: &Meter,
    ) -> Result<Option<SessionHandle>, StartError> {
        let entries: Vec<_> = self
            .entries
            .values()
            .map(|entry| (entry, entry.status.borrow().manifest.clone()))
            .collect();
        let known = check(
            entries.iter().map(|(_, manifest)| manifest),
            request,
            exclusivity_key,
            max_recordings,
        )?;
        if known.is_none() {
            let running = entries
                .iter()
                .map(|(_, manifest)| manifest)
                .filter(|manifest| manifest.state.is_running());
            if let Some(short) = meter.shortage(running, request) {
                return Err(StartError::Capacity(short));
            }
        }
        Ok(known
            .and_then(|id| self.entries.get(&id))
            .map(Entry::handle))
    }
}

/// The id of the recording that answers `request`; none if it may start one.
fn check<'a>(
    known: impl Iterator<Item = &'a Manifest> + Clone,
    request: &StartRequest,
    exclusivity_key: &str,
    max_recordings: usize,
) -> Result<Option<String>, StartError> {
    if let Some(key) = &request.idempotency_key
        && let Some(same) = known.clone().find(|manifest| {
            // One that never began may still be there, beside the one that took its place.
            manifest.idempotency_key.as_ref() == Some(key) && answers_again(manifest)
        })
    {
        return if is_same_request(same, request) {
            Ok(Some(same.id.clone()))
        } else {
            Err(StartError::IdempotencyConflict)
        };
    }
    let holder = known.clone().find(|manifest| {
        manifest.is_live() && manifest.exclusivity_key.as_deref() == Some(exclusivity_key)
    });
    if let Some(holder) = holder {
        return Err(StartError::AlreadyRecording {
            room_name: request.room_name.clone(),
            id: holder.id.clone(),
        });
    }
    let running = known.filter(|manifest| manifest.state.is_running()).count();
    if max_recordings > 0 && running >= max_recordings {
        return Err(StartError::Capacity(format!(
            "{running} recordings are live or being rendered, of at most {max_recordings}: stop one, wait for one to be rendered, or raise recording.max_recordings"
        )));
    }
    Ok(None)
}

/// Whether a request under the same key is answered with this recording. One that never began is
/// tried again.
pub fn answers_again(manifest: &Manifest) -> bool {
    !manifest.state.is_final() || manifest.started_at.is_some()
}

/// Whether the recording is what the request asks for.
pub fn is_same_request(manifest: &Manifest, request: &StartRequest) -> bool {
    manifest.room_name == request.room_name
        && manifest.source == request.source.name()
        && manifest.output == request.output
        && manifest.metadata == request.metadata
        && request
            .max_duration_ms
            .is_none_or(|limit| limit == manifest.max_duration_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RecordingState;
    use crate::fixtures::{manifest, request};

    fn known(id: &str, room: &str, state: RecordingState) -> Manifest {
        Manifest {
            id: id.into(),
            exclusivity_key: Some(format!("livekit:{room}")),
            room_name: room.into(),
            state,
            ..manifest()
        }
    }

    #[test]
    fn one_live_recording_per_room() {
        let live = known("EG_a", "room", RecordingState::Active);
        let refused = check([&live].into_iter(), &request("room"), "livekit:room", 9);
        let expected = StartError::AlreadyRecording {
            room_name: "room".into(),
            id: "EG_a".into(),
        };
        assert_eq!(refused, Err(expected));
        assert_eq!(
            check([&live].into_iter(), &request("other"), "livekit:other", 9),
            Ok(None)
        );
    }

    #[test]
    fn a_sealed_recording_does_not_block_the_next() {
        let mut ending = known("EG_a", "room", RecordingState::Ending);
        assert!(check([&ending].into_iter(), &request("room"), "livekit:room", 9).is_err());
        ending.ended_at = Some(5);
        assert_eq!(
            check([&ending].into_iter(), &request("room"), "livekit:room", 9),
            Ok(None)
        );
    }

    #[test]
    fn recordings_being_rendered_count_towards_the_limit() {
        let mut ending = known("EG_a", "room", RecordingState::Ending);
        ending.ended_at = Some(5);
        let done = known("EG_b", "room", RecordingState::Complete);
        let both = [&ending, &done];
        assert!(matches!(
            check(both.into_iter(), &request("x"), "livekit:x", 1),
            Err(StartError::Capacity(_))
        ));
        assert_eq!(
            check(both.into_iter(), &request("x"), "livekit:x", 2),
            Ok(None)
        );
    }

    #[test]
    fn a_store_that_is_away_does_not_keep_rooms_from_being_recorded() {
        let waiting = known("EG_a", "room", RecordingState::Uploading);
        let checked = check([&waiting].into_iter(), &request("x"), "livekit:x", 1);
        assert_eq!(checked, Ok(None));
    }

    #[test]
    fn an_idempotency_key_answers_with_its_recording() {
        let mut live = known("EG_a", "room", RecordingState::Active);
        live.idempotency_key = Some("k".into());
        let mut again = request("room");
        again.idempotency_key = Some("k".into());
        assert_eq!(
            check([&live].into_iter(), &again, "livekit:room", 1),
            Ok(Some("EG_a".into()))
        );

        again.room_name = "other".into();
        let conflict = check([&live].into_iter(), &again, "livekit:other", 1);
        assert_eq!(conflict, Err(StartError::IdempotencyConflict));
    }

    #[test]
    fn a_start_that_failed_is_tried_again_under_its_key() {
        let mut failed = known("EG_a", "room", RecordingState::Failed);
        failed.idempotency_key = Some("k".into());
        failed.started_at = None;
        let mut again = request("room");
        again.idempotency_key = Some("k".into());
        assert_eq!(
            check([&failed].into_iter(), &again, "livekit:room", 1),
            Ok(None)
        );

        // Its session may still be there when the second try runs.
        let mut live = known("EG_b", "room", RecordingState::Active);
        live.idempotency_key = Some("k".into());
        for both in [[&failed, &live], [&live, &failed]] {
            assert_eq!(
                check(both.into_iter(), &again, "livekit:room", 1),
                Ok(Some("EG_b".into()))
            );
        }
    }
}
