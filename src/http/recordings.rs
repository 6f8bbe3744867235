//! What the handlers ask of the recorder, as a trait so that they can be tested alone.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use tapedeck_actors::{
    Capacity, DeleteError, DiskSpace, Finished, ListFilter, LiveSession, Manifest, Page,
    PauseError, ProcessUsage, Recorder, RecordingMetrics, ReplayError, RetryError, RoomsError,
    Selected, SourceKind, StartError, StartRequest, StopError, UploadPage, WebhookCounts,
    WebhookFilter, WebhookPage,
};
use tapedeck_pipelines::control::{RoomStatus, WhipAnswer, WhipRequest};
use tapedeck_storage::StoreError;

/// See [`Recorder`], whose methods these are.
#[async_trait(?Send)]
pub trait Recordings: Send + Sync {
    async fn start(&self, request: StartRequest) -> Result<Manifest, StartError>;
    /// Stops the live recording of a room; of several under that name the newest, unless `source`
    /// says which.
    async fn stop(
        &self,
        room_name: &str,
        source: Option<SourceKind>,
    ) -> Result<Manifest, StopError>;
    /// Stops a recording and waits for so long until it is delivered.
    async fn stop_within(
        &self,
        which: Selected<'_>,
        patience: Duration,
    ) -> Result<Manifest, StopError>;
    /// Lets the live recording of a room pause, or go on; chosen as for a stop.
    async fn set_paused(
        &self,
        room_name: &str,
        source: Option<SourceKind>,
        paused: bool,
    ) -> Result<Manifest, PauseError>;
    async fn finished(&self, filter: ListFilter) -> Result<Finished, StoreError>;
    fn uploads(&self, cursor: Option<&str>, limit: usize) -> UploadPage;
    async fn retry_upload(&self, id: &str) -> Result<(), RetryError>;
    fn webhooks(&self, filter: &WebhookFilter, cursor: Option<&str>, limit: usize) -> WebhookPage;
    /// Sends a webhook once more, or all that were given up.
    async fn replay_webhooks(&self, event_id: Option<String>) -> Result<usize, ReplayError>;
    async fn list(
        &self,
        filter: ListFilter,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Page, String>;
    async fn get(&self, id: &str) -> Result<Option<Manifest>, String>;
    async fn live(&self) -> Result<Vec<LiveSession>, String>;
    /// How a recording looks just now, a JPEG; none unless its render makes a picture.
    async fn preview(&self, id: &str) -> io::Result<Option<Vec<u8>>>;
    async fn delete(&self, name: &str) -> Result<(), DeleteError>;
    async fn ready(&self) -> Result<(), String>;
    /// What the machine has for recordings, and what they take.
    async fn capacity(&self) -> Result<Capacity, String>;
    /// The room on the disk of the data folder.
    async fn space(&self) -> io::Result<DiskSpace>;
    /// Puts a WHIP client's request to the rooms process, which is started if it does not run.
    async fn whip(&self, request: WhipRequest) -> Result<WhipAnswer, RoomsError>;
    /// The rooms of the rooms process; none when it does not run.
    async fn rooms(&self) -> Vec<RoomStatus>;
    /// What the rooms process uses; none when it does not run.
    async fn rooms_process(&self) -> Option<ProcessUsage>;
    /// What the server itself uses.
    async fn server_process(&self) -> Option<ProcessUsage>;
    fn webhook_counts(&self) -> WebhookCounts;
    /// What is counted of recordings.
    fn metrics(&self) -> RecordingMetrics;
}

#[async_trait(?Send)]
impl Recordings for Recorder {
    async fn start(&self, request: StartRequest) -> Result<Manifest, StartError> {
        self.start(request).await
    }

    async fn stop(
        &self,
        room_name: &str,
        source: Option<SourceKind>,
    ) -> Result<Manifest, StopError> {
        self.stop(room_name, source).await
    }

    async fn stop_within(
        &self,
        which: Selected<'_>,
        patience: Duration,
    ) -> Result<Manifest, StopError> {
        self.stop_within(which, patience).await
    }

    async fn set_paused(
        &self,
        room_name: &str,
        source: Option<SourceKind>,
        paused: bool,
    ) -> Result<Manifest, PauseError> {
        self.set_paused(room_name, source, paused).await
    }

    async fn finished(&self, filter: ListFilter) -> Result<Finished, StoreError> {
        self.finished(filter).await
    }

    fn uploads(&self, cursor: Option<&str>, limit: usize) -> UploadPage {
        self.uploads(cursor, limit)
    }

    async fn retry_upload(&self, id: &str) -> Result<(), RetryError> {
        self.retry_upload(id).await
    }

    fn webhooks(&self, filter: &WebhookFilter, cursor: Option<&str>, limit: usize) -> WebhookPage {
        self.webhooks(filter, cursor, limit)
    }

    async fn replay_webhooks(&self, event_id: Option<String>) -> Result<usize, ReplayError> {
        self.replay_webhooks(event_id).await
    }

    async fn list(
        &self,
        filter: ListFilter,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Page, String> {
        self.list(filter, cursor, limit).await
    }

    async fn get(&self, id: &str) -> Result<Option<Manifest>, String> {
        self.get(id).await
    }

    async fn live(&self) -> Result<Vec<LiveSession>, String> {
        self.live().await
    }

    async fn preview(&self, id: &str) -> io::Result<Option<Vec<u8>>> {
        self.preview(id).await
    }

    async fn delete(&self, name: &str) -> Result<(), DeleteError> {
        self.delete(name).await
    }

    async fn ready(&self) -> Result<(), String> {
        self.ready().await
    }

    async fn space(&self) -> io::Result<DiskSpace> {
        self.space().await
    }

    async fn capacity(&self) -> Result<Capacity, String> {
        self.capacity().await
    }

    async fn whip(&self, request: WhipRequest) -> Result<WhipAnswer, RoomsError> {
        self.whip(request).await
    }

    async fn rooms(&self) -> Vec<RoomStatus> {
        self.rooms().await
    }

    async fn rooms_process(&self) -> Option<ProcessUsage> {
        self.rooms_process().await
    }

    async fn server_process(&self) -> Option<ProcessUsage> {
        self.server_process().await
    }

    fn webhook_counts(&self) -> WebhookCounts {
        self.webhook_counts()
    }

    fn metrics(&self) -> RecordingMetrics {
        self.metrics()
    }
}
