use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::decode::{Suspects, is_supported};
use super::picture::{Picture, VideoTrack};
use super::sound::{AudioTrack, Quality};
use super::timeline::{Arrival, ParticipantClock, Placing, Scene, Stretches};
use crate::log::{Body, Frame, LogEvent, Record, TrackInfo, TrackKind, TrackNumber};

/// The room as the log tells it: media and clocks in the order of arrival, who is shown in file
/// time.
#[derive(Default)]
pub struct Room {
    scene: Scene,
    clocks: HashMap<String, ParticipantClock>,
    stretches: Stretches,
    suspects: Suspects,
    quality: Quality,
    /// Pictures are of no use: they are passed over.
    sound_only: bool,
    pub video: BTreeMap<TrackNumber, VideoTrack>,
    pub audio: BTreeMap<TrackNumber, AudioTrack>,
    owners: HashMap<TrackNumber, String>,
    /// Tracks that are muted as far as the log has been read.
    muted: BTreeSet<TrackNumber>,
    /// Audio tracks that get no more packets.
    ended: BTreeSet<TrackNumber>,
    /// Events that have been read and wait for their time.
    events: VecDeque<(u64, LogEvent)>,
}

impl Room {
    /// A room in which tracks are left out from a suspect's frame on that is guilty.
    pub fn new(suspects: Suspects) -> Self {
        Self {
            suspects,
            ..Self::default()
        }
    }

    /// Likewise, but nobody looks at it.
    pub fn to_be_heard(suspects: Suspects, quality: Quality) -> Self {
        Self {
            suspects,
            quality,
            sound_only: true,
            ..Self::default()
        }
    }

    /// Takes a record in the order of the log, its time in file time. Sound is mixed up to sample `mixed` already.
    /// Returns a track that cannot be decoded.
    pub fn read(&mut self, record: Record, mixed: u64) -> Option<TrackInfo> {
        let arrival_ns = i64::try_from(record.time_ns).unwrap_or(i64::MAX);
        match record.body {
            Body::Frame(frame) => self.receive(frame, arrival_ns),
            Body::SenderReport(report) => {
                let owner = self.owners.get(&report.track);
                if let Some(clock) = owner.and_then(|owner| self.clocks.get_mut(owner)) {
                    clock.report(report, self.stretches.running(arrival_ns));
                }
            }
            Body::Event(event) => {
                let unsupported = self.notice(&event, arrival_ns, mixed);
                self.events.push_back((record.time_ns, event));
                return unsupported;
            }
            Body::Tick => {}
        }
        None
    }

    /// Lets the events up to a point of file time happen. Returns whether anything to be seen may
    /// have changed.
    pub fn advance(&mut self, time_ns: u64) -> bool {
        let mut changed = false;
        while self.events.front().is_some_and(|&(at, _)| at <= time_ns) {
            let Some((at, event)) = self.events.pop_front() else {
                break;
            };
            changed |= self.scene.apply(&event);
            let at = i64::try_from(at).unwrap_or(i64::MAX);
            match event {
                LogEvent::TrackMuted { track } => {
                    if let Some(video) = self.video.get_mut(&track) {
                        video.mute(at);
                    }
                }
                LogEvent::TrackUnmuted { track } => {
                    if let Some(video) = self.video.get_mut(&track) {
                        video.unmute(at);
                    }
                }
                LogEvent::TrackRemoved { track } => self.remove(track),
                LogEvent::ParticipantLeft { participant } => {
                    for track in self.tracks_of(&participant) {
                        self.remove(track);
                    }
                }
                _ => {}
            }
        }
        changed
    }

    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// The latest picture of a track.
    pub fn picture(&self, track: TrackNumber) -> Option<&Picture> {
        self.video.get(&track)?.picture()
    }

    /// The fastest of the sources that send, frames in a second.
    pub fn fastest(&self, now_ns: i64) -> Option<f64> {
        self.video
            .values()
            .filter_map(|track| track.frames_per_second(now_ns))
            .reduce(f64::max)
    }

    /// Runs `work` on each video track with what places its frames.
    pub fn each_video(&mut self, mut work: impl FnMut(TrackNumber, &mut VideoTrack, Placing)) {
        let (clocks, owners) = (&self.clocks, &self.owners);
        for (&number, track) in &mut self.video {
            let clock = owners.get(&number).and_then(|owner| clocks.get(owner));
            work(number, track, Placing::new(number, clock, &self.stretches));
        }
    }

    /// Runs `work` on each audio track with what places its packets.
    pub fn each_audio(&mut self, mut work: impl FnMut(TrackNumber, &mut AudioTrack, Placing)) {
        let (clocks, owners) = (&self.clocks, &self.owners);
        for (&number, track) in &mut self.audio {
            let clock = owners.get(&number).and_then(|owner| clocks.get(owner));
            work(number, track, Placing::new(number, clock, &self.stretches));
        }
    }

    /// Lets go of audio tracks that ended and are mixed to their end.
    pub fn forget_ended(&mut self) {
        let ended = &mut self.ended;
        self.audio
            .retain(|number, track| !(ended.contains(number) && track.is_empty()));
        ended.retain(|number| self.audio.contains_key(number));
    }

    fn receive(&mut self, frame: Frame, arrival_ns: i64) {
        let number = frame.track;
        let owner = self.owners.get(&number);
        if let Some(clock) = owner.and_then(|owner| self.clocks.get_mut(owner)) {
            clock.arrival(number, self.stretches.running(arrival_ns), frame.rtp);
        }
        let arrival = Arrival {
            at_ns: arrival_ns,
            stretch: self.stretches.current(),
            deadly: self.suspects.is_guilty(number, &frame.payload),
        };
        if let Some(video) = self.video.get_mut(&number) {
            video.receive(frame, arrival);
        } else if let Some(audio) = self.audio.get_mut(&number)
            && !self.muted.contains(&number)
        {
            audio.receive(frame, arrival);
        }
    }

    /// What an event means for the media that follow it in the log.
    fn notice(&mut self, event: &LogEvent, at_ns: i64, mixed: u64) -> Option<TrackInfo> {
        match event {
            LogEvent::TrackAdded(info) => return self.add(info, mixed),
            LogEvent::TrackMuted { track } => {
                self.muted.insert(*track);
            }
            LogEvent::TrackUnmuted { track } => {
                self.muted.remove(track);
            }
            LogEvent::TrackRemoved { track } => {
                self.ended.insert(*track);
            }
            LogEvent::ParticipantLeft { participant } => {
                let tracks = self.tracks_of(participant);
                self.ended.extend(tracks);
            }
            LogEvent::Paused => self.stretches.end(at_ns),
            LogEvent::Resumed { paused_ns } => self.stretches.begin(at_ns, *paused_ns),
            _ => {}
        }
        None
    }

    fn add(&mut self, info: &TrackInfo, mixed: u64) -> Option<TrackInfo> {
        let passed_over = self.sound_only && info.kind == TrackKind::Video;
        if passed_over || self.owners.contains_key(&info.track) {
            return None;
        }
        if !is_supported(info.codec) {
            return Some(info.clone());
        }
        self.owners.insert(info.track, info.participant.clone());
        self.clocks
            .entry(info.participant.clone())
            .or_default()
            .add_track(info);
        if info.muted {
            self.muted.insert(info.track);
        }
        match info.kind {
            TrackKind::Video => {
                self.video.insert(info.track, VideoTrack::new(info.clone()));
            }
            TrackKind::Audio => {
                self.audio.insert(
                    info.track,
                    AudioTrack::new(info.clone(), self.quality, mixed),
                );
            }
        }
        None
    }

    /// Ends a track in file time. Its sound goes on until it is mixed to its end.
    fn remove(&mut self, track: TrackNumber) {
        self.video.remove(&track);
        if self.audio.contains_key(&track) {
            return;
        }
        if let Some(clock) = self
            .owners
            .get(&track)
            .and_then(|owner| self.clocks.get_mut(owner))
        {
            clock.remove_track(track);
        }
    }

    fn tracks_of(&self, participant: &str) -> Vec<TrackNumber> {
        let owned = self
            .owners
            .iter()
            .filter(|(_, owner)| *owner == participant);
        owned.map(|(&track, _)| track).collect()
    }
}
