//! Judges a finished recording: what publishers showed while it ran is in the file at its place or
//! in a gap that was told, and nothing is there twice.
//!
//! Publishers flash and beep at known moments of the wall clock (see [`crate::media`]), so it is
//! known of each where in the file it belongs.

mod claims;
#[cfg(test)]
mod tests;

use std::ops::{AddAssign, Range};
use std::path::Path;

use tapedeck_pipelines::layout::Rect;

pub use claims::Claims;
use claims::{Moment, Need};

use crate::content::offsets;
use crate::findings::Findings;
use crate::media::BEEP_SECONDS;
use crate::publisher::PublisherOptions;

/// How far from its place a moment may be found, s. Machines of tests are busy.
const PLACE_SECONDS: f64 = 0.2;
/// How far the length of a file may be from that of its recording, s.
const LENGTH_SECONDS: f64 = 0.3;
/// How far sound may be from picture, median of all pairs, ms.
const SYNC_MS: f64 = 60.0;
/// Fewer pairs of flash and beep tell nothing of their distance.
const SYNC_PAIRS: usize = 3;
/// The edges of a beep are heard at other pitches too, s around it.
const EDGE_SECONDS: f64 = 0.03;

/// What a publisher showed, and when.
#[derive(Clone, Debug)]
pub struct Shown {
    pub options: PublisherOptions,
    /// When it published, Unix ms.
    pub present: Vec<Range<f64>>,
}

impl Shown {
    /// A publisher that was there all the time.
    pub fn always(options: &PublisherOptions) -> Self {
        Self {
            options: options.clone(),
            present: vec![f64::MIN..f64::MAX],
        }
    }
}

/// When one publisher is seen and heard in a file, s.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub flashes: Vec<f64>,
    pub beeps: Vec<f64>,
}

/// What was looked for and found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Flashes and beeps that were shown while it was recorded.
    pub moments: usize,
    /// Those of them that are missing in or beside a gap that was told.
    pub in_gaps: usize,
    /// Those that are missing elsewhere.
    pub lost: usize,
    /// What is wrong, one line each; empty if nothing is.
    pub faults: Vec<String>,
}

impl AddAssign for Verdict {
    fn add_assign(&mut self, other: Self) {
        self.moments += other.moments;
        self.in_gaps += other.in_gaps;
        self.lost += other.lost;
        self.faults.extend(other.faults);
    }
}

/// Judges a finished file. `places` are those of the publishers in the picture, in their order.
///
/// # Panics
/// The file does not decode to its end.
pub fn judge(path: &Path, claims: &Claims, shown: &[Shown], places: &[Rect]) -> Verdict {
    let found = Findings::of(path, places);
    let seen: Vec<Seen> = shown
        .iter()
        .enumerate()
        .map(|(place, shown)| Seen {
            flashes: match shown.options.camera {
                Some(_) => found.tiles[place].flashes(),
                None => Vec::new(),
            },
            beeps: found.sound.beeps(f64::from(shown.options.pitch)),
        })
        .collect();
    weigh(claims, shown, &seen, found.duration())
}

/// Judges what was seen of each publisher in a file that lasts `duration` seconds.
pub fn weigh(claims: &Claims, shown: &[Shown], seen: &[Seen], duration: f64) -> Verdict {
    let mut verdict = Verdict::default();
    let expected = claims.file_seconds();
    if (duration - expected).abs() > LENGTH_SECONDS {
        verdict.faults.push(format!(
            "the file lasts {duration:.2} s, the recording {expected:.2} s"
        ));
    }
    for (index, (shown, own)) in shown.iter().zip(seen).enumerate() {
        let identity = &shown.options.identity;
        let moments = claims.moments(shown);
        if shown.options.camera.is_some() {
            let what = format!("flash of {identity}");
            verdict += compare(&what, &moments, &own.flashes);
        }
        if shown.options.microphone {
            let others = seen.iter().enumerate().filter(|(other, _)| *other != index);
            let others: Vec<f64> = others.flat_map(|(_, seen)| seen.beeps.clone()).collect();
            let heard = without_edges(&own.beeps, &moments, &others);
            verdict += compare(&format!("beep of {identity}"), &moments, &heard);
        }
        let offsets = offsets(&own.flashes, &own.beeps);
        if offsets.each_ms.len() >= SYNC_PAIRS && offsets.median_ms.abs() > SYNC_MS {
            verdict.faults.push(format!(
                "sound of {identity} is {:.0} ms off its picture",
                offsets.median_ms
            ));
        }
    }
    verdict
}

/// Leaves out what is only the edge of another publisher's beep.
fn without_edges(beeps: &[f64], moments: &[Moment], others: &[f64]) -> Vec<f64> {
    let is_edge = |beep: f64| {
        let reach = -EDGE_SECONDS..BEEP_SECONDS + EDGE_SECONDS;
        nearest(moments, beep).is_none()
            && others.iter().any(|other| reach.contains(&(beep - other)))
    };
    beeps
        .iter()
        .copied()
        .filter(|beep| !is_edge(*beep))
        .collect()
}

/// The moment that something seen or heard at `time` belongs to.
fn nearest(moments: &[Moment], time: f64) -> Option<usize> {
    let distance = |index: &usize| (moments[*index].at - time).abs();
    (0..moments.len())
        .filter(|index| distance(index) <= PLACE_SECONDS)
        .min_by(|one, other| distance(one).total_cmp(&distance(other)))
}

fn compare(what: &str, moments: &[Moment], times: &[f64]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut found = vec![0; moments.len()];
    for &time in times {
        match nearest(moments, time) {
            Some(index) => found[index] += 1,
            None => verdict
                .faults
                .push(format!("a {what} at {time:.2} s, where there was none")),
        }
    }
    for (moment, found) in moments.iter().zip(found) {
        let at = moment.at;
        verdict.moments += usize::from(moment.need != Need::Free);
        match (found, moment.need) {
            (0, Need::Whole) => {
                verdict.lost += 1;
                verdict
                    .faults
                    .push(format!("the {what} that belongs at {at:.2} s is missing"));
            }
            (0, Need::Gap) => verdict.in_gaps += 1,
            (0 | 1, _) => {}
            (more, _) => verdict
                .faults
                .push(format!("the {what} at {at:.2} s is there {more} times")),
        }
    }
    verdict
}
