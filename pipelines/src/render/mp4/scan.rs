//! Going through a fragmented file up to its last complete fragment.

use std::io;

use super::boxes::{BoxPlace, ReadAt, box_at};
use super::fragment::{Run, read_fragment};
use super::movie::{TrackHeader, read_movie};

/// The most bytes of a `moov` without samples; real ones have a few thousand.
const MAX_MOVIE_BYTES: u64 = 1 << 20;
/// The most bytes of a `moof`; a second of two tracks has about a thousand.
const MAX_FRAGMENT_BYTES: u64 = 16 << 20;

/// Boxes that may stand between fragments and tell nothing about samples.
const SKIPPED: [&[u8; 4]; 11] = [
    b"ftyp", b"styp", b"sidx", b"ssix", b"mfra", b"free", b"skip", b"emsg", b"prft", b"meta",
    b"uuid",
];

/// Why a file cannot be gone through.
#[derive(Debug)]
pub(super) enum ScanError {
    Io(io::Error),
    /// It is not a fragmented MP4, or its beginning is damaged.
    Format(&'static str),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A fragmented file of which the beginning has been read.
pub(super) struct Scan<'a, R: ?Sized> {
    source: &'a R,
    length: u64,
    position: u64,
    understood: u64,
    pub(super) tracks: Vec<TrackHeader>,
}

impl<'a, R: ReadAt + ?Sized> Scan<'a, R> {
    /// Reads the beginning of a file of `length` bytes.
    pub(super) fn open(source: &'a R, length: u64) -> Result<Self, ScanError> {
        let mut position = 0;
        loop {
            let place = box_at(source, position, length)?
                .filter(|place| place.end <= length)
                .ok_or(ScanError::Format("its beginning is missing or incomplete"))?;
            position = place.end;
            if place.kind == *b"moov" {
                let body = read_body(source, place, MAX_MOVIE_BYTES)?
                    .ok_or(ScanError::Format("its header is implausibly large"))?;
                let tracks = read_movie(&body).map_err(ScanError::Format)?;
                return Ok(Self {
                    source,
                    length,
                    position,
                    understood: position,
                    tracks,
                });
            }
            if !SKIPPED.contains(&&place.kind) {
                return Err(ScanError::Format("it does not begin with an MP4 header"));
            }
        }
    }

    /// The place after the last complete fragment read so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The place up to which every box is complete and known; at least [`Scan::position`].
    pub(super) fn understood(&self) -> u64 {
        self.understood
    }

    /// The next complete fragment; `None` at the end of the file, and at the first fragment
    /// that is incomplete or damaged: what a crash leaves at the end.
    pub(super) fn next_fragment(&mut self) -> io::Result<Option<Vec<Run>>> {
        let mut start = self.position;
        loop {
            let Some(place) = self.complete_box(start)? else {
                return Ok(None);
            };
            start = place.end;
            if place.kind == *b"moof" {
                let runs = self.fragment(place)?;
                return Ok(runs.map(|(runs, end)| {
                    self.position = end;
                    self.understood = end;
                    runs
                }));
            }
            if !SKIPPED.contains(&&place.kind) {
                return Ok(None);
            }
            self.understood = place.end;
        }
    }

    /// The runs of a `moof` and the end of its `mdat`.
    fn fragment(&self, moof: BoxPlace) -> io::Result<Option<(Vec<Run>, u64)>> {
        let Some(mdat) = self
            .complete_box(moof.end)?
            .filter(|place| place.kind == *b"mdat")
        else {
            return Ok(None);
        };
        let Some(body) = read_body(self.source, moof, MAX_FRAGMENT_BYTES)? else {
            return Ok(None);
        };
        let runs = read_fragment(&body, moof.start, mdat.body..mdat.end, &self.tracks);
        Ok(runs.map(|runs| (runs, mdat.end)))
    }

    fn complete_box(&self, start: u64) -> io::Result<Option<BoxPlace>> {
        let place = box_at(self.source, start, self.length)?;
        Ok(place.filter(|place| place.end <= self.length))
    }
}

/// The bytes of a box that lies within the file; `None` if there are more than `limit`.
fn read_body<R: ReadAt + ?Sized>(
    source: &R,
    place: BoxPlace,
    limit: u64,
) -> io::Result<Option<Vec<u8>>> {
    let size = place.end - place.body;
    if size > limit {
        return Ok(None);
    }
    let mut body = vec![0; size as usize];
    source.read_exact_at(&mut body, place.body)?;
    Ok(Some(body))
}
