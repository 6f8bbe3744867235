//! One segment, open for reading.

use std::fs::File;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::folder::segment_path;
use super::format::{
    HeaderError, RECORD_HEADER_BYTES, RecordHeader, SEGMENT_HEADER_BYTES, SegmentHeader,
};
use super::{FORMAT_VERSION, LogError};

/// How much is read at once, bytes; payloads are slices of it.
const CHUNK_BYTES: u64 = 128 << 10;
/// How much is looked through at once for a marker, bytes.
const SCAN_BYTES: u64 = 1 << 20;
/// How many bytes one search may checksum: a file made to look like records everywhere must not
/// hold up the reader.
const SCAN_CHECKSUM_BYTES: u64 = 256 << 20;

/// What is at an offset.
pub(super) enum Found {
    /// A whole record.
    Record(RecordHeader, Bytes),
    /// No whole record: nothing, its beginning, or damage.
    Nothing,
}

/// A segment's file and the chunk of it that was read last.
pub(super) struct Segment {
    pub number: u32,
    pub path: PathBuf,
    file: File,
    /// Size when last asked, bytes.
    len: u64,
    chunk: Bytes,
    chunk_start: u64,
}

impl Segment {
    pub fn open(folder: &Path, number: u32) -> Result<Self, LogError> {
        let path = segment_path(folder, number);
        let file = File::open(&path).map_err(|error| LogError::io("open", &path, error))?;
        let mut segment = Self {
            number,
            path,
            file,
            len: 0,
            chunk: Bytes::new(),
            chunk_start: 0,
        };
        segment.measure()?;
        Ok(segment)
    }

    /// Asks for the size, bytes.
    pub fn measure(&mut self) -> Result<u64, LogError> {
        let metadata = self.file.metadata();
        self.len = metadata
            .map_err(|error| LogError::io("read", &self.path, error))?
            .len();
        Ok(self.len)
    }

    /// The header; `None` while it is not written completely.
    pub fn header(&mut self) -> Result<Option<Result<SegmentHeader, HeaderError>>, LogError> {
        let bytes = self.read(0, SEGMENT_HEADER_BYTES as u64)?;
        Ok(bytes.first_chunk().map(SegmentHeader::decode))
    }

    /// The first whole record whatever its marker, for a segment whose header is damaged.
    pub fn find_any_record(&mut self) -> Result<Option<RecordHeader>, LogError> {
        let mut budget = SCAN_CHECKSUM_BYTES;
        let mut start = SEGMENT_HEADER_BYTES as u64;
        while start + RECORD_HEADER_BYTES as u64 <= self.len {
            let window = self.read(start, SCAN_BYTES)?;
            if window.len() < RECORD_HEADER_BYTES {
                break;
            }
            for at in 0..=window.len() - RECORD_HEADER_BYTES {
                let header = window[at..].first_chunk().and_then(RecordHeader::decode);
                let Some(header) = header.filter(RecordHeader::is_plausible) else {
                    continue;
                };
                let found = self.record_at(start + at as u64, header.marker)?;
                if matches!(found, Found::Record(..)) {
                    return Ok(Some(header));
                }
                budget = budget.saturating_sub(header.record_bytes() as u64);
                if budget == 0 {
                    return Ok(None);
                }
            }
            start += (window.len() - RECORD_HEADER_BYTES + 1) as u64;
        }
        Ok(None)
    }

    /// What is at `offset`.
    pub fn record_at(&mut self, offset: u64, marker: u32) -> Result<Found, LogError> {
        if !self.load(offset, RECORD_HEADER_BYTES)? {
            return Ok(Found::Nothing);
        }
        let at = self.in_chunk(offset);
        let header = self.chunk[at..]
            .first_chunk()
            .and_then(RecordHeader::decode);
        let Some(header) = header.filter(|header| header.marker == marker) else {
            // Perhaps it was read while it was written: the next look must be at the file.
            self.forget();
            return Ok(Found::Nothing);
        };
        if !self.load(offset, header.record_bytes())? {
            return Ok(Found::Nothing);
        }
        let at = self.in_chunk(offset);
        let end = at + header.record_bytes();
        if !header.matches(&self.chunk[at..end]) {
            self.forget();
            return Ok(Found::Nothing);
        }
        Ok(Found::Record(
            header,
            self.chunk.slice(at + RECORD_HEADER_BYTES..end),
        ))
    }

    /// The offset of the first whole record at or after `from`.
    pub fn find_record(&mut self, from: u64, marker: u32) -> Result<Option<u64>, LogError> {
        let needle = marker.to_le_bytes();
        let mut budget = SCAN_CHECKSUM_BYTES;
        let mut start = from;
        while start + RECORD_HEADER_BYTES as u64 <= self.len {
            let window = self.read(start, SCAN_BYTES)?;
            if window.len() < needle.len() {
                break;
            }
            for at in 0..=window.len() - needle.len() {
                if window[at..at + needle.len()] != needle {
                    continue;
                }
                let offset = start + at as u64;
                if matches!(self.record_at(offset, marker)?, Found::Record(..)) {
                    return Ok(Some(offset));
                }
                let claimed = window[at..].first_chunk().and_then(RecordHeader::decode);
                let cost = claimed.map_or(RECORD_HEADER_BYTES, |header| header.record_bytes());
                budget = budget.saturating_sub(cost as u64);
                if budget == 0 {
                    return Ok(None);
                }
            }
            // A marker may lie across the border of two windows.
            start += (window.len() - needle.len() + 1) as u64;
        }
        Ok(None)
    }

    /// The error for a header that another version wrote.
    pub fn wrong_version(&self, version: u32) -> LogError {
        LogError::Format {
            path: self.path.clone(),
            detail: format!(
                "it is of version {version}, this program reads version {FORMAT_VERSION}: use the \
                 release of tapedeck that wrote it or a newer one"
            ),
        }
    }

    /// Forgets what was read, so that the next look is at the file.
    pub fn forget(&mut self) {
        self.chunk = Bytes::new();
    }

    /// Makes `length` bytes at `offset` available in the chunk; false when the file does not have
    /// them.
    fn load(&mut self, offset: u64, length: usize) -> Result<bool, LogError> {
        let end = offset + length as u64;
        if offset >= self.chunk_start && end <= self.chunk_start + self.chunk.len() as u64 {
            return Ok(true);
        }
        if end > self.len && end > self.measure()? {
            return Ok(false);
        }
        self.chunk = self.read(offset, (length as u64).max(CHUNK_BYTES))?;
        self.chunk_start = offset;
        Ok(self.chunk.len() >= length)
    }

    fn in_chunk(&self, offset: u64) -> usize {
        (offset - self.chunk_start) as usize
    }

    /// Up to `most` bytes at `offset`, fewer at the end of the file.
    fn read(&self, offset: u64, most: u64) -> Result<Bytes, LogError> {
        let most = most.min(self.len.saturating_sub(offset));
        let mut bytes = Vec::with_capacity(most as usize);
        while bytes.len() < bytes.capacity() {
            let from = offset + bytes.len() as u64;
            match rustix::io::pread(&self.file, rustix::buffer::spare_capacity(&mut bytes), from) {
                Ok(0) => break,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(LogError::io("read", &self.path, error.into())),
            }
        }
        Ok(bytes.into())
    }
}
