//! What is written, box by box.

use std::fs;
use std::io;

use super::fragments::{beginning, file, fragment, moof};
use crate::render::mp4::boxes::{Kind, ReadAt, descend, find};
use crate::render::mp4::finalise::{collect, head};
use crate::render::mp4::*;

/// Finishes bytes; gives the summary and the finished bytes.
fn finished(bytes: &[u8]) -> (Mp4Summary, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.mp4");
    let output = folder.path().join("out.mp4");
    fs::write(&input, bytes).unwrap();
    let summary = finalise(&input, &output).unwrap();
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 2, "nothing else is left in the folder");
    (summary, fs::read(output).unwrap())
}

/// The words of a sample table's box after version and flags.
fn table(file: &[u8], track: usize, kind: &Kind) -> Option<Vec<u32>> {
    let moov = find(file, b"moov")?.body;
    let tracks = crate::render::mp4::boxes::boxes(moov).filter(|inner| inner.kind == *b"trak");
    let trak = tracks.collect::<Vec<_>>()[track];
    let table = descend(trak.body, &[*b"mdia", *b"minf", *b"stbl", *kind])?;
    let words = table.body.chunks_exact(4);
    Some(
        words
            .skip(1)
            .map(|word| u32::from_be_bytes(word.try_into().unwrap()))
            .collect(),
    )
}

#[test]
fn tables_describe_all_samples_and_the_header_comes_first() {
    let (summary, bytes) = finished(&file());
    assert_eq!(table(&bytes, 0, b"stts").unwrap(), [1, 60, 100]);
    assert_eq!(table(&bytes, 0, b"stsz").unwrap()[..3], [0, 60, 100]);
    assert_eq!(table(&bytes, 1, b"stsc").unwrap(), [1, 1, 47, 1]);
    assert_eq!(
        table(&bytes, 0, b"stss"),
        None,
        "every sample is a sync sample"
    );
    assert_eq!(table(&bytes, 0, b"ctts"), None);
    for (track, expected) in [(0, b"VW"), (1, b"ab")] {
        let places = table(&bytes, track, b"stco").unwrap();
        let found: Vec<u8> = places[1..]
            .iter()
            .map(|&place| bytes[place as usize])
            .collect();
        assert_eq!(found, expected);
    }
    let kinds: Vec<Kind> = boxes::boxes(&bytes).map(|inner| inner.kind).collect();
    assert_eq!(kinds, [*b"ftyp", *b"moov", *b"mdat"]);

    assert_eq!(summary.size, bytes.len() as u64);
    assert_eq!(
        (summary.width, summary.height, summary.left_out),
        (320, 240, 0)
    );
    assert_eq!(
        summary.duration.as_nanos(),
        94 * 1_024 * 1_000_000_000 / 48_000
    );
    let samples: Vec<u64> = summary.tracks.iter().map(|track| track.samples).collect();
    assert_eq!(samples, [60, 94]);
}

#[test]
fn the_same_input_gives_the_same_bytes_and_their_digest() {
    use sha2::Digest;
    let (one, other) = (finished(&file()), finished(&file()));
    assert_eq!(one, other);
    assert_eq!(one.0.sha256, <[u8; 32]>::from(sha2::Sha256::digest(&one.1)));
}

#[test]
fn a_track_without_samples_is_left_away() {
    let (summary, bytes) = finished(&[beginning(), fragment(2, 0, &[(1_024, 10)], 1)].concat());
    assert_eq!(summary.tracks.len(), 1);
    assert_eq!(summary.tracks[0].kind, TrackKind::Audio);
    assert_eq!((summary.width, summary.height), (0, 0));
    assert_eq!(table(&bytes, 0, b"stts").unwrap(), [1, 1, 1_024]);
}

#[test]
fn a_track_that_begins_late_gets_an_edit_list() {
    let parts = [
        beginning(),
        fragment(2, 0, &[(1_024, 10)], 1),
        fragment(1, 1_500, &[(100, 9)], 2),
    ];
    let (summary, bytes) = finished(&parts.concat());
    assert_eq!(
        (summary.tracks[0].start, summary.tracks[0].end),
        (1_500, 1_600)
    );
    let moov = find(&bytes, b"moov").unwrap().body;
    let list = descend(moov, &[*b"trak", *b"edts", *b"elst"]).unwrap().body;
    // Two entries: nothing for half a second of 48000 ticks, then the frame from its beginning.
    let words: Vec<u32> = list
        .chunks_exact(4)
        .map(|word| u32::from_be_bytes(word.try_into().unwrap()))
        .collect();
    assert_eq!(
        words,
        [0, 2, 24_000, u32::MAX, 0x1_0000, 1_600, 0, 0x1_0000]
    );
}

#[test]
fn the_time_of_the_recording_is_written_when_given() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.mp4"), folder.path().join("out.mp4"));
    fs::write(&input, file()).unwrap();
    let unix = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    finalise_created_at(&input, &output, unix).unwrap();
    let bytes = fs::read(&output).unwrap();
    let mvhd = descend(&bytes, &[*b"moov", *b"mvhd"]).unwrap().body;
    assert_eq!(
        mvhd[4..8],
        (1_700_000_000_u32 + 2_082_844_800).to_be_bytes()
    );
}

/// A file of a header and so many fragments of which only the beginnings are kept in memory.
struct Sparse {
    parts: Vec<(u64, Vec<u8>)>,
}

impl ReadAt for Sparse {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        buffer.fill(0);
        for (start, bytes) in &self.parts {
            for (place, byte) in (*start..).zip(bytes) {
                if let Some(index) = place.checked_sub(offset)
                    && let Some(target) = buffer.get_mut(index as usize)
                {
                    *target = *byte;
                }
            }
        }
        Ok(())
    }
}

#[test]
fn files_over_4_gib_get_64_bit_places() {
    const SAMPLE: u32 = 3 << 30;
    let mut parts = vec![(0, beginning())];
    let mut length = parts[0].1.len() as u64;
    for number in 0..3 {
        let mut bytes = moof(1, number * 100, &[(100, SAMPLE)]);
        bytes.extend((SAMPLE + 8).to_be_bytes());
        bytes.extend(b"mdat");
        parts.push((length, bytes.clone()));
        length += bytes.len() as u64 + u64::from(SAMPLE);
    }
    let mut contents = collect(&Sparse { parts }, length).unwrap();
    assert_eq!(contents.fragments, 3);
    assert_eq!(contents.data_bytes, 9 << 30);
    contents.tracks.truncate(1);
    let head = head(&contents.tracks, contents.data_bytes, 0);
    assert_eq!(table(&head, 0, b"stco"), None);
    let start = head.len() as u64;
    let places = table(&head, 0, b"co64").unwrap();
    let place = |index: usize| u64::from(places[index]) << 32 | u64::from(places[index + 1]);
    assert_eq!(
        [place(1), place(3), place(5)],
        [start, start + (3 << 30), start + (6 << 30)]
    );
    let data = &head[head.len() - 16..];
    assert_eq!(data[..8], *b"\0\0\0\x01mdat");
    assert_eq!(data[8..], ((9_u64 << 30) + 16).to_be_bytes());
}
