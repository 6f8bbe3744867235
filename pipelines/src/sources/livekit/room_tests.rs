use livekit_protocol as proto;
use proto::participant_info::{Kind, State};

use super::*;

fn person(sid: &str, name: &str, tracks: Vec<proto::TrackInfo>) -> proto::ParticipantInfo {
    proto::ParticipantInfo {
        sid: sid.to_owned(),
        identity: name.to_lowercase(),
        name: name.to_owned(),
        state: State::Active.into(),
        tracks,
        ..Default::default()
    }
}

fn camera(sid: &str, muted: bool) -> proto::TrackInfo {
    proto::TrackInfo {
        sid: sid.to_owned(),
        r#type: proto::TrackType::Video.into(),
        source: proto::TrackSource::Camera.into(),
        mime_type: "video/VP8".to_owned(),
        width: 1280,
        height: 720,
        muted,
        ..Default::default()
    }
}

/// The events in short.
fn told(events: &[SourceEvent]) -> Vec<String> {
    events
        .iter()
        .map(|event| match event {
            SourceEvent::ParticipantJoined(participant) => format!("joined {}", participant.id),
            SourceEvent::ParticipantRenamed { id, name } => format!("renamed {id} {name}"),
            SourceEvent::ParticipantLeft { id } => format!("left {id}"),
            SourceEvent::TrackPublished(track) => format!("published {}", track.id),
            SourceEvent::TrackUpdated(track) => format!("updated {}", track.id),
            SourceEvent::TrackUnpublished { id } => format!("unpublished {id}"),
            SourceEvent::TrackMuted { id, muted } => format!("muted {id} {muted}"),
            other => format!("{other:?}"),
        })
        .collect()
}

#[test]
fn tells_everybody_in_the_order_of_joining() {
    let mut room = Room::default();
    let mut late = person("PA_late", "Late", vec![]);
    late.joined_at_ms = 2_000;
    let mut early = person("PA_early", "Early", vec![camera("TR_1", false)]);
    early.joined_at = 1;
    assert_eq!(
        told(&room.replace(vec![late, early])),
        ["joined PA_early", "published TR_1", "joined PA_late"]
    );
}

#[test]
fn tells_what_changed_and_only_that() {
    let mut room = Room::default();
    room.update(vec![person("PA_1", "Ann", vec![camera("TR_1", false)])]);
    assert!(
        room.update(vec![person("PA_1", "Ann", vec![camera("TR_1", false)])])
            .is_empty()
    );
    assert_eq!(
        told(&room.update(vec![person("PA_1", "Anna", vec![camera("TR_1", true)])])),
        ["renamed PA_1 Anna", "muted TR_1 true"]
    );
    let mut smaller = camera("TR_1", true);
    smaller.height = 360;
    assert_eq!(
        told(&room.update(vec![person("PA_1", "Anna", vec![smaller])])),
        ["updated TR_1"]
    );
    assert_eq!(
        told(&room.update(vec![person("PA_1", "Anna", vec![camera("TR_2", false)])])),
        ["unpublished TR_1", "published TR_2"]
    );
}

#[test]
fn who_leaves_takes_the_tracks_along() {
    let mut room = Room::default();
    room.update(vec![person("PA_1", "Ann", vec![camera("TR_1", false)])]);
    let mut gone = person("PA_1", "Ann", vec![]);
    gone.state = State::Disconnected.into();
    assert_eq!(
        told(&room.update(vec![gone.clone()])),
        ["unpublished TR_1", "left PA_1"]
    );
    assert!(room.update(vec![gone]).is_empty());
    assert!(room.track_ids().is_empty());
}

#[test]
fn who_returns_under_the_same_identity_has_left_before() {
    let mut room = Room::default();
    let mut before = person("PA_1", "Ann", vec![camera("TR_1", false)]);
    before.joined_at_ms = 1_000;
    room.update(vec![before.clone()]);
    let mut after = person("PA_2", "Ann", vec![]);
    after.joined_at_ms = 9_000;
    assert_eq!(
        told(&room.update(vec![after])),
        ["unpublished TR_1", "left PA_1", "joined PA_2"]
    );
    // News of the earlier one that came late.
    assert!(room.update(vec![before]).is_empty());
}

#[test]
fn a_full_list_tells_who_left_meanwhile() {
    let mut room = Room::default();
    room.update(vec![
        person("PA_1", "Ann", vec![camera("TR_1", false)]),
        person("PA_2", "Bob", vec![]),
    ]);
    assert_eq!(
        told(&room.replace(vec![person("PA_2", "Bob", vec![camera("TR_2", false)])])),
        ["unpublished TR_1", "left PA_1", "published TR_2"]
    );
}

#[test]
fn those_seen_before_a_restart_are_not_joined_twice() {
    let mut room = Room::with_participants(vec![Participant {
        id: "PA_1".to_owned(),
        identity: "ann".to_owned(),
        name: "Ann".to_owned(),
    }]);
    assert_eq!(
        told(&room.replace(vec![person("PA_1", "Ann", vec![camera("TR_1", false)])])),
        ["published TR_1"]
    );
}

#[test]
fn other_recorders_and_data_tracks_are_nobody() {
    let mut room = Room::default();
    let mut recorder = person("PA_1", "Recorder", vec![camera("TR_1", false)]);
    recorder.kind = Kind::Egress.into();
    assert!(room.update(vec![recorder]).is_empty());
    let mut data = camera("TR_2", false);
    data.r#type = proto::TrackType::Data.into();
    assert_eq!(
        told(&room.update(vec![person("PA_2", "Ann", vec![data])])),
        ["joined PA_2"]
    );
}

#[test]
fn reads_codecs_and_layers() {
    for (mime, expected) in [
        ("video/VP8", Some(Codec::Vp8)),
        ("video/H264", Some(Codec::H264)),
        ("video/vp9", Some(Codec::Vp9)),
        ("video/AV1", Some(Codec::Av1)),
        ("audio/opus", Some(Codec::Opus)),
        ("audio/red", Some(Codec::Opus)),
        ("video/H265", Some(Codec::Unknown)),
        ("", None),
    ] {
        assert_eq!(codec(mime), expected, "{mime}");
    }
    let mut track = camera("TR_1", false);
    track.codecs = vec![proto::SimulcastCodecInfo {
        mime_type: "video/VP8".to_owned(),
        layers: [720, 180, 360]
            .map(|height| proto::VideoLayer {
                height,
                ..Default::default()
            })
            .to_vec(),
        ..Default::default()
    }];
    assert_eq!(layer_heights(&track), [180, 360, 720]);
}
