//! What `tapedeck inspect` tells of a log.

use std::fs;
use std::path::Path;

use tapedeck_pipelines::control::EndReason;
use tapedeck_pipelines::job::LogSettings;
use tapedeck_pipelines::log::{
    Body, Codec, Frame, GapSummary, LogError, LogEvent, LogWriter, Record, SenderReport, TrackInfo,
    TrackKind, TrackSource, inspect,
};

const SETTINGS: LogSettings = LogSettings {
    sync_interval_ms: 1_000,
    segment_bytes: 4_000,
};

fn write(folder: &Path, bodies: impl IntoIterator<Item = (u64, Body)>) {
    let started = 1_700_000_000_000_000_000;
    let mut writer = LogWriter::create_at(folder, "EG_1", SETTINGS, started).unwrap();
    for (time_ms, body) in bodies {
        let time_ns = time_ms * 1_000_000;
        let wall_ns = started + time_ns as i64;
        writer
            .append(&Record {
                time_ns,
                wall_ns,
                body,
            })
            .unwrap();
    }
    writer.sync().unwrap();
}

fn frame(number: u64, keyframe: bool, contiguous: bool) -> Body {
    let rtp = number as i64 * 6_000;
    Body::Frame(Frame {
        track: 1,
        keyframe,
        contiguous,
        rtp,
        payload: vec![7; 500].into(),
    })
}

fn recording() -> Vec<(u64, Body)> {
    let joined = LogEvent::ParticipantJoined {
        participant: "PA_1".into(),
        identity: "ann".into(),
        name: "Ann".into(),
    };
    let added = LogEvent::TrackAdded(TrackInfo {
        track: 1,
        id: "TR_1".into(),
        participant: "PA_1".into(),
        kind: TrackKind::Video,
        source: TrackSource::Camera,
        codec: Codec::Vp8,
        clock_rate: 90_000,
        muted: false,
    });
    let started = LogEvent::RecordingStarted {
        recording_id: "EG_1".into(),
        room_name: "stand-up".into(),
        room_id: "RM_1".into(),
        source: "whip".into(),
    };
    let renamed = LogEvent::ParticipantRenamed {
        participant: "PA_1".into(),
        name: "Anna".into(),
    };
    let gap = LogEvent::Gap {
        from_ns: 900_000_000,
        to_ns: 2_000_000_000,
        reason: "signal_lost".into(),
    };
    let report = SenderReport {
        track: 1,
        rtp: 60_000,
        ntp_ns: 1,
    };
    let mut bodies = vec![
        (0, Body::Event(started)),
        (0, Body::Event(joined)),
        (10, Body::Event(added)),
        (20, Body::Event(renamed)),
    ];
    bodies.extend((0..10).map(|number| (100 + number * 66, frame(number, number == 0, true))));
    bodies.push((800, Body::SenderReport(report)));
    bodies.push((2_000, Body::Event(gap)));
    bodies.push((2_000, frame(30, true, false)));
    bodies.push((2_500, Body::Tick));
    bodies.push((
        3_000,
        Body::Event(LogEvent::ParticipantLeft {
            participant: "PA_1".into(),
        }),
    ));
    bodies.push((
        3_000,
        Body::Event(LogEvent::RecordingEnded {
            reason: EndReason::RoomEnded,
        }),
    ));
    bodies
}

#[test]
fn a_log_is_told_with_everybody_and_every_track() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("log"), recording());
    let summary = inspect(folder.path()).unwrap();

    assert_eq!(summary.recording_id, "EG_1");
    assert_eq!(
        (&*summary.room_name, &*summary.room_id),
        ("stand-up", "RM_1")
    );
    assert_eq!(
        (summary.started_at_ms, summary.duration_ms),
        (1_700_000_000_000, 3_000)
    );
    assert_eq!(summary.end_reason, Some(EndReason::RoomEnded));
    assert_eq!(
        (summary.frames, summary.sender_reports, summary.events),
        (11, 1, 7)
    );
    assert_eq!(summary.segments.len(), 2);
    assert_eq!(
        summary.bytes,
        summary
            .segments
            .iter()
            .map(|segment| segment.bytes)
            .sum::<u64>()
    );
    let [ann] = &summary.participants[..] else {
        panic!("{:?}", summary.participants)
    };
    assert_eq!(
        (&*ann.name, ann.joined_ms, ann.left_ms),
        ("Anna", 0, Some(3_000))
    );
    let [track] = &summary.tracks[..] else {
        panic!("{:?}", summary.tracks)
    };
    assert_eq!(
        (&*track.id, track.codec, track.kind),
        ("TR_1", Codec::Vp8, Some(TrackKind::Video))
    );
    assert_eq!(
        (track.frames, track.bytes, track.key_frames),
        (11, 5_500, 2)
    );
    assert_eq!(track.interruptions, 1);
    assert_eq!(
        (track.first_frame_ms, track.last_frame_ms),
        (Some(100), Some(2_000))
    );
    assert_eq!(track.first_sender_report_ms, Some(800));
    let gap = GapSummary {
        from_ms: 900,
        to_ms: 2_000,
        reason: "signal_lost".into(),
    };
    assert_eq!(summary.gaps, [gap]);
    assert_eq!((summary.damage.len(), summary.unfinished_bytes), (0, 0));

    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["tracks"][0]["keyFrames"], 2);
    assert_eq!(json["endReason"], "room_ended");
}

#[test]
fn a_torn_and_damaged_log_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), recording());
    let first = folder.path().join("000001.tdl");
    let mut bytes = fs::read(&first).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&first, bytes).unwrap();
    let last = folder.path().join("000002.tdl");
    let length = last.metadata().unwrap().len();
    fs::OpenOptions::new()
        .write(true)
        .open(&last)
        .unwrap()
        .set_len(length - 1)
        .unwrap();

    let summary = inspect(folder.path()).unwrap();
    assert_eq!(summary.end_reason, None);
    assert_eq!(summary.frames, 10);
    let [damage] = &summary.damage[..] else {
        panic!("{:?}", summary.damage)
    };
    assert_eq!((&damage.file, damage.bytes), (&first, 540));
    assert!(summary.unfinished_bytes > 0);
}

#[test]
fn a_folder_without_a_log_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let error = inspect(folder.path()).unwrap_err();
    assert!(matches!(error, LogError::Missing(_)), "{error}");
}
