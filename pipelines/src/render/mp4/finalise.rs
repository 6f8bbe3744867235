//! The two uses of a fragmented file: finishing it, and finding where to go on.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::boxes::ReadAt;
use super::moov::{Header, Track, ftyp, moov};
use super::scan::{Scan, ScanError};
use super::tables::SampleTable;
use super::{FragmentEnd, Mp4Error, Mp4Summary, TrackKind, TrackSummary, output, seconds};

/// Seconds from 1904, where the clock of MP4 begins, to 1970.
const EPOCH_1904_TO_1970: u64 = 2_082_844_800;

/// Makes a fast-start file of a fragmented one. Times, durations and media data stay exactly the
/// same; the same input gives the same bytes. Memory: the sample tables, about 10 bytes per
/// sample. `output` appears complete or not at all; an earlier file of that name is replaced.
///
/// # Errors
/// See [`Mp4Error`].
pub fn finalise(fragmented: &Path, output: &Path) -> Result<Mp4Summary, Mp4Error> {
    convert(fragmented, output, 0)
}

/// As [`finalise`], with the time of the recording in the file's header.
///
/// # Errors
/// See [`Mp4Error`].
pub fn finalise_created_at(
    fragmented: &Path,
    output: &Path,
    created: SystemTime,
) -> Result<Mp4Summary, Mp4Error> {
    let unix = created
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs();
    convert(fragmented, output, unix + EPOCH_1904_TO_1970)
}

/// Where the last complete fragment of a file ends, in bytes and in time.
///
/// # Errors
/// The file cannot be read, or its header is damaged.
pub fn last_complete_fragment(fragmented: &Path) -> Result<FragmentEnd, Mp4Error> {
    let (file, length) = open(fragmented)?;
    let contents = collect(&file, length).map_err(|error| error_of(fragmented, error))?;
    Ok(FragmentEnd {
        offset: contents.end,
        fragments: contents.fragments,
        tracks: contents.tracks.iter().map(summary).collect(),
    })
}

fn convert(fragmented: &Path, output: &Path, created: u64) -> Result<Mp4Summary, Mp4Error> {
    let (file, length) = open(fragmented)?;
    let contents = collect(&file, length).map_err(|error| error_of(fragmented, error))?;
    let left_out = length - contents.understood;
    let tracks: Vec<Track> = contents
        .tracks
        .into_iter()
        .filter(|track| !track.table.is_empty())
        .collect();
    if tracks.is_empty() {
        return Err(Mp4Error::Empty {
            path: fragmented.to_owned(),
        });
    }
    let head = head(&tracks, contents.data_bytes, created);
    let (size, sha256) = output::write(output, &head, &file, fragmented, &contents.ranges)?;
    let summaries: Vec<TrackSummary> = tracks.iter().map(summary).collect();
    let ends = summaries
        .iter()
        .map(|track| seconds(track.end, track.timescale));
    let video = tracks
        .iter()
        .find(|track| track.header.kind == TrackKind::Video);
    Ok(Mp4Summary {
        size,
        sha256,
        duration: ends.max().unwrap_or_default(),
        width: video.map_or(0, |track| track.header.width >> 16),
        height: video.map_or(0, |track| track.header.height >> 16),
        tracks: summaries,
        left_out,
    })
}

/// What was found in a fragmented file.
pub(super) struct Contents {
    /// All tracks of the header, also empty ones.
    pub(super) tracks: Vec<Track>,
    /// Media data in the order in which it is copied.
    pub(super) ranges: Vec<Range<u64>>,
    /// Sum of `ranges`.
    pub(super) data_bytes: u64,
    pub(super) fragments: u64,
    /// Place after the last complete fragment.
    pub(super) end: u64,
    /// Place after the last complete box that is known.
    pub(super) understood: u64,
}

/// Reads all complete fragments of a file of `length` bytes.
pub(super) fn collect<R: ReadAt + ?Sized>(source: &R, length: u64) -> Result<Contents, ScanError> {
    let mut scan = Scan::open(source, length)?;
    let mut tables = vec![SampleTable::default(); scan.tracks.len()];
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let mut data_bytes = 0;
    let mut fragments = 0;
    while let Some(runs) = scan.next_fragment()? {
        for run in runs {
            tables[run.track]
                .push(&run, data_bytes)
                .map_err(|_| ScanError::Format("it lists implausibly many samples"))?;
            let end = run.data_start + run.data_size;
            match ranges.last_mut() {
                Some(last) if last.end == run.data_start => last.end = end,
                _ => ranges.push(run.data_start..end),
            }
            data_bytes += run.data_size;
        }
        fragments += 1;
    }
    let (end, understood) = (scan.position(), scan.understood());
    let tables = tables.into_iter().map(SampleTable::finished);
    let tracks = scan.tracks.into_iter().zip(tables);
    Ok(Contents {
        tracks: tracks
            .map(|(header, table)| Track { header, table })
            .collect(),
        ranges,
        data_bytes,
        fragments,
        end,
        understood,
    })
}

/// Everything in front of the media data.
pub(super) fn head(tracks: &[Track], data_bytes: u64, created: u64) -> Vec<u8> {
    let mut head = ftyp(tracks);
    let plan = |large| {
        // The header's size does not depend on the numbers in it.
        let trial = moov(
            tracks,
            Header {
                data_start: 0,
                large,
                created,
            },
        );
        let data_header = if large { 16 } else { 8 };
        (head.len() + trial.len() + data_header) as u64
    };
    let small_start = plan(false);
    let large = small_start + data_bytes > u64::from(u32::MAX);
    let data_start = if large { plan(true) } else { small_start };
    head.extend(moov(
        tracks,
        Header {
            data_start,
            large,
            created,
        },
    ));
    if large {
        head.extend(1_u32.to_be_bytes());
        head.extend(b"mdat");
        head.extend((data_bytes + 16).to_be_bytes());
    } else {
        head.extend((data_bytes as u32 + 8).to_be_bytes());
        head.extend(b"mdat");
    }
    head
}

fn open(path: &Path) -> Result<(File, u64), Mp4Error> {
    let file = File::open(path).map_err(|error| Mp4Error::io("open", path, error))?;
    let length = file
        .metadata()
        .map_err(|error| Mp4Error::io("open", path, error))?
        .len();
    Ok((file, length))
}

pub(super) fn error_of(path: &Path, error: ScanError) -> Mp4Error {
    match error {
        ScanError::Io(source) => Mp4Error::io("read", path, source),
        ScanError::Format(detail) => Mp4Error::Format {
            path: path.to_owned(),
            detail,
        },
    }
}

fn summary(track: &Track) -> TrackSummary {
    TrackSummary {
        kind: track.header.kind,
        samples: track.table.sizes.len() as u64,
        timescale: track.header.timescale,
        start: track.table.start,
        end: track.table.end(),
    }
}
