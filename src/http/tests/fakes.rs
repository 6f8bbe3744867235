use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use actix_web::web::Bytes;
use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tapedeck_actors::{
    Capacity, CpuCapacity, DeleteError, DiskSpace, Finished, FinishedRecording, ListFilter,
    LiveSession, Manifest, Page, PauseError, PendingUpload, ProcessUsage, RecordingMetrics,
    RecordingState, ReplayError, RetryError, RoomError, RoomsError, Selected, SourceKind,
    StartError, StartRequest, StopError, UploadPage, WebhookCounts, WebhookFilter, WebhookPage,
};
use tapedeck_pipelines::control::{
    CaptureSnapshot, OutputFile, ParticipantStatus, Pause, RenderSnapshot, RoomStatus, TrackStatus,
    WhipAnswer, WhipRequest,
};
use tapedeck_pipelines::job::OutputFormat;
use tapedeck_storage::{
    Probe, RecordingMetadata, RecordingStore, StoreError, Stored, StoredObject, UploadProgress,
};

use crate::http::Recordings;

/// The only room that exists.
pub const ROOM: &str = "studio";

/// A recorder that records nothing: `ROOM` can be started and stopped.
#[derive(Default)]
pub struct FakeRecorder {
    pub live: Mutex<Option<Manifest>>,
    pub requests: Mutex<Vec<StartRequest>>,
    /// What the next start fails with.
    pub start_error: Mutex<Option<StartError>>,
    /// What the next pause fails with.
    pub pause_error: Mutex<Option<PauseError>>,
    /// The state in which a stop leaves the recording, `Complete` unless set.
    pub stopped_state: Mutex<Option<RecordingState>>,
    pub listed: Mutex<Vec<(ListFilter, Option<String>, usize)>>,
    pub asked_webhooks: Mutex<Vec<(WebhookFilter, Option<String>, usize)>>,
    pub delivered: Vec<RecordingMetadata>,
    /// Of those the ones that are on their way, by id.
    pub pending: BTreeMap<String, PendingUpload>,
    /// What retries came to, by id; others are unknown.
    pub retries: BTreeMap<String, Result<(), RetryError>>,
    /// Stores that do not answer.
    pub unavailable: Vec<String>,
    pub deleted: Mutex<Vec<String>>,
    pub unready: Option<String>,
    /// How recordings look just now, by id.
    pub previews: BTreeMap<String, Vec<u8>>,
    /// The room on the disk.
    pub space: DiskSpace,
    /// The sources of the stops so far.
    pub stops: Mutex<Vec<Option<SourceKind>>>,
    pub whip_requests: Mutex<Vec<WhipRequest>>,
    /// The answer to the next WHIP request.
    pub whip_answer: Mutex<Option<Result<WhipAnswer, RoomsError>>>,
    pub rooms: Vec<RoomStatus>,
    /// How long the last stop was to wait.
    pub patience: Mutex<Option<Duration>>,
    /// Recordings that are not live.
    pub known: Mutex<Vec<Manifest>>,
}

pub fn manifest(state: RecordingState) -> Manifest {
    serde_json::from_value(serde_json::json!({
        "version": 1,
        "id": "EG_0123456789ab",
        "name": "studio-2026-11-21T225328-RM_1.mp4",
        "source": "livekit",
        "roomName": ROOM,
        "roomId": "RM_1",
        "idempotencyKey": "the-idempotency-key",
        "state": state,
        "createdAt": 1_763_765_607_000_i64,
        "startedAt": 1_763_765_608_000_i64,
        "output": {
            "canvas": { "width": 1280, "height": 720, "frame_rate": 30 },
            "video_bitrate": 2_500_000, "audio_bitrate": 128_000, "encoder": "x264",
            "x264_preset": "superfast", "key_frame_interval_ms": 4_000
        },
        "maxDurationMs": 21_600_000,
        "metadata": { "call": 7 },
        "captureSocket": "run/abc-c.sock"
    }))
    .unwrap()
}

/// A recording of a channel.
pub fn channel(name: &str) -> Manifest {
    let mut manifest = manifest(RecordingState::Active);
    manifest.id = "EG_ABCDEFGHJKLM".into();
    manifest.source = "agora".into();
    manifest.room_name = name.into();
    manifest.room_id = name.into();
    manifest.name = format!("{name}_2026-02-03T12-00-00.wav");
    manifest.output.format = OutputFormat::Wav;
    manifest.metadata = None;
    manifest.started_at = Some(1_770_120_000_000);
    manifest
}

pub fn metadata(id: &str, started_at: i64) -> RecordingMetadata {
    RecordingMetadata {
        id: id.into(),
        name: format!("studio-{id}.mp4"),
        room_name: ROOM.into(),
        room_id: "RM_1".into(),
        started_at,
        duration: 12.345,
        size: 1_000,
        sha256: None,
        metadata: None,
        end_reason: Some("stopped".into()),
        gaps: Vec::new(),
        pauses: Vec::new(),
        files: Vec::new(),
        part_of: None,
    }
}

#[async_trait(?Send)]
impl Recordings for FakeRecorder {
    async fn start(&self, request: StartRequest) -> Result<Manifest, StartError> {
        if let Some(error) = self.start_error.lock().unwrap().take() {
            return Err(error);
        }
        if request.room_name != ROOM && request.source != SourceKind::Agora {
            return Err(RoomError::Unknown(request.room_name).into());
        }
        let mut live = self.live.lock().unwrap();
        if let Some(running) = live.as_ref() {
            let (room_name, id) = (request.room_name, running.id.clone());
            return Err(StartError::AlreadyRecording { room_name, id });
        }
        let begun = match request.source {
            SourceKind::Agora => channel(&request.room_name),
            _ => manifest(RecordingState::Active),
        };
        self.requests.lock().unwrap().push(request);
        Ok(live.insert(begun).clone())
    }

    async fn stop(
        &self,
        room_name: &str,
        source: Option<SourceKind>,
    ) -> Result<Manifest, StopError> {
        self.stops.lock().unwrap().push(source);
        let live = self
            .live
            .lock()
            .unwrap()
            .take()
            .filter(|live| room_name == live.room_name);
        let mut stopped = live.ok_or(StopError::NotRecording)?;
        stopped.state = self
            .stopped_state
            .lock()
            .unwrap()
            .unwrap_or(RecordingState::Complete);
        stopped.ended_at = stopped.started_at.map(|at| at + 12_345);
        match stopped.state {
            RecordingState::Complete => {
                stopped.file = Some(OutputFile {
                    size_bytes: 1_000,
                    duration_ms: 12_300,
                    ..OutputFile::default()
                });
            }
            RecordingState::Ending => *self.live.lock().unwrap() = Some(stopped.clone()),
            RecordingState::Failed => stopped.error = Some("the disk is full".into()),
            _ => {}
        }
        Ok(stopped)
    }

    async fn stop_within(
        &self,
        which: Selected<'_>,
        patience: Duration,
    ) -> Result<Manifest, StopError> {
        *self.patience.lock().unwrap() = Some(patience);
        match which {
            Selected::Room { name, source } => self.stop(name, source).await,
            Selected::Id(id) => {
                let live = self.live.lock().unwrap().clone();
                let live = live.filter(|manifest| manifest.id == id);
                if let Some(manifest) = live {
                    return self.stop(&manifest.room_name, None).await;
                }
                let known = self.known.lock().unwrap().clone();
                let mut known = known.into_iter();
                known
                    .find(|manifest| manifest.id == id)
                    .ok_or(StopError::NotRecording)
            }
        }
    }

    async fn set_paused(
        &self,
        room_name: &str,
        _: Option<SourceKind>,
        paused: bool,
    ) -> Result<Manifest, PauseError> {
        if let Some(error) = self.pause_error.lock().unwrap().take() {
            return Err(error);
        }
        let mut live = self.live.lock().unwrap();
        let manifest = live.as_mut().filter(|_| room_name == ROOM);
        let manifest = manifest.ok_or(PauseError::NotRecording)?;
        if paused {
            manifest.state = RecordingState::Paused;
            manifest.pauses.push(Pause {
                at_ms: 2_500,
                from: 1_763_765_610_500,
                to: None,
            });
        } else {
            manifest.state = RecordingState::Active;
            manifest.pauses.last_mut().unwrap().to = Some(1_763_765_620_500);
        }
        Ok(manifest.clone())
    }

    async fn finished(&self, filter: ListFilter) -> Result<Finished, StoreError> {
        self.listed.lock().unwrap().push((filter, None, 0));
        let recordings = self.delivered.iter().map(|metadata| FinishedRecording {
            upload: self.pending.get(&metadata.id).cloned(),
            metadata: metadata.clone(),
        });
        Ok(Finished {
            recordings: recordings.collect(),
            unavailable: self.unavailable.clone(),
        })
    }

    fn uploads(&self, cursor: Option<&str>, limit: usize) -> UploadPage {
        let asked = (ListFilter::default(), cursor.map(str::to_owned), limit);
        self.listed.lock().unwrap().push(asked);
        UploadPage {
            uploads: Vec::new(),
            next_cursor: Some("next".into()),
        }
    }

    async fn retry_upload(&self, id: &str) -> Result<(), RetryError> {
        let known = self.retries.get(id).cloned();
        known.unwrap_or(Err(RetryError::NotFound))
    }

    fn webhooks(&self, filter: &WebhookFilter, cursor: Option<&str>, limit: usize) -> WebhookPage {
        let asked = (filter.clone(), cursor.map(str::to_owned), limit);
        self.asked_webhooks.lock().unwrap().push(asked);
        WebhookPage {
            events: Vec::new(),
            next_cursor: Some("next".into()),
        }
    }

    async fn replay_webhooks(&self, event_id: Option<String>) -> Result<usize, ReplayError> {
        match event_id.as_deref() {
            None => Ok(3),
            Some("EV_known") => Ok(1),
            Some("EV_off") => Err(ReplayError::NoReceiver),
            Some(_) => Err(ReplayError::NotFound),
        }
    }

    async fn list(
        &self,
        filter: ListFilter,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Page, String> {
        self.answers()?;
        self.listed.lock().unwrap().push((filter, cursor, limit));
        Ok(Page {
            recordings: vec![manifest(RecordingState::Failed)],
            next_cursor: Some("next".into()),
        })
    }

    async fn get(&self, id: &str) -> Result<Option<Manifest>, String> {
        self.answers()?;
        let live = self.live.lock().unwrap().clone();
        let known = self.known.lock().unwrap().clone();
        let mut all = live.into_iter().chain(known);
        let found = all.find(|manifest| manifest.id == id);
        Ok(found.or(Some(manifest(RecordingState::Complete)).filter(|known| known.id == id)))
    }

    async fn capacity(&self) -> Result<Capacity, String> {
        Ok(Capacity {
            used: usize::from(self.live.lock().unwrap().is_some()),
            max: 8,
            cpu: CpuCapacity {
                cores: 2.0,
                ..CpuCapacity::default()
            },
            ..Capacity::default()
        })
    }

    async fn space(&self) -> std::io::Result<DiskSpace> {
        Ok(self.space)
    }

    async fn live(&self) -> Result<Vec<LiveSession>, String> {
        self.answers()?;
        let track = TrackStatus {
            codec: "vp8".into(),
            packets_lost: 3,
            ..TrackStatus::default()
        };
        let participant = ParticipantStatus {
            identity: "alice".into(),
            tracks: vec![track],
            ..Default::default()
        };
        let capture = CaptureSnapshot {
            participants: vec![participant],
            log_bytes: 77,
            ..CaptureSnapshot::default()
        };
        let live = self.live.lock().unwrap().clone();
        Ok(live
            .into_iter()
            .map(|manifest| LiveSession {
                manifest,
                capture: Some(capture.clone()),
                render: Some(RenderSnapshot {
                    lag_ms: 7_500,
                    ..RenderSnapshot::default()
                }),
                processes: Vec::new(),
            })
            .collect())
    }

    async fn preview(&self, id: &str) -> std::io::Result<Option<Vec<u8>>> {
        Ok(self.previews.get(id).cloned())
    }

    async fn delete(&self, name: &str) -> Result<(), DeleteError> {
        if self
            .live
            .lock()
            .unwrap()
            .as_ref()
            .is_some_and(|live| live.name == name)
        {
            return Err(DeleteError::Live);
        }
        if !self
            .delivered
            .iter()
            .any(|recording| recording.name == name)
        {
            return Err(DeleteError::NotFound);
        }
        self.deleted.lock().unwrap().push(name.to_owned());
        Ok(())
    }

    async fn ready(&self) -> Result<(), String> {
        self.answers()
    }

    async fn whip(&self, request: WhipRequest) -> Result<WhipAnswer, RoomsError> {
        self.whip_requests.lock().unwrap().push(request);
        let answer = self.whip_answer.lock().unwrap().take();
        answer.unwrap_or_else(|| Err(RoomsError::NotRunning("it is a fake".into())))
    }

    async fn rooms(&self) -> Vec<RoomStatus> {
        self.rooms.clone()
    }

    async fn rooms_process(&self) -> Option<ProcessUsage> {
        None
    }

    async fn server_process(&self) -> Option<ProcessUsage> {
        None
    }

    fn webhook_counts(&self) -> WebhookCounts {
        WebhookCounts {
            pending: 4,
            ..WebhookCounts::default()
        }
    }

    fn metrics(&self) -> RecordingMetrics {
        RecordingMetrics::default()
    }
}

impl FakeRecorder {
    fn answers(&self) -> Result<(), String> {
        self.unready.clone().map_or(Ok(()), Err)
    }
}

/// A store that keeps its objects in memory.
#[derive(Clone, Default)]
pub struct MemoryStore(pub BTreeMap<String, Bytes>);

impl MemoryStore {
    pub fn with(name: &str, content: &[u8]) -> Self {
        Self(BTreeMap::from([(
            name.to_owned(),
            Bytes::copy_from_slice(content),
        )]))
    }

    fn find(&self, name: &str) -> Result<&Bytes, StoreError> {
        self.0
            .get(name)
            .ok_or_else(|| StoreError::NotFound(name.to_owned()))
    }
}

#[async_trait]
impl RecordingStore for MemoryStore {
    fn place(&self) -> &str {
        "memory"
    }

    async fn put(
        &self,
        _: &Path,
        _: &RecordingMetadata,
        _: &UploadProgress,
    ) -> Result<Stored, StoreError> {
        Err(StoreError::Failed {
            action: "store",
            name: String::new(),
            detail: "not in these tests".into(),
        })
    }

    async fn give_up(&self, _: &Path, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn url(&self, _: &str, _: Duration) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    async fn probe(&self) -> Result<Probe, StoreError> {
        Ok(Probe {
            took: Duration::ZERO,
            clock_ahead_ms: None,
        })
    }

    async fn list(&self) -> Result<Vec<RecordingMetadata>, StoreError> {
        Ok(Vec::new())
    }

    async fn head(&self, name: &str) -> Result<StoredObject, StoreError> {
        let size = self.find(name)?.len() as u64;
        Ok(StoredObject {
            size,
            etag: "tag-1".into(),
            modified_at: 1_763_765_608_123,
        })
    }

    async fn read(
        &self,
        name: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        let content = self.find(name)?.slice(range);
        // Two chunks, so that putting them together is tried too.
        let middle = content.len() / 2;
        let chunks = [content.slice(..middle), content.slice(middle..)];
        Ok(stream::iter(chunks.into_iter().map(Ok)).boxed())
    }

    async fn delete(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}
