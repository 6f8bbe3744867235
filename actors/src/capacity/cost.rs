//! What a recording costs: measured where it can be, else what is known of its kind.

use tapedeck_pipelines::job::OutputSettings;

use crate::{Manifest, SourceKind};

/// Pixels in a second of 720p at 30 frames/s, to which costs of pictures refer.
const USUAL_PIXEL_RATE: f64 = 1_280.0 * 720.0 * 30.0;
/// A small picture costs less, but decoding what comes stays.
const SMALLEST_SCALE: f64 = 0.2;
/// The least part of what is known of its kind that a recording is reckoned with: an empty room costs
/// nothing now.
const LEAST_PART: f64 = 0.25;

/// Recordings that cost alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// With a picture.
    Video,
    /// Sound of a room.
    Sound,
    /// Sound of a channel of Agora, with its tab of the browser.
    Channel,
}

/// What a recording takes while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// CPU seconds for each second of recording, capture and render together.
    pub cores: f64,
    /// Resident memory of both, bytes.
    pub memory_bytes: u64,
}

impl Kind {
    /// The kind of what is asked for.
    pub fn of(source: Option<SourceKind>, output: &OutputSettings) -> Self {
        match (source, output.has_picture()) {
            (Some(SourceKind::Agora), _) => Self::Channel,
            (_, true) => Self::Video,
            (_, false) => Self::Sound,
        }
    }

    /// The kind of a recording.
    pub fn of_recording(manifest: &Manifest) -> Self {
        Self::of(SourceKind::named(&manifest.source), &manifest.output)
    }

    /// What a first recording is taken to cost, at 720p and 30 frames/s if it has a picture: two
    /// busy publishers, from `make bench`.
    pub fn usual(self) -> Cost {
        let (cores, megabytes) = match self {
            Self::Video => (0.25, 120),
            Self::Sound => (0.05, 50),
            Self::Channel => (0.1, 150),
        };
        Cost {
            cores,
            memory_bytes: megabytes * 1_000_000,
        }
    }
}

/// How much more a recording costs than the usual one of its kind.
pub fn scale(kind: Kind, output: &OutputSettings) -> f64 {
    if kind != Kind::Video {
        return 1.0;
    }
    let canvas = output.canvas;
    let pixels = f64::from(canvas.width) * f64::from(canvas.height);
    (pixels * f64::from(canvas.frame_rate) / USUAL_PIXEL_RATE).max(SMALLEST_SCALE)
}

impl Cost {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bytes that fit into a machine's memory"
    )]
    pub fn times(self, factor: f64) -> Self {
        Self {
            cores: self.cores * factor,
            memory_bytes: (self.memory_bytes as f64 * factor) as u64,
        }
    }

    /// This, but not less than the least that a recording of the kind is reckoned with.
    pub fn at_least_of(self, kind: Kind, scale: f64) -> Self {
        let least = kind.usual().times(LEAST_PART * scale);
        Self {
            cores: self.cores.max(least.cores),
            memory_bytes: self.memory_bytes.max(least.memory_bytes),
        }
    }

    /// Moves by `part` towards `other`.
    pub fn towards(self, other: Self, part: f64) -> Self {
        let (kept, taken) = (self.times(1.0 - part), other.times(part));
        Self {
            cores: kept.cores + taken.cores,
            memory_bytes: kept.memory_bytes.saturating_add(taken.memory_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::manifest;

    #[test]
    fn a_picture_costs_by_its_pixels() {
        let with = |width, height, frame_rate| {
            let mut output = manifest().output;
            (output.canvas.width, output.canvas.height) = (width, height);
            output.canvas.frame_rate = frame_rate;
            scale(Kind::Video, &output)
        };
        assert_eq!(with(1_280, 720, 30), 1.0);
        assert_eq!(with(1_920, 1_080, 60), 4.5);
        assert_eq!(with(160, 90, 1), SMALLEST_SCALE);
        assert_eq!(scale(Kind::Sound, &manifest().output), 1.0);
    }

    #[test]
    fn an_empty_room_is_reckoned_with_a_part_of_its_kind() {
        let idle = Cost::default().at_least_of(Kind::Video, 2.0);
        assert_eq!(idle.cores, 0.125);
        let busy = Cost {
            cores: 3.0,
            memory_bytes: 7,
        };
        assert_eq!(busy.at_least_of(Kind::Video, 2.0).cores, 3.0);
    }
}
