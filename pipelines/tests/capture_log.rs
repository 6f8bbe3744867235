//! The capture log as a writer and its readers see it: nothing whole is lost, whatever happened to
//! the files.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use tapedeck_pipelines::control::EndReason;
use tapedeck_pipelines::job::LogSettings;
use tapedeck_pipelines::log::{
    Body, Codec, Damage, Frame, LogError, LogEvent, LogReader, LogWriter, MAX_PAYLOAD_BYTES, Next,
    RECORD_HEADER_BYTES, Record, SEGMENT_HEADER_BYTES, SenderReport, TrackInfo, TrackKind,
    TrackSource,
};

const ID: &str = "EG_abcdefghijkl";
const ONE_SEGMENT: LogSettings = LogSettings {
    sync_interval_ms: 1_000,
    segment_bytes: 64 << 20,
};
/// So small that most logs of these tests have several segments.
const SMALL_SEGMENTS: LogSettings = LogSettings {
    sync_interval_ms: 1_000,
    segment_bytes: 1_000,
};

fn body() -> impl Strategy<Value = Body> {
    let frame = (
        any::<u16>(),
        any::<bool>(),
        any::<bool>(),
        any::<i64>(),
        vec(any::<u8>(), 0..400),
    )
        .prop_map(|(track, keyframe, contiguous, rtp, payload)| {
            Body::Frame(Frame {
                track,
                keyframe,
                contiguous,
                rtp,
                payload: payload.into(),
            })
        });
    let report = (any::<u16>(), any::<i64>(), any::<i64>())
        .prop_map(|(track, rtp, ntp_ns)| Body::SenderReport(SenderReport { track, rtp, ntp_ns }));
    prop_oneof![6 => frame, 1 => report, 2 => event().prop_map(Body::Event), 1 => Just(Body::Tick)]
}

fn event() -> impl Strategy<Value = LogEvent> {
    let track =
        (any::<u16>(), any::<u32>(), any::<bool>()).prop_map(|(track, clock_rate, muted)| {
            LogEvent::TrackAdded(TrackInfo {
                track,
                id: format!("TR_{track}"),
                participant: "PA_1".into(),
                kind: TrackKind::Video,
                source: TrackSource::ScreenShare,
                codec: Codec::Vp8,
                clock_rate,
                muted,
            })
        });
    prop_oneof![
        any::<String>().prop_map(|name| LogEvent::ParticipantJoined {
            participant: "PA_1".into(),
            identity: "someone".into(),
            name,
        }),
        any::<u16>().prop_map(|track| LogEvent::TrackMuted { track }),
        (any::<u64>(), any::<u64>()).prop_map(|(from_ns, to_ns)| LogEvent::Gap {
            from_ns,
            to_ns,
            reason: "signal_lost".into()
        }),
        Just(LogEvent::RecordingEnded {
            reason: EndReason::RoomEnded
        }),
        track,
    ]
}

/// Records whose times never go backwards.
fn records(most: usize) -> impl Strategy<Value = Vec<Record>> {
    vec((0..1_000_000_u64, 1..=i64::MAX, body()), 1..most).prop_map(|parts| {
        let mut time_ns = 0;
        let record = |(step, wall_ns, body)| {
            time_ns += step;
            Record {
                time_ns,
                wall_ns,
                body,
            }
        };
        parts.into_iter().map(record).collect()
    })
}

fn frame(time_ns: u64, payload: impl Into<Bytes>) -> Record {
    let frame = Frame {
        track: 1,
        keyframe: true,
        contiguous: true,
        rtp: 90,
        payload: payload.into(),
    };
    Record {
        time_ns,
        wall_ns: 1_700_000_000_000_000_000,
        body: Body::Frame(frame),
    }
}

fn write(folder: &Path, settings: LogSettings, records: &[Record]) {
    let mut writer = LogWriter::create(folder, ID, settings).unwrap();
    for record in records {
        writer.append(record).unwrap();
    }
    writer.flush().unwrap();
}

fn rest(reader: &mut LogReader) -> Vec<Record> {
    let mut records = Vec::new();
    while let Next::Record(record) = reader.next().unwrap() {
        records.push(record);
    }
    records
}

fn read(folder: &Path) -> (Vec<Record>, Vec<Damage>) {
    let mut reader = LogReader::open(folder).unwrap();
    let records = rest(&mut reader);
    (records, reader.damage().to_vec())
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

/// Where the records of a segment end, bytes.
fn record_ends(segment: &[u8]) -> Vec<usize> {
    let mut ends = vec![SEGMENT_HEADER_BYTES];
    while let Some(header) = segment.get(ends[ends.len() - 1]..) {
        let Some(length) = header.get(8..12) else {
            break;
        };
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        ends.push(ends[ends.len() - 1] + RECORD_HEADER_BYTES + length);
    }
    ends
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_written_is_read(records in records(60)) {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), SMALL_SEGMENTS, &records);
        let (read, damage) = read(folder.path());
        prop_assert_eq!(read, records);
        prop_assert_eq!(damage, vec![]);
    }

    #[test]
    fn a_torn_log_keeps_every_whole_record(records in records(12), at in any::<prop::sample::Index>()) {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), ONE_SEGMENT, &records);
        let path = segments(folder.path()).remove(0);
        let bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        fs::write(&path, &bytes[..at]).unwrap();
        if at < SEGMENT_HEADER_BYTES {
            prop_assert!(matches!(LogReader::open(folder.path()), Err(LogError::Missing(_))));
            return Ok(());
        }
        let ends = record_ends(&bytes);
        let whole = ends.iter().filter(|&&end| end <= at).count() - 1;

        // While it may grow, the rest is awaited, not reported.
        let mut reader = LogReader::open(folder.path()).unwrap();
        prop_assert_eq!(&rest(&mut reader)[..], &records[..whole]);
        prop_assert_eq!(reader.damage(), &[]);

        // The same reader goes on when the rest arrives.
        fs::write(&path, &bytes).unwrap();
        prop_assert_eq!(&rest(&mut reader)[..], &records[whole..]);
        prop_assert_eq!(reader.damage(), &[]);

        // Resumed, the log is whole up to there and goes on.
        fs::write(&path, &bytes[..at]).unwrap();
        let (mut writer, resumed) = LogWriter::resume(folder.path(), ID, ONE_SEGMENT).unwrap();
        prop_assert_eq!(resumed.cut_bytes as usize, at - ends[whole]);
        let last_ns = whole.checked_sub(1).map_or(0, |last| records[last].time_ns);
        prop_assert_eq!(resumed.time_ns, last_ns);
        let later = frame(last_ns + 1, "later");
        writer.append(&later).unwrap();
        drop(writer);
        let (read, damage) = read(folder.path());
        prop_assert_eq!(&read[..whole], &records[..whole]);
        prop_assert_eq!(&read[whole..], &[later]);
        prop_assert_eq!(damage, vec![]);
    }

    #[test]
    fn a_flipped_byte_loses_only_what_it_touches(
        records in records(30),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
        settings in prop_oneof![Just(ONE_SEGMENT), Just(SMALL_SEGMENTS)],
    ) {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), settings, &records);
        let mut at_in_log = at.index(segments(folder.path()).iter().map(|p| p.metadata().unwrap().len() as usize).sum());
        let mut first = 0;
        let mut touched = None;
        for path in segments(folder.path()) {
            let mut bytes = fs::read(&path).unwrap();
            let ends = record_ends(&bytes);
            if at_in_log < bytes.len() {
                let record = ends.iter().filter(|&&end| end <= at_in_log).count().checked_sub(1);
                touched = record.map(|record| first + record);
                bytes[at_in_log] ^= flip;
                fs::write(&path, &bytes).unwrap();
                break;
            }
            at_in_log -= bytes.len();
            first += ends.len() - 1;
        }
        let mut expected = records.clone();
        if let Some(touched) = touched {
            expected.remove(touched);
        }
        let (read, damage) = read(folder.path());
        prop_assert_eq!(read, expected);
        // A damaged last record looks like one that is being written.
        let is_last = touched == Some(records.len() - 1);
        prop_assert!(is_last || damage.len() == 1, "{:?}", damage);
    }

    #[test]
    fn garbage_does_no_harm(
        first in vec(any::<u8>(), 0..3_000),
        second in vec(any::<u8>(), 0..3_000),
        with_header in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("000001.tdl");
        if with_header {
            write(folder.path(), ONE_SEGMENT, &[]);
            let bytes = [fs::read(&path).unwrap(), first].concat();
            fs::write(&path, bytes).unwrap();
        } else {
            fs::write(&path, first).unwrap();
        }
        fs::write(folder.path().join("000002.tdl"), second).unwrap();
        if let Ok(mut reader) = LogReader::open(folder.path()) {
            prop_assert_eq!(rest(&mut reader), vec![]);
        }
    }
}

#[test]
fn a_lost_beginning_of_a_segment_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..100).map(|number| frame(number, vec![7; 100])).collect();
    write(folder.path(), ONE_SEGMENT, &records);
    let path = segments(folder.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[..4096].fill(0);
    fs::write(&path, bytes).unwrap();

    let mut reader = LogReader::open(folder.path()).unwrap();
    let read = rest(&mut reader);
    let lost = (4096 - SEGMENT_HEADER_BYTES).div_ceil(RECORD_HEADER_BYTES + 100);
    assert_eq!(read, records[lost..]);
    let passed_over: u64 = reader.damage().iter().map(|damage| damage.length).sum();
    assert_eq!(
        passed_over as usize,
        SEGMENT_HEADER_BYTES + lost * (RECORD_HEADER_BYTES + 100)
    );
}

#[test]
fn a_missing_segment_is_told_and_the_later_ones_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..40).map(|number| frame(number, vec![7; 100])).collect();
    write(folder.path(), SMALL_SEGMENTS, &records);
    let paths = segments(folder.path());
    assert!(paths.len() > 3, "{paths:?}");
    let in_one = record_ends(&fs::read(&paths[1]).unwrap()).len() - 1;
    fs::remove_file(&paths[1]).unwrap();

    let (read, damage) = read(folder.path());
    assert_eq!(read.len(), records.len() - in_one);
    assert_eq!(
        damage,
        [Damage {
            segment: paths[1].clone(),
            offset: 0,
            length: 0
        }]
    );
}

#[test]
fn damage_at_the_end_of_a_segment_is_told_once_a_later_one_exists() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        ONE_SEGMENT,
        &[frame(1, "one"), frame(2, "two")],
    );
    let path = segments(folder.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    let mut reader = LogReader::open(folder.path()).unwrap();
    assert_eq!(rest(&mut reader), [frame(1, "one")]);
    assert_eq!(reader.damage(), &[]);

    // As a later segment is begun, the end of this one is final.
    bytes[12] = 2;
    let mut header = bytes[..SEGMENT_HEADER_BYTES].to_vec();
    let checksum = crc32c::crc32c(&header[..SEGMENT_HEADER_BYTES - 4]);
    header[SEGMENT_HEADER_BYTES - 4..].copy_from_slice(&checksum.to_le_bytes());
    fs::write(folder.path().join("000002.tdl"), header).unwrap();
    assert_eq!(rest(&mut reader), []);
    let offset = (SEGMENT_HEADER_BYTES + RECORD_HEADER_BYTES + 3) as u64;
    let length = RECORD_HEADER_BYTES as u64 + 3;
    assert_eq!(
        reader.damage(),
        [Damage {
            segment: path,
            offset,
            length
        }]
    );
}

#[test]
fn a_resume_keeps_good_records_behind_damage() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<_> = (1..=5).map(|number| frame(number, vec![7; 100])).collect();
    write(folder.path(), ONE_SEGMENT, &records);
    let path = segments(folder.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[SEGMENT_HEADER_BYTES + 150] ^= 1;
    bytes.extend_from_slice(&[0; 1234]);
    fs::write(&path, bytes).unwrap();

    let (mut writer, resumed) = LogWriter::resume(folder.path(), ID, ONE_SEGMENT).unwrap();
    assert_eq!((resumed.time_ns, resumed.cut_bytes), (5, 1234));
    writer.append(&frame(6, "later")).unwrap();
    writer.sync().unwrap();
    let (read, damage) = read(folder.path());
    assert_eq!(
        read.iter().map(|record| record.time_ns).collect::<Vec<_>>(),
        [1, 3, 4, 5, 6]
    );
    assert_eq!(damage.len(), 1);
}

#[test]
fn a_resumed_log_keeps_its_time_zero_and_goes_on_behind_its_last_record() {
    let folder = tempfile::tempdir().unwrap();
    let started = 1_700_000_000_123_456_789;
    let mut writer = LogWriter::create_at(folder.path(), ID, ONE_SEGMENT, started).unwrap();
    writer.append(&frame(50, "one")).unwrap();
    drop(writer);

    let (mut writer, resumed) = LogWriter::resume(folder.path(), ID, ONE_SEGMENT).unwrap();
    assert_eq!(resumed.started_wall_ns, started);
    writer.append(&frame(20, "too early")).unwrap();
    writer.append(&frame(60, "two")).unwrap();
    writer.flush().unwrap();
    let mut reader = LogReader::open(folder.path()).unwrap();
    let times: Vec<_> = rest(&mut reader)
        .iter()
        .map(|record| record.time_ns)
        .collect();
    assert_eq!(times, [50, 50, 60]);
    assert_eq!(
        (reader.started_wall_ns(), reader.recording_id()),
        (started, ID)
    );
}

#[test]
fn a_log_is_never_overwritten_and_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::create(folder.path(), ID, ONE_SEGMENT).unwrap();
    writer.append(&frame(1, "one")).unwrap();
    assert!(LogWriter::create(folder.path(), ID, ONE_SEGMENT).is_err());
    assert!(LogWriter::resume(folder.path(), ID, ONE_SEGMENT).is_err());
    drop(writer);
    assert!(LogWriter::create(folder.path(), ID, ONE_SEGMENT).is_err());
    assert!(LogWriter::resume(folder.path(), "EG_another", ONE_SEGMENT).is_err());
    assert!(LogWriter::resume(folder.path(), ID, ONE_SEGMENT).is_ok());
}

#[test]
fn a_log_that_never_got_its_header_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("000001.tdl"), b"TDCAP").unwrap();
    assert!(matches!(
        LogReader::open(folder.path()),
        Err(LogError::Missing(_))
    ));
    write(folder.path(), ONE_SEGMENT, &[frame(1, "one")]);
    assert_eq!(read(folder.path()).0, [frame(1, "one")]);
}

#[test]
fn a_log_of_a_later_version_is_refused_with_its_version() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), ONE_SEGMENT, &[]);
    let path = segments(folder.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 9;
    let checksum = crc32c::crc32c(&bytes[..SEGMENT_HEADER_BYTES - 4]);
    bytes[SEGMENT_HEADER_BYTES - 4..].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let error = LogReader::open(folder.path()).err().unwrap().to_string();
    assert!(error.contains("version 9"), "{error}");
}

#[test]
fn a_record_that_is_too_large_is_refused_and_the_log_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::create(folder.path(), ID, ONE_SEGMENT).unwrap();
    let largest = frame(1, vec![1; MAX_PAYLOAD_BYTES]);
    let too_large = frame(1, vec![1; MAX_PAYLOAD_BYTES + 1]);
    assert!(matches!(
        writer.append(&too_large),
        Err(LogError::TooLarge(_))
    ));
    writer.append(&largest).unwrap();
    writer.append(&frame(2, "small")).unwrap();
    writer.flush().unwrap();
    assert_eq!(read(folder.path()).0, [largest, frame(2, "small")]);
}

#[test]
fn a_reader_comes_back_to_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..40).map(|number| frame(number, vec![7; 100])).collect();
    write(folder.path(), SMALL_SEGMENTS, &records);
    let mut reader = LogReader::open(folder.path()).unwrap();
    for _ in 0..10 {
        reader.next().unwrap();
    }
    let place = reader.position();
    assert_eq!(rest(&mut reader), records[10..]);
    reader.seek(place).unwrap();
    assert_eq!(rest(&mut reader), records[10..]);
}

#[test]
fn a_reader_in_another_thread_gets_everything_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let count = 20_000_u64;
    let settings = LogSettings {
        segment_bytes: 100_000,
        ..ONE_SEGMENT
    };
    let mut writer = LogWriter::create(folder.path(), ID, settings).unwrap();
    let path = folder.path().to_path_buf();
    let reading = std::thread::spawn(move || {
        let mut reader = LogReader::open(&path).unwrap();
        let mut records = Vec::new();
        while records.len() < count as usize {
            match reader.next().unwrap() {
                Next::Record(record) => records.push(record),
                Next::Edge => std::thread::yield_now(),
            }
        }
        (records, reader.damage().to_vec())
    });
    let expected: Vec<_> = (0..count)
        .map(|number| frame(number, vec![number as u8; (number * 7 % 300) as usize]))
        .collect();
    for (number, record) in expected.iter().enumerate() {
        writer.append(record).unwrap();
        if number % 13 == 0 {
            writer.flush().unwrap();
        }
    }
    writer.flush().unwrap();
    let (records, damage) = reading.join().unwrap();
    assert_eq!(damage, []);
    assert!(records == expected);
    let size: u64 = segments(folder.path())
        .iter()
        .map(|path| path.metadata().unwrap().len())
        .sum();
    assert_eq!(writer.bytes(), size);
}

/// Where the child process of the test below writes its log.
const SMALL_DISK: &str = "TAPEDECK_TEST_SMALL_DISK";

#[test]
fn a_full_disk_is_told_and_costs_no_record_once_there_is_room() {
    if let Some(folder) = std::env::var_os(SMALL_DISK) {
        return fill_small_disk(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    // A limit on the size of files stands in for a full disk; it holds for the whole process.
    let output = std::process::Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -S -f 20; exec "$0" "$@""#])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_full_disk_is_told_and_costs_no_record_once_there_is_room",
        ])
        .env(SMALL_DISK, folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn fill_small_disk(folder: &Path) {
    let record = |number| frame(number, vec![number as u8; 1_000]);
    let mut writer = LogWriter::create(folder, ID, ONE_SEGMENT).unwrap();
    for number in 0..50 {
        writer.append(&record(number)).unwrap();
    }
    let Err(LogError::Io { source, .. }) = writer.flush() else {
        panic!("there was room")
    };
    assert_eq!(source.kind(), std::io::ErrorKind::FileTooLarge);

    // What fits is whole: no half record is left behind.
    let size = segments(folder)[0].metadata().unwrap().len() as usize;
    let fitting = (size - SEGMENT_HEADER_BYTES) / (RECORD_HEADER_BYTES + 1_000);
    assert_eq!(
        size,
        SEGMENT_HEADER_BYTES + fitting * (RECORD_HEADER_BYTES + 1_000)
    );
    let mut reader = LogReader::open(folder).unwrap();
    assert_eq!(
        rest(&mut reader),
        (0..fitting as u64).map(record).collect::<Vec<_>>()
    );
    assert!(writer.flush().is_err());

    let room = rustix::process::getrlimit(rustix::process::Resource::Fsize);
    let room = rustix::process::Rlimit {
        current: room.maximum,
        maximum: room.maximum,
    };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, room).unwrap();
    writer.flush().unwrap();
    assert_eq!(
        rest(&mut reader),
        (fitting as u64..50).map(record).collect::<Vec<_>>()
    );
    assert_eq!(reader.damage(), &[]);
}

#[test]
fn a_segment_that_cannot_be_begun_costs_nothing_that_was_taken() {
    let folder = tempfile::tempdir().unwrap();
    let obstacle = folder.path().join("000002.tdl");
    let mut writer = LogWriter::create(folder.path(), ID, SMALL_SEGMENTS).unwrap();
    let first = frame(1, vec![1; 500]);
    writer.append(&first).unwrap();
    fs::create_dir(&obstacle).unwrap();
    assert!(writer.append(&frame(2, vec![2; 500])).is_err());
    // It would fit into the first segment, but readers have left that.
    assert!(writer.append(&frame(3, "small")).is_err());
    fs::remove_dir(&obstacle).unwrap();
    writer.append(&frame(4, "small")).unwrap();
    writer.flush().unwrap();
    assert_eq!(
        read(folder.path()),
        (vec![first, frame(4, "small")], vec![])
    );
    assert!(obstacle.is_file());
}

#[test]
fn an_event_of_a_later_version_is_read_as_unknown() {
    let event: LogEvent = serde_json::from_str(r#"{"event":"applauded","by":"someone"}"#)
        .unwrap_or(LogEvent::Unknown);
    assert_eq!(event, LogEvent::Unknown);
    let event: LogEvent =
        serde_json::from_str(r#"{"event":"track_muted","track":3,"by":"someone"}"#).unwrap();
    assert_eq!(event, LogEvent::TrackMuted { track: 3 });
}
