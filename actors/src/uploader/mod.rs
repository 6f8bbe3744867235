//! Brings finished recordings into their stores, however often it takes.
//!
//! What is to be delivered follows from the manifests alone: a session in state `uploading` asks, also
//! after a restart. Nothing is kept here that would be missed.

mod actor;
mod delivery;
mod order;
mod table;
#[cfg(test)]
mod tests;

pub use actor::{Cancel, Deliver, Retry, UploaderActor};
pub use delivery::Delivery;
pub use order::{FileToStore, Order};
pub use table::UploadTable;
