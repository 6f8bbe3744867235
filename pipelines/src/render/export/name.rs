//! Names of exported files.

use crate::log::{Codec, TrackInfo};

/// `NUMBER-IDENTITY-SOURCE.EXTENSION`, safe for file systems. The number makes it unique. The sound
/// of a whole room has `room` for an identity.
pub fn of(info: &TrackInfo, identity: &str) -> String {
    let identity = match info.participant.is_empty() {
        true => "room",
        false => identity,
    };
    let identity: String = identity
        .chars()
        .map(
            |letter| match letter.is_alphanumeric() || "._-".contains(letter) {
                true => letter,
                false => '_',
            },
        )
        .take(40)
        .collect();
    format!(
        "{:02}-{identity}-{}.{}",
        info.track,
        info.source.name(),
        extension(info.codec)
    )
}

fn extension(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "ogg",
        Codec::Pcm => "mka",
        Codec::Vp8 | Codec::Vp9 | Codec::Av1 => "webm",
        Codec::H264 | Codec::Unknown => "mkv",
    }
}
