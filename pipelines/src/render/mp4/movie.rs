//! The header of a fragmented file: which tracks there are and how they are coded.

use super::TrackKind;
use super::boxes::{Fields, boxes, descend, find};

/// Default values of a track's samples, from `trex` or `tfhd`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SampleDefaults {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
}

/// What does not change from fragment to fragment. Boxes are kept as they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TrackHeader {
    pub(super) id: u32,
    pub(super) kind: TrackKind,
    /// Ticks per second.
    pub(super) timescale: u32,
    /// ISO 639-2 code, packed as in `mdhd`.
    pub(super) language: u16,
    /// Pixels, 16.16 fixed point.
    pub(super) width: u32,
    /// Pixels, 16.16 fixed point.
    pub(super) height: u32,
    pub(super) handler: Vec<u8>,
    pub(super) media_header: Vec<u8>,
    pub(super) data_information: Vec<u8>,
    pub(super) sample_description: Vec<u8>,
    pub(super) defaults: SampleDefaults,
}

/// Reads the body of `moov`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_movie(body: &[u8]) -> Result<Vec<TrackHeader>, &'static str> {
    let extends = find(body, b"mvex").ok_or("it is not fragmented (no mvex)")?;
    let tracks: Vec<TrackHeader> = boxes(body)
        .filter(|inner| inner.kind == *b"trak")
        .map(|trak| read_track(trak.body, extends.body).ok_or("a track's header is damaged"))
        .collect::<Result<_, _>>()?;
    if tracks.is_empty() {
        return Err("it has no track");
    }
    let repeated = |(index, track): (usize, &TrackHeader)| {
        tracks[..index].iter().any(|earlier| earlier.id == track.id)
    };
    if tracks.iter().enumerate().any(repeated) {
        return Err("two of its tracks have the same number");
    }
    Ok(tracks)
}

fn read_track(trak: &[u8], extends: &[u8]) -> Option<TrackHeader> {
    let (id, width, height) = read_tkhd(find(trak, b"tkhd")?.body)?;
    let mdia = find(trak, b"mdia")?.body;
    let (timescale, language) = read_mdhd(find(mdia, b"mdhd")?.body)?;
    let handler = find(mdia, b"hdlr")?;
    let kind = match handler.body.get(8..12)? {
        b"vide" => TrackKind::Video,
        b"soun" => TrackKind::Audio,
        _ => TrackKind::Other,
    };
    let minf = find(mdia, b"minf")?.body;
    let media_header = boxes(minf)
        .find(|inner| matches!(&inner.kind, b"vmhd" | b"smhd" | b"nmhd" | b"gmhd" | b"hmhd"))?;
    let sample_description = descend(minf, &[*b"stbl", *b"stsd"])?;
    Some(TrackHeader {
        id,
        kind,
        timescale: (timescale > 0).then_some(timescale)?,
        language,
        width,
        height,
        handler: handler.whole.to_vec(),
        media_header: media_header.whole.to_vec(),
        data_information: find(minf, b"dinf")?.whole.to_vec(),
        sample_description: sample_description.whole.to_vec(),
        defaults: read_trex(extends, id).unwrap_or_default(),
    })
}

/// Number, width and height.
fn read_tkhd(body: &[u8]) -> Option<(u32, u32, u32)> {
    let mut fields = Fields::new(body);
    let (version, _) = fields.version_and_flags()?;
    fields.by_version(version)?; // created
    fields.by_version(version)?; // changed
    let id = fields.u32()?;
    fields.u32()?; // reserved
    fields.by_version(version)?; // duration
    fields.bytes(8 + 2 + 2 + 2 + 2 + 36)?; // reserved, layer, group, volume, reserved, matrix
    Some((id, fields.u32()?, fields.u32()?))
}

/// Ticks per second and language.
fn read_mdhd(body: &[u8]) -> Option<(u32, u16)> {
    let mut fields = Fields::new(body);
    let (version, _) = fields.version_and_flags()?;
    fields.by_version(version)?; // created
    fields.by_version(version)?; // changed
    let timescale = fields.u32()?;
    fields.by_version(version)?; // duration
    Some((timescale, fields.u16()?))
}

fn read_trex(extends: &[u8], track: u32) -> Option<SampleDefaults> {
    boxes(extends)
        .filter(|inner| inner.kind == *b"trex")
        .find_map(|trex| {
            let mut fields = Fields::new(trex.body);
            fields.version_and_flags()?;
            let id = fields.u32()?;
            fields.u32()?; // sample description
            let (duration, size, flags) = (fields.u32()?, fields.u32()?, fields.u32()?);
            (id == track).then_some(SampleDefaults {
                duration,
                size,
                flags,
            })
        })
}
