//! The messages of version 1, as they were released: each must be understood and sent as it is for
//! as long as version 1 is spoken. A field may be added, if it may be missing.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tapedeck_pipelines::control::{
    CaptureState, Command, CommandEnvelope, EndReason, Event, FailureKind, RenderState,
};
use tapedeck_pipelines::job::{BrowserJob, CaptureJob, RenderJob, RoomsJob};
use tapedeck_pipelines::log::{Codec, LogEvent, TrackSource};
use tapedeck_pipelines::rooms::media::{MediaEvent, MediaRequest};

/// Checks every line of a golden file against the type that reads and writes it.
fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(file);
    let lines = fs::read_to_string(path).unwrap();
    assert!(!lines.is_empty());
    for line in lines.lines() {
        let golden: Value = serde_json::from_str(line).unwrap();
        let message: T =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let sent = serde_json::to_value(&message).unwrap();
        assert!(includes(&sent, &golden), "{line}\nis now sent as\n{sent}");

        let mut later = golden;
        let fields = later.as_object_mut().unwrap();
        fields.insert("of_a_later_version".into(), json!({"a": [1]}));
        let understood: T = serde_json::from_value(later).unwrap();
        assert_eq!(understood, message, "an unknown field changes {line}");
    }
}

/// Whether `value` has everything that `golden` has.
fn includes(value: &Value, golden: &Value) -> bool {
    match (value, golden) {
        (Value::Object(value), Value::Object(golden)) => golden
            .iter()
            .all(|(name, golden)| value.get(name).is_some_and(|value| includes(value, golden))),
        (Value::Array(value), Value::Array(golden)) => {
            value.len() == golden.len()
                && value
                    .iter()
                    .zip(golden)
                    .all(|(value, golden)| includes(value, golden))
        }
        _ => value == golden,
    }
}

#[test]
fn commands_are_as_released() {
    check::<CommandEnvelope>("commands-v1.jsonl");
}

#[test]
fn events_are_as_released() {
    check::<Event>("events-v1.jsonl");
}

#[test]
fn jobs_are_as_released() {
    check::<CaptureJob>("capture-jobs-v1.jsonl");
    check::<RenderJob>("render-jobs-v1.jsonl");
    check::<RoomsJob>("rooms-jobs-v1.jsonl");
    check::<BrowserJob>("browser-jobs-v1.jsonl");
}

#[test]
fn messages_of_the_media_socket_are_as_released() {
    check::<MediaEvent>("media-events-v1.jsonl");
    check::<MediaRequest>("media-requests-v1.jsonl");
}

#[test]
fn log_events_are_as_released() {
    check::<LogEvent>("log-events-v1.jsonl");
}

#[test]
fn what_a_later_version_says_is_unknown_not_an_error() {
    fn read<T: DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }
    let envelope: CommandEnvelope = read(json!({"id": "a", "command": "fly", "to": {"x": 1}}));
    assert_eq!(
        envelope,
        CommandEnvelope {
            id: "a".into(),
            command: Command::Unknown
        }
    );
    assert_eq!(
        read::<Event>(json!({"event": "later", "x": 1})),
        Event::Unknown
    );
    assert_eq!(
        read::<LogEvent>(json!({"event": "later", "x": 1})),
        LogEvent::Unknown
    );
    assert_eq!(
        read::<MediaEvent>(json!({"event": "later", "x": 1})),
        MediaEvent::Unknown
    );
    assert_eq!(
        read::<MediaRequest>(json!({"request": "later", "x": 1})),
        MediaRequest::Unknown
    );
    assert_eq!(read::<EndReason>(json!("later")), EndReason::Unknown);
    assert_eq!(read::<CaptureState>(json!("later")), CaptureState::Unknown);
    assert_eq!(read::<RenderState>(json!("later")), RenderState::Unknown);
    assert_eq!(read::<FailureKind>(json!("later")), FailureKind::Internal);
    assert_eq!(read::<Codec>(json!("later")), Codec::Unknown);
    assert_eq!(read::<TrackSource>(json!("later")), TrackSource::Unknown);
}
