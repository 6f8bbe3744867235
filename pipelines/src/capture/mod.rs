//! The capture process: it joins a room and appends everything it receives to the capture log,
//! untouched. It decodes nothing.

mod clock;
mod earlier;
mod ending;
mod gaps;
mod keyframes;
mod layers;
mod machine_time;
mod process;
mod recorder;
mod recording;
mod sink;
mod timeline;
mod track;
mod tracks;
mod writer;

pub use process::run;
