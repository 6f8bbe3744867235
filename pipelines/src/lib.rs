//! The two processes of a recording.
//!
//! `capture` joins a room and appends what it receives to the capture log; `render` follows the
//! log and makes the output. The modules [`job`], [`control`] and [`log`] know neither GStreamer
//! nor WebRTC: they are what the server speaks to both processes with.

#[cfg(feature = "capture")]
pub mod browser;
#[cfg(feature = "capture")]
pub mod capture;
pub mod control;
pub mod job;
pub mod layout;
pub mod log;
pub mod process;

#[cfg(feature = "render")]
pub mod render;
#[cfg(feature = "capture")]
pub mod rooms;
#[cfg(feature = "capture")]
pub mod sources;
