use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tapedeck_storage::RecordingStore;

use crate::auto_record::AutoRecord;
use crate::config::Settings;
use crate::livekit::RoomCredentials;
use crate::metrics::Metrics;

use super::events::Events;
use super::{Recordings, SignedLinks};

/// What the handlers work with.
pub struct Services {
    pub recordings: Arc<dyn Recordings>,
    pub store: Arc<dyn RecordingStore>,
    pub credentials: RoomCredentials,
    pub links: SignedLinks,
    pub settings: Settings,
    pub metrics: Metrics,
    pub auto_record: AutoRecord,
    /// Absolute.
    pub data_dir: PathBuf,
    pub events: Events,
    finishing: AtomicBool,
}

impl Services {
    pub fn new(
        recordings: Arc<dyn Recordings>,
        store: Arc<dyn RecordingStore>,
        credentials: RoomCredentials,
        links: SignedLinks,
        settings: Settings,
        auto_record: AutoRecord,
        data_dir: PathBuf,
    ) -> Self {
        let metrics = Metrics::new(&*recordings, settings.recording.max_recordings);
        Self {
            metrics,
            auto_record,
            recordings,
            store,
            credentials,
            links,
            settings,
            data_dir,
            events: Events::default(),
            finishing: AtomicBool::new(false),
        }
    }

    /// From now on no recording is started.
    pub fn begin_to_finish(&self) {
        self.finishing.store(true, Ordering::SeqCst);
    }

    /// Whether no recording may be started any more.
    pub fn is_finishing(&self) -> bool {
        self.finishing.load(Ordering::SeqCst)
    }
}
