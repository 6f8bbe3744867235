//! Codecs of the received tracks.

mod coded_size;
mod decoder;
mod worker;

pub use coded_size::coded_size;
pub use decoder::{DecodeError, Decoder, Input, is_supported};
pub use worker::{DecodeWorker, Outcome, Task};
