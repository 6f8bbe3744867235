//! Synthetic recordings: publishers that flash and beep at the same moments, written to a log as
//! capture would, and what is seen and heard in the rendered file.

mod clip;
mod decoded;
mod room_log;

pub use clip::{Clip, Look, Piece, beeps, tone, video};
pub use decoded::{Decoded, median, percentile, sound_of};
pub use room_log::{Publisher, RoomLog, job};
