use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tapedeck_failpoints::reached;

use super::disk::SegmentFile;
use super::folder::{segment_numbers, segment_path};
use super::format::{MAX_RECORDING_ID_BYTES, SEGMENT_HEADER_BYTES, SegmentHeader, encode_record};
use super::opening::{create_segment, cut, lock, next_number, refuse_existing};
use super::reader::LogReader;
use super::tail::find_tail;
use super::{LogError, Record};
use crate::job::LogSettings;
use crate::process::{now_wall_ns, random_u64};

/// How much is gathered before it is written without being asked, bytes.
const BUFFER_BYTES: usize = 256 << 10;

/// How much space is set aside at once for what is to come, bytes.
const AHEAD_BYTES: u64 = 64 << 10;

/// How much of it is kept for the end of the log on a full disk, bytes.
const KEPT_FREE_BYTES: u64 = 64 << 10;

/// Appends records to the segments of one log. Blocking: it belongs on a thread of its own.
///
/// After an error nothing that was appended is lost: calling [`LogWriter::flush`] again writes
/// what could not be written.
pub struct LogWriter {
    folder: PathBuf,
    /// Locked: a log has one writer.
    folder_file: File,
    settings: LogSettings,
    /// As in the current segment.
    header: SegmentHeader,
    path: PathBuf,
    file: SegmentFile,
    /// Up to where space is set aside in the current segment, bytes.
    reserved_bytes: u64,
    /// A sync of the current segment failed: the system may have dropped what it could not write,
    /// and a later sync would not tell.
    is_untrusted: bool,
    /// Size of the current segment, bytes, without what is buffered.
    written_bytes: u64,
    /// Size of the earlier segments, bytes.
    earlier_bytes: u64,
    buffer: Vec<u8>,
    /// Where the records in the buffer end.
    ends: Vec<usize>,
    last_time_ns: u64,
    /// Whether the current segment takes no more: a reader may have gone on to the next already.
    is_full: bool,
}

/// Where a resumed log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Recording time of the last good record.
    pub time_ns: u64,
    /// Wall time of the last good record.
    pub wall_ns: i64,
    /// Wall time of recording time 0.
    pub started_wall_ns: i64,
    /// Bytes cut from the torn tail.
    pub cut_bytes: u64,
}

impl LogWriter {
    /// Begins a log in an empty or missing `folder`. Recording time 0 is now.
    pub fn create(
        folder: &Path,
        recording_id: &str,
        settings: LogSettings,
    ) -> Result<Self, LogError> {
        Self::create_at(folder, recording_id, settings, now_wall_ns())
    }

    /// As [`LogWriter::create`], with the wall time of recording time 0, Unix ns.
    pub fn create_at(
        folder: &Path,
        recording_id: &str,
        settings: LogSettings,
        started_wall_ns: i64,
    ) -> Result<Self, LogError> {
        if !SegmentHeader::can_hold(recording_id) {
            return Err(LogError::Format {
                path: folder.to_path_buf(),
                detail: format!(
                    "a recording id has at most {MAX_RECORDING_ID_BYTES} bytes, none of them zero"
                ),
            });
        }
        fs::create_dir_all(folder).map_err(|error| LogError::io("create", folder, error))?;
        if let Some(parent) = folder.parent().filter(|parent| parent.is_dir()) {
            // The folder itself must survive a power cut.
            File::open(parent)
                .and_then(|parent| parent.sync_all())
                .map_err(|error| LogError::io("sync", parent, error))?;
        }
        let folder_file = lock(folder)?;
        refuse_existing(folder)?;
        let header = SegmentHeader {
            segment: 1,
            // Zeroes are what a file system leaves in blocks that it lost.
            marker: (random_u64() as u32).max(1),
            started_wall_ns,
            created_wall_ns: now_wall_ns(),
            recording_id: recording_id.to_owned(),
        };
        Self::begin(folder.to_path_buf(), folder_file, settings, header, 0, 0)
    }

    /// Goes on in the log in `folder`, after cutting its torn tail, in a new segment.
    ///
    /// Damage with good records behind it is left as it is, for the reader to pass over.
    pub fn resume(
        folder: &Path,
        recording_id: &str,
        settings: LogSettings,
    ) -> Result<(Self, Resumed), LogError> {
        let mut reader = LogReader::open(folder)?;
        let folder_file = lock(folder)?;
        let started_wall_ns = reader.started_wall_ns();
        let found = reader.recording_id();
        if !found.is_empty() && found != recording_id {
            return Err(LogError::Format {
                path: folder.to_path_buf(),
                detail: format!("it is of recording {found:?}, not of {recording_id:?}"),
            });
        }
        let tail = find_tail(folder, &mut reader)?;
        let cut_bytes = cut(&segment_path(folder, tail.segment), tail.good_bytes)?;

        let mut earlier_bytes = 0;
        for number in segment_numbers(folder)? {
            let path = segment_path(folder, number);
            let metadata = path
                .metadata()
                .map_err(|error| LogError::io("read", &path, error))?;
            earlier_bytes += metadata.len();
        }
        // A segment that never got its header is begun again.
        let segment = if tail.good_bytes == 0 {
            tail.segment
        } else {
            next_number(folder, tail.segment)?
        };
        let header = SegmentHeader {
            segment,
            marker: reader.marker(),
            started_wall_ns,
            created_wall_ns: now_wall_ns(),
            recording_id: recording_id.to_owned(),
        };
        let (time_ns, wall_ns) = tail.last.unwrap_or((0, started_wall_ns));
        let folder = folder.to_path_buf();
        let writer = Self::begin(
            folder,
            folder_file,
            settings,
            header,
            earlier_bytes,
            time_ns,
        )?;
        Ok((
            writer,
            Resumed {
                time_ns,
                wall_ns,
                started_wall_ns,
                cut_bytes,
            },
        ))
    }

    /// Appends one record. It reaches the operating system with [`LogWriter::flush`] or when the
    /// buffer is full, and the disk with [`LogWriter::sync`].
    ///
    /// Recording time never goes backwards: an earlier time is written as the last one.
    ///
    /// # Errors
    /// The record was not appended, unless it was one of those that an error of
    /// [`LogWriter::flush`] tells about.
    pub fn append(&mut self, record: &Record) -> Result<(), LogError> {
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        let time_ns = record.time_ns.max(self.last_time_ns);
        let start = self.buffer.len();
        encode_record(&mut self.buffer, self.header.marker, time_ns, record)?;
        let is_first = self.written_bytes + start as u64 <= SEGMENT_HEADER_BYTES as u64;
        let segment_bytes = self.written_bytes + self.buffer.len() as u64;
        if self.is_full || segment_bytes > self.settings.segment_bytes && !is_first {
            let encoded = self.buffer.split_off(start);
            self.begin_next()?;
            self.buffer.extend_from_slice(&encoded);
        }
        self.ends.push(self.buffer.len());
        self.last_time_ns = time_ns;
        Ok(())
    }

    /// Hands what is buffered to the operating system: a reader can see it, a killed process
    /// cannot lose it.
    pub fn flush(&mut self) -> Result<(), LogError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.reserve()
            .map_err(|error| LogError::io("write", &self.path, error))?;
        self.write_out()
    }

    /// Flushes and waits until the disk has it. Once that has failed it fails for good: see
    /// [`LogWriter::end_after_failure`].
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.flush()?;
        reached("log.written");
        self.sync_segment()?;
        reached("log.synced");
        Ok(())
    }

    /// Makes `last` the last record of a log that cannot be written on, on the disk: in the space
    /// that is set aside, after as much of what is buffered as has room there, or in a new segment
    /// where the current one takes no more or cannot be trusted.
    pub fn end_after_failure(&mut self, last: &Record) -> Result<(), LogError> {
        let time_ns = last.time_ns.max(self.last_time_ns);
        let mut encoded = Vec::new();
        encode_record(&mut encoded, self.header.marker, time_ns, last)?;
        if self.is_full || self.is_untrusted {
            // Gives back what is set aside, which may be all there is.
            let _ = self.file.set_len(self.written_bytes);
            self.open_next()?;
        } else {
            let room = self.reserved_bytes.saturating_sub(self.written_bytes);
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let fits = |end: &&usize| **end + encoded.len() <= room;
            let whole = self.ends.iter().take_while(fits).count();
            let whole_bytes = whole.checked_sub(1).map_or(0, |last| self.ends[last]);
            self.buffer.truncate(whole_bytes);
            self.ends.truncate(whole);
        }
        self.buffer.extend_from_slice(&encoded);
        self.ends.push(self.buffer.len());
        self.last_time_ns = time_ns;
        self.write_out()?;
        self.sync_segment()
    }

    /// Sets space aside for what is buffered and for the end.
    fn reserve(&mut self) -> io::Result<()> {
        let needed = self.written_bytes + self.buffer.len() as u64 + KEPT_FREE_BYTES;
        if needed <= self.reserved_bytes {
            return Ok(());
        }
        let from = self.written_bytes;
        for until in [needed + AHEAD_BYTES, needed] {
            match self.file.reserve(from, until - from) {
                Ok(()) => {
                    self.reserved_bytes = until;
                    return Ok(());
                }
                Err(error) if until == needed => return Err(error),
                // Perhaps there is room for less.
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn write_out(&mut self) -> Result<(), LogError> {
        let mut written = 0;
        let result = loop {
            match self.file.write(&self.buffer[written..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
            if written == self.buffer.len() {
                break Ok(());
            }
        };
        let whole = self.ends.iter().take_while(|&&end| end <= written).count();
        let whole_bytes = whole.checked_sub(1).map_or(0, |last| self.ends[last]);
        self.written_bytes += whole_bytes as u64;
        if result.is_err() && written > whole_bytes {
            // Half a record: better none. If that fails too, the reader passes over it.
            let _ = self.file.set_len(self.written_bytes);
            // The space went with it.
            self.reserved_bytes = self.written_bytes;
        }
        self.buffer.drain(..whole_bytes);
        self.ends.drain(..whole);
        for end in &mut self.ends {
            *end -= whole_bytes;
        }
        result.map_err(|error| LogError::io("write", &self.path, error))
    }

    fn sync_segment(&mut self) -> Result<(), LogError> {
        let synced = if self.is_untrusted {
            Err(io::Error::other("an earlier sync failed"))
        } else {
            self.file.sync()
        };
        self.is_untrusted |= synced.is_err();
        synced.map_err(|error| LogError::io("sync", &self.path, error))
    }

    /// Size of the log, bytes, all segments.
    pub fn bytes(&self) -> u64 {
        self.earlier_bytes + self.written_bytes + self.buffer.len() as u64
    }

    /// Wall time of recording time 0, Unix ns.
    pub fn started_wall_ns(&self) -> i64 {
        self.header.started_wall_ns
    }

    fn begin(
        folder: PathBuf,
        folder_file: File,
        settings: LogSettings,
        header: SegmentHeader,
        earlier_bytes: u64,
        last_time_ns: u64,
    ) -> Result<Self, LogError> {
        let path = segment_path(&folder, header.segment);
        let file = create_segment(&path, &header, &folder, &folder_file)?;
        Ok(Self {
            folder,
            folder_file,
            settings,
            header,
            path,
            file,
            reserved_bytes: 0,
            is_untrusted: false,
            written_bytes: SEGMENT_HEADER_BYTES as u64,
            earlier_bytes,
            buffer: Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 4),
            ends: Vec::new(),
            last_time_ns,
            is_full: false,
        })
    }

    /// Completes the segment and begins the next.
    fn begin_next(&mut self) -> Result<(), LogError> {
        self.flush()?;
        // Gives back what was set aside and is not needed.
        let _ = self.file.set_len(self.written_bytes);
        self.sync_segment()?;
        self.open_next()
    }

    fn open_next(&mut self) -> Result<(), LogError> {
        let header = SegmentHeader {
            segment: next_number(&self.folder, self.header.segment)?,
            created_wall_ns: now_wall_ns(),
            ..self.header.clone()
        };
        let path = segment_path(&self.folder, header.segment);
        self.is_full = true;
        self.file = create_segment(&path, &header, &self.folder, &self.folder_file)?;
        self.is_full = false;
        self.is_untrusted = false;
        self.path = path;
        self.header = header;
        self.earlier_bytes += self.written_bytes;
        self.written_bytes = SEGMENT_HEADER_BYTES as u64;
        self.reserved_bytes = 0;
        Ok(())
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        // Whoever wants to know whether it worked has called flush.
        let _ = self.flush();
        let _ = self.file.set_len(self.written_bytes);
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
