//! What every session uses.

use std::sync::Arc;

use tapedeck_storage::Stores;

use crate::RecorderSettings;
use crate::capacity::Meter;
use crate::folder::DataFolder;
use crate::metrics::RecordingMetrics;
use crate::retention::Retention;
use crate::sources::Sources;
use crate::state::StoreActor;
use crate::supervision::{Keeper, OwnThread};
use crate::uploader::{UploadTable, UploaderActor};
use crate::webhooks::{Outbox, WebhooksActor};

/// Settings, folder and the actors that sessions share.
pub struct Services {
    pub settings: RecorderSettings,
    pub folder: DataFolder,
    /// Where captures find their rooms.
    pub sources: Sources,
    pub states: Keeper<StoreActor>,
    pub uploader: Keeper<UploaderActor>,
    /// Where the uploader is: what it sends is digested and signed.
    pub _uploads_thread: OwnThread,
    /// Uploads under way.
    pub uploads: Arc<UploadTable>,
    /// Where finished recordings are kept.
    pub stores: Stores,
    /// How long what is delivered stays here, too.
    pub retention: Retention,
    /// What is to be told to receivers of webhooks.
    pub outbox: Arc<Outbox>,
    pub webhooks: Keeper<WebhooksActor>,
    /// What is counted.
    pub metrics: RecordingMetrics,
    /// What recordings cost, and whether another one fits.
    pub meter: Meter,
}
