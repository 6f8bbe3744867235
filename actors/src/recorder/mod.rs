//! The handle by which the HTTP surfaces reach the actors.

mod capacity;
mod end;
mod look;
mod pause;
mod retention;
mod rooms;
mod space;
mod start;
mod uploads;
mod webhooks;

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::prelude::*;
use tapedeck_storage::Stores;
use tokio::time::{sleep, timeout};

use crate::capacity::Meter;
use crate::clock::now_ms;
use crate::folder::DataFolder;
use crate::lock::FolderLock;
use crate::metrics::RecordingMetrics;
use crate::registry::{self, RegistryActor, SessionHandle, Table};
use crate::retention::Retention;
use crate::rooms_process::{self, RoomsPlace, RoomsProcess};
use crate::services::Services;
use crate::sources::Sources;
use crate::state::{self, StoreActor};
use crate::supervision::{Keeper, OwnThread};
use crate::upkeep::{StoreFolder, Upkeep};
use crate::uploader::{UploadTable, UploaderActor};
use crate::usage::UsageSampler;
use crate::webhooks::{Outbox, WebhooksActor};
use crate::{Manifest, MediaServers, RecorderSettings, SourceKind, StartError};

/// How long an actor may take to answer what needs no disk.
const ANSWER: Duration = Duration::from_secs(5);

/// A cheap handle on the actors; every clone speaks to the same registry.
#[derive(Clone)]
pub struct Recorder {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) services: Arc<Services>,
    pub(crate) registry: Keeper<RegistryActor>,
    usage: Mutex<UsageSampler>,
    /// Of processes that belong to no recording.
    shared_usage: Mutex<UsageSampler>,
    closing: AtomicBool,
    _lock: FolderLock,
}

impl Recorder {
    /// Starts the actors in the current actix system; finds what an earlier server left in the
    /// data folder and goes on with it.
    ///
    /// # Errors
    /// The data folder cannot be used, its path is too long for sockets in it, or another server
    /// uses it.
    pub async fn launch(
        settings: RecorderSettings,
        servers: MediaServers,
        stores: impl Into<Stores>,
    ) -> io::Result<Self> {
        let stores = stores.into();
        let (root, address) = (settings.data_dir.clone(), settings.address.clone());
        let store = settings.store_dir.clone().map(|path| StoreFolder {
            path,
            has_all: false,
        });
        let retention = Retention::new(settings.retention, stores.clone());
        let rules = retention.clone();
        let webhooks = settings.webhooks.clone();
        let metrics = RecordingMetrics::default();
        let counted = metrics.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let folder = DataFolder::prepare(&root)?;
            let lock = folder.lock(&address)?;
            let (state, manifests) = state::State::open(folder.clone())?;
            folder.remove_stray_sockets(manifests.iter().map(|manifest| manifest.id.as_str()));
            match Upkeep::of(folder.clone(), store).survey() {
                Ok(survey) => survey.tell(),
                Err(error) => log::warn!("it is not known what belongs to no recording: {error}"),
            }
            let outbox = Outbox::open(&folder.webhooks(), webhooks, &manifests);
            state.tell(state::Listeners {
                outbox: outbox.clone(),
                metrics: counted,
            });
            let unfinished: Vec<_> = manifests
                .into_iter()
                .filter(|manifest| needs_session(manifest, &folder, &rules))
                .collect();
            io::Result::Ok((folder, lock, state, outbox, unfinished))
        });
        let (folder, lock, state, outbox, unfinished) =
            opened.await.map_err(io::Error::other)??;

        let arbiter = Arbiter::current();
        let states = Keeper::start("store actor", arbiter.clone(), move || {
            StoreActor::new(state.clone())
        });
        let uploads = Arc::<UploadTable>::default();
        let (targets, under_way, how) = (stores.clone(), uploads.clone(), settings.uploads);
        let uploads_thread = OwnThread::start();
        let uploader = Keeper::start("uploader", uploads_thread.handle(), move || {
            UploaderActor::new(targets.clone(), how, under_way.clone())
        });
        let to_tell = outbox.clone();
        let webhooks = Keeper::start("sender of webhooks", arbiter.clone(), move || {
            WebhooksActor::new(to_tell.clone())
        });

        let table = Arc::new(Mutex::new(Table::default()));
        let known = table.clone();
        let place = RoomsPlace::new(&settings, &folder);
        let rooms = rooms_process::Shared::new(place, move || {
            let table = known.lock().unwrap_or_else(PoisonError::into_inner);
            table.records_live(SourceKind::Whip)
        });
        let rooms = RoomsProcess::start(arbiter.clone(), rooms);
        let meter = Meter::new(settings.max_cpu_percent);
        let services = Arc::new(Services {
            sources: Sources::new(servers, rooms, folder.clone()),
            settings,
            folder,
            states,
            uploader,
            _uploads_thread: uploads_thread,
            uploads,
            stores,
            retention,
            outbox,
            webhooks,
            metrics,
            meter,
        });
        for manifest in &unfinished {
            services.metrics.goes_on(manifest);
        }
        let shared = services.clone();
        let registry = Keeper::start("registry", arbiter, move || {
            RegistryActor::new(shared.clone(), table.clone())
        });
        let inner = Arc::new(Inner {
            services,
            registry,
            usage: Mutex::default(),
            shared_usage: Mutex::default(),
            closing: AtomicBool::new(false),
            _lock: lock,
        });
        inner
            .registry
            .send(registry::Resume(unfinished))
            .await
            .map_err(io::Error::other)?;

        // The registry looks after sessions; somebody must look after the registry, and after the
        // actor that recordings need when no publisher asks for it.
        let watched = Arc::downgrade(&inner);
        actix::spawn(async move {
            while let Some(inner) = watched.upgrade() {
                inner.registry.address();
                inner.services.sources.rooms.actor.address();
                inner.services.webhooks.address();
                drop(inner);
                sleep(Duration::from_millis(500)).await;
            }
        });
        let recorder = Self { inner };
        recorder.watch_space();
        recorder.watch_capacity().await;
        recorder.watch_retention();
        Ok(recorder)
    }

    async fn sessions(&self) -> Result<Vec<SessionHandle>, String> {
        match timeout(ANSWER, self.inner.registry.send(registry::Sessions)).await {
            Ok(Ok(registry::Known(sessions))) => Ok(sessions),
            Ok(Err(error)) => Err(format!("the registry does not answer: {error}")),
            Err(_) => Err("the registry does not answer in time".into()),
        }
    }

    /// The recording of a room that has not ended: a live one before those that are being rendered,
    /// of these the newest.
    async fn session_in(
        &self,
        room_name: &str,
        source: Option<SourceKind>,
    ) -> Result<Option<SessionHandle>, String> {
        let in_room = |manifest: &Manifest| {
            manifest.room_name == room_name
                && source.is_none_or(|source| manifest.source == source.name())
                && !manifest.state.is_final()
        };
        let mut sessions = self.sessions().await?;
        sessions.retain(|session| in_room(&session.status.borrow().manifest));
        sessions.sort_by_key(|session| !session.status.borrow().manifest.is_live());
        Ok(sessions.into_iter().next())
    }

    /// The session of a recording, if it has one.
    async fn session_of(&self, id: &str) -> Result<Option<SessionHandle>, String> {
        let mut sessions = self.sessions().await?.into_iter();
        Ok(sessions.find(|session| session.status.borrow().manifest.id == id))
    }

    async fn ask<M>(&self, message: M) -> Result<M::Result, StartError>
    where
        M: Message + Send + Clone + 'static,
        M::Result: Send,
        RegistryActor: Handler<M>,
        Context<RegistryActor>: actix::dev::ToEnvelope<RegistryActor, M>,
    {
        match timeout(ANSWER, self.inner.registry.send(message)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(StartError::Internal(format!(
                "the registry does not answer: {error}"
            ))),
            Err(_) => Err(StartError::Capacity(
                "the server is overloaded: try again later".into(),
            )),
        }
    }
}

/// Whether an earlier server left something to do.
fn needs_session(manifest: &Manifest, folder: &DataFolder, retention: &Retention) -> bool {
    if !manifest.state.is_final() {
        return true;
    }
    let has_leftovers = || {
        let kept = retention.kept(manifest, now_ms());
        let leftovers = folder.leftovers(manifest, kept);
        leftovers.is_ok_and(|leftovers| !leftovers.is_empty())
    };
    folder.has_sockets(&manifest.id) || (!manifest.keeps_folder() && has_leftovers())
}
