use std::collections::HashSet;
use std::time::Duration;

use crate::control::Failure;
use crate::job::{Secret, Source};
use crate::log::TrackKind;

use super::agora::{AgoraSource, Channel};
use super::livekit::LivekitSource;
use super::whip::WhipSource;
use super::{Joined, Known, SourceEvent, TrackId};

/// A room of any kind, with a recorder in it.
pub struct RoomSource {
    kind: Kind,
    /// The video tracks, if nobody wants them.
    unwanted: Option<HashSet<TrackId>>,
}

enum Kind {
    /// On a LiveKit or OpenVidu server.
    Livekit(Box<LivekitSource>),
    /// In our own rooms process.
    Whip(Box<WhipSource>),
    /// A channel of Agora.
    Agora(Box<AgoraSource>),
}

impl RoomSource {
    /// Joins the room; tries for about eight seconds while its server does not answer. `known` is
    /// what an earlier process saw of the room. Without `video` nothing is told of video
    /// tracks, and nothing of them is received from servers that can be asked. An interruption may last as long as
    /// `give_up_after`.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn join(
        source: &Source,
        video: bool,
        known: Known,
        give_up_after: Duration,
    ) -> Result<(Self, Joined), Failure> {
        let (kind, joined) = match source {
            Source::Livekit { url, token } => {
                let (source, joined) =
                    LivekitSource::join(url, token, known.participants, give_up_after).await?;
                (Kind::Livekit(Box::new(source)), joined)
            }
            Source::Whip { socket, room } => {
                let (source, joined) = WhipSource::join(socket, room, known, give_up_after).await?;
                (Kind::Whip(Box::new(source)), joined)
            }
            Source::Agora {
                app_id,
                channel,
                uid,
                token,
                browser,
            } => {
                let channel = Channel {
                    app_id: app_id.clone(),
                    channel: channel.clone(),
                    uid: *uid,
                    token: token.clone(),
                    browser: browser.clone(),
                };
                let (source, joined) = AgoraSource::join(channel, known, give_up_after).await?;
                (Kind::Agora(Box::new(source)), joined)
            }
        };
        let unwanted = (!video).then(HashSet::new);
        Ok((Self { kind, unwanted }, joined))
    }

    /// The next event; never returns after [`SourceEvent::Ended`]. Nothing is lost when the future
    /// is dropped.
    pub async fn next(&mut self) -> SourceEvent {
        loop {
            let event = match &mut self.kind {
                Kind::Livekit(source) => source.next().await,
                Kind::Whip(source) => source.next().await,
                Kind::Agora(source) => source.next().await,
            };
            let Some(unwanted) = &mut self.unwanted else {
                return event;
            };
            match pass_over(unwanted, &event) {
                Passed::Wanted => return event,
                Passed::Over => {}
                Passed::Refuse(ids) => {
                    if let Kind::Livekit(source) = &mut self.kind {
                        source.unsubscribe(ids.iter().map(ToString::to_string).collect());
                    }
                }
            }
            if matches!(event, SourceEvent::Restored { .. }) {
                return event;
            }
        }
    }

    /// Asks the publisher of a track for a key frame.
    pub fn request_keyframe(&mut self, id: &TrackId) {
        match &mut self.kind {
            Kind::Livekit(source) => source.request_keyframe(id),
            Kind::Whip(source) => source.request_keyframe(id),
            Kind::Agora(_) => {}
        }
    }

    /// Asks for the simulcast layer of a video track that fits a picture of this size, pixels.
    /// `frame_rate` 0 leaves the rate to the other side.
    pub fn set_video_size(&mut self, id: &TrackId, width: u32, height: u32, frame_rate: u32) {
        match &mut self.kind {
            Kind::Livekit(source) => source.set_video_size(id, width, height, frame_rate),
            Kind::Whip(source) => source.set_video_size(id, width, height, frame_rate),
            Kind::Agora(_) => {}
        }
    }

    /// Goes on with another token than the job's.
    ///
    /// # Errors
    /// The room is of a kind that takes none.
    pub fn renew_token(&mut self, token: Secret) -> Result<(), String> {
        match &mut self.kind {
            Kind::Agora(source) => {
                source.renew_token(token);
                Ok(())
            }
            Kind::Livekit(source) => {
                source.renew_token(token);
                Ok(())
            }
            Kind::Whip(_) => Err("such a room takes no token".to_owned()),
        }
    }

    /// Whether a new token is waited for.
    pub fn is_token_wanted(&self) -> bool {
        match &self.kind {
            Kind::Agora(source) => source.is_token_wanted(),
            Kind::Livekit(source) => source.is_token_wanted(),
            Kind::Whip(_) => false,
        }
    }

    /// How loud a participant is, from 0 to 100, if the source tells.
    pub fn level(&self, participant: &str) -> Option<u8> {
        match &self.kind {
            Kind::Agora(source) => source.level(participant),
            Kind::Livekit(_) | Kind::Whip(_) => None,
        }
    }

    /// Gives all media back, for good. A recorder that others can see stays in the room.
    pub fn release(&mut self) {
        match &mut self.kind {
            Kind::Livekit(source) => source.release(),
            Kind::Whip(source) => source.release(),
            Kind::Agora(source) => source.release(),
        }
    }

    /// Says good-bye.
    pub async fn leave(self) {
        match self.kind {
            Kind::Livekit(source) => source.leave().await,
            Kind::Whip(source) => source.leave(),
            Kind::Agora(mut source) => source.release(),
        }
    }
}

/// What to do with an event where video is not wanted.
#[derive(Debug, PartialEq, Eq)]
enum Passed {
    Wanted,
    Over,
    /// The source need not send these tracks. The event itself counts if it is not of one of them.
    Refuse(Vec<TrackId>),
}

/// Learns which tracks are not wanted, and what is of them.
fn pass_over(unwanted: &mut HashSet<TrackId>, event: &SourceEvent) -> Passed {
    let is_of_one = |id: &TrackId| unwanted.contains(id);
    let over = match event {
        SourceEvent::TrackPublished(track) if track.kind == TrackKind::Video => {
            unwanted.insert(track.id.clone());
            return Passed::Refuse(vec![track.id.clone()]);
        }
        SourceEvent::TrackUnpublished { id } => unwanted.remove(id),
        SourceEvent::TrackPublished(track) | SourceEvent::TrackUpdated(track) => {
            is_of_one(&track.id)
        }
        SourceEvent::TrackMuted { id, .. }
        | SourceEvent::TrackSubscribed { id }
        | SourceEvent::SenderReport { id, .. } => is_of_one(id),
        SourceEvent::Frame(frame) => is_of_one(&frame.id),
        SourceEvent::Restored {
            settings_lost: true,
            ..
        } => return Passed::Refuse(unwanted.iter().cloned().collect()),
        _ => false,
    };
    match over {
        true => Passed::Over,
        false => Passed::Wanted,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::log::{Codec, TrackSource};
    use crate::sources::{Publication, SourceFrame};

    fn published(id: &str, kind: TrackKind) -> SourceEvent {
        SourceEvent::TrackPublished(Publication {
            id: TrackId::from(id),
            participant: "PA_1".into(),
            kind,
            source: TrackSource::Unknown,
            codec: None,
            muted: false,
            width: 0,
            height: 0,
            layer_heights: Vec::new(),
        })
    }

    fn frame(id: &str) -> SourceEvent {
        SourceEvent::Frame(SourceFrame {
            id: TrackId::from(id),
            codec: Codec::Opus,
            clock_rate: 48_000,
            keyframe: false,
            contiguous: true,
            rtp: 0,
            packets_lost: 0,
            payload: Bytes::new(),
        })
    }

    #[test]
    fn nothing_is_told_of_video_that_nobody_wants() {
        let mut unwanted = HashSet::new();
        let [camera, microphone] = ["TR_V", "TR_A"];
        let refused = Passed::Refuse(vec![TrackId::from(camera)]);
        let restored = SourceEvent::Restored {
            media_lost_since: None,
            settings_lost: true,
        };
        let gone = SourceEvent::TrackUnpublished {
            id: TrackId::from(camera),
        };
        for (event, expected) in [
            (published(camera, TrackKind::Video), refused),
            (published(microphone, TrackKind::Audio), Passed::Wanted),
            (frame(camera), Passed::Over),
            (frame(microphone), Passed::Wanted),
            (SourceEvent::Interrupted, Passed::Wanted),
            (
                restored.clone(),
                Passed::Refuse(vec![TrackId::from(camera)]),
            ),
            (gone.clone(), Passed::Over),
            (gone, Passed::Wanted),
            (restored, Passed::Refuse(Vec::new())),
        ] {
            assert_eq!(pass_over(&mut unwanted, &event), expected, "{event:?}");
        }
    }
}
