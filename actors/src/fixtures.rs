//! What tests begin with.

use tapedeck_pipelines::job::{Canvas, OutputSettings, VideoEncoder};

use crate::{MANIFEST_VERSION, Manifest, RecordingState, StartRequest};

pub fn output() -> OutputSettings {
    OutputSettings {
        canvas: Canvas {
            width: 1280,
            height: 720,
            frame_rate: 30,
        },
        video_bitrate: 2_000_000,
        audio_bitrate: 128_000,
        encoder: VideoEncoder::X264,
        x264_preset: "veryfast".into(),
        key_frame_interval_ms: 2_000,
    }
}

pub fn request(room_name: &str) -> StartRequest {
    StartRequest {
        room_name: room_name.into(),
        source: crate::SourceKind::Livekit,
        output: output(),
        max_duration_ms: None,
        metadata: None,
        idempotency_key: None,
    }
}

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
        ended_at: None,
        completed_at: None,
        end_reason: None,
        error: None,
        output: output(),
        max_duration_ms: 3_600_000,
        metadata: None,
        warnings: Vec::new(),
        file: None,
        capture_socket: None,
        render_socket: None,
    }
}
