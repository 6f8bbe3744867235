//! What of LiveKit's webhooks matters here.

use serde::Deserialize;

/// A `livekit.WebhookEvent`, as far as it matters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    event: String,
    room: Room,
    participant: Participant,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Room {
    sid: String,
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Participant {
    sid: String,
    /// Left out for ordinary ones.
    kind: String,
    permission: Permission,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Permission {
    hidden: bool,
    recorder: bool,
}

/// What happened in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Somebody is there who is to be recorded.
    Somebody {
        room: String,
        session: String,
    },
    /// This participant, `PA_…`, of whom `track_published` tells no more than that, has a track.
    Track {
        room: String,
        session: String,
        participant: String,
    },
    /// This participant, `PA_…`, records or serves others.
    Servant {
        participant: String,
    },
    /// This session of a room, `RM_…`, is over.
    Over {
        session: String,
    },
    Nothing,
}

/// What a webhook tells. A room that is empty is not recorded, and recorders and agents record or
/// serve others.
pub fn read(body: &[u8]) -> Heard {
    let Ok(event) = serde_json::from_slice::<Event>(body) else {
        return Heard::Nothing;
    };
    let Event {
        event,
        room,
        participant,
    } = event;
    if room.sid.is_empty() || room.name.is_empty() {
        return Heard::Nothing;
    }
    let is_to_be_recorded = ["", "STANDARD", "INGRESS", "SIP"].contains(&participant.kind.as_str())
        && !participant.permission.hidden
        && !participant.permission.recorder;
    match event.as_str() {
        "participant_joined" if is_to_be_recorded => Heard::Somebody {
            room: room.name,
            session: room.sid,
        },
        "participant_joined" => Heard::Servant {
            participant: participant.sid,
        },
        // Only `sid` and `identity` of the participant are in it: LiveKit's telemetry/events.go.
        "track_published" => Heard::Track {
            room: room.name,
            session: room.sid,
            participant: participant.sid,
        },
        "room_finished" => Heard::Over { session: room.sid },
        _ => Heard::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn heard(event: &str, participant: Value) -> Heard {
        let room = json!({"sid": "RM_1", "name": "lesson", "emptyTimeout": 300, "later": true});
        let event = json!({"event": event, "id": "EV_1", "createdAt": "1", "room": room,
            "participant": participant});
        read(event.to_string().as_bytes())
    }

    #[test]
    fn somebody_to_record_is_an_ordinary_participant() {
        let somebody = Heard::Somebody {
            room: "lesson".into(),
            session: "RM_1".into(),
        };
        let alice = json!({"sid": "PA_1", "identity": "alice"});
        assert_eq!(heard("participant_joined", alice.clone()), somebody);
        let track = Heard::Track {
            room: "lesson".into(),
            session: "RM_1".into(),
            participant: "PA_1".into(),
        };
        assert_eq!(heard("track_published", alice), track);
        for kind in ["SIP", "INGRESS"] {
            assert_eq!(
                heard("participant_joined", json!({ "kind": kind })),
                somebody
            );
        }
        for servant in [
            json!({"sid": "PA_2", "kind": "EGRESS"}),
            json!({"sid": "PA_2", "kind": "AGENT"}),
            json!({"sid": "PA_2", "permission": {"hidden": true}}),
            json!({"sid": "PA_2", "permission": {"recorder": true}}),
        ] {
            let participant = "PA_2".to_owned();
            let servant = heard("participant_joined", servant);
            assert_eq!(servant, Heard::Servant { participant });
        }
    }

    #[test]
    fn an_empty_room_is_not_recorded_and_an_end_is_an_end() {
        for event in ["room_started", "participant_left", "egress_ended", "later"] {
            assert_eq!(heard(event, json!({})), Heard::Nothing);
        }
        let session = "RM_1".to_owned();
        assert_eq!(heard("room_finished", json!({})), Heard::Over { session });
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        for body in [
            "",
            "[]",
            "{",
            r#"{"event":7}"#,
            r#"{"event":"participant_joined"}"#,
        ] {
            assert_eq!(read(body.as_bytes()), Heard::Nothing, "{body}");
        }
    }
}
