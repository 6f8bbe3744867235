use super::*;

fn publisher(session: SessionNumber, identity: &str, media: WhipMedia) -> Publisher {
    let first = u32::try_from(session).expect("small") * 10;
    Publisher {
        session,
        identity: identity.to_owned(),
        name: identity.to_uppercase(),
        media,
        tracks: vec![
            NewTrack {
                number: first,
                kind: TrackKind::Audio,
                codec: Some(Codec::Opus),
            },
            NewTrack {
                number: first + 1,
                kind: TrackKind::Video,
                codec: None,
            },
        ],
    }
}

/// Short names of events, in order.
fn told(events: &[MediaEvent]) -> Vec<String> {
    let name = |event: &MediaEvent| match event {
        MediaEvent::ParticipantJoined(participant) => format!("{} joined", participant.identity),
        MediaEvent::ParticipantRenamed { name, .. } => format!("renamed {name}"),
        MediaEvent::ParticipantLeft { .. } => "left".to_owned(),
        MediaEvent::TrackPublished(track) => format!("published {}", track.track),
        MediaEvent::TrackUnpublished { track } => format!("unpublished {track}"),
        MediaEvent::TrackUpdated(track) => format!("updated {}", track.track),
        other => format!("{other:?}"),
    };
    events.iter().map(name).collect()
}

fn join(room: &mut Room, session: SessionNumber, identity: &str, media: WhipMedia) -> Change {
    assert!(
        room.announce(publisher(session, identity, media))
            .is_empty()
    );
    room.connected(session)
}

#[test]
fn who_is_connected_is_in_the_room_and_not_before() {
    let mut room = Room::new(0);
    assert!(room.id.starts_with("RM_"));
    room.announce(publisher(1, "ana", WhipMedia::Camera));
    assert_eq!(room.state().participants, []);
    assert_eq!(room.participants().count(), 1);
    assert!(!room.is_deserted());
    let change = room.connected(1);
    assert_eq!(
        told(&change.events),
        ["ana joined", "published 10", "published 11"]
    );
    let state = room.state();
    assert_eq!(state.participants[0].name, "ANA");
    assert_eq!(state.tracks.len(), 2);
    assert_eq!(state.tracks[0].source, TrackSource::Microphone);
    assert_eq!(state.tracks[1].source, TrackSource::Camera);
    assert_eq!(state.tracks[1].participant, state.participants[0].id);
    assert_eq!(room.connected(1), Change::default());
}

#[test]
fn who_leaves_takes_the_tracks_along() {
    let mut room = Room::new(0);
    join(&mut room, 1, "ana", WhipMedia::Camera);
    let events = room.ended(1);
    assert_eq!(told(&events), ["unpublished 10", "unpublished 11", "left"]);
    assert!(room.is_deserted());
    assert_eq!(room.ended(1), []);
}

#[test]
fn who_never_came_is_not_told_of() {
    let mut room = Room::new(0);
    room.announce(publisher(1, "ana", WhipMedia::Camera));
    assert_eq!(room.ended(1), []);
    assert!(room.is_deserted());
}

#[test]
fn who_publishes_again_takes_the_place_of_the_session_before() {
    let mut room = Room::new(0);
    join(&mut room, 1, "ana", WhipMedia::Camera);
    let participant = room.state().participants[0].id.clone();
    let mut again = publisher(2, "ana", WhipMedia::Camera);
    again.name = "Ana".to_owned();
    assert!(room.announce(again).is_empty());
    // Until its connection is up the one before goes on.
    assert_eq!(room.state().tracks[0].track, 10);
    let (_, tracks) = room.participants().next().expect("ana");
    assert_eq!(tracks.len(), 2);
    let change = room.connected(2);
    assert_eq!(change.replaced, [1]);
    assert_eq!(
        told(&change.events),
        [
            "unpublished 10",
            "unpublished 11",
            "renamed Ana",
            "published 20",
            "published 21"
        ]
    );
    let state = room.state();
    assert_eq!(state.participants.len(), 1);
    assert_eq!(state.participants[0].id, participant);
    // What it replaced is not of the room any more.
    assert_eq!(room.ended(1), []);
    assert_eq!(room.state().tracks.len(), 2);
}

#[test]
fn of_two_that_are_not_there_yet_the_later_one_counts() {
    let mut room = Room::new(0);
    room.announce(publisher(1, "ana", WhipMedia::Camera));
    assert_eq!(room.announce(publisher(2, "ana", WhipMedia::Camera)), [1]);
    assert_eq!(room.connected(1), Change::default());
    assert_eq!(room.connected(2).events.len(), 3);
}

#[test]
fn a_screen_is_a_session_of_its_own_of_the_same_participant() {
    let mut room = Room::new(0);
    join(&mut room, 1, "ana", WhipMedia::Camera);
    let change = join(&mut room, 2, "ana", WhipMedia::Screen);
    assert_eq!(told(&change.events), ["published 20", "published 21"]);
    let state = room.state();
    assert_eq!(state.participants.len(), 1);
    assert_eq!(state.tracks[2].source, TrackSource::ScreenShareAudio);
    assert_eq!(state.tracks[3].source, TrackSource::ScreenShare);
    assert_eq!(
        told(&room.ended(1)),
        ["unpublished 10", "unpublished 11"],
        "the screen is still there"
    );
    assert_eq!(room.replaceable("ana", WhipMedia::Screen), 1);
    assert_eq!(room.replaceable("ana", WhipMedia::Camera), 0);
    assert_eq!(
        told(&room.ended(2)),
        ["unpublished 20", "unpublished 21", "left"]
    );
}

#[test]
fn who_comes_back_is_somebody_else() {
    let mut room = Room::new(0);
    join(&mut room, 1, "ana", WhipMedia::Camera);
    let before = room.state().participants[0].id.clone();
    room.announce(publisher(2, "ana", WhipMedia::Camera));
    room.ended(1);
    room.connected(2);
    let state = room.state();
    assert_ne!(state.participants[0].id, before);
    assert_eq!(state.tracks[0].participant, state.participants[0].id);
}

#[test]
fn what_becomes_known_of_a_track_is_told_once() {
    let mut room = Room::new(0);
    join(&mut room, 1, "ana", WhipMedia::Camera);
    let size = |track: &mut RoomTrack| (track.width, track.height) = (640, 360);
    let event = room.update(11, size).expect("an event");
    assert_eq!(told(std::slice::from_ref(&event)), ["updated 11"]);
    assert_eq!(room.update(11, size), None);
    assert_eq!(room.update(99, size), None);
    assert_eq!(room.state().tracks[1].width, 640);
}

#[test]
fn participants_of_the_same_name_are_told_apart_by_identity() {
    let mut room = Room::new(0);
    join(&mut room, 1, "ana", WhipMedia::Camera);
    join(&mut room, 2, "ben", WhipMedia::Camera);
    let ids: Vec<_> = room.state().participants;
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0].id, ids[1].id);
    room.ended(1);
    assert_eq!(room.state().participants[0].identity, "ben");
}
