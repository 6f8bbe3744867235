//! One movie fragment: the samples that its `moof` lists.

use super::boxes::{Fields, boxes, find};
use super::movie::{SampleDefaults, TrackHeader};

/// `sample_is_non_sync_sample` in a sample's flags.
const NON_SYNC: u32 = 0x0001_0000;
/// The most samples of a fragment; a second of two tracks has about a hundred.
const MAX_SAMPLES: usize = 1 << 21;

/// One access unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// Ticks.
    pub(super) duration: u32,
    /// Bytes.
    pub(super) size: u32,
    /// Presentation time less decoding time, ticks.
    pub(super) composition_offset: i64,
    /// Whether decoding can begin here.
    pub(super) sync: bool,
}

/// Samples of one track whose data lies in one piece.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Index into the file's tracks.
    pub(super) track: usize,
    /// Decoding time of the first sample, ticks; `None`: it goes on from the run before.
    pub(super) decode_time: Option<u64>,
    /// Place of the data in the file.
    pub(super) data_start: u64,
    /// Bytes of data.
    pub(super) data_size: u64,
    pub(super) samples: Vec<Sample>,
}

/// Bits of `tfhd`.
mod tfhd {
    pub(super) const BASE_DATA_OFFSET: u32 = 0x01;
    pub(super) const SAMPLE_DESCRIPTION: u32 = 0x02;
    pub(super) const DURATION: u32 = 0x08;
    pub(super) const SIZE: u32 = 0x10;
    pub(super) const FLAGS: u32 = 0x20;
    pub(super) const BASE_IS_MOOF: u32 = 0x02_0000;
}

/// Bits of `trun`.
mod trun {
    pub(super) const DATA_OFFSET: u32 = 0x001;
    pub(super) const FIRST_FLAGS: u32 = 0x004;
    pub(super) const DURATION: u32 = 0x100;
    pub(super) const SIZE: u32 = 0x200;
    pub(super) const FLAGS: u32 = 0x400;
    pub(super) const COMPOSITION: u32 = 0x800;
}

/// Reads the body of a `moof` that begins at `moof_start`; its data must lie within `data`.
/// `None` if it is damaged or tells of a track that the file does not have.
pub(super) fn read_fragment(
    body: &[u8],
    moof_start: u64,
    data: std::ops::Range<u64>,
    tracks: &[TrackHeader],
) -> Option<Vec<Run>> {
    let mut runs = Vec::new();
    // Without other information a track's data follows that of the track before.
    let mut base = moof_start;
    let mut unclaimed = data.end - data.start;
    let mut room = MAX_SAMPLES;
    for traf in boxes(body).filter(|inner| inner.kind == *b"traf") {
        let header = read_tfhd(find(traf.body, b"tfhd")?.body, tracks)?;
        base = match header.base {
            Base::Offset(offset) => offset,
            Base::Moof => moof_start,
            Base::Implicit => base,
        };
        let mut decode_time = match find(traf.body, b"tfdt") {
            Some(tfdt) => Some(read_tfdt(tfdt.body)?),
            None => None,
        };
        let mut next = base;
        for trun in boxes(traf.body).filter(|inner| inner.kind == *b"trun") {
            let (offset, samples) = read_trun(trun.body, header.defaults, unclaimed, room)?;
            let data_start = match offset {
                Some(offset) => base.checked_add_signed(i64::from(offset))?,
                None => next,
            };
            let data_size = samples.iter().map(|sample| u64::from(sample.size)).sum();
            next = data_start.checked_add(data_size)?;
            if data_start < data.start || next > data.end {
                return None;
            }
            unclaimed = unclaimed.checked_sub(data_size)?;
            room -= samples.len();
            if !samples.is_empty() {
                let track = header.track;
                runs.push(Run {
                    track,
                    decode_time: decode_time.take(),
                    data_start,
                    data_size,
                    samples,
                });
            }
        }
        base = next;
    }
    Some(runs)
}

enum Base {
    Offset(u64),
    Moof,
    Implicit,
}

struct TrackFragment {
    track: usize,
    base: Base,
    defaults: SampleDefaults,
}

fn read_tfhd(body: &[u8], tracks: &[TrackHeader]) -> Option<TrackFragment> {
    let mut fields = Fields::new(body);
    let (_, flags) = fields.version_and_flags()?;
    let id = fields.u32()?;
    let track = tracks.iter().position(|track| track.id == id)?;
    let base = if flags & tfhd::BASE_DATA_OFFSET != 0 {
        Base::Offset(fields.u64()?)
    } else if flags & tfhd::BASE_IS_MOOF != 0 {
        Base::Moof
    } else {
        Base::Implicit
    };
    if flags & tfhd::SAMPLE_DESCRIPTION != 0 && fields.u32()? != 1 {
        return None; // Only the first description is taken over.
    }
    let mut defaults = tracks[track].defaults;
    for (bit, value) in [
        (tfhd::DURATION, &mut defaults.duration),
        (tfhd::SIZE, &mut defaults.size),
        (tfhd::FLAGS, &mut defaults.flags),
    ] {
        if flags & bit != 0 {
            *value = fields.u32()?;
        }
    }
    Some(TrackFragment {
        track,
        base,
        defaults,
    })
}

fn read_tfdt(body: &[u8]) -> Option<u64> {
    let mut fields = Fields::new(body);
    let (version, _) = fields.version_and_flags()?;
    fields.by_version(version)
}

/// The data offset, if there is one, and the samples: at most `room`, of together at most
/// `data_bytes`.
fn read_trun(
    body: &[u8],
    defaults: SampleDefaults,
    data_bytes: u64,
    room: usize,
) -> Option<(Option<i32>, Vec<Sample>)> {
    let mut fields = Fields::new(body);
    let (version, flags) = fields.version_and_flags()?;
    let count = fields.u32()? as usize;
    let has = |bit: u32| flags & bit != 0;
    let offset = if has(trun::DATA_OFFSET) {
        Some(fields.u32()? as i32)
    } else {
        None
    };
    let mut first_flags = if has(trun::FIRST_FLAGS) {
        Some(fields.u32()?)
    } else {
        None
    };

    // The count is believed only as far as there are fields, or data, for so many samples.
    let columns = [trun::DURATION, trun::SIZE, trun::FLAGS, trun::COMPOSITION];
    let entry = 4 * columns.into_iter().filter(|&bit| has(bit)).count();
    let listed = fields.remaining().checked_div(entry);
    let possible = match listed {
        Some(listed) => listed as u64,
        None => data_bytes.checked_div(u64::from(defaults.size))?,
    };
    if count as u64 > possible || count > room {
        return None;
    }
    let mut samples = Vec::with_capacity(count);
    for _ in 0..count {
        let mut column = |bit: u32, default: u32| {
            if has(bit) {
                fields.u32()
            } else {
                Some(default)
            }
        };
        let duration = column(trun::DURATION, defaults.duration)?;
        let size = column(trun::SIZE, defaults.size)?;
        let default_flags = first_flags.take().unwrap_or(defaults.flags);
        let sample_flags = column(trun::FLAGS, default_flags)?;
        let composition = column(trun::COMPOSITION, 0)?;
        samples.push(Sample {
            duration,
            size,
            composition_offset: match version {
                0 => i64::from(composition),
                _ => i64::from(composition as i32),
            },
            sync: sample_flags & NON_SYNC == 0,
        });
    }
    Some((offset, samples))
}
