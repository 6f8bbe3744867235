use proptest::prelude::*;

use crate::log::{TrackKind, TrackSource};
use crate::rooms::media::{RoomParticipant, RoomState, RoomTrack};

use super::*;

fn frames() -> impl Strategy<Value = MediaFrame> {
    let codec = prop::sample::select(CODECS.to_vec());
    let numbers = any::<(u32, u32, u32, u32)>();
    let flags = any::<(bool, bool)>();
    let payload = prop::collection::vec(any::<u8>(), 0..2_000);
    (codec, numbers, flags, payload).prop_map(
        |(codec, (track, clock_rate, rtp, packets_lost), (keyframe, contiguous), payload)| {
            MediaFrame {
                track,
                codec,
                clock_rate,
                keyframe,
                contiguous,
                rtp,
                packets_lost,
                payload: payload.into(),
            }
        },
    )
}

fn state() -> MediaEvent {
    MediaEvent::Room(RoomState {
        id: "RM_abcdefghijkl".to_owned(),
        participants: vec![RoomParticipant {
            id: "PA_1".to_owned(),
            identity: "alice".to_owned(),
            name: "Alice".to_owned(),
        }],
        tracks: vec![RoomTrack {
            track: 7,
            id: "TR_1".to_owned(),
            participant: "PA_1".to_owned(),
            kind: TrackKind::Video,
            source: TrackSource::Camera,
            codec: Some(Codec::Vp8),
            muted: false,
            width: 1280,
            height: 720,
            layer_heights: Vec::new(),
        }],
    })
}

fn decode_all(received: &mut BytesMut) -> Result<Vec<Message>, WireError> {
    let mut messages = Vec::new();
    while let Some(message) = decode::<MediaEvent>(received)? {
        messages.push(message);
    }
    Ok(messages)
}

proptest! {
    #[test]
    fn what_is_sent_arrives_however_it_is_cut(
        frames in prop::collection::vec(frames(), 1..6),
        pieces in 1usize..3_000,
    ) {
        let mut sent = encode_event(&state()).expect("encodable").to_vec();
        for frame in &frames {
            sent.extend_from_slice(&encode_frame(frame).expect("encodable"));
        }
        let mut received = BytesMut::new();
        let mut messages = Vec::new();
        for piece in sent.chunks(pieces) {
            received.extend_from_slice(piece);
            messages.extend(decode_all(&mut received).expect("well-formed"));
        }
        let mut expected = vec![Message::Event(Box::new(state()))];
        expected.extend(frames.into_iter().map(Message::Frame));
        prop_assert_eq!(messages, expected);
        prop_assert!(received.is_empty());
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_all(&mut BytesMut::from(&bytes[..]));
        // As the body of a message of each kind.
        for kind in 0..4 {
            let mut message = begin(kind, bytes.len());
            message.put_slice(&bytes);
            let _ = decode_all(&mut message);
        }
    }
}

#[test]
fn a_frame_is_laid_out_as_documented() {
    let frame = MediaFrame {
        track: 7,
        codec: Codec::Vp8,
        clock_rate: 90_000,
        keyframe: true,
        contiguous: true,
        rtp: 0xdead_beef,
        packets_lost: 3,
        payload: Bytes::from_static(b"media"),
    };
    let golden = [
        26, 0, 0, 0, // what follows
        2, // a frame
        20, 0, // header
        2, // VP8
        3, // key frame, contiguous
        7, 0, 0, 0, // track
        0x90, 0x5f, 1, 0, // clock rate
        0xef, 0xbe, 0xad, 0xde, // RTP time
        3, 0, 0, 0, // packets lost
        b'm', b'e', b'd', b'i', b'a',
    ];
    assert_eq!(encode_frame(&frame).expect("encodable"), golden[..]);
}

#[test]
fn what_a_later_version_adds_is_skipped() {
    let mut received = BytesMut::new();
    // A longer header, a codec that is not known yet.
    received.put_slice(&[30, 0, 0, 0, KIND_FRAME, 24, 0, 200, 0xfe]);
    received.put_slice(&[7, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
    received.put_slice(&[9, 9, 9, 9]);
    received.put_slice(b"media");
    // A kind that is not known yet.
    received.put_slice(&[3, 0, 0, 0, 77, 1, 2]);
    let event = br#"{"event":"later","x":1}"#;
    received.put_slice(&begin(KIND_EVENT, event.len()));
    received.put_slice(event);
    let messages = decode_all(&mut received).expect("well-formed");
    let Message::Frame(frame) = &messages[0] else {
        panic!("{messages:?}");
    };
    assert_eq!((frame.track, frame.codec), (7, Codec::Unknown));
    assert!(!frame.keyframe && frame.contiguous);
    assert_eq!(frame.payload, b"media"[..]);
    assert_eq!(messages[1], Message::Unknown);
    assert_eq!(messages[2], Message::Event(Box::new(MediaEvent::Unknown)));
}

#[test]
fn lengths_are_bounded_before_anything_is_kept() {
    let mut endless = BytesMut::from(&[0xff, 0xff, 0xff, 0xff, KIND_FRAME][..]);
    assert_eq!(
        decode::<MediaEvent>(&mut endless),
        Err(WireError::TooLong(0xffff_ffff))
    );
    let mut empty = BytesMut::from(&[0, 0, 0, 0][..]);
    assert_eq!(decode::<MediaEvent>(&mut empty), Err(WireError::Malformed));
    let frame = MediaFrame {
        track: 1,
        codec: Codec::Vp8,
        clock_rate: 90_000,
        keyframe: true,
        contiguous: true,
        rtp: 0,
        packets_lost: 0,
        payload: vec![0; MAX_FRAME_BYTES + 1].into(),
    };
    assert_eq!(
        encode_frame(&frame),
        Err(WireError::TooLong(MAX_FRAME_BYTES + 1))
    );
}
