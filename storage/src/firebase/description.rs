//! What a document of Firestore tells of a recording.
//!
//! The fields are those of memharbor_server, whose clients read them: `filename, url, channel,
//! groupId, user1, user2, duration` (ms), `fileSize` (bytes), `format`, `spec {sampleRate, channels,
//! bitDepth}`, `recordedAt` and `createdAt` (texts in RFC 3339, UTC, with milliseconds).

use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::documents::Fields;
use super::objects::Object;
use crate::hash;
use crate::{RecordingMetadata, parse_file_name};

/// By what documents are found again.
pub const FILENAME: &str = "filename";
const CREATED_AT: &str = "createdAt";
const URL: &str = "url";
/// Hexadecimal digits of an id: as many characters as those that Firestore draws.
const ID_LENGTH: usize = 20;
/// `2026-02-03T12-00-00`, as in the names of memharbor_server.
const TIME_LENGTH: usize = 19;

/// The id of a recording's document: the same whenever it is written, so that it is there once.
pub fn document_id(metadata: &RecordingMetadata) -> String {
    let names = format!("{}/{}", metadata.id, metadata.name);
    let mut id = hash::hex(&hash::digest(names.as_bytes()));
    id.truncate(ID_LENGTH);
    id
}

/// The parts of `{groupId}_{user1}_{user2}`; further underscores belong to `user2`.
pub fn channel_parts(channel: &str) -> Option<[&str; 3]> {
    let mut parts = channel.splitn(3, '_');
    let parts = [parts.next()?, parts.next()?, parts.next()?];
    parts.iter().all(|part| !part.is_empty()).then_some(parts)
}

/// How sound is stored in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Hz.
    pub sample_rate: u32,
    pub channels: u16,
    /// Bits of a sample.
    pub bit_depth: u16,
}

impl Spec {
    /// What the header of a WAV file says; none of another file.
    pub fn of_file(path: &Path) -> std::io::Result<Option<Self>> {
        let mut header = Vec::new();
        std::fs::File::open(path)?
            .take(36)
            .read_to_end(&mut header)?;
        Ok(Self::of_header(&header))
    }

    fn of_header(header: &[u8]) -> Option<Self> {
        let is_wav = header.get(..4)? == b"RIFF" && header.get(8..16)? == b"WAVEfmt ";
        if !is_wav {
            return None;
        }
        let number = |at: usize| Some(u16::from_le_bytes(header.get(at..at + 2)?.try_into().ok()?));
        let rate = header.get(24..28)?.try_into().ok()?;
        Some(Self {
            channels: number(22)?,
            sample_rate: u32::from_le_bytes(rate),
            bit_depth: number(34)?,
        })
    }
}

/// The document of a recording that was stored at `url`.
pub fn fields(
    metadata: &RecordingMetadata,
    url: &str,
    spec: Option<Spec>,
    now: OffsetDateTime,
) -> Fields {
    let text = |text: &str| json!({"stringValue": text});
    let whole = |number: u64| json!({"integerValue": number.to_string()});
    let parts = channel_parts(&metadata.room_name);
    let part = |index: usize| match &parts {
        Some(parts) => text(parts[index]),
        None => json!({"nullValue": null}),
    };
    let extension = metadata.name.rsplit_once('.').map_or("", |(_, end)| end);
    let spec = spec.map_or_else(
        // Without fields, as Firestore tells an empty map itself.
        || json!({"mapValue": {}}),
        |spec| {
            json!({"mapValue": {"fields": {
                "sampleRate": whole(spec.sample_rate.into()),
                "channels": whole(spec.channels.into()),
                "bitDepth": whole(spec.bit_depth.into()),
            }}})
        },
    );
    let recorded_at = i128::from(metadata.started_at) * 1_000_000;
    let recorded_at = OffsetDateTime::from_unix_timestamp_nanos(recorded_at).unwrap_or(now);
    let fields = [
        (FILENAME, text(&metadata.name)),
        (URL, text(url)),
        ("channel", text(&metadata.room_name)),
        ("groupId", part(0)),
        ("user1", part(1)),
        ("user2", part(2)),
        (
            "duration",
            whole((metadata.duration * 1_000.0).round() as u64),
        ),
        ("fileSize", whole(metadata.size)),
        ("format", text(extension)),
        ("spec", spec),
        ("recordedAt", text(&timestamp(recorded_at))),
        (CREATED_AT, text(&timestamp(now))),
    ];
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Whether two documents say the same of a recording. When they were written does not matter, nor
/// the signature of an address.
pub fn say_the_same(one: &Fields, other: &Fields) -> bool {
    let essential = |fields: &Fields| {
        let mut fields = fields.clone();
        fields.remove(CREATED_AT);
        if let Some(url) = fields.get(URL).and_then(as_text) {
            let unsigned = url.split('?').next().unwrap_or_default().to_owned();
            fields.insert(URL.into(), json!(unsigned));
        }
        fields
    };
    essential(one) == essential(other)
}

/// Takes over from an earlier version of a document when it was first written.
pub fn keep_creation(fields: &mut Fields, earlier: &Fields) {
    if let Some(created) = earlier.get(CREATED_AT) {
        fields.insert(CREATED_AT.into(), created.clone());
    }
}

/// The file that a document is about.
pub fn file_name(fields: &Fields) -> Option<&str> {
    fields.get(FILENAME).and_then(as_text)
}

/// What is known of an object without metadata of ours: from the document that another server
/// wrote, else from its name. None when nothing says that it is a recording.
pub fn of_others(
    name: &str,
    object: &Object,
    fields: Option<&Fields>,
) -> Option<RecordingMetadata> {
    let named = parse_file_name(name)
        .map(|parts| (parts.room_name, parts.room_id, parts.started_at))
        .or_else(|| channel_name(name).map(|(channel, at)| (channel, String::new(), at)));
    let is_media = [".mp4", ".wav", ".webm"]
        .iter()
        .any(|extension| name.ends_with(extension));
    if fields.is_none() && !is_media {
        return None;
    }
    let (room_name, room_id, started_at) =
        named.unwrap_or_else(|| (String::new(), String::new(), object.modified_at()));
    let field = |name: &str| fields.and_then(|fields| fields.get(name));
    let channel = field("channel").and_then(as_text).map(str::to_owned);
    Some(RecordingMetadata {
        id: String::new(),
        name: name.to_owned(),
        room_name: channel.unwrap_or(room_name),
        room_id,
        started_at: field("recordedAt").and_then(as_time).unwrap_or(started_at),
        duration: field("duration").and_then(as_number).unwrap_or_default() / 1_000.0,
        size: object.size(),
        sha256: None,
        metadata: None,
        end_reason: None,
        gaps: Vec::new(),
        pauses: Vec::new(),
        files: Vec::new(),
        part_of: None,
    })
}

/// Channel and start, Unix ms, of `{channel}_{2026-02-03T12-00-00}.wav`.
pub fn channel_name(name: &str) -> Option<(String, i64)> {
    let stem = name.rsplit_once('.')?.0;
    let at = stem.len().checked_sub(TIME_LENGTH)?;
    let (channel, time) = (stem.get(..at)?.strip_suffix('_')?, stem.get(at..)?);
    let format = format_description!("[year]-[month]-[day]T[hour]-[minute]-[second]");
    let time = time::PrimitiveDateTime::parse(time, &format).ok()?;
    Some((
        channel.to_owned(),
        time.assume_utc().unix_timestamp() * 1_000,
    ))
}

/// A time of Unix ms as documents tell it. A time out of the calendar is its
/// beginning.
pub fn utc_text(at: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000);
    timestamp(at.unwrap_or(OffsetDateTime::UNIX_EPOCH))
}

/// `2026-02-03T12:00:00.000Z`.
fn timestamp(time: OffsetDateTime) -> String {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    time.format(&format).unwrap_or_default()
}

fn as_text(value: &Value) -> Option<&str> {
    value["stringValue"].as_str()
}

/// A number, whole or not.
fn as_number(value: &Value) -> Option<f64> {
    let whole = value["integerValue"].as_str();
    whole
        .and_then(|text| text.parse().ok())
        .or_else(|| value["integerValue"].as_f64())
        .or_else(|| value["doubleValue"].as_f64())
}

/// Unix ms of a time, however it was written.
fn as_time(value: &Value) -> Option<i64> {
    let text = as_text(value).or_else(|| value["timestampValue"].as_str());
    let time = text.and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    time.map(|time| (time.unix_timestamp_nanos() / 1_000_000) as i64)
        .or_else(|| as_number(value).map(|number| number as i64))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn recording() -> RecordingMetadata {
        let object = object();
        RecordingMetadata {
            id: "EG_abcdefghijkl".into(),
            duration: 120.0,
            ..of_others("g_a_b_2026-02-03T12-00-00.wav", &object, None).unwrap()
        }
    }

    fn object() -> Object {
        serde_json::from_value(json!({
            "name": "recordings/x", "size": "3840044", "updated": "2026-02-03T12:02:00.5Z",
        }))
        .unwrap()
    }

    #[test]
    fn channels_have_three_parts_and_the_rest_is_the_second_users() {
        let cases = [
            ("g_a_b", Some(["g", "a", "b"])),
            ("g_a_b_c", Some(["g", "a", "b_c"])),
            ("g_a", None),
            ("studio", None),
            ("_a_b", None),
            ("g__b", None),
        ];
        for (channel, parts) in cases {
            assert_eq!(channel_parts(channel), parts, "{channel}");
        }
    }

    #[test]
    fn a_document_has_the_fields_and_types_that_clients_read() {
        let spec = Spec {
            sample_rate: 16_000,
            channels: 1,
            bit_depth: 16,
        };
        let now = datetime!(2026-02-03 12:02:00 UTC);
        let document = fields(&recording(), "https://host/x", Some(spec), now);
        let expected = json!({
            "filename": {"stringValue": "g_a_b_2026-02-03T12-00-00.wav"},
            "url": {"stringValue": "https://host/x"},
            "channel": {"stringValue": "g_a_b"},
            "groupId": {"stringValue": "g"},
            "user1": {"stringValue": "a"},
            "user2": {"stringValue": "b"},
            "duration": {"integerValue": "120000"},
            "fileSize": {"integerValue": "3840044"},
            "format": {"stringValue": "wav"},
            "spec": {"mapValue": {"fields": {
                "sampleRate": {"integerValue": "16000"},
                "channels": {"integerValue": "1"},
                "bitDepth": {"integerValue": "16"},
            }}},
            "recordedAt": {"stringValue": "2026-02-03T12:00:00.000Z"},
            "createdAt": {"stringValue": "2026-02-03T12:02:00.000Z"},
        });
        assert_eq!(Value::Object(document), expected);
    }

    #[test]
    fn written_again_it_is_the_same_document() {
        let now = datetime!(2026-02-03 12:02:00 UTC);
        let later = datetime!(2026-02-03 13:02:00 UTC);
        let first = fields(&recording(), "https://host/x?signature=1", None, now);
        let again = fields(&recording(), "https://host/x?signature=2", None, later);
        assert!(say_the_same(&first, &again));
        assert_eq!(first["spec"], json!({"mapValue": {}}), "as it is read back");
        let longer = RecordingMetadata {
            duration: 121.0,
            ..recording()
        };
        assert!(!say_the_same(
            &first,
            &fields(&longer, "https://host/x", None, now)
        ));
        assert_eq!(document_id(&recording()), document_id(&longer));
        let other = RecordingMetadata {
            id: "EG_other".into(),
            ..recording()
        };
        assert_ne!(document_id(&recording()), document_id(&other));
    }

    #[test]
    fn others_documents_are_read_whatever_types_they_chose() {
        let documents = [
            json!({
                "channel": {"stringValue": "g_a_b"}, "duration": {"integerValue": "120500"},
                "recordedAt": {"stringValue": "2026-02-03T12:00:00.000Z"},
            }),
            json!({
                "channel": {"stringValue": "g_a_b"}, "duration": {"doubleValue": 120500.0},
                "recordedAt": {"timestampValue": "2026-02-03T12:00:00Z"},
            }),
        ];
        for document in documents {
            let found = of_others("call.wav", &object(), document.as_object()).unwrap();
            assert_eq!(found.room_name, "g_a_b");
            assert_eq!(found.duration, 120.5);
            assert_eq!(found.started_at, 1_770_120_000_000);
            assert_eq!(found.size, 3_840_044);
        }
    }

    #[test]
    fn without_a_document_the_name_tells() {
        let found = recording();
        assert_eq!(found.room_name, "g_a_b");
        assert_eq!(found.started_at, 1_770_120_000_000);
        let found = of_others("call.wav", &object(), None).unwrap();
        assert_eq!(found.started_at, 1_770_120_120_500);
        assert_eq!(of_others("notes.txt", &object(), None), None);
    }

    #[test]
    fn the_header_of_a_wav_file_is_read() {
        let mut header = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
        header.extend([16, 0, 0, 0, 1, 0, 1, 0]);
        header.extend(16_000u32.to_le_bytes());
        header.extend(32_000u32.to_le_bytes());
        header.extend([2, 0, 16, 0]);
        let spec = Spec::of_header(&header).unwrap();
        assert_eq!(
            (spec.sample_rate, spec.channels, spec.bit_depth),
            (16_000, 1, 16)
        );
        assert_eq!(Spec::of_header(&header[..30]), None);
        assert_eq!(Spec::of_header(b"\0\0\0\x20ftypisom"), None);
    }
}
