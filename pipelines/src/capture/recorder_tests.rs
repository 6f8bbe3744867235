use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::log::{Body, Codec, Frame, Record, TrackNumber};
use crate::sources::SourceFrame;

#[derive(Default)]
struct Log {
    records: Vec<Record>,
    full: bool,
}

impl RecordSink for Log {
    fn append(&mut self, record: Record, expendable: bool) -> bool {
        if self.full && expendable {
            return false;
        }
        self.records.push(record);
        true
    }
}

impl Log {
    fn events(&self) -> Vec<&LogEvent> {
        self.records
            .iter()
            .filter_map(|record| match &record.body {
                Body::Event(event) => Some(event),
                _ => None,
            })
            .collect()
    }

    fn frames(&self) -> Vec<&Frame> {
        self.records
            .iter()
            .filter_map(|record| match &record.body {
                Body::Frame(frame) => Some(frame),
                _ => None,
            })
            .collect()
    }

    fn tracks(&self) -> Vec<TrackNumber> {
        self.frames().iter().map(|frame| frame.track).collect()
    }
}

struct Room {
    recorder: Recorder,
    log: Log,
    start: Instant,
}

const MS: u64 = 1_000_000;

fn at(ms: u64) -> Moment {
    Moment {
        time_ns: ms * MS,
        wall_ns: 0,
    }
}

/// A room with Ann, whose camera is `TR_1` and whose microphone is `TR_2`.
fn room() -> Room {
    let start = Instant::now();
    let clock = RecordingClock::new(start, 0);
    let mut log = Log::default();
    let started = LogEvent::RecordingStarted {
        recording_id: "EG_abcdefghijkl".to_owned(),
        room_name: "room".to_owned(),
        room_id: "RM_1".to_owned(),
        source: "livekit".to_owned(),
    };
    let recorder = Recorder::begin(clock, started, at(0), &mut log);
    let mut room = Room {
        recorder,
        log,
        start,
    };
    room.tell(
        0,
        SourceEvent::ParticipantJoined(Participant {
            id: "PA_1".to_owned(),
            identity: "ann".to_owned(),
            name: "Ann".to_owned(),
        }),
    );
    room.tell(
        0,
        SourceEvent::TrackPublished(track("TR_1", Some(Codec::Vp8))),
    );
    room.tell(
        0,
        SourceEvent::TrackPublished(track("TR_2", Some(Codec::Opus))),
    );
    room
}

fn track(id: &str, codec: Option<Codec>) -> Publication {
    let kind = if codec == Some(Codec::Opus) {
        TrackKind::Audio
    } else {
        TrackKind::Video
    };
    Publication {
        id: TrackId::from(id),
        participant: "PA_1".to_owned(),
        kind,
        source: crate::log::TrackSource::Camera,
        codec,
        muted: false,
        width: 640,
        height: 360,
        layer_heights: Vec::new(),
    }
}

fn video(rtp: u32, keyframe: bool) -> SourceFrame {
    SourceFrame {
        id: TrackId::from("TR_1"),
        codec: Codec::Vp8,
        clock_rate: 90_000,
        keyframe,
        contiguous: true,
        rtp,
        packets_lost: 0,
        payload: Bytes::from_static(&[0x50, 0x42, 0, 0x9d, 1, 0x2a, 0x80, 2, 0x68, 1]),
    }
}

impl Room {
    fn tell(&mut self, ms: u64, event: SourceEvent) -> Reaction {
        self.recorder.handle(event, at(ms), &mut self.log)
    }

    fn frame(&mut self, ms: u64, frame: SourceFrame) -> Reaction {
        self.tell(ms, SourceEvent::Frame(frame))
    }

    fn last_event(&self) -> LogEvent {
        (*self.log.events().last().expect("an event")).clone()
    }
}

fn camera() -> TrackId {
    TrackId::from("TR_1")
}

#[test]
fn the_log_begins_with_the_room_and_who_is_in_it() {
    let room = room();
    assert_eq!(room.log.records[0].time_ns, 0);
    let events = room.log.events();
    assert!(matches!(events[0], LogEvent::RecordingStarted { room_id, .. } if room_id == "RM_1"));
    assert!(matches!(events[1], LogEvent::ParticipantJoined { name, .. } if name == "Ann"));
    assert!(
        matches!(events[2], LogEvent::TrackAdded(info) if info.track == 1 && info.codec == Codec::Vp8 && info.clock_rate == 90_000)
    );
    assert!(
        matches!(events[3], LogEvent::TrackAdded(info) if info.track == 2 && info.clock_rate == 48_000)
    );
}

#[test]
fn frames_keep_their_rtp_time_and_the_picture_size_is_told() {
    let mut room = room();
    assert_eq!(
        room.frame(100, video(1000, true)),
        Reaction::KeyframeArrived(camera())
    );
    assert_eq!(room.frame(133, video(4000, false)), Reaction::Nothing);
    let frames = room.log.frames();
    assert_eq!((frames[0].rtp, frames[1].rtp), (1000, 4000));
    let status = room.recorder.participants(|_| String::new());
    let camera = &status[0].tracks[0];
    assert_eq!((camera.width, camera.height, camera.frames), (640, 360, 2));
    assert_eq!(camera.codec, "vp8");
    assert_eq!(room.recorder.frames(), 2);
}

#[test]
fn a_broken_picture_asks_for_a_key_frame() {
    let mut room = room();
    assert_eq!(
        room.frame(0, video(0, false)),
        Reaction::KeyframeWanted(camera())
    );
    room.frame(33, video(3000, true));
    let mut broken = video(9000, false);
    broken.contiguous = false;
    broken.packets_lost = 3;
    assert_eq!(room.frame(100, broken), Reaction::KeyframeWanted(camera()));
    let status = room.recorder.participants(|_| String::new());
    assert_eq!(status[0].tracks[0].packets_lost, 3);
}

#[test]
fn another_codec_or_another_clock_is_another_track() {
    let mut room = room();
    room.frame(0, video(0, true));
    let mut other = video(3000, true);
    other.codec = Codec::H264;
    room.frame(33, other.clone());
    assert!(
        matches!(room.last_event(), LogEvent::TrackAdded(info) if info.track == 3 && info.codec == Codec::H264 && info.id == "TR_1")
    );
    // As after joining again: the clock starts elsewhere.
    other.rtp = 4_000_000_000;
    other.keyframe = false;
    assert_eq!(room.frame(66, other), Reaction::KeyframeWanted(camera()));
    assert_eq!(room.log.tracks(), [1, 3, 4]);
    let removed: Vec<_> = room
        .log
        .events()
        .into_iter()
        .filter(|event| matches!(event, LogEvent::TrackRemoved { .. }))
        .collect();
    assert_eq!(
        removed,
        [
            &LogEvent::TrackRemoved { track: 1 },
            &LogEvent::TrackRemoved { track: 3 }
        ]
    );
}

#[test]
fn a_track_of_unknown_codec_is_announced_with_its_first_frame() {
    let mut room = room();
    room.tell(0, SourceEvent::TrackUnpublished { id: camera() });
    room.tell(0, SourceEvent::TrackPublished(track("TR_1", None)));
    assert_eq!(room.last_event(), LogEvent::TrackRemoved { track: 1 });
    room.frame(10, video(0, true));
    assert!(
        matches!(room.last_event(), LogEvent::TrackAdded(info) if info.track == 3 && info.codec == Codec::Vp8)
    );
}

#[test]
fn muting_is_told_and_stops_the_wait_for_key_frames() {
    let mut room = room();
    let muted = SourceEvent::TrackMuted {
        id: camera(),
        muted: true,
    };
    assert_eq!(room.tell(5, muted), Reaction::VideoStopped(camera()));
    assert_eq!(room.last_event(), LogEvent::TrackMuted { track: 1 });
    let unmuted = SourceEvent::TrackMuted {
        id: camera(),
        muted: false,
    };
    assert_eq!(room.tell(9, unmuted), Reaction::KeyframeExpected(camera()));
    assert_eq!(room.last_event(), LogEvent::TrackUnmuted { track: 1 });
}

#[test]
fn a_lost_connection_leaves_a_gap_until_the_first_frame() {
    let mut room = room();
    room.frame(1000, video(0, true));
    let restored = SourceEvent::Restored {
        media_lost_since: Some(room.start + Duration::from_millis(1010)),
        settings_lost: true,
    };
    room.tell(3000, restored);
    // It cannot be decoded: what it refers to was lost.
    assert_eq!(
        room.frame(3100, video(189_000, false)),
        Reaction::KeyframeWanted(camera())
    );
    assert!(!room.log.frames()[1].contiguous);
    assert_eq!(
        room.last_event(),
        LogEvent::Gap {
            from_ns: 1010 * MS,
            to_ns: 3100 * MS,
            reason: "connection_lost".to_owned()
        }
    );
}

#[test]
fn a_connection_restored_without_losing_media_leaves_no_gap() {
    let mut room = room();
    room.tell(10, SourceEvent::Interrupted);
    room.tell(
        50,
        SourceEvent::Restored {
            media_lost_since: None,
            settings_lost: false,
        },
    );
    room.recorder.tick(at(5000), &mut room.log);
    let gap = |record: &&Record| matches!(record.body, Body::Event(LogEvent::Gap { .. }));
    assert_eq!(room.log.records.iter().find(gap), None);
}

#[test]
fn frames_that_a_slow_disk_cost_are_told_and_asked_for_again() {
    let mut room = room();
    room.frame(0, video(0, true));
    room.log.full = true;
    room.frame(33, video(3000, false));
    room.frame(66, video(6000, false));
    room.log.full = false;
    assert_eq!(
        room.frame(100, video(9000, false)),
        Reaction::KeyframeWanted(camera())
    );
    assert!(!room.log.frames()[1].contiguous);
    assert_eq!(
        room.last_event(),
        LogEvent::Gap {
            from_ns: 33 * MS,
            to_ns: 100 * MS,
            reason: "disk_slow".to_owned()
        }
    );
    assert_eq!(room.recorder.frames(), 2);
}

#[test]
fn sender_reports_are_extended_like_frames_and_need_one() {
    let mut room = room();
    let report = |rtp| SourceEvent::SenderReport {
        id: camera(),
        rtp,
        ntp_ns: 7,
    };
    room.tell(0, report(u32::MAX));
    room.frame(0, video(10, true));
    room.tell(1, report(u32::MAX));
    let reports: Vec<i64> = room
        .log
        .records
        .iter()
        .filter_map(|record| match &record.body {
            Body::SenderReport(report) => Some(report.rtp),
            _ => None,
        })
        .collect();
    assert_eq!(reports, [-1]);
}

#[test]
fn a_report_of_a_clock_that_no_frame_has_shown_yet_is_left_out() {
    let mut room = room();
    room.frame(1000, video(0, true));
    room.tell(
        3000,
        SourceEvent::Restored {
            media_lost_since: Some(room.start + Duration::from_millis(1010)),
            settings_lost: true,
        },
    );
    let before = room.log.records.len();
    room.tell(
        3001,
        SourceEvent::SenderReport {
            id: camera(),
            rtp: 3_000_000_000,
            ntp_ns: 7,
        },
    );
    assert_eq!(room.log.records.len(), before);
}

#[test]
fn a_stop_while_the_connection_is_lost_tells_the_gap() {
    let mut room = room();
    room.frame(1000, video(0, true));
    room.tell(2000, SourceEvent::Interrupted);
    room.recorder
        .end(EndReason::Stopped, at(9000), &mut room.log);
    let expected = LogEvent::Gap {
        from_ns: 1000 * MS,
        to_ns: 9000 * MS,
        reason: "connection_lost".to_owned(),
    };
    assert!(room.log.events().contains(&&expected));
}

#[test]
fn going_on_in_a_log_closes_its_tracks_and_tells_the_gap() {
    let clock = RecordingClock::new(Instant::now(), 9_000 * MS);
    let mut log = Log::default();
    let earlier = Earlier {
        participants: vec![Participant {
            id: "PA_1".to_owned(),
            identity: "ann".to_owned(),
            name: "Ann".to_owned(),
        }],
        open_tracks: vec![4],
        last_track: 6,
        until_ns: 5_000 * MS,
        ..Earlier::default()
    };
    let mut recorder = Recorder::resume(clock, earlier, at(9000), &mut log);
    recorder.handle(
        SourceEvent::TrackPublished(track("TR_1", Some(Codec::Vp8))),
        at(9000),
        &mut log,
    );
    recorder.handle(SourceEvent::Frame(video(0, true)), at(9200), &mut log);
    let events = log.events();
    assert_eq!(events[0], &LogEvent::TrackRemoved { track: 4 });
    // At once, and again when the first frame is there.
    assert_eq!(events[1], &restarted(5_000, 9_000));
    assert!(matches!(events[2], LogEvent::TrackAdded(info) if info.track == 7));
    assert_eq!(events[3], &restarted(9_000, 9_200));
    let told = recorder.told(at(9_300));
    let told: Vec<_> = told
        .gaps()
        .iter()
        .map(|gap| (gap.from_ms, gap.to_ms))
        .collect();
    assert_eq!(told, [(5_000, 9_200)]);
    assert_eq!(recorder.participant_count(), 1);
}

fn restarted(from_ms: u64, to_ms: u64) -> LogEvent {
    gap(from_ms * MS, to_ms * MS, CAPTURE_RESTARTED)
}

#[test]
fn a_gap_lasts_until_the_last_of_the_tracks_that_were_there_is_back() {
    let clock = RecordingClock::new(Instant::now(), 9_000 * MS);
    let mut log = Log::default();
    let earlier = Earlier {
        until_ns: 5_000 * MS,
        ..Earlier::default()
    };
    let mut recorder = Recorder::resume(clock, earlier, at(9_000), &mut log);
    for (id, codec) in [("TR_1", Codec::Vp8), ("TR_2", Codec::Opus)] {
        let published = SourceEvent::TrackPublished(track(id, Some(codec)));
        recorder.handle(published, at(9_000), &mut log);
    }
    // Before the first frame it is open.
    assert_eq!(recorder.told(at(9_050)).gaps()[0].to_ms, 9_050);
    let mut sound = video(0, true);
    sound.id = TrackId::from("TR_2");
    sound.codec = Codec::Opus;
    recorder.handle(SourceEvent::Frame(sound), at(9_100), &mut log);
    recorder.handle(SourceEvent::Frame(video(0, true)), at(9_900), &mut log);
    assert!(log.events().contains(&&restarted(9_100, 9_900)));
    let told = recorder.told(at(10_000));
    let told: Vec<_> = told
        .gaps()
        .iter()
        .map(|gap| (gap.from_ms, gap.to_ms))
        .collect();
    assert_eq!(told, [(5_000, 9_900)]);
}

#[test]
fn a_key_frame_that_comes_late_after_a_pause_leaves_a_gap() {
    let mut room = room();
    room.frame(1000, video(0, true));
    room.recorder.pause(at(1033), &mut room.log);
    room.recorder.resume_after(0, at(1033), &mut room.log);
    room.frame(1100, video(9_000, false));
    room.frame(1833, video(72_000, true));
    let told = room.recorder.told(at(2_000));
    let [late] = told.gaps() else {
        panic!("{told:?}")
    };
    assert_eq!((late.from_ms, late.to_ms), (1033, 1833));
    assert_eq!(late.reason, "key_frame_awaited");
}

#[test]
fn a_pause_takes_no_media_but_tells_who_comes_and_goes() {
    let mut room = room();
    room.frame(1000, video(0, true));
    room.recorder.pause(at(1100), &mut room.log);
    assert_eq!(room.last_event(), LogEvent::Paused);
    room.frame(1100, video(90_000, true));
    room.tell(
        1100,
        SourceEvent::SenderReport {
            id: camera(),
            rtp: 90_000,
            ntp_ns: 7,
        },
    );
    let left = SourceEvent::ParticipantLeft {
        id: "PA_9".to_owned(),
    };
    room.tell(1100, left);
    assert!(matches!(
        room.last_event(),
        LogEvent::ParticipantLeft { .. }
    ));
    assert_eq!(room.log.frames().len(), 1);
    // Nothing is missing of what was asked for.
    assert!(room.recorder.told(at(1100)).gaps().is_empty());
}

#[test]
fn after_a_pause_the_same_track_goes_on_with_a_key_frame_however_long_it_was() {
    let mut room = room();
    room.frame(1000, video(0, true));
    room.recorder.pause(at(1033), &mut room.log);
    // An hour, in which RTP time goes on.
    let paused_ns = 3_600_000 * MS;
    let asked = room
        .recorder
        .resume_after(paused_ns, at(1033), &mut room.log);
    assert_eq!(asked, [camera()]);
    assert_eq!(room.last_event(), LogEvent::Resumed { paused_ns });
    let hour = 3600 * 90_000;
    assert_eq!(
        room.frame(1033, video(hour + 3_000, false)),
        Reaction::Nothing
    );
    room.frame(1133, video(hour + 12_000, true));
    room.frame(1166, video(hour + 15_000, false));
    assert_eq!(room.log.tracks(), [1, 1, 1]);
    let frames = room.log.frames();
    assert!(frames[1].keyframe && !frames[1].contiguous);
    assert!(frames[2].contiguous);
    let told = room.recorder.told(at(1166));
    assert!(told.gaps().is_empty());
    let pauses = told.pauses();
    assert_eq!((pauses[0].at_ms, pauses[0].to), (1033, Some(3_600_000)));
}

#[test]
fn a_picture_whose_key_frames_are_not_recognised_is_taken_up_after_a_while() {
    let mut room = room();
    room.frame(1000, video(0, true));
    room.recorder.pause(at(1033), &mut room.log);
    room.recorder.resume_after(0, at(1033), &mut room.log);
    room.frame(11_000, video(900_000, false));
    assert_eq!(room.log.frames().len(), 1);
    room.frame(11_100, video(909_000, false));
    assert_eq!(room.log.frames().len(), 2);
    assert_eq!(room.recorder.told(at(11_200)).gaps()[0].to_ms, 11_100);
}

#[test]
fn a_paused_log_is_gone_on_with_paused_and_without_a_gap() {
    let clock = RecordingClock::new(Instant::now(), 5_000 * MS);
    let mut log = Log::default();
    let earlier = Earlier {
        paused_since: Some(Default::default()),
        until_ns: 5_000 * MS,
        ..Earlier::default()
    };
    let mut recorder = Recorder::resume(clock, earlier, at(5000), &mut log);
    recorder.handle(
        SourceEvent::TrackPublished(track("TR_1", Some(Codec::Vp8))),
        at(5000),
        &mut log,
    );
    recorder.handle(SourceEvent::Frame(video(0, true)), at(5000), &mut log);
    assert!(log.frames().is_empty());
    recorder.resume_after(9 * MS, at(5000), &mut log);
    recorder.handle(SourceEvent::Frame(video(9000, true)), at(5100), &mut log);
    assert_eq!(log.frames().len(), 1);
    assert!(recorder.told(at(5100)).gaps().is_empty());
}

#[test]
fn the_last_record_is_the_end() {
    let mut room = room();
    room.frame(1000, video(0, true));
    room.tell(2000, SourceEvent::Interrupted);
    room.recorder
        .end(EndReason::SourceLost, at(4000), &mut room.log);
    let events = room.log.events();
    assert!(matches!(
        events[events.len() - 2],
        LogEvent::Gap { from_ns, to_ns, .. } if (*from_ns, *to_ns) == (1000 * MS, 4000 * MS)
    ));
    assert_eq!(
        room.last_event(),
        LogEvent::RecordingEnded {
            reason: EndReason::SourceLost
        }
    );
}
