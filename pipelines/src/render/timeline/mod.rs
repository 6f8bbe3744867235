//! When what belongs where: the pure part of the render, a function of the log and nothing else.

mod absence;
mod audio_placement;
mod participant_clock;
mod report_clock;
mod rhythm;
mod scene;
#[cfg(test)]
mod simulation;
mod stretches;
mod track_clock;
mod window;

pub use absence::{Absences, Notice};
pub use audio_placement::{AudioPlacement, Placed, opus_samples};
pub use participant_clock::ParticipantClock;
pub use report_clock::rtp_to_ns;
pub use rhythm::{Rhythm, SLOTS_PER_PICTURE, SourceRate};
pub use scene::{Scene, Tile};
pub use stretches::{Arrival, Placing, Stretches};
