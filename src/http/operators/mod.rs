//! Our own interface for operators. Names of times end in `Ms` (Unix or length), of sizes in
//! `Bytes`.

mod case;
mod events;
mod info;
mod link;
mod openapi;
mod page;
mod poster;
mod preview;
mod rooms;
mod status;
mod uploads;
mod v1;
mod view;
mod webhooks;

use super::refusal::Refusal;

/// What is asked cannot be told: an empty answer would say that there is nothing.
fn unanswered(reason: String) -> Refusal {
    log::error!("an operator's question cannot be answered: {reason}");
    Refusal::internal(format!("This cannot be told now: {reason}"))
}

pub use events::events;
pub use info::info;
pub use link::link;
pub use openapi::operations;
pub use poster::poster;
pub use preview::preview;
pub use rooms::{all_rooms, rooms};
pub use status::{status, status_of, status_of_all};
pub use uploads::{retry, uploads};
pub use v1::{get, list, page_of};
pub use webhooks::{replay, replay_failed, webhooks};
