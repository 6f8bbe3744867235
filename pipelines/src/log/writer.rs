use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use tapedeck_failpoints::reached;

use super::folder::{segment_numbers, segment_path};
use super::format::{MAX_RECORDING_ID_BYTES, SEGMENT_HEADER_BYTES, SegmentHeader, encode_record};
use super::reader::LogReader;
use super::tail::find_tail;
use super::{LogError, Record};
use crate::job::LogSettings;
use crate::process::{now_wall_ns, random_u64};

/// How much is gathered before it is written without being asked, bytes.
const BUFFER_BYTES: usize = 256 << 10;

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
    file: File,
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
            tail.segment + 1
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
            // Half a record: better none. If that fails too, the reader takes it for a torn tail.
            let _ = self.file.set_len(self.written_bytes);
        }
        self.buffer.drain(..whole_bytes);
        self.ends.drain(..whole);
        for end in &mut self.ends {
            *end -= whole_bytes;
        }
        result.map_err(|error| LogError::io("write", &self.path, error))
    }

    /// Flushes and waits until the disk has it.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.flush()?;
        reached("log.written");
        self.file
            .sync_data()
            .map_err(|error| LogError::io("sync", &self.path, error))?;
        reached("log.synced");
        Ok(())
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
        let file = create_segment(&path, &header, &folder_file)?;
        Ok(Self {
            folder,
            folder_file,
            settings,
            header,
            path,
            file,
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
        self.file
            .sync_all()
            .map_err(|error| LogError::io("sync", &self.path, error))?;
        let header = SegmentHeader {
            segment: self.header.segment + 1,
            created_wall_ns: now_wall_ns(),
            ..self.header.clone()
        };
        let path = segment_path(&self.folder, header.segment);
        self.is_full = true;
        self.file = create_segment(&path, &header, &self.folder_file)?;
        self.is_full = false;
        self.path = path;
        self.header = header;
        self.earlier_bytes += self.written_bytes;
        self.written_bytes = SEGMENT_HEADER_BYTES as u64;
        Ok(())
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        // Whoever wants to know whether it worked has called flush.
        let _ = self.flush();
    }
}

/// Opens and locks the folder. The lock ends with the process.
fn lock(folder: &Path) -> Result<File, LogError> {
    let file = File::open(folder).map_err(|error| LogError::io("open", folder, error))?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|error| LogError::io("lock", folder, error.into()))?;
    Ok(file)
}

/// Refuses a folder with a log in it. A first segment that never got its header is none.
fn refuse_existing(folder: &Path) -> Result<(), LogError> {
    for number in segment_numbers(folder)? {
        let path = segment_path(folder, number);
        let metadata = path
            .metadata()
            .map_err(|error| LogError::io("read", &path, error))?;
        if number > 1 || metadata.len() >= SEGMENT_HEADER_BYTES as u64 {
            let source = io::ErrorKind::AlreadyExists.into();
            return Err(LogError::io("begin a log over", &path, source));
        }
    }
    Ok(())
}

/// Cuts a file to `good_bytes` on the disk; returns how many bytes that took away.
fn cut(path: &Path, good_bytes: u64) -> Result<u64, LogError> {
    let error = |error| LogError::io("cut the torn tail of", path, error);
    let file = OpenOptions::new().write(true).open(path).map_err(error)?;
    let torn = file
        .metadata()
        .map_err(error)?
        .len()
        .saturating_sub(good_bytes);
    if torn > 0 {
        file.set_len(good_bytes).map_err(error)?;
    }
    file.sync_all().map_err(error)?;
    Ok(torn)
}

/// Makes a segment that has a header, on the disk.
fn create_segment(path: &Path, header: &SegmentHeader, folder: &File) -> Result<File, LogError> {
    let error = |error| LogError::io("create", path, error);
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(error)?;
    reached("log.created");
    // What is there is the beginning of a header that could not be completed.
    file.set_len(0).map_err(error)?;
    if let Err(failed) = file.write_all(&header.encode()) {
        let _ = file.set_len(0);
        return Err(error(failed));
    }
    file.sync_data().map_err(error)?;
    reached("log.header");
    folder.sync_all().map_err(error)?;
    Ok(file)
}
