use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value};
use tapedeck_actors::{RoomError, SourceKind, StartError, StartRequest};
use tapedeck_pipelines::job::{Canvas, OutputFormat, OutputSettings};

use crate::config::{Bounds, Settings};
use crate::http::agora::check_channel;
use crate::http::refusal::{Refusal, sentence};
use crate::http::services::Services;

use super::answer::Started;
use super::body::Fields;
use super::fields;
use super::view::StartedRecording;

/// The most that a client may leave with a recording, bytes of JSON.
const MOST_METADATA: usize = 2_048;
/// As for the configuration's `video.thumbnail_interval_s`.
const LONGEST_THUMBNAIL_INTERVAL_S: u32 = 3_600;
/// The longest idempotency key, bytes.
const LONGEST_IDEMPOTENCY_KEY: usize = 255;

/// `POST /recordings/start`
pub async fn start(
    services: web::Data<Services>,
    request: HttpRequest,
    body: Fields,
) -> Result<HttpResponse, Refusal> {
    let start = start_request(&body.0, request.headers(), &services.settings)?;
    check_not_finishing(&services)?;
    let manifest = services.recordings.start(start).await.map_err(refusal)?;
    Ok(HttpResponse::Ok().json(Started {
        message: "Recording started",
        recording: StartedRecording::from(&manifest),
    }))
}

/// Checks that recordings are started at all.
pub fn check_not_finishing(services: &Services) -> Result<(), Refusal> {
    match services.is_finishing() {
        false => Ok(()),
        true => Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "finishing",
            "The server is finishing its recordings and takes no new ones",
        )),
    }
}

/// Checks a request and fills in what it leaves out.
pub(super) fn start_request(
    body: &Map<String, Value>,
    headers: &HeaderMap,
    settings: &Settings,
) -> Result<StartRequest, Refusal> {
    let room_name =
        fields::name(body, "roomName")?.ok_or_else(|| Refusal::invalid("roomName is required"))?;
    let Settings {
        video,
        audio,
        limits,
        ..
    } = settings;
    let source = fields::source(body)?.unwrap_or_else(|| settings.default_source());
    let (format, per_speaker, audio_only) = kind_of_file(body, source)?;
    if source == SourceKind::Agora {
        check_channel(&room_name, "roomName")?;
    }
    let canvas = Canvas {
        width: bounded(body, "width", limits.width(), video.width)?,
        height: bounded(body, "height", limits.height(), video.height)?,
        frame_rate: bounded(body, "framerate", limits.framerate(), video.framerate)?,
    };
    Ok(StartRequest {
        room_name,
        source,
        output: OutputSettings {
            format,
            per_speaker,
            audio_only,
            canvas,
            video_bitrate: bounded(body, "videoBitrate", limits.video_bitrate(), video.bitrate)?,
            audio_bitrate: audio.bitrate,
            encoder: video.encoder,
            x264_preset: video.x264_preset.clone(),
            key_frame_interval_ms: video.key_frame_interval_ms,
            thumbnail_interval_s: thumbnail_interval_s(body, video.thumbnail_interval_s)?
                .filter(|_| format == OutputFormat::Mp4 && !audio_only),
        },
        max_duration_ms: max_duration_ms(body, limits.max_duration_s)?,
        metadata: metadata(body)?,
        idempotency_key: idempotency_key(headers)?,
    })
}

/// `format`, `perSpeaker` and `audioOnly`.
fn kind_of_file(
    body: &Map<String, Value>,
    source: SourceKind,
) -> Result<(OutputFormat, bool, bool), Refusal> {
    let usual = match source.has_picture() {
        true => OutputFormat::Mp4,
        false => OutputFormat::Wav,
    };
    let format = match body.get("format") {
        None | Some(Value::Null) => usual,
        Some(Value::String(name)) => match name.as_str() {
            "" => usual,
            "mp4" => OutputFormat::Mp4,
            "wav" => OutputFormat::Wav,
            _ => return Err(Refusal::invalid("format must be mp4 or wav")),
        },
        Some(_) => return Err(Refusal::invalid("format must be mp4 or wav")),
    };
    let per_speaker = fields::flag(body, "perSpeaker")?;
    let audio_only = fields::flag(body, "audioOnly")?;
    if source == SourceKind::Agora && (format != OutputFormat::Wav || per_speaker) {
        return Err(Refusal::invalid(
            "of channels of Agora there is one WAV of all speakers: leave format and perSpeaker out",
        ));
    }
    match format {
        OutputFormat::Mp4 if per_speaker => Err(Refusal::invalid(
            "perSpeaker is possible with format wav only",
        )),
        OutputFormat::Wav if audio_only => Err(Refusal::invalid(
            "audioOnly is possible with format mp4 only: a WAV has no picture",
        )),
        format => Ok((format, per_speaker, audio_only)),
    }
}

fn bounded(
    body: &Map<String, Value>,
    field: &str,
    bounds: Bounds,
    default: u32,
) -> Result<u32, Refusal> {
    let Some(value) = fields::whole_number(body, field, &bounds.to_string())? else {
        return Ok(default);
    };
    bounds
        .check(value)
        .map_err(|reason| Refusal::invalid(format!("{field} {reason}")))?;
    u32::try_from(value).map_err(|_| Refusal::invalid(format!("{field} {bounds}")))
}

/// `thumbnailInterval`; 0 for none.
fn thumbnail_interval_s(body: &Map<String, Value>, usual: u32) -> Result<Option<u32>, Refusal> {
    let expected = format!("must be from 0 to {LONGEST_THUMBNAIL_INTERVAL_S} seconds");
    let seconds = fields::whole_number(body, "thumbnailInterval", &expected)?;
    let seconds = match seconds.map(u32::try_from) {
        None => usual,
        Some(Ok(seconds)) if seconds <= LONGEST_THUMBNAIL_INTERVAL_S => seconds,
        Some(_) => return Err(Refusal::invalid(format!("thumbnailInterval {expected}"))),
    };
    Ok((seconds > 0).then_some(seconds))
}

fn max_duration_ms(body: &Map<String, Value>, most: u64) -> Result<Option<u64>, Refusal> {
    let expected = format!("must be from 1 to {most} seconds");
    match fields::whole_number(body, "maxDuration", &expected)? {
        None => Ok(None),
        Some(seconds) => match u64::try_from(seconds) {
            Ok(seconds) if (1..=most).contains(&seconds) => Ok(Some(seconds * 1_000)),
            _ => Err(Refusal::invalid(format!("maxDuration {expected}"))),
        },
    }
}

fn metadata(body: &Map<String, Value>) -> Result<Option<Value>, Refusal> {
    let Some(metadata) = body.get("metadata").filter(|metadata| !metadata.is_null()) else {
        return Ok(None);
    };
    if metadata.to_string().len() > MOST_METADATA {
        return Err(Refusal::invalid(format!(
            "metadata must not be larger than {MOST_METADATA} bytes of JSON"
        )));
    }
    Ok(Some(metadata.clone()))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match key.to_str() {
        Ok(key) if (1..=LONGEST_IDEMPOTENCY_KEY).contains(&key.len()) && !key.trim().is_empty() => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(Refusal::invalid(format!(
            "Idempotency-Key must be 1 to {LONGEST_IDEMPOTENCY_KEY} printable ASCII characters"
        ))),
    }
}

/// Why a recording was not started, as clients are told it.
pub fn refusal(error: StartError) -> Refusal {
    let message = sentence(&error.to_string());
    let new = |status, code| Refusal::new(status, code, message.clone());
    match error {
        StartError::AlreadyRecording { id, .. } => Refusal::new(
            StatusCode::CONFLICT,
            "already_recording",
            "Recording already started for this room",
        )
        .recording_id(id),
        StartError::IdempotencyConflict => {
            new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_conflict")
        }
        StartError::Room(RoomError::Unknown(_)) => new(StatusCode::NOT_FOUND, "unknown_room"),
        StartError::Room(RoomError::Unreachable(_)) => {
            new(StatusCode::BAD_GATEWAY, "source_unreachable")
        }
        StartError::Room(RoomError::Refused(_) | RoomError::JoinRefused(_)) => {
            new(StatusCode::BAD_GATEWAY, "source_refused")
        }
        StartError::Room(RoomError::NoLivekit) => new(StatusCode::BAD_REQUEST, "no_livekit"),
        StartError::Room(RoomError::NoAgora) => {
            new(StatusCode::SERVICE_UNAVAILABLE, "agora_not_configured")
        }
        StartError::Room(RoomError::Timeout | RoomError::JoinTimeout(_)) => {
            new(StatusCode::GATEWAY_TIMEOUT, "source_timeout")
        }
        StartError::Timeout(_) => new(StatusCode::GATEWAY_TIMEOUT, "start_timeout"),
        StartError::Capacity(_) => new(StatusCode::SERVICE_UNAVAILABLE, "no_capacity"),
        StartError::DiskFull(_) => new(StatusCode::SERVICE_UNAVAILABLE, "disk_full"),
        StartError::Stopped => new(StatusCode::CONFLICT, "stopped"),
        StartError::Internal(reason) => {
            log::error!("a recording could not be started: {reason}");
            Refusal::internal(format!("Error starting recording: {reason}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};
    use serde_json::json;

    fn read(body: Value) -> Result<StartRequest, String> {
        start_request(
            body.as_object().unwrap(),
            &HeaderMap::new(),
            &Settings::default(),
        )
        .map_err(|r| r.message)
    }

    #[test]
    fn defaults_fill_what_is_left_out() {
        let request = read(json!({"roomName": "방", "unknown": {}, "width": null})).unwrap();
        assert_eq!(request.room_name, "방");
        assert_eq!(request.source, SourceKind::Whip);
        assert_eq!(
            request.output.canvas,
            Canvas {
                width: 1280,
                height: 720,
                frame_rate: 30
            }
        );
        assert_eq!(request.max_duration_ms, None);
        assert_eq!(request.metadata, None);
    }

    #[test]
    fn rooms_are_those_of_the_media_server_if_there_is_one() {
        let mut settings = Settings::default();
        settings.livekit.url = "wss://rooms.example".into();
        let source = |body: Value| {
            start_request(body.as_object().unwrap(), &HeaderMap::new(), &settings)
                .map(|request| request.source)
                .unwrap()
        };
        assert_eq!(source(json!({"roomName": "r"})), SourceKind::Livekit);
        assert_eq!(
            source(json!({"roomName": "r", "source": "whip"})),
            SourceKind::Whip
        );
        let livekit = read(json!({"roomName": "r", "source": "livekit"})).unwrap();
        assert_eq!(livekit.source, SourceKind::Livekit);
    }

    #[test]
    fn what_is_asked_for_is_taken_over() {
        let request = read(json!({
            "roomName": "r", "width": 640, "height": 360.0, "framerate": 15, "videoBitrate": 800_000,
            "maxDuration": 90, "thumbnailInterval": 5, "metadata": {"call": 7}
        }))
        .unwrap();
        assert_eq!(
            request.output.canvas,
            Canvas {
                width: 640,
                height: 360,
                frame_rate: 15
            }
        );
        assert_eq!(request.output.video_bitrate, 800_000);
        assert_eq!(request.max_duration_ms, Some(90_000));
        assert_eq!(request.output.thumbnail_interval_s, Some(5));
        assert_eq!(request.metadata, Some(json!({"call": 7})));
    }

    #[test]
    fn a_file_is_an_mp4_unless_a_wav_is_asked_for() {
        let output = |body: Value| read(body).unwrap().output;
        let plain = output(json!({"roomName": "r", "format": null}));
        assert_eq!(plain.format, OutputFormat::Mp4);
        assert!(plain.has_picture() && !plain.per_speaker);
        let wav = output(json!({"roomName": "r", "format": "wav", "perSpeaker": true}));
        assert_eq!((wav.format, wav.per_speaker), (OutputFormat::Wav, true));
        assert!(!wav.has_picture());
        let sound = output(json!({"roomName": "r", "format": "mp4", "audioOnly": true}));
        assert!(!sound.has_picture());
        for (body, expected) in [
            (json!({"format": "ogg"}), "format must be mp4 or wav"),
            (json!({"format": 7}), "format must be mp4 or wav"),
            (
                json!({"perSpeaker": true}),
                "perSpeaker is possible with format wav only",
            ),
            (
                json!({"format": "wav", "perSpeaker": "yes"}),
                "perSpeaker must be true or false",
            ),
            (
                json!({"format": "wav", "audioOnly": true}),
                "audioOnly is possible with format mp4 only: a WAV has no picture",
            ),
        ] {
            let mut body = body;
            body["roomName"] = json!("r");
            assert_eq!(read(body).map(|_| ()), Err(expected.to_owned()));
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_with_the_bounds() {
        let cases = [
            (json!({}), "roomName is required"),
            (json!({"roomName": ""}), "roomName is required"),
            (json!({"roomName": 7}), "roomName must be a text"),
            (
                json!({"roomName": "a\u{0}b"}),
                "roomName must not hold control characters",
            ),
            (
                json!({"roomName": "x".repeat(257)}),
                "roomName must not be longer than 256 bytes",
            ),
            (
                json!({"roomName": "r", "source": "zoom"}),
                "source must be one of livekit, whip, agora",
            ),
            (
                json!({"roomName": "r", "source": 7}),
                "source must be one of livekit, whip, agora",
            ),
            (
                json!({"roomName": "r", "width": 1281}),
                "width must be even and from 16 to 3840 pixels",
            ),
            (
                json!({"roomName": "r", "width": 14}),
                "width must be even and from 16 to 3840 pixels",
            ),
            (
                json!({"roomName": "r", "height": 2162}),
                "height must be even and from 16 to 2160 pixels",
            ),
            (
                json!({"roomName": "r", "height": -2}),
                "height must be even and from 16 to 2160 pixels",
            ),
            (
                json!({"roomName": "r", "framerate": 0}),
                "framerate must be from 1 to 60 frames per second",
            ),
            (
                json!({"roomName": "r", "thumbnailInterval": 3_601}),
                "thumbnailInterval must be from 0 to 3600 seconds",
            ),
            (
                json!({"roomName": "r", "framerate": 29.97}),
                "framerate must be from 1 to 60 frames per second",
            ),
            (
                json!({"roomName": "r", "framerate": "30"}),
                "framerate must be a number: it must be from 1 to 60 frames per second",
            ),
            (
                json!({"roomName": "r", "videoBitrate": 3000}),
                "videoBitrate must be from 50000 to 20000000 bits per second",
            ),
            (
                json!({"roomName": "r", "videoBitrate": u64::MAX}),
                "videoBitrate must be from 50000 to 20000000 bits per second",
            ),
            (
                json!({"roomName": "r", "maxDuration": 0}),
                "maxDuration must be from 1 to 86400 seconds",
            ),
            (
                json!({"roomName": "r", "maxDuration": -1}),
                "maxDuration must be from 1 to 86400 seconds",
            ),
            (
                json!({"roomName": "r", "metadata": "x".repeat(2047)}),
                "metadata must not be larger than 2048 bytes of JSON",
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(
                read(body.clone()).map(|_| ()),
                Err(expected.to_owned()),
                "{body}"
            );
        }
        assert!(read(json!({"roomName": "r", "metadata": "x".repeat(2046)})).is_ok());
    }

    #[test]
    fn idempotency_keys_are_printable_and_short() {
        let check = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(
                HeaderName::from_static("idempotency-key"),
                HeaderValue::from_bytes(value).unwrap(),
            );
            idempotency_key(&headers).map_err(|r| r.status)
        };
        assert_eq!(check(b"a1-b2"), Ok(Some("a1-b2".to_owned())));
        assert_eq!(check(&[b'k'; 255]), Ok(Some("k".repeat(255))));
        for bad in [&[b'k'; 256][..], b"", b" ", "é".as_bytes()] {
            assert_eq!(check(bad), Err(StatusCode::BAD_REQUEST));
        }
    }
}
