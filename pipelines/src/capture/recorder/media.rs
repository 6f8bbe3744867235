//! What arrives on tracks: frames and sender reports.

use crate::log::{Body, Codec, Frame, LogEvent, Record, SenderReport, TrackKind};
use crate::sources::{SourceFrame, TrackId, picture_size};

use super::super::clock::Moment;
use super::super::gaps::Missed;
use super::super::sink::{RecordSink, event, put};
use super::super::timeline::Placed;
use super::super::track::Logged;
use super::{Reaction, Recorder};

impl Recorder {
    pub(super) fn frame(
        &mut self,
        frame: SourceFrame,
        now: Moment,
        sink: &mut impl RecordSink,
    ) -> Reaction {
        let Some(track) = self.tracks.get_mut(&frame.id) else {
            log::debug!("a frame of the unknown track {}", frame.id);
            return Reaction::Nothing;
        };
        if self.paused || !track.takes_up_with(&frame, now.time_ns) {
            return Reaction::Nothing;
        }
        track.packets_lost += frame.packets_lost;
        let running_ns = now.time_ns + self.paused_ns;
        let placed = track
            .timeline
            .place(frame.rtp, frame.clock_rate, running_ns);
        let follows = matches!(placed, Placed::Continues(_));
        let logged = track
            .logged
            .filter(|logged| logged.codec == frame.codec && (follows || track.frames == 0));
        let logged = match logged {
            Some(logged) => logged,
            None => self.log_track(&frame.id, frame.codec, Some(frame.clock_rate), now, sink),
        };
        // Borrowed anew: announcing a track needs the whole recorder.
        let Some(track) = self.tracks.get_mut(&frame.id) else {
            return Reaction::Nothing;
        };
        let before = track.last_frame_ns.replace(now.time_ns);
        let missed = Missed {
            lost_since_ns: before.filter(|_| frame.packets_lost > 0),
            awaited: track.awaited.take(),
        };
        let gap = self.gaps.frame(now.time_ns, missed);
        let is_video = track.publication.kind == TrackKind::Video;
        let contiguous = frame.contiguous && !track.interrupted;
        let (Placed::Continues(rtp) | Placed::Begins(rtp)) = placed;
        let bytes = frame.payload.len() as u64;
        let size = (is_video && frame.keyframe)
            .then(|| picture_size(frame.codec, &frame.payload))
            .flatten();
        let record = Record {
            time_ns: now.time_ns,
            wall_ns: now.wall_ns,
            body: Body::Frame(Frame {
                track: logged.number,
                keyframe: frame.keyframe,
                contiguous,
                rtp,
                payload: frame.payload,
            }),
        };
        if let Some(gap) = gap {
            self.told.take_in(now.time_ns, now.wall_ns, &gap);
            event(sink, now, gap);
        }
        if !sink.append(record, is_video) {
            track.interrupted = true;
            self.gaps.dropped(now.time_ns);
            return Reaction::Nothing;
        }
        let first = track.frames == 0;
        track.interrupted = false;
        track.frames += 1;
        track.bytes += bytes;
        if let Some((width, height)) = size {
            track.width = width;
            track.height = height;
        }
        self.frames += 1;
        self.bytes += bytes;
        self.first_frame_wall_ns.get_or_insert(now.wall_ns);
        if is_video && let Some(gap) = self.gaps.kept(now.time_ns) {
            self.tell(gap, now, sink);
        }
        match (is_video, frame.keyframe) {
            (true, true) => Reaction::KeyframeArrived(frame.id),
            (true, false) if first || !follows || !contiguous => Reaction::KeyframeWanted(frame.id),
            _ => Reaction::Nothing,
        }
    }

    pub(super) fn sender_report(
        &mut self,
        id: &TrackId,
        rtp: u32,
        ntp_ns: i64,
        now: Moment,
        sink: &mut impl RecordSink,
    ) {
        let Some(track) = self.tracks.get(id) else {
            return;
        };
        // What the track goes on with may be of another clock: its first frame will tell.
        if track.interrupted || self.paused {
            return;
        }
        if let (Some(logged), Some(rtp)) = (track.logged, track.timeline.extend(rtp)) {
            let body = Body::SenderReport(SenderReport {
                track: logged.number,
                rtp,
                ntp_ns,
            });
            put(sink, now, body);
        }
    }

    /// Announces a track, under a new number when the log knows it already.
    pub(super) fn log_track(
        &mut self,
        id: &TrackId,
        codec: Codec,
        clock_rate: Option<u32>,
        now: Moment,
        sink: &mut impl RecordSink,
    ) -> Logged {
        let logged = Logged {
            number: self.tracks.next_number(),
            codec,
        };
        if let Some(track) = self.tracks.get_mut(id) {
            if let Some(Logged { number: track, .. }) = track.logged.replace(logged) {
                event(sink, now, LogEvent::TrackRemoved { track });
            }
            let info = track.info(logged, clock_rate);
            event(sink, now, LogEvent::TrackAdded(info));
        }
        logged
    }
}
