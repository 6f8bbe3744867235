//! Writing the header of a fast-start file.

use super::movie::TrackHeader;
use super::tables::{RunLengths, SampleTable};
use super::timescale::{movie_timescale, rescale};
use super::{TrackKind, boxes::Kind};

/// A track of the output: not empty.
pub(super) struct Track {
    pub(super) header: TrackHeader,
    pub(super) table: SampleTable,
}

/// What the header depends on besides the tracks.
#[derive(Clone, Copy)]
pub(super) struct Header {
    /// Place of the first byte of media data in the file.
    pub(super) data_start: u64,
    /// Whether chunks may lie beyond 4 GiB.
    pub(super) large: bool,
    /// Seconds since 1904 in UTC; 0: unknown.
    pub(super) created: u64,
}

/// The whole `ftyp` box.
pub(super) fn ftyp(tracks: &[Track]) -> Vec<u8> {
    let mut brands = b"isom\0\0\x02\0isomiso2mp41".to_vec();
    if tracks
        .iter()
        .any(|track| track.header.kind == TrackKind::Video)
    {
        brands.extend(b"avc1");
    }
    let mut out = Vec::new();
    plain(&mut out, b"ftyp", |out| out.extend(brands));
    out
}

/// The whole `moov` box. Its size depends on the tracks and on `large` only.
pub(super) fn moov(tracks: &[Track], header: Header) -> Vec<u8> {
    let timescale = movie_timescale(tracks.iter().map(|track| track.header.timescale));
    let length = |track: &Track| rescale(track.table.end(), track.header.timescale, timescale);
    let duration = tracks.iter().map(length).max().unwrap_or(0);
    let next_track = tracks.len() as u32 + 1;
    let mut out = Vec::new();
    plain(&mut out, b"moov", |out| {
        mvhd(out, header.created, timescale, duration, next_track);
        for (index, track) in tracks.iter().enumerate() {
            trak(out, track, index as u32 + 1, timescale, header);
        }
    });
    out
}

fn mvhd(out: &mut Vec<u8>, created: u64, timescale: u32, duration: u64, next_track: u32) {
    let version = version_for(created.max(duration));
    full(out, b"mvhd", version, 0, |out| {
        by_version(out, version, &[created, created]);
        u32(out, timescale);
        by_version(out, version, &[duration]);
        u32(out, 0x0001_0000); // rate 1
        u16(out, 0x0100); // volume 1
        out.extend([0; 10]);
        unity_matrix(out);
        out.extend([0; 24]);
        u32(out, next_track);
    });
}

fn trak(out: &mut Vec<u8>, track: &Track, number: u32, timescale: u32, header: Header) {
    let (source, table) = (&track.header, &track.table);
    let late = rescale(table.start, source.timescale, timescale);
    let end = rescale(table.end(), source.timescale, timescale);
    plain(out, b"trak", |out| {
        tkhd(out, source, number, end, header.created);
        if late > 0 {
            let played = end - late;
            plain(out, b"edts", |out| edit_list(out, late, played));
        }
        plain(out, b"mdia", |out| {
            let version = version_for(header.created.max(table.duration()));
            full(out, b"mdhd", version, 0, |out| {
                by_version(out, version, &[header.created, header.created]);
                u32(out, source.timescale);
                by_version(out, version, &[table.duration()]);
                u16(out, source.language);
                u16(out, 0);
            });
            out.extend(&source.handler);
            plain(out, b"minf", |out| {
                out.extend(&source.media_header);
                out.extend(&source.data_information);
                plain(out, b"stbl", |out| sample_table(out, track, header));
            });
        });
    });
}

fn tkhd(out: &mut Vec<u8>, source: &TrackHeader, number: u32, duration: u64, created: u64) {
    let version = version_for(created.max(duration));
    let enabled_in_movie = 0x03;
    full(out, b"tkhd", version, enabled_in_movie, |out| {
        by_version(out, version, &[created, created]);
        u32(out, number);
        u32(out, 0);
        by_version(out, version, &[duration]);
        out.extend([0; 8]);
        u16(out, 0); // layer
        u16(out, 0); // alternate group
        u16(
            out,
            if source.kind == TrackKind::Audio {
                0x0100
            } else {
                0
            },
        );
        u16(out, 0);
        unity_matrix(out);
        u32(out, source.width);
        u32(out, source.height);
    });
}

/// First nothing for `late`, then the media from its beginning.
fn edit_list(out: &mut Vec<u8>, late: u64, played: u64) {
    let version = version_for(late.max(played));
    full(out, b"elst", version, 0, |out| {
        u32(out, 2);
        let nothing = if version == 0 {
            u64::from(u32::MAX)
        } else {
            u64::MAX
        };
        for (duration, media_time) in [(late, nothing), (played, 0)] {
            by_version(out, version, &[duration, media_time]);
            u32(out, 0x0001_0000); // rate 1
        }
    });
}

fn sample_table(out: &mut Vec<u8>, track: &Track, header: Header) {
    let table = &track.table;
    out.extend(&track.header.sample_description);
    full(out, b"stts", 0, 0, |out| {
        run_lengths(out, &table.durations, |&duration| duration)
    });
    if table
        .composition_offsets
        .entries
        .iter()
        .any(|&(_, offset)| offset != 0)
    {
        let negative = table
            .composition_offsets
            .entries
            .iter()
            .any(|&(_, offset)| offset < 0);
        full(out, b"ctts", u8::from(negative), 0, |out| {
            run_lengths(out, &table.composition_offsets, |&offset| offset as u32);
        });
    }
    if table.sync_samples.len() < table.sizes.len() {
        full(out, b"stss", 0, 0, |out| list(out, &table.sync_samples));
    }
    full(out, b"stsc", 0, 0, |out| {
        let changes: Vec<(u32, u32)> = chunk_sizes(table);
        u32(out, changes.len() as u32);
        for (first_chunk, samples) in changes {
            u32(out, first_chunk);
            u32(out, samples);
            u32(out, 1); // sample description
        }
    });
    full(out, b"stsz", 0, 0, |out| sample_sizes(out, &table.sizes));
    let places = table
        .chunks
        .iter()
        .map(|chunk| header.data_start + chunk.offset);
    full(
        out,
        if header.large { b"co64" } else { b"stco" },
        0,
        0,
        |out| {
            u32(out, table.chunks.len() as u32);
            for place in places {
                if header.large {
                    u64(out, place)
                } else {
                    u32(out, place as u32)
                }
            }
        },
    );
}

/// Numbers of the chunks, from 1, from which on there are so many samples in each.
fn chunk_sizes(table: &SampleTable) -> Vec<(u32, u32)> {
    let mut changes: Vec<(u32, u32)> = Vec::new();
    for (number, chunk) in (1..).zip(&table.chunks) {
        if changes
            .last()
            .is_none_or(|&(_, samples)| samples != chunk.samples)
        {
            changes.push((number, chunk.samples));
        }
    }
    changes
}

fn sample_sizes(out: &mut Vec<u8>, sizes: &[u32]) {
    match sizes {
        [first, rest @ ..] if *first != 0 && rest.iter().all(|size| size == first) => {
            u32(out, *first);
            u32(out, sizes.len() as u32);
        }
        _ => {
            u32(out, 0);
            list(out, sizes);
        }
    }
}

fn list(out: &mut Vec<u8>, values: &[u32]) {
    u32(out, values.len() as u32);
    out.reserve(4 * values.len());
    values.iter().for_each(|&value| u32(out, value));
}

fn run_lengths<T>(out: &mut Vec<u8>, runs: &RunLengths<T>, value: impl Fn(&T) -> u32) {
    u32(out, runs.entries.len() as u32);
    for (count, entry) in &runs.entries {
        u32(out, *count);
        u32(out, value(entry));
    }
}

/// Version 1 where a number needs 64 bits.
fn version_for(greatest: u64) -> u8 {
    u8::from(greatest >= u64::from(u32::MAX))
}

fn by_version(out: &mut Vec<u8>, version: u8, values: &[u64]) {
    for &value in values {
        if version == 0 {
            u32(out, value as u32)
        } else {
            u64(out, value)
        }
    }
}

fn unity_matrix(out: &mut Vec<u8>) {
    for value in [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000] {
        u32(out, value);
    }
}

fn u16(out: &mut Vec<u8>, value: u16) {
    out.extend(value.to_be_bytes());
}

fn u32(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_be_bytes());
}

fn u64(out: &mut Vec<u8>, value: u64) {
    out.extend(value.to_be_bytes());
}

fn full(out: &mut Vec<u8>, kind: &Kind, version: u8, flags: u32, body: impl FnOnce(&mut Vec<u8>)) {
    plain(out, kind, |out| {
        u32(out, u32::from(version) << 24 | flags);
        body(out);
    });
}

fn plain(out: &mut Vec<u8>, kind: &Kind, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    u32(out, 0);
    out.extend(kind);
    body(out);
    let size = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}
