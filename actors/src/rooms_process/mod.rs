//! The rooms process: it holds the WebRTC connections of all WHIP publishers. An actor looks after
//! the one process of this server; requests go to it directly.

mod actor;
mod failure;
mod job;
mod request;
mod shared;
mod starts;
mod watch;

#[cfg(test)]
pub use actor::RoomsActor;
pub use job::RoomsPlace;
pub use request::RoomsProcess;
pub use shared::Shared;
