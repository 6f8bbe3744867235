//! What a viewer of the file should know.

use super::RenderControl;
use super::decode::DecodeError;
use crate::log::{Damage, TrackInfo, TrackKind};

/// A picture was too large to be decoded: its width and height.
pub fn warn_too_large(control: &RenderControl, info: &TrackInfo, size: Option<(u32, u32)>) {
    if let Some((width, height)) = size {
        let message = format!(
            "{}: a picture of {width}x{height} pixels was left out",
            info.id
        );
        control.warn("frame_too_large", &info.id, message);
    }
}

/// A track is left out from a moment of the file on, ns.
pub fn warn_left_out(control: &RenderControl, info: &TrackInfo, from_ns: Option<i64>) {
    if let Some(from_ns) = from_ns {
        let message = format!(
            "{} of {} is left out from {:.1} s on: the render died twice of decoding it there; the \
             capture log has it",
            info.id,
            info.participant,
            from_ns as f64 / 1e9
        );
        control.warn("track_left_out", &info.id, message);
    }
}

/// Parts of the log cannot be read.
pub fn warn_damage(control: &RenderControl, damage: &[Damage]) {
    if let Some(damage) = damage.first() {
        let detail = format!(
            "a part of the capture log could not be read, first {} bytes at {} of {}",
            damage.length,
            damage.offset,
            damage.segment.display()
        );
        control.warn("log_damaged", "", detail);
    }
}

/// There is no decoder for a track.
pub fn warn_unsupported(control: &RenderControl, info: &TrackInfo) {
    let instead = match info.kind {
        TrackKind::Video => "its tile shows a placeholder",
        TrackKind::Audio => "it is not heard",
    };
    let message = format!(
        "{} of {} is {:?}, which this version does not decode: {instead}; the capture log has it",
        info.id, info.participant, info.codec
    );
    control.warn("unsupported_codec", &info.id, message);
}

/// A decoder failed.
pub fn warn_decoder(control: &RenderControl, info: &TrackInfo, error: &DecodeError) {
    let code = match error {
        DecodeError::Unsupported(_) => "unsupported_codec",
        DecodeError::Failed(_) => "decode_error",
        DecodeError::Stuck => "decoder_stuck",
    };
    control.warn(
        code,
        &info.id,
        format!("{} of {}: {error}", info.id, info.participant),
    );
}
