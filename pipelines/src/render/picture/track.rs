use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer_video as gst_video;

use crate::log::{Frame, TrackInfo};
use crate::render::HOLD_NS;
use crate::render::decode::{DecodeError, Decoder, Input, Outcome, Task, coded_size};
use crate::render::timeline::{Arrival, Placing, SourceRate, rtp_to_ns};

/// The largest picture that is decoded, pixels a side.
const SIDE_LIMIT: u32 = 4_096;
/// Encoded frames that wait for their time, bytes.
const QUEUE_LIMIT: usize = 32 << 20;
/// Encoded frames that are kept while nothing is shown, bytes; more are decoded all the same.
const SKIPPED_LIMIT: usize = 32 << 20;
/// Of those, how many are decoded at a time, bytes.
const CATCH_UP: usize = 2 << 20;
/// Encoded frames kept to begin again at the last key frame after an error, bytes.
const REPLAY_LIMIT: usize = 4 << 20;
/// After a lost frame the picture stands still until a key frame comes, but no longer than this,
/// ns.
const DAMAGE_HOLD_NS: i64 = 1_500_000_000;
/// Frames that were on their way when the camera was turned off arrive within this, ns.
const MUTE_ECHO_NS: i64 = 300_000_000;
/// How often a decoder that hung is replaced; then the track is given up, as each costs time.
const HANGS_LIMIT: u32 = 3;
/// A source that sent nothing for this long has no rate, ns.
const RATE_MEMORY_NS: i64 = 3_000_000_000;

/// A decoded frame.
pub struct Picture {
    pub sample: gst::Sample,
    pub info: gst_video::VideoInfo,
    /// Counts the pictures of a track.
    pub serial: u64,
    arrival_ns: i64,
}

/// One video track: its frames on the way to the canvas.
pub struct VideoTrack {
    info: TrackInfo,
    queue: VecDeque<Queued>,
    queued_bytes: usize,
    decoder: Option<Arc<Decoder>>,
    need_keyframe: bool,
    replay: Replay,
    damaged_since: Option<i64>,
    /// The stretch of the file that the last frame belongs to.
    stretch: usize,
    /// Frames that arrived before are decoded but not shown.
    shown_from_ns: i64,
    picture: Option<Picture>,
    serial: u64,
    /// Of each input at the decoder: arrival, and whether its picture may be shown.
    decoding: Vec<(i64, bool)>,
    rate: SourceRate,
    last_arrival_ns: i64,
    /// Frames since a key frame that were not decoded yet, as nothing is shown for now.
    skipped: Skipped,
    given_up: bool,
    hangs: u32,
    too_large: Option<(u32, u32)>,
    left_out_from: Option<i64>,
}

struct Queued {
    frame: Frame,
    arrival: Arrival,
}

/// Frames that wait for being decoded, and whether the pictures may be shown.
#[derive(Default)]
struct Skipped {
    frames: VecDeque<(Bytes, i64, bool)>,
    bytes: usize,
}

/// The frames since the last key frame.
#[derive(Default)]
struct Replay {
    frames: Vec<Bytes>,
    bytes: usize,
    /// They were too many to keep.
    incomplete: bool,
    /// The decoder is new and needs them.
    wanted: bool,
}

impl VideoTrack {
    pub fn new(info: TrackInfo) -> Self {
        Self {
            info,
            queue: VecDeque::new(),
            queued_bytes: 0,
            decoder: None,
            need_keyframe: true,
            replay: Replay::default(),
            damaged_since: None,
            stretch: 0,
            shown_from_ns: i64::MIN,
            picture: None,
            serial: 0,
            decoding: Vec::new(),
            rate: SourceRate::default(),
            last_arrival_ns: i64::MIN,
            skipped: Skipped::default(),
            given_up: false,
            hangs: 0,
            too_large: None,
            left_out_from: None,
        }
    }

    pub fn info(&self) -> &TrackInfo {
        &self.info
    }

    /// The latest picture, if there is one to show.
    pub fn picture(&self) -> Option<&Picture> {
        self.picture.as_ref()
    }

    /// Frames in a second, unless none came of late.
    pub fn frames_per_second(&self, now_ns: i64) -> Option<f64> {
        let fresh = now_ns.saturating_sub(self.last_arrival_ns) < RATE_MEMORY_NS;
        self.rate.per_second().filter(|_| fresh && !self.given_up)
    }

    /// Takes a frame in order of arrival.
    pub fn receive(&mut self, mut frame: Frame, arrival: Arrival) {
        self.rate.count(rtp_to_ns(frame.rtp, self.info.clock_rate));
        self.last_arrival_ns = arrival.at_ns;
        if self.given_up {
            return;
        }
        // It may be kept for long, and would hold the whole piece of the log that it was read with.
        frame.payload = Bytes::copy_from_slice(&frame.payload);
        self.queued_bytes += frame.payload.len();
        self.queue.push_back(Queued { frame, arrival });
        if self.queued_bytes > QUEUE_LIMIT {
            self.queue.clear();
            self.queued_bytes = 0;
            self.need_keyframe = true;
        }
    }

    /// The camera is turned off at a point of recording time.
    pub fn mute(&mut self, at_ns: i64) {
        self.hide();
        self.shown_from_ns = at_ns.saturating_add(MUTE_ECHO_NS);
    }

    /// The camera is turned on. What was decoded long before is not shown.
    pub fn unmute(&mut self, at_ns: i64) {
        self.shown_from_ns = self.shown_from_ns.min(at_ns);
        let skipped = self.skipped.frames.iter().rev().find(|frame| frame.2);
        let newest = skipped
            .map(|frame| frame.1)
            .or(self.picture.as_ref().map(|picture| picture.arrival_ns));
        if newest.is_some_and(|arrival_ns| at_ns.saturating_sub(arrival_ns) > 1_000_000_000) {
            self.hide();
        }
    }

    fn hide(&mut self) {
        self.picture = None;
        for frame in &mut self.skipped.frames {
            frame.2 = false;
        }
    }

    /// How many of the frames that wait are due by a point of recording time, counted up to two.
    pub fn pending(&self, until_ns: i64, placing: Placing) -> usize {
        self.queue
            .iter()
            .take(2)
            .take_while(|queued| due_at(queued, placing) <= until_ns)
            .count()
    }

    /// Recording time of the next frame, ns.
    pub fn next_frame(&self, placing: Placing) -> Option<i64> {
        Some(due_at(self.queue.front()?, placing))
    }

    /// Passes over the frames that are due by a point of file time, as nothing is shown for now.
    /// What has to be decoded all the same goes to [`VideoTrack::decoded`].
    pub fn skip(&mut self, until_ns: i64, placing: Placing) -> Result<Option<Task>, DecodeError> {
        while let Some(queued) = self.take_due(until_ns, placing) {
            let Some(visible) = self.admit(&queued) else {
                continue;
            };
            let Queued { frame, arrival } = queued;
            if frame.keyframe {
                self.skipped = Skipped::default();
            }
            self.skipped.bytes += frame.payload.len();
            let waiting = (frame.payload, arrival.at_ns, visible);
            self.skipped.frames.push_back(waiting);
        }
        if self.skipped.bytes > SKIPPED_LIMIT {
            self.catch_up()
        } else {
            Ok(None)
        }
    }

    /// Some of what was passed over and has to be decoded before the next picture. The answer goes
    /// to [`VideoTrack::decoded`]. To be repeated until there is nothing more.
    pub fn catch_up(&mut self) -> Result<Option<Task>, DecodeError> {
        let (mut input, mut bytes) = (Vec::new(), 0);
        while bytes < CATCH_UP
            && let Some((frame, arrival_ns, visible)) = self.skipped.frames.pop_front()
        {
            bytes += frame.len();
            self.decoding.push((arrival_ns, visible));
            input.push(Input::Frame(frame));
        }
        self.skipped.bytes = self.skipped.bytes.saturating_sub(bytes);
        self.task(input)
    }

    /// What has to be decoded for the picture of `until_ns`. The answer goes to
    /// [`VideoTrack::decoded`].
    pub fn due(&mut self, until_ns: i64, placing: Placing) -> Result<Option<Task>, DecodeError> {
        let mut input = self.replayed();
        while let Some(queued) = self.take_due(until_ns, placing) {
            if let Some(visible) = self.admit(&queued) {
                self.decoding.push((queued.arrival.at_ns, visible));
                input.push(Input::Frame(queued.frame.payload));
            }
        }
        self.task(input)
    }

    fn take_due(&mut self, until_ns: i64, placing: Placing) -> Option<Queued> {
        let due = |queued: &&Queued| due_at(queued, placing) <= until_ns;
        self.queue.front().filter(due)?;
        let queued = self.queue.pop_front()?;
        self.queued_bytes = self.queued_bytes.saturating_sub(queued.frame.payload.len());
        Some(queued)
    }

    fn task(&mut self, input: Vec<Input>) -> Result<Option<Task>, DecodeError> {
        if input.is_empty() {
            return Ok(None);
        }
        let decoder = match &self.decoder {
            Some(decoder) => Arc::clone(decoder),
            None => match Decoder::new(self.info.codec) {
                Ok(decoder) => Arc::clone(self.decoder.insert(Arc::new(decoder))),
                Err(error) => {
                    self.give_up();
                    return Err(error);
                }
            },
        };
        Ok(Some(Task {
            track: self.info.track,
            decoder,
            input,
        }))
    }

    /// Takes the answer to [`VideoTrack::due`]; returns the error if the decoder failed.
    pub fn decoded(&mut self, outcome: Outcome) -> Option<DecodeError> {
        let decoding = std::mem::take(&mut self.decoding);
        let done = outcome.output.len();
        for ((arrival_ns, visible), samples) in decoding.iter().zip(outcome.output) {
            let Some(sample) = samples.into_iter().next_back().filter(|_| *visible) else {
                continue;
            };
            let info = sample
                .caps()
                .and_then(|caps| gst_video::VideoInfo::from_caps(caps).ok());
            let Some(info) = info else { continue };
            self.serial += 1;
            self.picture = Some(Picture {
                sample,
                info,
                serial: self.serial,
                arrival_ns: *arrival_ns,
            });
        }
        match outcome.error.as_ref()? {
            DecodeError::Unsupported(_) => self.give_up(),
            DecodeError::Stuck if self.hangs >= HANGS_LIMIT => self.give_up(),
            // The machine may have stood still, not the decoder.
            DecodeError::Stuck => {
                self.hangs += 1;
                self.begin_again(decoding.len() - done);
            }
            DecodeError::Failed(_) => self.begin_again(decoding.len() - done),
        }
        outcome.error
    }

    /// The size of a picture that was too large to be decoded, told once.
    pub fn take_too_large(&mut self) -> Option<(u32, u32)> {
        self.too_large.take()
    }

    /// From when on it is left out for good, told once; file time, ns.
    pub fn take_left_out(&mut self) -> Option<i64> {
        self.left_out_from.take()
    }

    /// Decides whether a frame goes to the decoder, and whether its picture may be shown.
    fn admit(&mut self, queued: &Queued) -> Option<bool> {
        let Queued { frame, arrival } = queued;
        if arrival.deadly {
            self.left_out_from = Some(arrival.at_ns);
            self.give_up();
            return None;
        }
        let arrival_ns = arrival.at_ns;
        // What came while time was left out is missing, whatever else is told.
        let contiguous = frame.contiguous && arrival.stretch == self.stretch;
        if frame.payload.is_empty() {
            return None;
        }
        if let Some(size) = coded_size(self.info.codec, &frame.payload)
            && (size.width > SIDE_LIMIT || size.height > SIDE_LIMIT)
        {
            self.too_large = Some((size.width, size.height));
            self.need_keyframe = true;
            return None;
        }
        self.stretch = arrival.stretch;
        if frame.keyframe {
            self.need_keyframe = false;
            self.damaged_since = None;
            self.replay = Replay::default();
        } else if self.need_keyframe {
            return None;
        } else if !contiguous {
            self.damaged_since.get_or_insert(arrival_ns);
        }
        self.replay.keep(&frame.payload);
        let damaged = self
            .damaged_since
            .is_some_and(|since| arrival_ns - since < DAMAGE_HOLD_NS);
        Some(!damaged && arrival_ns >= self.shown_from_ns)
    }

    /// After an error: a new decoder, fed with what came since the key frame but for the frame
    /// that failed. `undone` inputs were not decoded, the failed one first.
    fn begin_again(&mut self, undone: usize) {
        self.decoder = None;
        let possible = !self.replay.incomplete && !self.replay.wanted && undone > 0;
        match self.replay.frames.len().checked_sub(undone) {
            // A key frame came after the frame that failed.
            None if possible && !self.replay.frames.is_empty() => self.replay.wanted = true,
            Some(failed) if possible && failed > 0 => {
                self.replay.frames.remove(failed);
                self.replay.wanted = true;
            }
            _ => {
                self.replay = Replay::default();
                self.need_keyframe = true;
            }
        }
    }

    fn replayed(&mut self) -> Vec<Input> {
        if !self.replay.wanted || self.decoder.is_some() {
            self.replay.wanted = false;
            return Vec::new();
        }
        let last = self.replay.frames.len().saturating_sub(1);
        let arrival_ns = self.last_arrival_ns;
        self.decoding
            .extend((0..=last).map(|index| (arrival_ns, index == last)));
        self.replay
            .frames
            .iter()
            .cloned()
            .map(Input::Frame)
            .collect()
    }

    /// Decodes no more; the tile shows a placeholder instead of a picture that stands still.
    fn give_up(&mut self) {
        self.given_up = true;
        self.picture = None;
        self.decoder = None;
        self.queue.clear();
        self.queued_bytes = 0;
        self.skipped = Skipped::default();
        self.replay = Replay::default();
        self.decoding.clear();
    }
}

impl Replay {
    fn keep(&mut self, frame: &Bytes) {
        self.bytes += frame.len();
        if self.incomplete || self.bytes > REPLAY_LIMIT {
            self.frames = Vec::new();
            self.incomplete = true;
        } else {
            self.frames.push(frame.clone());
        }
    }
}

/// When a frame is due: in its place, though not so early that what the log tells of the track's
/// clock cannot be known yet, not so late that a single wrong RTP time holds up the rest, and
/// before the file jumps.
fn due_at(queued: &Queued, placing: Placing) -> i64 {
    let earliest = queued.arrival.at_ns.saturating_sub(HOLD_NS);
    let latest = queued.arrival.at_ns.saturating_add(HOLD_NS);
    let bounds = placing.bounds(queued.arrival.stretch);
    placing
        .place(queued.frame.rtp, queued.arrival.stretch)
        .map_or(earliest, |time| time.clamp(earliest, latest))
        .min(bounds.end.saturating_sub(1))
        .max(bounds.start)
}

#[cfg(test)]
#[path = "track_tests.rs"]
mod tests;
