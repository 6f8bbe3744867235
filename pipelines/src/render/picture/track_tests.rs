use std::time::Duration;

use super::*;
use crate::log::{Codec, TrackKind, TrackSource};
use crate::render::decode::{DecodeWorker, Hands};
use crate::render::testing::{Look, video};
use crate::render::timeline::{ParticipantClock, Stretches};

const MS: i64 = 1_000_000;

fn info(codec: Codec) -> TrackInfo {
    TrackInfo {
        track: 1,
        id: "TR_1".into(),
        participant: "PA_1".into(),
        kind: TrackKind::Video,
        source: TrackSource::Camera,
        codec,
        clock_rate: 90_000,
        muted: false,
    }
}

/// A clock on which RTP time is recording time.
fn clock() -> ParticipantClock {
    let mut clock = ParticipantClock::default();
    clock.add_track(&info(Codec::Vp8));
    clock.arrival(1, 0, 0);
    clock
}

/// A track that got all frames of a clip of 15 frames in a second, one key frame at its beginning;
/// arrival is capture.
fn track(codec: Codec) -> VideoTrack {
    let info = info(codec);
    let look = Look {
        codec,
        ..Look::default()
    };
    let mut track = VideoTrack::new(info);
    for piece in video(look, 3).pieces {
        let frame = Frame {
            track: 1,
            keyframe: piece.keyframe,
            contiguous: true,
            rtp: (piece.time_ns * 90_000 / 1_000_000_000) as i64,
            payload: piece.data.into(),
        };
        let arrival = Arrival {
            at_ns: piece.time_ns as i64,
            stretch: 0,
            deadly: false,
        };
        track.receive(frame, arrival);
    }
    track
}

fn due(track: &mut VideoTrack, until_ms: i64) -> Task {
    track
        .due(
            until_ms * MS,
            Placing::new(1, Some(&clock()), &Stretches::default()),
        )
        .unwrap()
        .unwrap()
}

fn worker() -> DecodeWorker {
    let folder = tempfile::tempdir().unwrap();
    let hands = Hands::new(&folder.path().join("decoding"));
    DecodeWorker::new(Duration::from_secs(20), hands)
}

fn decode(track: &mut VideoTrack, until_ms: i64) -> usize {
    let task = due(track, until_ms);
    let count = task.input.len();
    let outcome = worker().run(vec![task]);
    for outcome in outcome {
        assert_eq!(track.decoded(outcome), None);
    }
    count
}

/// The decoder fails at the first of the frames that are due.
fn fail(track: &mut VideoTrack, until_ms: i64, error: DecodeError) {
    due(track, until_ms);
    let outcome = Outcome {
        output: Vec::new(),
        error: Some(error.clone()),
    };
    assert_eq!(track.decoded(outcome), Some(error));
}

#[test]
fn after_an_error_the_picture_goes_on_from_the_last_key_frame() {
    for codec in [Codec::Vp8, Codec::H264] {
        let mut track = track(codec);
        assert_eq!(decode(&mut track, 1_000), 16, "frames up to a second");
        let before = track.picture().unwrap().serial;
        fail(&mut track, 1_070, DecodeError::Failed("broken".into()));
        // The sixteen frames before the one that failed, and the next.
        assert_eq!(decode(&mut track, 1_140), 17);
        let shown = track.picture().unwrap().serial - before;
        assert!((1..=2).contains(&shown), "no burst: {shown} pictures");
        assert_eq!(decode(&mut track, 1_210), 1, "replayed once only");
    }
}

#[test]
fn an_error_in_the_replay_waits_for_a_key_frame() {
    let mut track = track(Codec::Vp8);
    decode(&mut track, 1_000);
    fail(&mut track, 1_070, DecodeError::Failed("broken".into()));
    fail(
        &mut track,
        1_140,
        DecodeError::Failed("broken again".into()),
    );
    let due = track.due(
        2_000 * MS,
        Placing::new(1, Some(&clock()), &Stretches::default()),
    );
    assert!(
        due.unwrap().is_none(),
        "no frame is of use without a key frame"
    );
    assert!(track.picture().is_some(), "the last picture stays");
}

#[test]
fn a_decoder_that_hung_is_replaced_and_at_last_given_up() {
    let mut track = track(Codec::Vp8);
    decode(&mut track, 500);
    fail(&mut track, 570, DecodeError::Stuck);
    decode(&mut track, 640);
    assert!(track.picture().is_some());
    for step in 1..=HANGS_LIMIT as i64 {
        fail(&mut track, 640 + 140 * step - 70, DecodeError::Stuck);
        if step < i64::from(HANGS_LIMIT) {
            decode(&mut track, 640 + 140 * step);
        }
    }
    assert!(
        track.picture().is_none(),
        "a placeholder instead of a picture that stands still"
    );
    assert_eq!(track.frames_per_second(0), None);
}

#[test]
fn frames_that_are_kept_hold_nothing_else() {
    let mut track = VideoTrack::new(info(Codec::Vp8));
    let piece_of_log = Bytes::from(vec![7; 1 << 20]);
    let frame = Frame {
        track: 1,
        keyframe: true,
        contiguous: true,
        rtp: 0,
        payload: piece_of_log.slice(1_000..2_000),
    };
    let arrival = Arrival {
        at_ns: 0,
        stretch: 0,
        deadly: false,
    };
    track.receive(frame, arrival);
    assert!(piece_of_log.is_unique());
}
