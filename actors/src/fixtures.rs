//! What tests begin with.

pub use crate::common::{output, request};
use crate::{MANIFEST_VERSION, Manifest, RecordingState, Restarts};

pub fn manifest() -> Manifest {
    Manifest {
        version: MANIFEST_VERSION,
        id: "EG_abcdefghijkl".into(),
        name: "room-2026-11-21T225328-RM_x.mp4".into(),
        source: "livekit".into(),
        room_name: "room".into(),
        room_id: "RM_x".into(),
        exclusivity_key: Some("livekit:room".into()),
        idempotency_key: None,
        state: RecordingState::Starting,
        created_at: 1_000,
        started_at: None,
        stop_requested_at: None,
        stopped_by_server: false,
        ended_at: None,
        completed_at: None,
        end_reason: None,
        error: None,
        output: output(),
        max_duration_ms: 3_600_000,
        metadata: None,
        warnings: Vec::new(),
        restarts: Restarts::default(),
        gaps: Vec::new(),
        pauses: Vec::new(),
        wanted_pause: None,
        file: None,
        further_files: Vec::new(),
        stored: Vec::new(),
        upload: None,
        capture_socket: None,
        render_socket: None,
    }
}
