//! Rooms of LiveKit that are recorded by themselves, by their names.

mod event;
mod pattern;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_rt::time::sleep;
use actix_web::web::Data;
use tapedeck_actors::{
    ListFilter, Manifest, RecordingState, RoomError, SourceKind, StartError, StartRequest,
};
use tapedeck_pipelines::control::EndReason;
use tapedeck_pipelines::job::OutputSettings;

use crate::config::Settings;
use crate::http::Services;
use crate::serve::output_settings;
use event::Heard;
use pattern::Pattern;
pub use pattern::{PatternMistake, patterns};

/// Tries of one start.
const MOST_TRIES: u32 = 8;
/// Between the first two of them; the pause doubles from there.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Sessions of rooms that are remembered. What is forgotten is looked up.
const MOST_SESSIONS: usize = 10_000;
/// Agents and recorders that are remembered.
const MOST_SERVANTS: usize = 10_000;
/// Recordings of one session of a room that are looked at.
const MOST_KNOWN: usize = 20;

/// Which rooms are recorded by themselves, and how.
pub struct AutoRecord {
    rooms: Vec<Pattern>,
    output: OutputSettings,
    /// By LiveKit's id, `RM_…`.
    sessions: Mutex<HashMap<String, Session>>,
    /// Participants whose tracks are no reason to record, by LiveKit's id, `PA_…`.
    servants: Mutex<HashSet<String>>,
}

/// What is known of a session of a room.
#[derive(Clone, Debug)]
enum Session {
    /// Its recording is being started; whether it is over meanwhile.
    Starting(Arc<AtomicBool>),
    /// Its last recording that is known.
    Recorded(String),
    /// Somebody stopped or deleted its recording.
    LeftAlone,
}

/// What a try came to.
enum Tried {
    /// What is known now, if anything.
    Done(Option<Session>),
    Again(String),
}

impl AutoRecord {
    /// # Errors
    /// There is none in settings that were loaded.
    pub fn new(settings: &Settings) -> Result<Self, PatternMistake> {
        let how = &settings.auto_record;
        let output = OutputSettings {
            format: how.format,
            per_speaker: how.per_speaker,
            audio_only: how.audio_only,
            ..output_settings(settings)
        };
        Ok(Self {
            rooms: patterns(&how.rooms)?,
            output,
            sessions: Mutex::default(),
            servants: Mutex::default(),
        })
    }

    /// Whether rooms of this name are recorded.
    fn records(&self, room: &str) -> bool {
        self.rooms.iter().any(|pattern| pattern.matches(room))
    }

    /// Takes the start of a session's recording upon itself, with the last recording that is known;
    /// none if there is nothing to do.
    fn begin(&self, session: &str) -> Option<(Arc<AtomicBool>, Option<String>)> {
        let mut sessions = self.sessions();
        let recorded = match sessions.get(session) {
            Some(Session::Starting(_) | Session::LeftAlone) => return None,
            Some(Session::Recorded(id)) => Some(id.clone()),
            None => None,
        };
        if sessions.len() >= MOST_SESSIONS {
            sessions.retain(|_, known| matches!(known, Session::Starting(_)));
        }
        let is_over = Arc::<AtomicBool>::default();
        sessions.insert(session.to_owned(), Session::Starting(is_over.clone()));
        Some((is_over, recorded))
    }

    fn end(&self, session: &str, known: Option<Session>) {
        let mut sessions = self.sessions();
        match known {
            Some(known) => drop(sessions.insert(session.to_owned(), known)),
            None => drop(sessions.remove(session)),
        }
    }

    fn is_over(&self, session: &str) {
        let mut sessions = self.sessions();
        match sessions.get(session) {
            Some(Session::Starting(is_over)) => is_over.store(true, Ordering::Relaxed),
            _ => drop(sessions.remove(session)),
        }
    }

    fn servants(&self) -> MutexGuard<'_, HashSet<String>> {
        self.servants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember_servant(&self, participant: String) {
        let mut servants = self.servants();
        if servants.len() >= MOST_SERVANTS {
            servants.clear();
        }
        servants.insert(participant);
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes note of a webhook that LiveKit signed.
pub fn hear(services: &Data<Services>, body: &[u8]) {
    let auto_record = &services.auto_record;
    match event::read(body) {
        Heard::Somebody { room, session } => record(services, room, session),
        Heard::Track {
            room,
            session,
            participant,
        } if !auto_record.servants().contains(&participant) => record(services, room, session),
        Heard::Servant { participant } => auto_record.remember_servant(participant),
        Heard::Over { session } => auto_record.is_over(&session),
        Heard::Track { .. } | Heard::Nothing => {}
    }
}

/// Records this session of a room if rooms of this name are recorded.
fn record(services: &Data<Services>, room: String, session: String) {
    if !services.auto_record.records(&room) {
        return;
    }
    if let Some((is_over, recorded)) = services.auto_record.begin(&session) {
        let services = services.clone();
        actix_rt::spawn(async move {
            let known = start(&services, &room, &session, recorded, &is_over).await;
            let known = known.filter(|_| !is_over.load(Ordering::Relaxed));
            services.auto_record.end(&session, known);
        });
    }
}

/// Starts the recording of a room unless there is a reason not to, again while that makes sense;
/// what is known of the session then.
async fn start(
    services: &Services,
    room: &str,
    session: &str,
    recorded: Option<String>,
    is_over: &AtomicBool,
) -> Option<Session> {
    if let Some(id) = recorded {
        let known = match services.recordings.get(&id).await {
            Ok(Some(manifest)) => settled(&manifest),
            // Who deletes the recording of a room that is still there does not want another one.
            Ok(None) => Some(Session::LeftAlone),
            Err(_) => None,
        };
        if known.is_some() {
            return known;
        }
    }
    let mut pause = FIRST_PAUSE;
    for tries in 1..=MOST_TRIES {
        if is_over.load(Ordering::Relaxed) || services.is_finishing() {
            break;
        }
        match try_to_start(services, room, session).await {
            Tried::Done(known) => return known,
            Tried::Again(reason) if tries == MOST_TRIES => {
                log::error!("room {room} is not recorded by itself: {reason}");
            }
            Tried::Again(reason) => {
                log::warn!(
                    "room {room} is not recorded by itself yet: {reason}; it is tried again in {} s",
                    pause.as_secs()
                );
                sleep(pause).await;
                pause *= 2;
            }
        }
    }
    None
}

async fn try_to_start(services: &Services, room: &str, session: &str) -> Tried {
    let filter = ListFilter {
        room_id: Some(session.to_owned()),
        ..ListFilter::default()
    };
    match services.recordings.list(filter, None, MOST_KNOWN).await {
        Ok(known) => {
            if let Some(known) = known.recordings.iter().find_map(settled) {
                return Tried::Done(Some(known));
            }
        }
        Err(reason) => return Tried::Again(reason),
    }
    let request = StartRequest {
        room_name: room.to_owned(),
        source: SourceKind::Livekit,
        output: services.auto_record.output.clone(),
        max_duration_ms: None,
        metadata: None,
        idempotency_key: None,
    };
    match services.recordings.start(request).await {
        Ok(manifest) => {
            log::info!("{} ({room}): started by itself", manifest.id);
            Tried::Done(Some(Session::Recorded(manifest.id)))
        }
        // By hand.
        Err(StartError::AlreadyRecording { id, .. }) => Tried::Done(Some(Session::Recorded(id))),
        Err(StartError::Stopped) => Tried::Done(Some(Session::LeftAlone)),
        // It is over, which its own webhook may still be about to tell.
        Err(StartError::Room(RoomError::Unknown(_))) => Tried::Done(None),
        Err(error @ StartError::Room(RoomError::NoLivekit)) => {
            log::error!("room {room} is not recorded by itself: {error}");
            Tried::Done(None)
        }
        Err(error) => Tried::Again(error.to_string()),
    }
}

/// Why this recording of a room's session is a reason to begin no other, if it is: it goes on, or
/// somebody stopped it.
fn settled(manifest: &Manifest) -> Option<Session> {
    let is_stopped = !manifest.stopped_by_server
        && (manifest.end_reason == Some(EndReason::Stopped)
            || manifest.state == RecordingState::Aborted);
    match (is_stopped, manifest.is_live()) {
        (true, _) => Some(Session::LeftAlone),
        (false, true) => Some(Session::Recorded(manifest.id.clone())),
        (false, false) => None,
    }
}
