//! Where captures find the rooms they record, at the start and when they are started again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tapedeck_pipelines::job::Source;
use tokio::time::timeout;

use crate::rooms_process::RoomsProcess;
use crate::{Manifest, Room, RoomError, Rooms, SourceKind};

/// How long the token of a capture is valid beyond the longest recording.
const TOKEN_MARGIN: Duration = Duration::from_secs(3_600);
/// How long a room may be looked for again.
const LOOK: Duration = Duration::from_secs(10);

/// The rooms of the media server and our own.
pub struct Sources {
    livekit: Option<Arc<dyn Rooms>>,
    pub rooms: RoomsProcess,
    /// Where captures ask the rooms process for media.
    media_socket: PathBuf,
}

impl Sources {
    pub fn new(
        livekit: Option<Arc<dyn Rooms>>,
        rooms: RoomsProcess,
        media_socket: PathBuf,
    ) -> Self {
        Self {
            livekit,
            rooms,
            media_socket,
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
                socket: self.media_socket.clone(),
                room: room.name.clone(),
            }),
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
        Ok((room.id, source))
    }

    fn livekit(&self) -> Result<&dyn Rooms, RoomError> {
        self.livekit.as_deref().ok_or(RoomError::NoLivekit)
    }
}
