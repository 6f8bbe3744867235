use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use gstreamer as gst;

use super::pcm::{PcmSound, pcm_samples};
use super::stretch::stretch;
use super::track_sound::{TrackSound, clip, fade_in, fade_out};
use super::{Quality, RATE, Stereo};
use crate::log::{Codec, Frame, TrackInfo};
use crate::render::HOLD_NS;
use crate::render::decode::{DecodeError, Decoder, Input, Outcome, Task};
use crate::render::timeline::{Arrival, AudioPlacement, Placed, Placing, opus_samples};

/// What an Opus encoder delays sound by, samples (`OPUS_GET_LOOKAHEAD` of libopus at 48 kHz).
const OPUS_DELAY: i64 = 312;
/// Sound below this is silence: moving it is not heard.
const QUIET: f32 = 0.005;
/// A packet shorter than this holds silence, bytes.
const QUIET_BYTES: usize = 8;
/// Packets that wait for their time; more are dropped, oldest first.
const QUEUE_LIMIT: usize = 2_000;

/// One audio track: its packets on the way to the mix.
pub struct AudioTrack {
    info: TrackInfo,
    quality: Quality,
    queue: VecDeque<Packet>,
    /// Of one whose packets are samples already.
    pcm: Option<PcmSound>,
    decoder: Option<Arc<Decoder>>,
    placement: AudioPlacement,
    sound: TrackSound,
    quiet: bool,
    /// The stretch of the file that the last packet belongs to.
    stretch: usize,
    /// What the decoder is asked for at the moment.
    planned: Vec<Plan>,
    given_up: bool,
    left_out_from: Option<i64>,
}

struct Packet {
    rtp: i64,
    arrival: Arrival,
    payload: Bytes,
}

/// Where the decoder's answers go, one per input.
enum Plan {
    Anew,
    Concealed {
        position: i64,
        length: i64,
        ends: bool,
    },
    Packet {
        placed: Placed,
        /// Samples that the packet's stretch of the file fills.
        bounds: Range<i64>,
    },
}

impl AudioTrack {
    /// A track whose sound is mixed from sample `position` on.
    pub fn new(info: TrackInfo, quality: Quality, position: u64) -> Self {
        let pcm = (info.codec == Codec::Pcm).then(|| PcmSound::new(info.clock_rate, quality));
        Self {
            info,
            quality,
            queue: VecDeque::new(),
            pcm,
            decoder: None,
            placement: AudioPlacement::default(),
            sound: TrackSound::new(quality, position as i64),
            quiet: true,
            stretch: 0,
            planned: Vec::new(),
            given_up: false,
            left_out_from: None,
        }
    }

    pub fn info(&self) -> &TrackInfo {
        &self.info
    }

    /// Takes a packet in order of arrival.
    pub fn receive(&mut self, frame: Frame, arrival: Arrival) {
        if self.given_up {
            return;
        }
        if self.queue.len() >= QUEUE_LIMIT {
            self.queue.pop_front();
        }
        self.queue.push_back(Packet {
            rtp: frame.rtp,
            arrival,
            payload: frame.payload,
        });
    }

    /// From when on it is left out for good, told once; file time, ns.
    pub fn take_left_out(&mut self) -> Option<i64> {
        self.left_out_from.take()
    }

    /// The greatest sample mixed since this was asked, 1 at full scale.
    pub fn take_peak(&mut self) -> f32 {
        self.sound.take_peak()
    }

    /// Whether all of it has been mixed.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.sound.is_empty()
    }

    /// Lets the sound up to sample `until` pass without decoding it.
    pub fn skip(&mut self, until: u64, placing: Placing) {
        let input = self.plan(until, placing);
        // Packets of silence are a few bytes long.
        if let Some(Input::Frame(packet)) = input.last() {
            self.quiet = packet.len() < QUIET_BYTES;
        }
        for plan in std::mem::take(&mut self.planned) {
            let (position, length) = match &plan {
                Plan::Anew => continue,
                Plan::Concealed {
                    position, length, ..
                } => (*position, *length),
                Plan::Packet { placed, .. } => (placed.position, placed.length),
            };
            let (_, length) = self.in_mix(position, length);
            self.settle(plan, vec![[0.0; 2]; length]);
        }
    }

    /// What has to be decoded for the mix up to sample `until`. The answer goes to
    /// [`AudioTrack::decoded`].
    pub fn due(&mut self, until: u64, placing: Placing) -> Result<Option<Task>, DecodeError> {
        let input = self.plan(until, placing);
        if input.is_empty() {
            return Ok(None);
        }
        if self.pcm.is_some() {
            self.take_samples(&input);
            return Ok(None);
        }
        let decoder = match &self.decoder {
            Some(decoder) => Arc::clone(decoder),
            None => Arc::clone(
                self.decoder
                    .insert(Arc::new(Decoder::for_sound(self.info.codec, self.quality)?)),
            ),
        };
        Ok(Some(Task {
            track: self.info.track,
            decoder,
            input,
        }))
    }

    /// Places the packets that are due before sample `until`.
    fn plan(&mut self, until: u64, placing: Placing) -> Vec<Input> {
        let mut input = Vec::new();
        let until = until as i64 * self.quality.divisor();
        while let Some(packet) = self.queue.front() {
            let Some(time_ns) = placing.place(packet.rtp, packet.arrival.stretch) else {
                break;
            };
            if packet.arrival.stretch != self.stretch {
                self.stretch = packet.arrival.stretch;
                self.placement.cut();
            }
            let bounds = placing.bounds(packet.arrival.stretch);
            // A single wrong RTP time must not hold up the rest.
            let latest = packet.arrival.at_ns.saturating_add(HOLD_NS);
            let delay = self.pcm.as_ref().map_or(OPUS_DELAY, PcmSound::delay);
            let target = samples(time_ns.min(latest)) - delay;
            let needed = self
                .placement
                .needed_from(target)
                .max(samples(packet.arrival.at_ns - HOLD_NS))
                .min(samples(bounds.end).saturating_sub(1));
            if needed > until {
                break;
            }
            let Some(packet) = self.queue.pop_front() else {
                break;
            };
            if packet.arrival.deadly {
                self.left_out_from = Some(packet.arrival.at_ns);
                self.given_up = true;
                self.queue.clear();
                break;
            }
            let length = match self.info.codec {
                Codec::Pcm => pcm_samples(&packet.payload, self.info.clock_rate),
                _ => opus_samples(&packet.payload),
            };
            let Some(length) = length else {
                continue;
            };
            let rtp = to_samples(packet.rtp, self.info.clock_rate);
            let Some(mut placed) = self.placement.place(rtp, length, target, self.quiet) else {
                continue;
            };
            if self.pcm.is_some() && placed.conceal > 0 {
                // Samples that are missing are not guessed.
                placed.conceal = 0;
                placed.fresh = true;
            }
            if placed.anew {
                self.planned.push(Plan::Anew);
                input.push(Input::Anew);
            }
            if placed.conceal > 0 {
                self.planned.push(Plan::Concealed {
                    position: placed.conceal_from,
                    length: placed.conceal,
                    ends: placed.fresh,
                });
                input.push(Input::Lost(placed.conceal as u64 * 1_000_000_000 / RATE));
            }
            self.planned.push(Plan::Packet {
                placed,
                bounds: samples(bounds.start)..samples(bounds.end),
            });
            input.push(Input::Frame(packet.payload));
        }
        input
    }

    /// Takes the answer to [`AudioTrack::due`]; returns the error if the decoder failed.
    pub fn decoded(&mut self, outcome: Outcome) -> Option<DecodeError> {
        let plans = std::mem::take(&mut self.planned);
        for (plan, output) in plans.into_iter().zip(outcome.output) {
            self.take(plan, stereo(&output, self.quality));
        }
        if outcome.error.is_some() {
            self.decoder = None;
        }
        outcome.error
    }

    /// Takes packets of samples for what they are.
    fn take_samples(&mut self, input: &[Input]) {
        let plans = std::mem::take(&mut self.planned);
        for (plan, input) in plans.into_iter().zip(input) {
            let Some(pcm) = &mut self.pcm else {
                return;
            };
            let sound = match input {
                Input::Frame(packet) => pcm.sound(packet),
                Input::Anew | Input::Lost(_) => {
                    pcm.begin_anew();
                    Vec::new()
                }
            };
            self.take(plan, sound);
        }
    }

    /// Takes what an input gave.
    fn take(&mut self, plan: Plan, sound: Vec<Stereo>) {
        if let Plan::Packet { .. } = plan {
            let values = sound.iter().flatten();
            let peak = values.fold(0f32, |peak, value| peak.max(value.abs()));
            self.quiet = peak < QUIET;
        }
        self.settle(plan, sound);
    }

    /// Puts decoded sound in its place.
    fn settle(&mut self, plan: Plan, mut sound: Vec<Stereo>) {
        match plan {
            Plan::Anew => {}
            Plan::Concealed {
                position,
                length,
                ends,
            } => {
                // A concealed stretch is rounded up to whole frames of the codec.
                let (position, length) = self.in_mix(position, length);
                sound.truncate(length);
                if ends {
                    fade_out(&mut sound, self.quality.fade());
                }
                self.sound.write(position, &sound);
            }
            Plan::Packet { placed, bounds } => {
                let fade = self.quality.fade();
                if placed.fresh {
                    fade_in(&mut sound, fade);
                }
                let (position, length) = self.in_mix(placed.position, placed.length);
                let mut sound = stretch(sound, length);
                let bounds = self.quality.scaled(bounds.start)..self.quality.scaled(bounds.end);
                let position = clip(&mut sound, position, bounds, fade);
                self.sound.write(position, &sound);
            }
        }
    }

    /// Position and length in samples of the mix: what touches still does.
    fn in_mix(&self, position: i64, length: i64) -> (i64, usize) {
        let [from, to] = [position, position.saturating_add(length)];
        let [from, to] = [from, to].map(|sample| self.quality.scaled(sample));
        (from, to.saturating_sub(from).max(0) as usize)
    }

    /// Adds the track's next samples to the mix.
    pub fn mix_into(&mut self, mix: &mut [Stereo]) {
        self.sound.mix_into(mix);
    }
}

fn samples(time_ns: i64) -> i64 {
    to_samples(time_ns, 1_000_000_000)
}

fn to_samples(ticks: i64, clock_rate: u32) -> i64 {
    if u64::from(clock_rate) == RATE {
        return ticks;
    }
    let samples = i128::from(ticks) * i128::from(RATE);
    samples.div_euclid(i128::from(clock_rate.max(1))) as i64
}

/// Decoded samples, 16 bits each.
fn stereo(output: &[gst::Sample], quality: Quality) -> Vec<Stereo> {
    let value = |bytes: &[u8]| f32::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_768.0;
    let mut sound = Vec::new();
    for buffer in output.iter().filter_map(|sample| sample.buffer()) {
        let Ok(map) = buffer.map_readable() else {
            continue;
        };
        match quality {
            Quality::Full => sound.extend(
                map.chunks_exact(4)
                    .map(|bytes| [value(bytes), value(&bytes[2..])]),
            ),
            Quality::Speech => sound.extend(map.chunks_exact(2).map(|bytes| [value(bytes); 2])),
        }
    }
    sound
}
