//! Torn, damaged and hostile input.

use std::fs;

use proptest::prelude::*;

use super::fragments::{beginning, file, fragment, moof, plain, words};
use crate::render::mp4::finalise::collect;
use crate::render::mp4::*;

/// Finishes bytes in a folder of their own.
fn finish(bytes: &[u8]) -> Result<Mp4Summary, Mp4Error> {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.mp4"), folder.path().join("out.mp4"));
    fs::write(&input, bytes).unwrap();
    let result = finalise(&input, &output);
    assert_eq!(result.is_ok(), output.exists());
    result
}

fn samples(bytes: &[u8]) -> Vec<u64> {
    let contents = collect(bytes, bytes.len() as u64).unwrap();
    contents
        .tracks
        .iter()
        .map(|track| track.table.sizes.len() as u64)
        .collect()
}

#[test]
fn an_incomplete_last_fragment_is_left_out() {
    let whole = file();
    let last = whole.len() - 48 - fragment(1, 3_000, &[(100, 101); 30], b'W').len();
    for cut in [last, last + 5, last + 60, whole.len() - 49] {
        let summary = finish(&whole[..cut]).unwrap();
        assert_eq!(summary.tracks[0].samples, 30);
        assert_eq!(summary.tracks[1].samples, 94);
        assert_eq!(summary.left_out, (cut - last) as u64);
    }
}

#[test]
fn the_last_complete_fragment_is_told_in_bytes_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.mp4");
    let whole = file();
    let last = whole.len() - 48 - fragment(1, 3_000, &[(100, 101); 30], b'W').len();
    fs::write(&input, &whole[..last + 100]).unwrap();
    let end = last_complete_fragment(&input).unwrap();
    assert_eq!((end.offset, end.fragments), (last as u64, 3));
    assert_eq!(end.tracks[0].end, 3_000);
    assert_eq!(end.tracks[1].end, 94 * 1_024);
    assert_eq!(end.common_end(), std::time::Duration::from_secs(1));

    fs::write(&input, beginning()).unwrap();
    let end = last_complete_fragment(&input).unwrap();
    assert_eq!((end.offset, end.fragments), (beginning().len() as u64, 0));
    assert_eq!(end.common_end(), std::time::Duration::ZERO);
}

#[test]
fn zeros_after_a_power_cut_are_left_out() {
    let good = [beginning(), fragment(1, 0, &[(100, 50); 30], 1)].concat();
    let torn = [good.clone(), vec![0; 4_096]].concat();
    assert_eq!(finish(&torn).unwrap().left_out, 4_096);
}

#[test]
fn files_without_anything_to_finish_say_why() {
    assert!(matches!(finish(b""), Err(Mp4Error::Format { .. })));
    assert!(matches!(
        finish(b"not an mp4 at all"),
        Err(Mp4Error::Format { .. })
    ));
    assert!(matches!(finish(&beginning()), Err(Mp4Error::Empty { .. })));
    let plain_file = [
        plain(b"ftyp", b"isom"),
        plain(b"moov", &words(b"mvhd", 0, &[0; 24])),
    ];
    let error = finish(&plain_file.concat()).unwrap_err();
    assert!(error.to_string().contains("not fragmented"), "{error}");
}

#[test]
fn a_full_disk_is_told_as_such() {
    let full = std::io::Error::from_raw_os_error(28);
    let error = Mp4Error::writing("/data/out.mp4".as_ref(), 1_000, full);
    let text = error.to_string();
    assert!(
        text.contains("no space") && text.contains("/data/out.mp4"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.mp4");
    fs::write(&input, file()).unwrap();
    let output = folder.path().join("out.mp4");
    fs::create_dir(&output).unwrap();
    fs::write(output.join("occupied"), b"").unwrap();
    assert!(matches!(
        finalise(&input, &output),
        Err(Mp4Error::Io { .. })
    ));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn counts_that_the_data_cannot_hold_are_not_believed() {
    // A run of four thousand million samples without fields of their own.
    for default_size in [0, 1, u32::MAX] {
        let traf = [
            words(b"tfhd", 0x38, &[1, 100, default_size, 0]),
            words(b"tfdt", 0, &[0]),
            words(b"trun", 0x1, &[u32::MAX, 200]),
        ];
        let moof = plain(b"moof", &plain(b"traf", &traf.concat()));
        let bytes = [beginning(), moof, plain(b"mdat", &[0; 1_000])].concat();
        assert_eq!(samples(&bytes), [0, 0]);
    }
}

#[test]
fn data_outside_its_own_box_is_not_taken() {
    let mut bytes = beginning();
    bytes.extend(moof(1, 0, &[(100, 500)]));
    bytes.extend(plain(b"mdat", &[0; 400]));
    bytes.extend(plain(b"free", &[0; 400]));
    assert_eq!(samples(&bytes), [0, 0]);
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = collect(bytes.as_slice(), bytes.len() as u64);
        let behind = [beginning(), bytes].concat();
        prop_assert!(collect(behind.as_slice(), behind.len() as u64).is_ok());
    }

    #[test]
    fn any_damage_is_survived(
        changes in proptest::collection::vec((0.0_f64..1.0, any::<u8>()), 1..12),
        words in proptest::collection::vec((0.0_f64..1.0, prop_oneof![Just(u32::MAX), Just(0), Just(1), any::<u32>()]), 0..4),
    ) {
        let mut bytes = file();
        for (place, value) in changes {
            let index = (place * bytes.len() as f64) as usize;
            bytes[index] = value;
        }
        for (place, value) in words {
            let index = (place * (bytes.len() - 4) as f64) as usize;
            bytes[index..index + 4].copy_from_slice(&value.to_be_bytes());
        }
        if let Ok(contents) = collect(bytes.as_slice(), bytes.len() as u64) {
            prop_assert!(contents.end <= bytes.len() as u64);
            prop_assert!(contents.data_bytes <= bytes.len() as u64);
            prop_assert!(contents.ranges.iter().all(|range| range.end <= bytes.len() as u64));
            let head = crate::render::mp4::finalise::head(&contents.tracks, contents.data_bytes, 0);
            prop_assert!(!head.is_empty());
        }
    }

    #[test]
    fn a_cut_anywhere_keeps_the_complete_fragments(part in 0.0_f64..1.0) {
        let whole = file();
        let begin = beginning().len();
        let cut = begin + (part * (whole.len() - begin) as f64) as usize;
        let kept = samples(&whole[..cut]);
        let more = samples(&whole);
        prop_assert!(kept.iter().zip(&more).all(|(kept, all)| kept <= all));
        prop_assert!(kept[0].is_multiple_of(30) && kept[1].is_multiple_of(47));
    }
}
