//! Webhooks as LiveKit sends them: what becomes of each recording is told to configured addresses,
//! at least once and in order per recording and address. What is to be told lies in `webhooks/` in
//! the data folder, a file per recording, until it is told and for a while after that.

mod actor;
mod event;
mod files;
mod ledger;
mod outbox;
mod settings;
mod view;

pub use actor::WebhooksActor;
pub use ledger::DeliveryState;
pub use outbox::Outbox;
pub use settings::{WebhookSender, WebhookSettings};
pub use view::{
    ReplayError, WebhookCounts, WebhookDelivery, WebhookEventStatus, WebhookFilter, WebhookPage,
};
