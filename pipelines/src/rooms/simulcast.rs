//! One track of the simulcast layers that a publisher sends (RFC 8853). Pure.
//!
//! Captures get one layer at a time. Another one is begun with a key frame, and goes on in the RTP
//! time of the first: each layer has a clock of its own, and their sender reports tell how they
//! relate (RFC 3550 section 6.4.1).

use std::time::{Duration, Instant};

use str0m::media::Rid;

/// A layer of which nothing came for so long is not sent any more: senders leave out the large
/// ones when the network or the machine is slow.
const GONE: Duration = Duration::from_secs(2);

/// A layer is large enough for a picture this much larger.
const TOLERANCE: f64 = 0.9;

/// The most layers of a track; senders have three.
const MOST_LAYERS: usize = 6;

/// Ticks of RTP time per second of all video codecs.
const SECOND: i32 = 90_000;

/// Chooses the layer of a track.
#[derive(Debug, Default)]
pub struct Simulcast {
    layers: Vec<Layer>,
    /// The layer that captures get.
    forwarded: Option<Rid>,
    /// What is added to its RTP time.
    offset: u32,
    /// The RTP time of the last forwarded frame, and when it came.
    last: Option<(u32, Instant)>,
    /// Pixels that are enough; none for all there are.
    wanted_height: Option<u32>,
}

#[derive(Debug)]
struct Layer {
    rid: Rid,
    last_seen: Instant,
    /// Pixels; 0 before the first key frame and for codecs that do not tell.
    height: u32,
    /// Bytes of this second and the one before: what tells layers apart when sizes do not.
    bytes: (u64, u64),
    since: Instant,
    report: Option<Report>,
}

/// At `ntp_ns` on the publisher's clock the layer's RTP time was `rtp`.
#[derive(Clone, Copy, Debug)]
struct Report {
    rtp: u32,
    ntp_ns: i64,
}

/// A frame of a layer.
#[derive(Clone, Copy, Debug)]
pub struct LayerFrame {
    pub rid: Rid,
    pub keyframe: bool,
    pub rtp: u32,
    pub bytes: usize,
    /// Pixels, of a key frame that tells.
    pub height: Option<u32>,
}

/// What to do about a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The RTP time under which it is forwarded; none if it is not.
    pub forward: Option<u32>,
    /// It is the first frame of another layer.
    pub switched: bool,
    /// The layer to be asked for a key frame.
    pub ask: Option<Rid>,
}

impl Simulcast {
    /// A frame came.
    pub fn frame(&mut self, frame: LayerFrame, now: Instant) -> Decision {
        let Some(layer) = self.layer(frame.rid, now) else {
            return Decision::default();
        };
        layer.saw(frame.bytes, now);
        if let Some(height) = frame.height {
            layer.height = height;
        }
        let target = self.target(now);
        let mut decision = Decision::default();
        let begins = self.forwarded.is_none() || target == Some(frame.rid);
        if self.forwarded != Some(frame.rid) && begins && frame.keyframe {
            self.switch(frame, now);
            decision.switched = true;
        }
        if self.forwarded == Some(frame.rid) {
            let mut rtp = frame.rtp.wrapping_add(self.offset);
            // The last frame of the layer before may have been of the same moment.
            if let Some((last, _)) = self.last
                && (1 - SECOND..=0).contains(&rtp.wrapping_sub(last).cast_signed())
            {
                rtp = last.wrapping_add(1);
            }
            self.last = Some((rtp, now));
            decision.forward = Some(rtp);
        }
        decision.ask = target.filter(|target| self.forwarded != Some(*target));
        decision
    }

    /// A layer's sender report came. Returns the RTP time for it in what captures get, if it is of
    /// the layer that they get.
    pub fn report(&mut self, rid: Rid, rtp: u32, ntp_ns: i64) -> Option<u32> {
        let layer = self.layers.iter_mut().find(|layer| layer.rid == rid)?;
        layer.report = Some(Report { rtp, ntp_ns });
        (self.forwarded == Some(rid)).then(|| rtp.wrapping_add(self.offset))
    }

    /// Pictures of this height are enough, pixels; none for the largest there are.
    pub fn want_height(&mut self, height: Option<u32>) {
        self.wanted_height = height;
    }

    /// The layer that captures get.
    pub fn forwarded(&self) -> Option<Rid> {
        self.forwarded
    }

    /// The name of the layer that captures get, among those that are sent: `low`, `medium` or
    /// `high`; empty without a choice.
    pub fn name(&self) -> &'static str {
        let heights = self.heights();
        let layer = self
            .layers
            .iter()
            .find(|layer| Some(layer.rid) == self.forwarded);
        let at = layer.and_then(|layer| heights.iter().position(|height| *height == layer.height));
        match at {
            Some(_) | None if heights.len() < 2 => "",
            Some(at) if at + 1 == heights.len() => "high",
            Some(0) => "low",
            Some(_) => "medium",
            None => "",
        }
    }

    /// Heights of the layers that were seen, pixels, ascending.
    pub fn heights(&self) -> Vec<u32> {
        let mut heights: Vec<u32> = self
            .layers
            .iter()
            .map(|layer| layer.height)
            .filter(|height| *height > 0)
            .collect();
        heights.sort_unstable();
        heights.dedup();
        heights
    }

    fn layer(&mut self, rid: Rid, now: Instant) -> Option<&mut Layer> {
        let at = self.layers.iter().position(|layer| layer.rid == rid);
        let at = match at {
            Some(at) => at,
            None if self.layers.len() < MOST_LAYERS => {
                self.layers.push(Layer {
                    rid,
                    last_seen: now,
                    height: 0,
                    bytes: (0, 0),
                    since: now,
                    report: None,
                });
                self.layers.len() - 1
            }
            None => return None,
        };
        self.layers.get_mut(at)
    }

    /// The layer that captures should get.
    fn target(&self, now: Instant) -> Option<Rid> {
        let mut sent: Vec<&Layer> = self
            .layers
            .iter()
            .filter(|layer| now < layer.last_seen + GONE)
            .collect();
        sent.sort_by_key(|layer| (layer.height, layer.bytes.0.max(layer.bytes.1)));
        let largest = sent.last()?;
        let enough = self
            .wanted_height
            .map(|height| f64::from(height) * TOLERANCE);
        let chosen = enough.and_then(|enough| {
            sent.iter()
                .find(|layer| layer.height > 0 && f64::from(layer.height) >= enough)
        });
        let chosen = chosen.unwrap_or(largest);
        // What is told apart by bytes only is kept while it comes.
        let present = sent.iter().find(|layer| Some(layer.rid) == self.forwarded);
        match present {
            Some(present) if present.height == 0 && chosen.height == 0 => {
                let (present_bytes, chosen_bytes) = (present.bytes.0, chosen.bytes.0);
                let clearly_larger = chosen_bytes > present_bytes + present_bytes / 2;
                Some(if clearly_larger {
                    chosen.rid
                } else {
                    present.rid
                })
            }
            _ => Some(chosen.rid),
        }
    }

    /// Goes over to the layer of a key frame.
    fn switch(&mut self, frame: LayerFrame, now: Instant) {
        if let Some((last, at)) = self.last {
            let elapsed = now.saturating_duration_since(at).as_micros() * 90 / 1_000;
            let by_arrival = last.wrapping_add(u32::try_from(elapsed).unwrap_or(u32::MAX));
            // Reports may make no sense together.
            let makes_sense = |rtp: &u32| {
                let apart = rtp.wrapping_sub(by_arrival).cast_signed();
                (1 - SECOND..SECOND).contains(&apart)
            };
            let by_reports = self.by_reports(frame).filter(makes_sense);
            self.offset = by_reports.unwrap_or(by_arrival).wrapping_sub(frame.rtp);
        }
        self.forwarded = Some(frame.rid);
    }

    /// The RTP time of a frame in what captures get, by the sender reports of both layers.
    fn by_reports(&self, frame: LayerFrame) -> Option<u32> {
        let report = |rid| self.layers.iter().find(|l| l.rid == rid)?.report;
        let (from, to) = (report(self.forwarded?)?, report(frame.rid)?);
        let since_report = i128::from(frame.rtp.wrapping_sub(to.rtp).cast_signed());
        let apart = i128::from(to.ntp_ns) - i128::from(from.ntp_ns);
        let ticks = since_report + apart * i128::from(SECOND) / 1_000_000_000;
        let wrapped = u32::try_from(ticks.rem_euclid(1 << 32)).ok()?;
        Some(from.rtp.wrapping_add(wrapped).wrapping_add(self.offset))
    }
}

impl Layer {
    fn saw(&mut self, bytes: usize, now: Instant) {
        self.last_seen = now;
        if now >= self.since + Duration::from_secs(1) {
            self.bytes = (0, self.bytes.0);
            self.since = now;
        }
        self.bytes.0 += bytes as u64;
    }
}

#[cfg(test)]
#[path = "simulcast_tests.rs"]
mod tests;
