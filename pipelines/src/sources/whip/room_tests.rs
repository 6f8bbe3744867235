use crate::log::{Codec, TrackKind, TrackSource};

use super::*;

fn participant(id: &str) -> RoomParticipant {
    RoomParticipant {
        id: id.to_owned(),
        identity: id.to_lowercase(),
        name: String::new(),
    }
}

fn track(number: TrackNumber, id: &str, participant: &str) -> RoomTrack {
    RoomTrack {
        track: number,
        id: id.to_owned(),
        participant: participant.to_owned(),
        kind: TrackKind::Video,
        source: TrackSource::Camera,
        codec: Some(Codec::Vp8),
        muted: false,
        width: 0,
        height: 0,
        layer_heights: Vec::new(),
    }
}

fn state(participants: &[&str], tracks: Vec<RoomTrack>) -> RoomState {
    RoomState {
        id: "RM_1".to_owned(),
        participants: participants.iter().map(|id| participant(id)).collect(),
        tracks,
    }
}

fn joined(id: &str) -> SourceEvent {
    SourceEvent::ParticipantJoined(participant(id).into())
}

fn left(id: &str) -> SourceEvent {
    SourceEvent::ParticipantLeft { id: id.to_owned() }
}

fn published(number: TrackNumber, id: &str, participant: &str) -> SourceEvent {
    SourceEvent::TrackPublished(track(number, id, participant).into())
}

fn unpublished(id: &str) -> SourceEvent {
    SourceEvent::TrackUnpublished {
        id: TrackId::from(id),
    }
}

#[test]
fn a_new_state_says_who_came_and_who_left_meanwhile() {
    let mut room = Room::default();
    let before = state(
        &["A", "B"],
        vec![track(1, "TR_a", "A"), track(2, "TR_b", "B")],
    );
    assert_eq!(
        room.replace(before.clone()),
        [
            joined("A"),
            joined("B"),
            published(1, "TR_a", "A"),
            published(2, "TR_b", "B"),
        ]
    );
    assert_eq!(room.replace(before), []);
    let after = state(&["B", "C"], vec![track(3, "TR_c", "C")]);
    assert_eq!(
        room.replace(after),
        [
            unpublished("TR_a"),
            unpublished("TR_b"),
            left("A"),
            joined("C"),
            published(3, "TR_c", "C"),
        ]
    );
    assert_eq!(room.number(&TrackId::from("TR_c")), Some(3));
    assert_eq!(room.number(&TrackId::from("TR_b")), None);
}

#[test]
fn those_whom_an_earlier_process_saw_do_not_join_again() {
    let known = [participant("A"), participant("B")].map(Participant::from);
    let mut room = Room::with_participants(known.to_vec());
    assert_eq!(
        room.replace(state(&["B"], vec![track(1, "TR_b", "B")])),
        [left("A"), published(1, "TR_b", "B")]
    );
}

#[test]
fn who_leaves_takes_the_tracks_along() {
    let mut room = Room::default();
    room.replace(state(&["A"], vec![track(1, "TR_a", "A")]));
    let leaves = MediaEvent::ParticipantLeft { id: "A".to_owned() };
    assert_eq!(
        room.update(leaves.clone()),
        [unpublished("TR_a"), left("A")]
    );
    assert_eq!(room.update(leaves), []);
}

#[test]
fn changes_of_a_track_are_told_once() {
    let mut room = Room::default();
    room.replace(state(&["A"], vec![track(1, "TR_a", "A")]));
    let id = TrackId::from("TR_a");
    let muted = MediaEvent::TrackMuted {
        track: 1,
        muted: true,
    };
    assert_eq!(
        room.update(muted.clone()),
        [SourceEvent::TrackMuted {
            id: id.clone(),
            muted: true
        }]
    );
    assert_eq!(room.update(muted), []);
    let mut larger = track(1, "TR_a", "A");
    larger.height = 720;
    assert_eq!(
        room.update(MediaEvent::TrackUpdated(larger.clone())),
        [
            SourceEvent::TrackMuted { id, muted: false },
            SourceEvent::TrackUpdated(larger.clone().into()),
        ]
    );
    assert_eq!(room.update(MediaEvent::TrackUpdated(larger)), []);
    assert_eq!(
        room.update(MediaEvent::TrackUnpublished { track: 1 }),
        [unpublished("TR_a")]
    );
}

#[test]
fn what_is_of_nobody_is_ignored() {
    let mut room = Room::default();
    let orphan = MediaEvent::TrackPublished(track(1, "TR_a", "A"));
    assert_eq!(room.update(orphan), []);
    for event in [
        MediaEvent::TrackUnpublished { track: 1 },
        MediaEvent::TrackMuted {
            track: 1,
            muted: true,
        },
        MediaEvent::SenderReport {
            track: 1,
            rtp: 0,
            ntp_ns: 0,
        },
        MediaEvent::Unknown,
    ] {
        assert_eq!(room.update(event), []);
    }
}
