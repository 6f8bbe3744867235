use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::folder::{segment_numbers, segment_path};
use super::format::{HeaderError, RECORD_HEADER_BYTES, RecordHeader, SEGMENT_HEADER_BYTES};
use super::segment::{Found, Segment};
use super::{LogError, Record};

const FIRST_OFFSET: u64 = SEGMENT_HEADER_BYTES as u64;

/// How many missing segments in a row are told: a file with a wild number must not make millions.
const MOST_MISSING: u32 = 1_000;

/// Reads a log in order, also one that is still growing.
pub struct LogReader {
    folder: PathBuf,
    identity: Identity,
    segment: Segment,
    /// Whether the segment's header was looked at.
    entered: bool,
    /// Whether the segment is not the one that its name tells: a copy of another, or of another
    /// log.
    is_foreign: bool,
    /// The record read last, since the last seek.
    last: Option<RecordHeader>,
    /// The highest number there was when the log was opened.
    last_known: u32,
    /// Where the next record is, bytes within the segment.
    offset: u64,
    damage: Vec<Damage>,
    /// Number of the segment and offset of each damage.
    reported: HashSet<(u32, u64)>,
    /// Offset and file size of the last search that found nothing.
    searched: Option<(u64, u64)>,
}

/// What every segment of a log says of it.
#[derive(Clone, Debug)]
struct Identity {
    marker: u32,
    started_wall_ns: i64,
    recording_id: String,
}

/// What [`LogReader::next`] found.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    Record(Record),
    /// No complete record yet. More may come, unless the log is final.
    Edge,
}

/// A stretch of a segment that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub segment: PathBuf,
    /// Byte offset within the segment.
    pub offset: u64,
    /// Bytes passed over; 0 when the whole segment is missing.
    pub length: u64,
}

/// A place in a log, to come back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Number of the segment, from 1.
    pub segment: u32,
    /// Byte offset within the segment.
    pub offset: u64,
}

impl LogReader {
    /// Opens the log in `folder`; [`LogError::Missing`] while it has no segment.
    pub fn open(folder: &Path) -> Result<Self, LogError> {
        let numbers = segment_numbers(folder)?;
        let (Some(&first), Some(&last_known)) = (numbers.first(), numbers.last()) else {
            return Err(LogError::Missing(folder.to_path_buf()));
        };
        let identity = identify(folder, &numbers)?;
        let mut reader = Self {
            folder: folder.to_path_buf(),
            identity,
            segment: Segment::open(folder, first)?,
            entered: false,
            is_foreign: false,
            last: None,
            last_known,
            offset: FIRST_OFFSET,
            damage: Vec::new(),
            reported: HashSet::new(),
            searched: None,
        };
        reader.report_missing(1, first);
        Ok(reader)
    }

    /// The next record. A damaged record in the middle is passed over and told in
    /// [`LogReader::damage`]; an incomplete one at the end is [`Next::Edge`].
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Next, LogError> {
        loop {
            if !self.entered && !self.enter()? {
                match self.later_segment()? {
                    // It may have been written completely before the later one was begun.
                    Some(_) if self.segment.measure()? >= FIRST_OFFSET => {}
                    Some(later) => {
                        let length = self.segment.measure()?;
                        self.go_on_in(later, 0, length)?;
                    }
                    None => return Ok(Next::Edge),
                }
                continue;
            }
            if self.is_foreign {
                let Some(later) = self.later_segment()? else {
                    return Ok(Next::Edge);
                };
                let length = self.segment.measure()?;
                self.go_on_in(later, 0, length)?;
                continue;
            }
            if let Some(found) = self.read()? {
                match found {
                    Some(record) => return Ok(Next::Record(record)),
                    // Of a kind that a later version knows, or told before.
                    None => continue,
                }
            }
            if !self.pass_over()? {
                return Ok(Next::Edge);
            }
        }
    }

    /// What was passed over so far.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Wall time of recording time 0, Unix ns.
    pub fn started_wall_ns(&self) -> i64 {
        self.identity.started_wall_ns
    }

    /// The recording that the log says it is of; empty when its headers are damaged.
    pub fn recording_id(&self) -> &str {
        &self.identity.recording_id
    }

    /// What begins every record of the log.
    pub(super) fn marker(&self) -> u32 {
        self.identity.marker
    }

    /// The place of the record that [`LogReader::next`] returns next.
    pub fn position(&self) -> Position {
        Position {
            segment: self.segment.number,
            offset: self.offset,
        }
    }

    /// Where the segments that there are begin.
    fn segment_beginnings(&self) -> Result<Vec<Position>, LogError> {
        let numbers = segment_numbers(&self.folder)?;
        Ok(numbers
            .into_iter()
            .map(|segment| Position {
                segment,
                offset: FIRST_OFFSET,
            })
            .collect())
    }

    /// Has `read` read the log to its end, from as late a segment as tells all: it says whether what
    /// it read was all, because there was a checkpoint in it or, as it is told, the log's first
    /// segment. Segments are tried twice as far back each time, so that a log without checkpoints is
    /// read twice at most.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn read_whole_story(
        &mut self,
        mut read: impl FnMut(&mut Self, bool) -> Result<bool, LogError>,
    ) -> Result<(), LogError> {
        let beginnings = self.segment_beginnings()?;
        let mut back = 1;
        loop {
            let index = beginnings.len().saturating_sub(back);
            back *= 2;
            let Some(&beginning) = beginnings.get(index) else {
                return Ok(());
            };
            self.seek(beginning)?;
            if read(self, index == 0)? {
                return Ok(());
            }
        }
    }

    /// Goes to a place that [`LogReader::position`] told.
    pub fn seek(&mut self, position: Position) -> Result<(), LogError> {
        if position.segment != self.segment.number {
            self.segment = Segment::open(&self.folder, position.segment)?;
            self.entered = false;
        }
        self.offset = position.offset.max(FIRST_OFFSET);
        self.last = None;
        self.searched = None;
        Ok(())
    }

    /// Looks at the segment's header; false while it is not complete.
    fn enter(&mut self) -> Result<bool, LogError> {
        self.segment.measure()?;
        match self.segment.header()? {
            None => return Ok(false),
            Some(Ok(header)) => {
                self.is_foreign =
                    header.segment != self.segment.number || header.marker != self.identity.marker;
            }
            Some(Err(HeaderError::Version(version))) => {
                return Err(self.segment.wrong_version(version));
            }
            Some(Err(HeaderError::Damaged)) => {
                self.is_foreign = false;
                self.report(0, FIRST_OFFSET);
            }
        }
        self.entered = true;
        Ok(true)
    }

    /// Whether the segment is a copy of another, or of another log.
    pub(super) fn is_foreign(&self) -> bool {
        self.entered && self.is_foreign
    }

    /// Reads the record at the current place, if there is a whole one, and goes behind it. The
    /// inner `None` is a record of an unknown kind, or a copy of an earlier one.
    fn read(&mut self) -> Result<Option<Option<Record>>, LogError> {
        let Found::Record(header, payload) =
            self.segment.record_at(self.offset, self.identity.marker)?
        else {
            return Ok(None);
        };
        let offset = self.offset;
        self.offset += header.record_bytes() as u64;
        // Time in a log does not go back: what does was copied there.
        if let Some(last) = &self.last
            && (header.time_ns < last.time_ns || header == *last)
        {
            self.report(offset, header.record_bytes() as u64);
            return Ok(Some(None));
        }
        self.last = Some(header);
        Ok(Some(header.into_record(payload)))
    }

    /// Goes to the next whole record behind a place where there is none; false when there is none
    /// yet.
    fn pass_over(&mut self) -> Result<bool, LogError> {
        // In this order: once there is a later segment, this one grows no more.
        let later = self.later_segment()?;
        let length = self.segment.measure()?;
        if later.is_none()
            && (length < self.offset + RECORD_HEADER_BYTES as u64
                || self.searched == Some((self.offset, length)))
        {
            return Ok(false);
        }
        self.segment.forget();
        // From the current place on: the record may have been completed meanwhile.
        match (
            self.segment
                .find_record(self.offset, self.identity.marker)?,
            later,
        ) {
            (Some(offset), _) => {
                if offset > self.offset {
                    self.report(self.offset, offset - self.offset);
                    self.offset = offset;
                }
                Ok(true)
            }
            (None, Some(later)) => {
                let lost = length.saturating_sub(self.offset);
                self.go_on_in(later, self.offset, lost)?;
                Ok(true)
            }
            (None, None) => {
                self.searched = Some((self.offset, length));
                Ok(false)
            }
        }
    }

    /// Leaves the segment, in which `lost` bytes at `offset` could not be read.
    fn go_on_in(&mut self, later: u32, offset: u64, lost: u64) -> Result<(), LogError> {
        if lost > 0 {
            self.report(offset, lost);
        }
        self.report_missing(self.segment.number + 1, later);
        self.segment = Segment::open(&self.folder, later)?;
        self.entered = false;
        self.offset = FIRST_OFFSET;
        self.searched = None;
        Ok(())
    }

    /// The segment behind the current one.
    fn later_segment(&self) -> Result<Option<u32>, LogError> {
        let number = self.segment.number;
        let Some(next) = number.checked_add(1) else {
            return Ok(None);
        };
        let path = segment_path(&self.folder, next);
        if path
            .try_exists()
            .map_err(|error| LogError::io("look for", &path, error))?
        {
            return Ok(Some(next));
        }
        if self.last_known <= number {
            return Ok(None);
        }
        Ok(segment_numbers(&self.folder)?
            .into_iter()
            .find(|&other| other > number))
    }

    fn report_missing(&mut self, from: u32, until: u32) {
        for number in from..until.min(from.saturating_add(MOST_MISSING)) {
            let segment = segment_path(&self.folder, number);
            self.report_once(number, segment, 0, 0);
        }
    }

    fn report(&mut self, offset: u64, length: u64) {
        let segment = self.segment.path.clone();
        self.report_once(self.segment.number, segment, offset, length);
    }

    fn report_once(&mut self, number: u32, segment: PathBuf, offset: u64, length: u64) {
        // Seen before, if the reader went back.
        if self.reported.insert((number, offset)) {
            self.damage.push(Damage {
                segment,
                offset,
                length,
            });
        }
    }
}

/// Finds out which log the segments are of: from the first good header, or else from the first
/// record that can be found behind a damaged one.
fn identify(folder: &Path, numbers: &[u32]) -> Result<Identity, LogError> {
    let mut damaged = None;
    for &number in numbers {
        let mut segment = Segment::open(folder, number)?;
        match segment.header()? {
            None => {}
            Some(Ok(header)) => {
                return Ok(Identity {
                    marker: header.marker,
                    started_wall_ns: header.started_wall_ns,
                    recording_id: header.recording_id,
                });
            }
            Some(Err(HeaderError::Version(version))) => {
                return Err(segment.wrong_version(version));
            }
            Some(Err(HeaderError::Damaged)) => damaged = damaged.or(Some(segment)),
        }
    }
    let Some(mut segment) = damaged else {
        // The writer is about to write the first header.
        return Err(LogError::Missing(folder.to_path_buf()));
    };
    if let Some(header) = segment.find_any_record()? {
        let elapsed_ns = i64::try_from(header.time_ns).unwrap_or(i64::MAX);
        return Ok(Identity {
            marker: header.marker,
            started_wall_ns: header.wall_ns.saturating_sub(elapsed_ns),
            recording_id: String::new(),
        });
    }
    Err(LogError::Format {
        path: segment.path,
        detail: "its header is damaged and no record follows".to_owned(),
    })
}
