//! Fragments of one muxer behind those of another: one file, as if there had been one muxer.

use super::boxes::{Fields, boxes};
use super::movie::{TrackHeader, read_movie};

/// Bits of `tfhd`.
const BASE_DATA_OFFSET: u32 = 0x01;

/// The first complete piece of what a muxer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Everything up to the end of `moov`, bytes.
    Head(usize),
    /// A `moof` and its `mdat`, bytes together.
    Fragment(usize),
    /// Another box, bytes.
    Other(usize),
}

impl Piece {
    /// The piece at the beginning of `bytes`, once it is complete.
    pub fn first(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let mut end = 0;
        loop {
            let inner = fields.next_box()?;
            end += inner.whole.len();
            match &inner.kind {
                // A header is a piece with the boxes before it, a fragment with that behind it.
                b"ftyp" | b"styp" | b"moof" => {}
                b"moov" => return Some(Self::Head(end)),
                b"mdat" => return Some(Self::Fragment(end)),
                _ => return Some(Self::Other(end)),
            }
        }
    }

    /// Bytes.
    pub fn length(self) -> usize {
        match self {
            Self::Head(length) | Self::Fragment(length) | Self::Other(length) => length,
        }
    }
}

/// How a muxer codes its tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    tracks: Vec<TrackHeader>,
}

impl Head {
    pub(super) fn new(tracks: Vec<TrackHeader>) -> Self {
        Self { tracks }
    }

    /// Reads the piece that is one; `None` if it is damaged.
    pub fn read(piece: &[u8]) -> Option<Self> {
        let moov = boxes(piece).find(|inner| inner.kind == *b"moov")?;
        Some(Self::new(read_movie(moov.body).ok()?))
    }
}

/// What has to be added to the fragments of a second muxer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    /// Number and decoding time of each track, ticks.
    pub tracks: Vec<(u32, u64)>,
    pub sequence_number: u32,
}

impl Shift {
    /// Moves a fragment to its place; `moved` is where it is in the file less where its muxer
    /// thinks it is, bytes. `None` if it is damaged.
    pub fn apply(&self, fragment: &mut [u8], moved: i64) -> Option<()> {
        let mut at = 0;
        while at < fragment.len() {
            let (kind, size) = box_at(fragment, at)?;
            if &kind == b"moof" {
                self.apply_to_moof(fragment.get_mut(at + 8..at + size)?, moved)?;
            }
            at += size;
        }
        Some(())
    }

    fn apply_to_moof(&self, body: &mut [u8], moved: i64) -> Option<()> {
        let mut at = 0;
        while at < body.len() {
            let (kind, size) = box_at(body, at)?;
            let inner = body.get_mut(at + 8..at + size)?;
            match &kind {
                b"mfhd" => add(inner, 4, 4, i64::from(self.sequence_number))?,
                b"traf" => self.apply_to_traf(inner, moved)?,
                _ => {}
            }
            at += size;
        }
        Some(())
    }

    fn apply_to_traf(&self, body: &mut [u8], moved: i64) -> Option<()> {
        let mut shift = 0;
        let mut at = 0;
        while at < body.len() {
            let (kind, size) = box_at(body, at)?;
            let inner = body.get_mut(at + 8..at + size)?;
            match &kind {
                b"tfhd" => {
                    let mut fields = Fields::new(inner);
                    let (_, flags) = fields.version_and_flags()?;
                    let id = fields.u32()?;
                    shift = self.tracks.iter().find(|(track, _)| *track == id)?.1;
                    if flags & BASE_DATA_OFFSET != 0 {
                        add(inner, 8, 8, moved)?;
                    }
                }
                b"tfdt" => {
                    let (version, _) = Fields::new(inner).version_and_flags()?;
                    let width = if version == 0 { 4 } else { 8 };
                    add(inner, 4, width, i64::try_from(shift).ok()?)?;
                }
                _ => {}
            }
            at += size;
        }
        Some(())
    }
}

/// Kind and size of the box at a place; only with a header of eight bytes, as a `moof` has it.
fn box_at(bytes: &[u8], at: usize) -> Option<([u8; 4], usize)> {
    let mut fields = Fields::new(bytes.get(at..)?);
    let size = fields.u32()? as usize;
    let kind = fields.bytes(4)?.try_into().ok()?;
    (size >= 8 && size <= bytes.len() - at).then_some((kind, size))
}

/// Adds to a big-endian number of `width` bytes.
fn add(body: &mut [u8], at: usize, width: usize, difference: i64) -> Option<()> {
    let bytes = body.get_mut(at..at + width)?;
    let value = bytes
        .iter()
        .fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    let sum = value.checked_add_signed(difference)?;
    if width < 8 && sum >> (8 * width) != 0 {
        return None;
    }
    bytes.copy_from_slice(&sum.to_be_bytes()[8 - width..]);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::fragments::{beginning, fragment};
    use super::*;

    #[test]
    fn pieces_are_complete_or_nothing() {
        let head = beginning();
        let first = fragment(1, 0, &[(100, 10), (100, 20)], 7);
        let all = [head.clone(), first.clone()].concat();
        for length in 0..head.len() {
            assert_eq!(Piece::first(&all[..length]), None);
        }
        assert_eq!(Piece::first(&all), Some(Piece::Head(head.len())));
        assert_eq!(Piece::first(&first[..first.len() - 1]), None);
        assert_eq!(Piece::first(&first), Some(Piece::Fragment(first.len())));
        assert!(Head::read(&head).is_some());
    }

    #[test]
    fn a_moved_fragment_has_other_times_and_is_otherwise_the_same() {
        let shift = Shift {
            tracks: vec![(1, 700), (2, 9)],
            sequence_number: 0,
        };
        let mut moved = fragment(1, 300, &[(100, 10)], 7);
        shift.apply(&mut moved, 0).unwrap();
        assert_eq!(moved, fragment(1, 1_000, &[(100, 10)], 7));
        let mut unknown = fragment(3, 300, &[(100, 10)], 7);
        assert_eq!(shift.apply(&mut unknown, 0), None);
    }
}
