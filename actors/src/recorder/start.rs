//! How a recording begins.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tapedeck_pipelines::control::Role;
use tokio::time::{Instant, timeout, timeout_at};

use super::{ANSWER, Recorder};
use crate::clock::now_ms;
use crate::folder::DataFolder;
use crate::registry::{self, SessionHandle};
use crate::{
    MANIFEST_VERSION, Manifest, RecordingState, Restarts, Room, RoomError, SourceKind, StartError,
    StartRequest, naming, state,
};

/// How long an idempotency key is remembered.
const KEY_LIFETIME_MS: i64 = 24 * 3_600_000;

impl Recorder {
    /// Starts a recording; returns once capture is in the room.
    ///
    /// # Errors
    /// Why there is no recording.
    pub async fn start(&self, request: StartRequest) -> Result<Manifest, StartError> {
        let (source, begun) = (request.source, Instant::now());
        let answer = self.start_uncounted(request).await;
        let metrics = &self.inner.services.metrics;
        metrics.answered(source, begun.elapsed(), &answer);
        answer
    }

    async fn start_uncounted(&self, request: StartRequest) -> Result<Manifest, StartError> {
        let source_kind = request.source;
        let deadline = Instant::now() + self.start_timeout(source_kind);
        self.check_open()?;
        let exclusivity_key = naming::exclusivity_key(request.source, &request.room_name);
        let check = registry::StartCheck {
            request: request.clone(),
            exclusivity_key: exclusivity_key.clone(),
        };
        if let Some(known) = self.ask(check).await?? {
            return self.started(known, source_kind).await;
        }
        if let Some(manifest) = self.made_under_key(&request).await? {
            return Ok(manifest);
        }
        self.check_space().await?;

        let sources = &self.inner.services.sources;
        let room = timeout_at(deadline, sources.find(request.source, &request.room_name))
            .await
            .unwrap_or(Err(RoomError::Timeout))?;
        let manifest = self.new_manifest(&request, &room, &exclusivity_key).await;
        let longest = Duration::from_millis(manifest.max_duration_ms);
        let source = sources.source(request.source, &room, &manifest.id, longest)?;
        let start = registry::Start {
            request,
            exclusivity_key,
            manifest,
            source,
            timeout: deadline.saturating_duration_since(Instant::now()),
        };
        // What begins after the last recordings were told to end would be left behind.
        self.check_open()?;
        let session = self.ask(start).await??;
        self.started(session, source_kind).await
    }

    fn start_timeout(&self, source: SourceKind) -> Duration {
        let services = &self.inner.services;
        let usual = services.settings.start_timeout;
        services.sources.start_timeout(source, usual)
    }

    async fn new_manifest(
        &self,
        request: &StartRequest,
        room: &Room,
        exclusivity_key: &str,
    ) -> Manifest {
        let id = naming::draw_id();
        let created_at = now_ms();
        let mut name = naming::name_of(request.source, room, created_at, request.output.format);
        while self.is_taken(&name).await {
            name = naming::next_name(&name);
        }
        let socket = |role| Some(DataFolder::socket_name(&id, role));
        Manifest {
            version: MANIFEST_VERSION,
            name,
            source: request.source.name().into(),
            room_name: request.room_name.clone(),
            room_id: room.id.clone(),
            exclusivity_key: Some(exclusivity_key.into()),
            idempotency_key: request.idempotency_key.clone(),
            state: RecordingState::Starting,
            created_at,
            started_at: None,
            stop_requested_at: None,
            stopped_by_server: false,
            ended_at: None,
            completed_at: None,
            end_reason: None,
            error: None,
            output: request.output.clone(),
            max_duration_ms: request
                .max_duration_ms
                .unwrap_or(self.inner.services.settings.limits.max_duration_ms),
            metadata: request.metadata.clone(),
            warnings: Vec::new(),
            restarts: Restarts::default(),
            gaps: Vec::new(),
            pauses: Vec::new(),
            wanted_pause: None,
            file: None,
            further_files: Vec::new(),
            stored: Vec::new(),
            upload: None,
            capture_socket: socket(Role::Capture),
            render_socket: socket(Role::Render),
            id,
        }
    }

    /// A store that does not answer does not delay a start: it never overwrites, and a name that
    /// turns out to be taken is changed then.
    async fn is_taken(&self, name: &str) -> bool {
        let by_name = self
            .inner
            .services
            .states
            .address()
            .send(state::FindByName(name.into()))
            .await;
        matches!(by_name, Ok(Ok(Some(_))))
            || matches!(
                timeout(
                    Duration::from_secs(1),
                    self.inner.services.stores.head(name, None)
                )
                .await,
                Ok(Ok(_))
            )
    }

    /// The recording that was made under the request's key and is no session any more.
    async fn made_under_key(&self, request: &StartRequest) -> Result<Option<Manifest>, StartError> {
        let Some(key) = &request.idempotency_key else {
            return Ok(None);
        };
        let found = self
            .inner
            .services
            .states
            .address()
            .send(state::FindByKey(key.clone()))
            .await;
        let known = match found {
            Ok(Ok(known)) => known,
            Ok(Err(error)) => return Err(StartError::Internal(error.to_string())),
            Err(error) => return Err(StartError::Internal(error.to_string())),
        };
        let Some(manifest) = known.filter(|manifest| {
            registry::answers_again(manifest) && manifest.created_at > now_ms() - KEY_LIFETIME_MS
        }) else {
            return Ok(None);
        };
        if registry::is_same_request(&manifest, request) {
            Ok(Some(manifest))
        } else {
            Err(StartError::IdempotencyConflict)
        }
    }

    fn check_open(&self) -> Result<(), StartError> {
        if self.inner.closing.load(Ordering::Relaxed) {
            return Err(StartError::Capacity(
                "the server is about to end: try again later".into(),
            ));
        }
        Ok(())
    }

    async fn check_space(&self) -> Result<(), StartError> {
        match self.space().await {
            Ok(space) if space.is_low() => Err(StartError::DiskFull(space)),
            Ok(_) => Ok(()),
            Err(error) => Err(StartError::Internal(format!(
                "the data folder cannot be used: {error}"
            ))),
        }
    }

    async fn started(
        &self,
        mut session: SessionHandle,
        source: SourceKind,
    ) -> Result<Manifest, StartError> {
        // The session keeps the deadline; this one is for the case that it cannot.
        let limit = self.start_timeout(source) + ANSWER;
        let decided = session
            .status
            .wait_for(|status| status.start.is_some() || status.manifest.started_at.is_some());
        match timeout(limit, decided).await {
            Ok(Ok(status)) => match &status.start {
                Some(Err(error)) => Err(error.clone()),
                _ => Ok(status.manifest.clone()),
            },
            Ok(Err(_)) => Err(StartError::Internal(
                "the recording's session is gone".into(),
            )),
            Err(_) => Err(StartError::Timeout(limit.as_secs())),
        }
    }
}
