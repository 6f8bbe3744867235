//! What a finished recording shows of its publishers.

use std::path::Path;

use tapedeck_pipelines::layout::{Rect, arrange};

use crate::content::{self, Offsets, Sound, Stretch, Tile};
use crate::media::BEEP_SECONDS;
use crate::publisher::PublisherOptions;

/// The size of recordings unless a request says otherwise.
pub const CANVAS: (u32, u32) = (1280, 720);

/// A finished file, decoded.
pub struct Findings {
    pub recording: content::Recording,
    pub sound: Sound,
    /// One for each asked rectangle.
    pub tiles: Vec<Tile>,
}

/// The places of `participants` tiles without a screen share.
pub fn grid(participants: usize) -> Vec<Rect> {
    arrange(CANVAS.0, CANVAS.1, participants, 0).participants
}

impl Findings {
    /// Decodes a file and looks at those places of its picture.
    ///
    /// # Panics
    /// The file has a problem that keeps it from playing everywhere.
    pub fn of(path: &Path, places: &[Rect]) -> Self {
        let recording = content::Recording::open(path).expect("a readable file");
        let problems = recording.problems().expect("a file that decodes");
        assert!(problems.is_empty(), "{problems:#?}");
        let tiles = recording.tiles(places).expect("a picture");
        let sound = recording.sound().expect("sound");
        assert_eq!(sound.clipped, 0, "samples are clipped");
        Self {
            recording,
            sound,
            tiles,
        }
    }

    /// The length of the file, s.
    pub fn duration(&self) -> f64 {
        self.recording.duration()
    }

    /// Flashes of a place within a stretch.
    pub fn flashes(&self, place: usize, from: f64, to: f64) -> Vec<f64> {
        within(&self.tiles[place].flashes(), from, to)
    }

    /// Beeps of a publisher within a stretch.
    pub fn beeps(&self, publisher: &PublisherOptions, from: f64, to: f64) -> Vec<f64> {
        within(&self.sound.beeps(f64::from(publisher.pitch)), from, to)
    }

    /// Asserts that a publisher is not heard within a stretch. Beeps of `other` pass through the
    /// filter of another pitch at their beginning and end and do not count.
    pub fn assert_unheard(
        &self,
        publisher: &PublisherOptions,
        other: &PublisherOptions,
        from: f64,
        to: f64,
    ) {
        let others = self.beeps(other, 0.0, f64::MAX);
        let mut beeps = self.beeps(publisher, from, to);
        beeps.retain(|beep| {
            let belongs = |start: &f64| (-0.03..BEEP_SECONDS + 0.03).contains(&(beep - start));
            !others.iter().any(belongs)
        });
        assert!(
            beeps.is_empty(),
            "{} is heard from {from:.1} s to {to:.1} s: {beeps:.2?}",
            publisher.identity
        );
    }

    /// Asserts that a publisher is seen at a place once a second throughout a stretch; `missing`
    /// flashes may be lost.
    pub fn assert_seen(&self, place: usize, from: f64, to: f64, missing: usize) {
        let flashes = self.flashes(place, from, to);
        assert_each_second("flashes", &flashes, from, to, missing);
    }

    /// The same for its beeps.
    pub fn assert_heard(&self, publisher: &PublisherOptions, from: f64, to: f64, missing: usize) {
        let beeps = self.beeps(publisher, from, to);
        let what = format!("beeps of {}", publisher.identity);
        assert_each_second(&what, &beeps, from, to, missing);
    }

    /// Asserts that sound and picture of the publisher at a place belong together, from 5 s on
    /// (`from`, if later). Prints the figures; the bound is loose, since machines of tests are busy.
    pub fn assert_in_sync(&self, place: usize, publisher: &PublisherOptions, from: f64) -> Offsets {
        let from = from.max(5.0);
        let flashes = self.flashes(place, from, f64::MAX);
        let beeps = self.beeps(publisher, from, f64::MAX);
        let offsets = content::offsets(&flashes, &beeps);
        println!(
            "{}: sound less picture: median {:.1} ms, p95 {:.1} ms of {} pairs",
            publisher.identity,
            offsets.median_ms,
            offsets.p95_ms,
            offsets.each_ms.len()
        );
        assert!(
            offsets.median_ms.abs() <= 60.0,
            "{} is out of sync: {:?}",
            publisher.identity,
            offsets.each_ms
        );
        offsets
    }

    /// The longest time from one picture to the next, from `from` on, s. Before anybody moves
    /// there is nothing new to show.
    pub fn longest_pause(&self, from: f64) -> f64 {
        let video = self.recording.video().expect("a picture");
        let times = content::after(from, &video.frame_times);
        let pauses = times.windows(2).map(|pair| pair[1] - pair[0]);
        pauses.fold(0.0, f64::max)
    }

    /// How long a place shows the picture of a camera that is off within a stretch, s.
    pub fn placeholder_seconds(&self, place: usize, from: f64, to: f64) -> f64 {
        let overlap = |stretch: &Stretch| (stretch.end.min(to) - stretch.start.max(from)).max(0.0);
        self.tiles[place].placeholders().iter().map(overlap).sum()
    }
}

fn within(times: &[f64], from: f64, to: f64) -> Vec<f64> {
    let inside = |time: &&f64| (from..to).contains(*time);
    times.iter().filter(inside).copied().collect()
}

fn assert_each_second(what: &str, times: &[f64], from: f64, to: f64, missing: usize) {
    let least = ((to - from).floor() as usize).saturating_sub(missing);
    let most = (to - from).ceil() as usize + 1;
    assert!(
        (least..=most).contains(&times.len()),
        "{} {what} from {from:.1} s to {to:.1} s: {times:.2?}",
        times.len()
    );
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]);
    let longest = longest.fold(0.0, f64::max);
    assert!(
        longest < 1.3 + missing as f64,
        "{what} pause for {longest:.2} s: {times:.2?}"
    );
}
