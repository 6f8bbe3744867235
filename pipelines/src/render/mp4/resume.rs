//! Finding where an unfinished file can be gone on with.

use std::collections::VecDeque;
use std::fs::File;
use std::path::Path;

use super::finalise::error_of;
use super::scan::Scan;
use super::splice::{Head, Shift};
use super::{Mp4Error, TrackKind};

/// Each fragment holds one track, so that the last ones of both are within a few.
const CANDIDATES: usize = 16;

/// Up to where a fragmented file of one audio track and at most one video track is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumePoint {
    /// The file is kept up to here, bytes.
    pub offset: u64,
    pub head: Head,
    /// What has to be added to the fragments that follow, if their times begin with 0.
    pub shift: Shift,
    /// Where the sound ends, ticks and ticks per second.
    pub sound_end: (u64, u32),
    /// Where the picture ends, ticks and ticks per second; 0 without a picture.
    pub picture_end: (u64, u32),
    /// When each picture begins, ticks.
    pub pictures: Vec<u64>,
}

/// Where the fragments known so far end.
#[derive(Clone, Copy, Default)]
struct Boundary {
    offset: u64,
    fragments: u32,
    sound_end: u64,
    picture_end: u64,
    pictures: usize,
}

/// The last place within the first `length` bytes of a file behind a complete fragment where the
/// sound is not ahead of the picture, if there is one, by more than `lead_ns` and ends before
/// `before_ns`, as the picture does. `None` if there is no such place.
///
/// # Errors
/// The file cannot be read, or its header is damaged.
pub fn resume_point(
    path: &Path,
    file: &File,
    length: u64,
    lead_ns: u64,
    before_ns: u64,
) -> Result<Option<ResumePoint>, Mp4Error> {
    let mut scan = Scan::open(file, length).map_err(|error| error_of(path, error))?;
    let of_kind = |kind| scan.tracks.iter().position(|track| track.kind == kind);
    let video = of_kind(TrackKind::Video);
    let Some(audio) = of_kind(TrackKind::Audio) else {
        return Ok(None);
    };
    let mut pictures = Vec::new();
    let mut present = Boundary::default();
    let mut boundaries = VecDeque::new();
    let next = |scan: &mut Scan<'_, File>| {
        scan.next_fragment()
            .map_err(|source| Mp4Error::io("read", path, source))
    };
    while let Some(runs) = next(&mut scan)? {
        for run in runs {
            let end = if Some(run.track) == video {
                &mut present.picture_end
            } else if run.track == audio {
                &mut present.sound_end
            } else {
                return Ok(None);
            };
            *end = run.decode_time.unwrap_or(*end);
            for sample in &run.samples {
                if Some(run.track) == video {
                    pictures.push(*end);
                }
                *end += u64::from(sample.duration);
            }
        }
        present.fragments += 1;
        present.offset = scan.position();
        present.pictures = pictures.len();
        boundaries.push_back(present);
        if boundaries.len() > CANDIDATES {
            boundaries.pop_front();
        }
    }
    let (video, audio) = (video.map(|video| &scan.tracks[video]), &scan.tracks[audio]);
    let ns = |ticks: u64, timescale: u32| {
        (u128::from(ticks) * 1_000_000_000 / u128::from(timescale)) as u64
    };
    let fits = |boundary: &&Boundary| {
        let sound_ns = ns(boundary.sound_end, audio.timescale);
        match video {
            Some(video) => {
                let picture_ns = ns(boundary.picture_end, video.timescale);
                picture_ns < before_ns && sound_ns <= picture_ns + lead_ns
            }
            None => sound_ns < before_ns,
        }
    };
    let Some(boundary) = boundaries.iter().rev().find(fits) else {
        return Ok(None);
    };
    pictures.truncate(boundary.pictures);
    Ok(Some(ResumePoint {
        offset: boundary.offset,
        shift: Shift {
            tracks: video
                .map(|video| (video.id, boundary.picture_end))
                .into_iter()
                .chain([(audio.id, boundary.sound_end)])
                .collect(),
            sequence_number: boundary.fragments,
        },
        sound_end: (boundary.sound_end, audio.timescale),
        picture_end: (
            boundary.picture_end,
            video.map_or(1, |video| video.timescale),
        ),
        pictures,
        head: Head::new(scan.tracks),
    }))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::tests::fragments::{beginning, fragment};
    use super::*;

    fn file(fragments: &[Vec<u8>]) -> (tempfile::NamedTempFile, u64) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let all = [beginning(), fragments.concat()].concat();
        file.write_all(&all).unwrap();
        (file, all.len() as u64)
    }

    fn picture(second: u32) -> Vec<u8> {
        fragment(1, second * 3_000, &[(1_000, 10), (2_000, 20)], 7)
    }

    fn sound(second: u32) -> Vec<u8> {
        fragment(2, second * 48_000, &[(48_000, 30)], 9)
    }

    fn found(fragments: &[Vec<u8>], before_ns: u64) -> Option<ResumePoint> {
        let (file, length) = file(fragments);
        let lead_ns = 50_000_000;
        resume_point(file.path(), file.as_file(), length, lead_ns, before_ns).unwrap()
    }

    #[test]
    fn sound_is_never_far_ahead_of_the_picture() {
        let fragments = [sound(0), picture(0), sound(1), picture(1), sound(2)];
        let point = found(&fragments, u64::MAX).unwrap();
        assert_eq!(point.sound_end, (96_000, 48_000));
        assert_eq!(point.picture_end, (6_000, 3_000));
        assert_eq!(point.pictures, [0, 1_000, 3_000, 4_000]);
        assert_eq!(point.shift.tracks, [(1, 6_000), (2, 96_000)]);
        assert_eq!(point.shift.sequence_number, 4);
        assert_eq!(found(&fragments[..1], u64::MAX), None);
    }

    #[test]
    fn what_lies_behind_the_limit_is_not_kept() {
        let fragments = [sound(0), picture(0), sound(1), picture(1)];
        let point = found(&fragments, 2_000_000_000).unwrap();
        assert_eq!(point.picture_end.0, 3_000);
        assert_eq!(point.pictures, [0, 1_000]);
    }

    #[test]
    fn an_incomplete_fragment_does_not_count() {
        let mut torn = picture(1);
        torn.truncate(torn.len() - 5);
        let point = found(&[sound(0), picture(0), torn], u64::MAX).unwrap();
        assert_eq!(point.picture_end.0, 3_000);
    }
}
