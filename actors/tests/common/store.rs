//! A store with troubles.

use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use tapedeck_storage::{
    DiskStore, Probe, RecordingMetadata, RecordingStore, StoreError, Stored, StoredObject,
    UploadProgress,
};
use tokio::sync::Notify;
use tokio::time::sleep;

/// How long a request to a store that is away takes.
pub const AWAY_FOR: Duration = Duration::from_secs(3);

/// A folder that plays a store elsewhere, and does not always do as it is told.
pub struct TroubledStore {
    pub disk: DiskStore,
    /// So many puts fail first.
    pub failures: AtomicU32,
    /// Of so many puts one succeeds.
    pub succeeds_each: u32,
    pub refuses: AtomicBool,
    /// Nothing is answered while this is set.
    pub hangs: AtomicBool,
    pub damages: AtomicBool,
    /// Requests other than puts come to nothing while this is set, which takes its time.
    pub away: AtomicBool,
    pub cannot_list: AtomicBool,
    pub asked: Notify,
    pub puts: AtomicU32,
    /// Where the last put was worked on.
    pub thread: Mutex<Option<ThreadId>>,
    pub given_up: AtomicU32,
    pub under_way: AtomicU32,
    pub most_under_way: AtomicU32,
}

impl TroubledStore {
    /// One without troubles yet.
    pub fn new(folder: &Path) -> Self {
        Self {
            disk: DiskStore::open(folder).unwrap(),
            failures: 0.into(),
            succeeds_each: 1,
            refuses: false.into(),
            hangs: false.into(),
            damages: false.into(),
            away: false.into(),
            cannot_list: false.into(),
            asked: Notify::new(),
            puts: 0.into(),
            thread: Mutex::default(),
            given_up: 0.into(),
            under_way: 0.into(),
            most_under_way: 0.into(),
        }
    }

    /// What a put comes to before anything is done.
    async fn trouble(&self, name: &str) -> Result<(), StoreError> {
        let put = self.puts.fetch_add(1, Ordering::SeqCst) + 1;
        *self.thread.lock().unwrap() = Some(std::thread::current().id());
        self.asked.notify_one();
        let (action, name) = ("store", name.to_owned());
        let detail = "as the test says".to_owned();
        if self.refuses.load(Ordering::SeqCst) {
            return Err(StoreError::Refused {
                action,
                name,
                detail,
            });
        }
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.damages.load(Ordering::SeqCst) {
            return Err(StoreError::Integrity { name, detail });
        }
        sleep(Duration::from_millis(1)).await;
        let one_less = |left: u32| left.checked_sub(1);
        let fails = self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
            .is_ok();
        match fails || !put.is_multiple_of(self.succeeds_each) {
            true => Err(StoreError::Failed {
                action,
                name,
                detail,
            }),
            false => Ok(()),
        }
    }

    /// What other requests come to.
    async fn answers(&self, action: &'static str, name: &str) -> Result<(), StoreError> {
        if !self.away.load(Ordering::SeqCst) {
            return Ok(());
        }
        sleep(AWAY_FOR).await;
        Err(StoreError::Failed {
            action,
            name: name.to_owned(),
            detail: "it is away".to_owned(),
        })
    }
}

/// Counts while it lives.
struct Counted<'a>(&'a AtomicU32);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl RecordingStore for TroubledStore {
    fn place(&self) -> &str {
        "a troubled store"
    }

    async fn put(
        &self,
        path: &Path,
        metadata: &RecordingMetadata,
        progress: &UploadProgress,
    ) -> Result<Stored, StoreError> {
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        let _counted = Counted(&self.under_way);
        self.most_under_way.fetch_max(under_way, Ordering::SeqCst);
        self.trouble(&metadata.name).await?;
        self.disk.put(path, metadata, progress).await
    }

    async fn give_up(&self, path: &Path, name: &str) -> Result<(), StoreError> {
        self.given_up.fetch_add(1, Ordering::SeqCst);
        self.disk.give_up(path, name).await
    }

    async fn list(&self) -> Result<Vec<RecordingMetadata>, StoreError> {
        self.answers("list", "recordings").await?;
        match self.cannot_list.load(Ordering::SeqCst) {
            true => Err(StoreError::Failed {
                action: "list",
                name: "recordings".to_owned(),
                detail: "as the test says".to_owned(),
            }),
            false => self.disk.list().await,
        }
    }

    async fn head(&self, name: &str) -> Result<StoredObject, StoreError> {
        self.answers("head", name).await?;
        self.disk.head(name).await
    }

    async fn read(
        &self,
        name: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        self.answers("read", name).await?;
        self.disk.read(name, range).await
    }

    async fn url(&self, name: &str, valid: Duration) -> Result<Option<String>, StoreError> {
        self.answers("url", name).await?;
        self.disk.url(name, valid).await
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.answers("delete", name).await?;
        self.disk.delete(name).await
    }

    async fn probe(&self) -> Result<Probe, StoreError> {
        self.disk.probe().await
    }
}
