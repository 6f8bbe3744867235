//! Where captures find the rooms they record, at the start and when they are started again.

use std::time::Duration;

use tapedeck_pipelines::job::{Secret, Source};
use tokio::time::timeout;

use crate::folder::DataFolder;
use crate::rooms_process::RoomsProcess;
use crate::{Channels, Manifest, MediaServers, Room, RoomError, Rooms, SourceKind};

/// How long the token of a capture is valid beyond the longest recording.
const TOKEN_MARGIN: Duration = Duration::from_secs(3_600);
/// How long a room may be looked for again.
const LOOK: Duration = Duration::from_secs(10);

/// The rooms of media servers and our own.
pub struct Sources {
    servers: MediaServers,
    pub rooms: RoomsProcess,
    folder: DataFolder,
}

impl Sources {
    pub fn new(servers: MediaServers, rooms: RoomsProcess, folder: DataFolder) -> Self {
        Self {
            servers,
            rooms,
            folder,
        }
    }

    /// Looks a room up; it is never created.
    ///
    /// # Errors
    /// It does not exist, or where it lives cannot be asked.
    pub async fn find(&self, kind: SourceKind, name: &str) -> Result<Room, RoomError> {
        match kind {
            SourceKind::Livekit => self.livekit()?.find(name).await,
            SourceKind::Whip => {
                let room = self.rooms.room(name).await;
                room.map(|room| Room {
                    name: room.name,
                    id: room.id,
                })
                .ok_or_else(|| RoomError::Unknown(name.to_owned()))
            }
            // A channel is there for whoever joins it.
            SourceKind::Agora => self.agora().map(|_| Room {
                name: name.to_owned(),
                id: String::new(),
            }),
        }
    }

    /// Where capture finds the room's media. `max_duration` is the longest that it may record.
    ///
    /// # Errors
    /// There is no media server, or no token can be made for it.
    pub fn source(
        &self,
        kind: SourceKind,
        room: &Room,
        recording_id: &str,
        max_duration: Duration,
    ) -> Result<Source, RoomError> {
        match kind {
            SourceKind::Livekit => {
                let valid_for = max_duration.saturating_add(TOKEN_MARGIN);
                self.livekit()?.source(room, recording_id, valid_for)
            }
            SourceKind::Whip => Ok(Source::Whip {
                socket: self.folder.rooms_media_socket(),
                room: room.name.clone(),
            }),
            SourceKind::Agora => {
                let mut source = self.agora()?.source(&room.name)?;
                if let Source::Agora { browser, .. } = &mut source {
                    browser.socket = self.folder.browser_socket();
                    browser.folder = self.folder.browser();
                }
                Ok(source)
            }
        }
    }

    /// A new token for the capture of a recording, whose own is about to expire, or has expired
    /// while the recording was paused.
    ///
    /// # Errors
    /// Tokens of that source are not renewed, or none can be made.
    pub fn token(&self, manifest: &Manifest) -> Result<Secret, RoomError> {
        let kind = SourceKind::named(&manifest.source);
        let room = Room {
            name: manifest.room_name.clone(),
            id: manifest.room_id.clone(),
        };
        let max_duration = Duration::from_millis(manifest.max_duration_ms);
        match kind {
            Some(SourceKind::Agora) => self.agora()?.token(&manifest.room_name),
            Some(kind @ SourceKind::Livekit) => {
                match self.source(kind, &room, &manifest.id, max_duration)? {
                    Source::Livekit { token, .. } => Ok(token),
                    _ => Err(RoomError::NoLivekit),
                }
            }
            _ => Err(RoomError::Unreachable(format!(
                "tokens for {} are not renewed",
                manifest.source
            ))),
        }
    }

    /// How long a start may take; `usual` unless the source needs another time.
    pub fn start_timeout(&self, kind: SourceKind, usual: Duration) -> Duration {
        match (kind, &self.servers.agora) {
            (SourceKind::Agora, Some(agora)) => agora.start_timeout(),
            _ => usual,
        }
    }

    /// Looks the room of a recording up again, for a capture that is to go on with it: the room's
    /// id as it is now, and the way into it.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub async fn again(&self, manifest: &Manifest) -> Result<(String, Source), RoomError> {
        let kind = SourceKind::named(&manifest.source).ok_or_else(|| {
            RoomError::Unreachable(format!(
                "rooms of {} are not known to this version",
                manifest.source
            ))
        })?;
        let room = timeout(LOOK, self.find(kind, &manifest.room_name))
            .await
            .unwrap_or(Err(RoomError::Timeout))?;
        let max_duration = Duration::from_millis(manifest.max_duration_ms);
        let source = self.source(kind, &room, &manifest.id, max_duration)?;
        let room_id = match kind {
            SourceKind::Livekit | SourceKind::Whip => room.id,
            SourceKind::Agora => manifest.room_id.clone(),
        };
        Ok((room_id, source))
    }

    fn livekit(&self) -> Result<&dyn Rooms, RoomError> {
        self.servers.livekit.as_deref().ok_or(RoomError::NoLivekit)
    }

    fn agora(&self) -> Result<&dyn Channels, RoomError> {
        self.servers.agora.as_deref().ok_or(RoomError::NoAgora)
    }
}
