//! Whether the installation is complete, and whether the file is as it should be.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use tapedeck_pipelines::layout::{Rect, arrange};
use testcard::PublisherOptions;
use testcard::content::{after, offsets};
use testcard::playback::{Playback, missing_elements};

use super::error::DemoError;

/// Time after the beginning in which nothing need be seen or heard yet, s.
const BEGINNING: f64 = 1.5;
/// Sound further from its picture than this is heard to be wrong, ms.
const MOST_OFFSET_MS: f64 = 80.0;
/// The file may be longer than was waited for, s: stopping takes a moment.
const MOST_LONGER: f64 = 3.0;
/// The file may be shorter, s.
const MOST_SHORTER: f64 = 0.5;

/// Checks what the demo needs of this machine.
///
/// # Errors
/// Something is missing.
pub fn installation() -> Result<(), DemoError> {
    let missing = missing_elements();
    if !missing.is_empty() {
        return Err(DemoError::Elements(missing.join(", ")));
    }
    loopback().map_err(DemoError::Loopback)
}

/// A packet from loopback to loopback.
fn loopback() -> std::io::Result<()> {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    receiver.set_read_timeout(Some(Duration::from_secs(1)))?;
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    sender.send_to(b"tapedeck", receiver.local_addr()?)?;
    receiver.recv_from(&mut [0; 16]).map(drop)
}

/// The places of the publishers' tiles.
pub fn places(width: u32, height: u32, publishers: usize) -> Vec<Rect> {
    arrange(width, height, publishers, 0).participants
}

/// What was found of one publisher.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub name: String,
    pub flashes: usize,
    pub beeps: usize,
    /// Sound less picture, ms; positive when sound is late.
    pub offset_ms: f64,
}

/// What was found, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    pub publishers: Vec<Found>,
    /// One line each; empty if all is well.
    pub faults: Vec<String>,
}

/// Judges a file in which `publishers` were recorded for `length`.
pub fn look(playback: &Playback, publishers: &[PublisherOptions], length: Duration) -> Findings {
    let mut findings = Findings::default();
    let faults = &mut findings.faults;
    let decoded = playback.frame_times.len() as u64;
    if decoded != playback.frames_in_file {
        let all = playback.frames_in_file;
        faults.push(format!("{decoded} of {all} frames decode"));
    }
    let length = length.as_secs_f64();
    if !(length - MOST_SHORTER..=length + MOST_LONGER).contains(&playback.duration) {
        let duration = playback.duration;
        faults.push(format!(
            "it lasts {duration:.1} s, {length:.1} s were recorded"
        ));
    }
    // Flashes and beeps come once a second; one may lie on either edge.
    let expected = ((playback.duration - BEGINNING).floor() as usize).saturating_sub(1);
    for (tile, publisher) in playback.tiles.iter().zip(publishers) {
        let flashes = tile.flashes();
        let beeps = playback.sound.beeps(f64::from(publisher.pitch));
        let judged = offsets(&after(BEGINNING, &flashes), &after(BEGINNING, &beeps));
        let found = Found {
            name: publisher.name.clone(),
            flashes: flashes.len(),
            beeps: beeps.len(),
            offset_ms: judged.median_ms,
        };
        // Beeps of others pass through the filter of this pitch, faintly and at other times: only
        // those count that belong to a flash.
        let seen = after(BEGINNING, &flashes).len();
        let heard = judged.each_ms.len();
        for (count, what) in [
            (seen, "is seen to flash"),
            (heard, "is heard to beep with it"),
        ] {
            if count < expected {
                let name = &found.name;
                faults.push(format!(
                    "{name} {what} {count} times after the first {BEGINNING} s, at least {expected} times were expected"
                ));
            }
        }
        // Not a number when there is nothing to compare, which was told.
        if found.offset_ms.abs() > MOST_OFFSET_MS {
            faults.push(format!(
                "the sound of {} is {:.0} ms off its picture",
                found.name, found.offset_ms
            ));
        }
        findings.publishers.push(found);
    }
    findings
}

#[cfg(test)]
mod tests {
    use testcard::content::{SAMPLE_RATE, Sound, Tile, TileFrame};

    use super::*;

    const SECONDS: usize = 10;

    /// A file of one publisher, whose sound is late by `late` seconds.
    fn playback(pitch: f64, late: f64) -> Playback {
        let frame = |index: usize| TileFrame {
            time: index as f64 / 30.0,
            luma: if index % 30 < 2 { 235.0 } else { 80.0 },
            change: 5.0,
            letter_pixels: 0,
            edge_luma: 80.0,
            edge_contrast: 50,
        };
        let sample = |index: usize| {
            let time = index as f64 / f64::from(SAMPLE_RATE);
            let since = (time - late).rem_euclid(1.0);
            let sounds = since < 0.06;
            let value = (std::f64::consts::TAU * pitch * since).sin() * 0.3;
            let value = if sounds { value as f32 } else { 0.0 };
            [value, value]
        };
        let frames: Vec<TileFrame> = (0..SECONDS * 30).map(frame).collect();
        Playback {
            width: 1280,
            height: 720,
            frame_times: frames.iter().map(|frame| frame.time).collect(),
            frames_in_file: frames.len() as u64,
            tiles: vec![Tile {
                rect: places(1280, 720, 1)[0],
                frames,
            }],
            sound: Sound::new(0.0, (0..SECONDS * SAMPLE_RATE as usize).map(sample)),
            duration: SECONDS as f64,
        }
    }

    fn faults(playback: &Playback) -> Vec<String> {
        let publisher = PublisherOptions {
            pitch: 500,
            ..PublisherOptions::new(0)
        };
        look(playback, &[publisher], Duration::from_secs(SECONDS as u64)).faults
    }

    #[test]
    fn a_good_file_has_no_faults() {
        assert_eq!(faults(&playback(500.0, 0.0)), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_or_wrong_is_told() {
        let told = |playback: &Playback, word: &str| {
            let faults = faults(playback);
            assert!(faults.len() == 1 && faults[0].contains(word), "{faults:?}");
        };
        told(&playback(0.0, 0.0), "beep");
        told(&playback(500.0, 0.12), "off its picture");
        let good = playback(500.0, 0.0);
        told(
            &Playback {
                frames_in_file: 301,
                ..good.clone()
            },
            "300 of 301 frames decode",
        );
        told(
            &Playback {
                duration: 6.0,
                ..good.clone()
            },
            "lasts 6.0 s",
        );
        let mut dark = good;
        for frame in &mut dark.tiles[0].frames {
            frame.luma = 80.0;
        }
        let faults = faults(&dark);
        assert!(
            faults.len() == 2 && faults[0].contains("flash"),
            "{faults:?}"
        );
    }
}
