//! Codecs of the received tracks.

mod coded_size;
mod decoder;
mod hands;
mod worker;

pub use coded_size::coded_size;
#[cfg(test)]
pub use decoder::DEADLY;
pub use decoder::{DecodeError, Decoder, Input, is_supported};
pub use hands::{Hands, Suspects};
pub use worker::{DecodeWorker, Outcome, Task};
