//! Where the good part of a log ends.

use std::path::Path;

use super::folder::segment_numbers;
use super::format::{HeaderError, SEGMENT_HEADER_BYTES};
use super::reader::{LogReader, Next, Position};
use super::segment::Segment;
use super::{LogError, Record};

/// The end of what can be read.
pub(super) struct Tail {
    /// Number of the last segment.
    pub segment: u32,
    /// Where the good part of the last segment ends, bytes; 0 when it has no complete header.
    pub good_bytes: u64,
    /// Time of the last good record, recording time and wall time; `None` when there is none.
    pub last: Option<(u64, i64)>,
}

/// Recording time of the last record of the log in `folder`, ns; 0 when there is none. Reads one
/// segment, as a rule.
///
/// # Errors
/// As [`LogReader::open`].
pub fn last_time_ns(folder: &Path) -> Result<u64, LogError> {
    let mut reader = LogReader::open(folder)?;
    let tail = find_tail(folder, &mut reader)?;
    Ok(tail.last.map_or(0, |(time_ns, _)| time_ns))
}

/// Reads the last segment, and those before it only as far as the last time needs.
pub(super) fn find_tail(folder: &Path, reader: &mut LogReader) -> Result<Tail, LogError> {
    let numbers = segment_numbers(folder)?;
    let Some(&segment) = numbers.last() else {
        return Err(LogError::Missing(folder.to_path_buf()));
    };
    let path = super::folder::segment_path(folder, segment);
    let metadata = path
        .metadata()
        .map_err(|error| LogError::io("read", &path, error))?;
    let header_bytes = SEGMENT_HEADER_BYTES as u64;
    let mut good_bytes = if metadata.len() < header_bytes {
        0
    } else {
        header_bytes
    };
    let mut last = None;
    // Of what a segment holds that does not say which it is only those before it tell whether it
    // is a copy, and it may make copies of those behind it.
    let sound = all_headers_are_sound(folder, &numbers)?;
    let places: Vec<u32> = match sound {
        true => numbers.iter().rev().copied().collect(),
        false => numbers.first().copied().into_iter().collect(),
    };
    for number in places {
        reader.seek(Position {
            segment: number,
            offset: header_bytes,
        })?;
        while let Next::Record(Record {
            time_ns, wall_ns, ..
        }) = reader.next()?
        {
            last = Some((time_ns, wall_ns));
            let position = reader.position();
            if position.segment == segment {
                good_bytes = position.offset;
            }
        }
        // What is no part of this log is left alone.
        if reader.position().segment == segment && reader.is_foreign() {
            good_bytes = metadata.len();
        }
        if last.is_some() {
            break;
        }
    }
    Ok(Tail {
        segment,
        good_bytes,
        last,
    })
}

/// Whether no segment has a damaged header.
fn all_headers_are_sound(folder: &Path, numbers: &[u32]) -> Result<bool, LogError> {
    for &number in numbers {
        let header = Segment::open(folder, number)?.header()?;
        if matches!(header, Some(Err(HeaderError::Damaged))) {
            return Ok(false);
        }
    }
    Ok(true)
}
