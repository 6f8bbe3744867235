use std::fs::File;
use std::path::Path;

use super::mp4::{ResumePoint, resume_point};
use super::output::{AAC_FRAME, Identity, verified};
use super::sound::RATE;
use super::timeline::Rhythm;

/// Sound may be ahead of the picture by this much where a render goes on, ns; further ahead, the
/// pictures until there would wait for sound.
const LEAD_NS: u64 = 50_000_000;
/// What is shorter is rendered anew, samples.
const WORTH_KEEPING: u64 = 3 * RATE;

/// Where a render goes on behind what an earlier one of the same log left.
#[derive(Clone, Debug)]
pub struct Seam {
    pub point: ResumePoint,
    /// The slot of the first picture that is missing.
    pub slot: u64,
    /// The slots of the pictures that are there.
    pictures: Vec<u64>,
}

impl Seam {
    /// Looks for what can be kept of the file at `path`, up to `before_ns`. `None` if it has to be
    /// made anew.
    pub fn find(path: &Path, identity: &Identity, rhythm: &Rhythm, before_ns: u64) -> Option<Self> {
        // Whatever cannot be read is made anew.
        let found = verified(path, identity).ok()?;
        let file = File::open(path).ok()?;
        let point = resume_point(path, &file, found.length, LEAD_NS, before_ns).ok()??;
        Self::at(point, rhythm)
    }

    fn at(point: ResumePoint, rhythm: &Rhythm) -> Option<Self> {
        let (ticks, timescale) = point.picture_end;
        let slot_of = |ticks: u64| {
            let slots = u128::from(ticks) * u128::from(rhythm.slots_per_second());
            let timescale = u128::from(timescale);
            slots
                .is_multiple_of(timescale)
                .then_some((slots / timescale) as u64)
        };
        let slot = slot_of(ticks)?;
        let pictures = point.pictures.iter().map(|&ticks| slot_of(ticks));
        let pictures = pictures.collect::<Option<Vec<u64>>>()?;
        let (sample, sound_timescale) = point.sound_end;
        let on_the_grid = u64::from(sound_timescale) == RATE && sample.is_multiple_of(AAC_FRAME);
        (on_the_grid && sample >= WORTH_KEEPING).then_some(Self {
            point,
            slot,
            pictures,
        })
    }

    /// Whether a picture of a slot is there already.
    pub fn has_picture(&self, slot: u64) -> bool {
        self.pictures.binary_search(&slot).is_ok()
    }
}
