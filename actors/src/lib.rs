//! The actors that look after recordings: registry, a session per recording, uploader, store.
//! Other crates speak to them through [`Recorder`].

#[cfg(test)]
extern crate self as tapedeck_actors;

mod api;
mod backoff;
mod capacity;
mod clock;
#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;
#[cfg(test)]
mod fixtures;
mod folder;
mod library;
mod lock;
mod manifest;
mod metrics;
mod naming;
#[cfg(test)]
mod panic_tests;
mod process;
mod recorder;
mod registry;
mod retention;
mod rooms;
mod rooms_process;
mod services;
mod session;
mod sources;
mod space;
mod state;
mod supervision;
pub mod upkeep;
mod uploader;
mod uploads;
mod usage;
mod webhooks;

pub use api::*;
pub use capacity::{Capacity, CpuCapacity, DiskCapacity, MemoryCapacity};
pub use library::Library;
pub use lock::{FolderHolder, LockError};
pub use manifest::*;
pub use metrics::RecordingMetrics;
pub use recorder::Recorder;
pub use retention::{Keep, KeepError, RetentionSettings};
pub use rooms::*;
pub use space::DiskSpace;
pub use uploads::*;
pub use webhooks::{
    DeliveryState, ReplayError, WebhookCounts, WebhookDelivery, WebhookEventStatus, WebhookFilter,
    WebhookPage, WebhookSender, WebhookSettings,
};
