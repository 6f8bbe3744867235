//! Reading boxes of ISO/IEC 14496-12 with every length checked against what is there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Something with a known length that is read at any place: a file, or bytes in memory.
pub(super) trait ReadAt {
    /// Fills `buffer` from `offset` on.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let bytes = self.get(start..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Four characters that name a box.
pub(super) type Kind = [u8; 4];

/// Where a box of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BoxPlace {
    pub(super) kind: Kind,
    /// Of the first byte of the header.
    pub(super) start: u64,
    /// Of the first byte after the header.
    pub(super) body: u64,
    /// Of the first byte after the box; may be beyond the end of the file.
    pub(super) end: u64,
}

/// The header of the box at `start` of a file of `length` bytes; `None` if there is no whole
/// header or its size is impossible.
pub(super) fn box_at<R: ReadAt + ?Sized>(
    source: &R,
    start: u64,
    length: u64,
) -> io::Result<Option<BoxPlace>> {
    let available = length.saturating_sub(start);
    if available < 8 {
        return Ok(None);
    }
    let mut header = [0; 16];
    let header_bytes = available.min(16) as usize;
    source.read_exact_at(&mut header[..header_bytes], start)?;
    let mut fields = Fields::new(&header[..header_bytes]);
    Ok(fields
        .box_header(available)
        .and_then(|(kind, header_size, size)| {
            Some(BoxPlace {
                kind,
                start,
                body: start + header_size,
                end: start.checked_add(size)?,
            })
        }))
}

/// Big-endian fields of a box, read one after the other. Each reader gives `None` at the end.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.bytes(8)?.try_into().ok()?))
    }

    /// Version and flags, the beginning of a full box.
    pub(super) fn version_and_flags(&mut self) -> Option<(u8, u32)> {
        let word = self.u32()?;
        Some(((word >> 24) as u8, word & 0x00ff_ffff))
    }

    /// A 64-bit number in version 1 of a box, else one of 32 bits.
    pub(super) fn by_version(&mut self, version: u8) -> Option<u64> {
        match version {
            0 => self.u32().map(u64::from),
            1 => self.u64(),
            _ => None,
        }
    }

    /// Kind, size of the header and size of the box; a size of 0 reaches to the end of
    /// `available` bytes.
    fn box_header(&mut self, available: u64) -> Option<(Kind, u64, u64)> {
        let short = self.u32()?;
        let kind = self.bytes(4)?.try_into().ok()?;
        let (header, size) = match short {
            0 => (8, available),
            1 => (16, self.u64()?),
            size => (8, u64::from(size)),
        };
        (size >= header).then_some((kind, header, size))
    }

    /// The next box inside this one: its kind, its body, and all of its bytes.
    pub(super) fn next_box(&mut self) -> Option<InnerBox<'a>> {
        let all = self.rest;
        let mut ahead = *self;
        let (kind, header, size) = ahead.box_header(all.len() as u64)?;
        let whole = self.bytes(usize::try_from(size).ok()?)?;
        Some(InnerBox {
            kind,
            body: &whole[header as usize..],
            whole,
        })
    }
}

/// A box inside another one.
#[derive(Clone, Copy)]
pub(super) struct InnerBox<'a> {
    pub(super) kind: Kind,
    pub(super) body: &'a [u8],
    pub(super) whole: &'a [u8],
}

/// The boxes in a body, up to the first that does not fit.
pub(super) fn boxes(body: &[u8]) -> impl Iterator<Item = InnerBox<'_>> {
    let mut fields = Fields::new(body);
    std::iter::from_fn(move || fields.next_box())
}

/// The first box of a kind in a body.
pub(super) fn find<'a>(body: &'a [u8], kind: &Kind) -> Option<InnerBox<'a>> {
    boxes(body).find(|inner| inner.kind == *kind)
}

/// The first box at the end of a path of kinds.
pub(super) fn descend<'a>(body: &'a [u8], path: &[Kind]) -> Option<InnerBox<'a>> {
    let (last, above) = path.split_last()?;
    let inner = above
        .iter()
        .try_fold(body, |body, kind| Some(find(body, kind)?.body))?;
    find(inner, last)
}
