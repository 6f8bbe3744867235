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
        let found = Found {
            name: publisher.name.clone(),
            flashes: flashes.len(),
            beeps: beeps.len(),
            offset_ms: offsets(&after(BEGINNING, &flashes), &after(BEGINNING, &beeps)).median_ms,
        };
        let mut tell = |times: &[f64], what: &str| {
            let count = after(BEGINNING, times).len();
            if count < expected {
                let name = &found.name;
                faults.push(format!(
                    "{name} {what} {count} times after the first {BEGINNING} s, at least {expected} times were expected"
                ));
            }
        };
        tell(&flashes, "is seen to flash");
        tell(&beeps, "is heard to beep");
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
