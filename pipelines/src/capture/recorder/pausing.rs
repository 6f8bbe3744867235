//! Stretches that are left out on request.

use crate::log::{LogEvent, TrackKind};
use crate::sources::TrackId;

use super::super::clock::Moment;
use super::super::sink::RecordSink;
use super::Recorder;

impl Recorder {
    /// No media is recorded from now on, while recording time stands still.
    pub fn pause(&mut self, now: Moment, sink: &mut impl RecordSink) {
        for gap in self.gaps.pause(now.time_ns) {
            self.tell(gap, now, sink);
        }
        self.paused = true;
        for track in self.tracks.iter_mut() {
            track.pause();
        }
        self.tell(LogEvent::Paused, now, sink);
    }

    /// Goes on after `paused_ns` nanoseconds. Returns the tracks of which key frames are needed.
    pub fn resume_after(
        &mut self,
        paused_ns: u64,
        now: Moment,
        sink: &mut impl RecordSink,
    ) -> Vec<TrackId> {
        self.tell(LogEvent::Resumed { paused_ns }, now, sink);
        self.paused = false;
        self.paused_ns += paused_ns;
        let mut pictures = Vec::new();
        for track in self.tracks.iter_mut() {
            track.resume(now.time_ns);
            let publication = &track.publication;
            if publication.kind == TrackKind::Video && !publication.muted {
                pictures.push(publication.id.clone());
            }
        }
        pictures
    }
}
