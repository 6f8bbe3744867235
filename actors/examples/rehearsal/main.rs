//! Plays the processes of a recording without media, for the tests of the actors. What goes wrong
//! is told by words in the room's name, separated by `+`:
//!
//! | word | what happens |
//! | --- | --- |
//! | `unreachable`, `refused` | capture cannot join |
//! | `never-joins` | capture does not get into the room, and says nothing |
//! | `exits-early`, `exits-early-once` | capture ends before it is in the room: each, or the first |
//! | `garbage` | capture's socket says what no protocol knows |
//! | `room-ends`, `max-duration` | capture seals by itself, with that reason |
//! | `dies-once`, `dies-recording` | capture ends without sealing: the first, or every one |
//! | `wants-token` | capture asks for a new token |
//! | `knows-no-pauses` | capture does as one of an earlier version does |
//! | `hangs-on-stop` | capture does not react to a stop |
//! | `ignores-leave` | capture does not react to a leave |
//! | `render-dies-twice`, `render-always-dies` | render ends without an output |
//! | `render-slow` | render takes 3 s |
//!
//! Words in the name of a room of our own:
//!
//! | word | what the rooms process does when somebody publishes |
//! | --- | --- |
//! | `dies` | it fails before it answers |
//! | `ends-once` | it ends before it answers, unless it was started before |
//! | `hangs` | it answers, then does nothing any more |
//!
//! With room for no publishers it does not start; with room for one it hangs up on the first request,
//! and answers when that is repeated under its id.
//!
//! `rehearsal server FOLDER` is a server that takes `start ROOM`, `record ROOM` (of ours),
//! `listen CHANNEL`, `publish ROOM`, `pause ROOM` and `stop ROOM` on standard input.

mod rooms;

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::json;
use sha2::{Digest, Sha256};
use tapedeck_actors::{
    Channels, MediaServers, Recorder, RecorderSettings, RetentionSettings, Room, RoomError, Rooms,
    SourceKind, StartRequest, UploadSettings,
};
use tapedeck_pipelines::control::{
    CaptureSnapshot, CaptureState, Command, ControlServer, EndReason, Event, Failure, FailureKind,
    Gap, OutputFile, Pause, RenderSnapshot, RenderState, Role, WhipMedia, WhipRequest,
};
use tapedeck_pipelines::job::{CaptureJob, CaptureLimits, RenderJob, Secret, Source};
use tapedeck_pipelines::process::{Journal, now_wall_ns};
use tapedeck_storage::DiskStore;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::{Instant, sleep};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const FILM: &[u8] = b"a film without pictures";

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().collect();
    if std::env::vars().any(|(name, _)| name.contains("SECRET")) && arguments[1] != "server" {
        return Err("a secret was inherited".into());
    }
    actix::System::new().block_on(async {
        match arguments[1].as_str() {
            "capture" => capture(job()?).await,
            "render" => render(job()?).await,
            "rooms" => rooms::run(job()?).await,
            _ => server(Path::new(&arguments[2])).await,
        }
    })
}

fn job<T: DeserializeOwned>() -> Outcome<T> {
    Ok(serde_json::from_reader(std::io::stdin())?)
}

fn now_ms() -> i64 {
    now_wall_ns() / 1_000_000
}

async fn capture(job: CaptureJob) -> Outcome {
    let has = |word: &str| job.room_name.split('+').any(|found| found == word);
    let first = job.folder.join("first");
    if has("exits-early") || (has("exits-early-once") && !first.exists()) {
        std::fs::write(first, b"")?;
        return Err("exits early".into());
    }
    if has("garbage") {
        return talk_garbage(&job.socket).await;
    }
    let (server, mut commands) =
        ControlServer::bind(&job.socket, Role::Capture, &job.recording_id)?;
    let log = job.folder.join("log");
    let goes_on = log.exists();
    let mut snapshot = CaptureSnapshot::default();
    let publish = |snapshot: &CaptureSnapshot| {
        server.publish(Event::Capture {
            snapshot: snapshot.clone(),
        })
    };
    publish(&snapshot);
    let kind = if has("unreachable") {
        Some(FailureKind::SourceUnreachable)
    } else {
        has("refused").then_some(FailureKind::SourceRefused)
    };
    if let Some(kind) = kind {
        snapshot.state = CaptureState::Failed;
        snapshot.failure = Some(Failure {
            kind,
            message: "as the script says".into(),
        });
        publish(&snapshot);
        sleep(Duration::from_secs(2)).await;
        return Err("failed".into());
    }
    let mut journal = Journal::open(&job.folder.join("capture.jsonl"))?;
    journal.append("started", &json!({}))?;
    if !has("never-joins") {
        std::fs::create_dir_all(&log)?;
        std::fs::write(log.join("000001.tdl"), b"media")?;
        snapshot.state = CaptureState::Recording;
        if goes_on {
            snapshot.gaps.push(Gap {
                from_ms: 1_000,
                to_ms: 2_000,
                reason: "capture_restarted".into(),
            });
        }
        if let Ok(pauses) = std::fs::read(log.join("pauses")) {
            snapshot.pauses = serde_json::from_slice(&pauses)?;
            if snapshot
                .pauses
                .last()
                .is_some_and(|pause| pause.to.is_none())
            {
                snapshot.state = CaptureState::Paused;
            }
        }
        snapshot.token_wanted = has("wants-token");
        snapshot.room_id = Some("RM_rehearsal".into());
        snapshot.started_at_ms = Some(now_ms());
        journal.append(
            "joined",
            &json!({"room_id": "RM_rehearsal", "started_at_ms": now_ms()}),
        )?;
        publish(&snapshot);
    }
    let own_end = Instant::now() + Duration::from_millis(300);
    let mut seal = |snapshot: &mut CaptureSnapshot, reason| -> Outcome {
        if snapshot.state != CaptureState::Sealed {
            snapshot.state = CaptureState::Sealed;
            snapshot.end_reason = Some(reason);
            snapshot.ended_at_ms = Some(now_ms());
            std::fs::write(job.folder.join("log/sealed"), b"")?;
            journal.append(
                "sealed",
                &json!({"end_reason": reason, "ended_at_ms": now_ms()}),
            )?;
        }
        Ok(())
    };
    loop {
        let command = tokio::time::timeout(Duration::from_millis(50), commands.recv()).await;
        match command {
            Err(_)
                if server
                    .alone_since()
                    .is_some_and(|since| since.elapsed().as_secs() > 20) =>
            {
                return Ok(());
            }
            Err(_) if snapshot.state == CaptureState::Recording && Instant::now() > own_end => {
                if has("dies-recording") || (has("dies-once") && !goes_on) {
                    return Err("died".into());
                } else if has("room-ends") {
                    seal(&mut snapshot, EndReason::RoomEnded)?;
                } else if has("max-duration") {
                    seal(&mut snapshot, EndReason::MaxDuration)?;
                }
                publish(&snapshot);
            }
            Err(_) => {}
            Ok(None) => return Ok(()),
            Ok(Some(envelope)) => {
                let mut answer = Ok(());
                match envelope.command {
                    Command::Pause | Command::Resume if has("knows-no-pauses") => {
                        answer = Err("a command that is not known".to_owned());
                    }
                    Command::Pause => {
                        snapshot.state = CaptureState::Paused;
                        snapshot.pauses.push(Pause {
                            at_ms: 1_000,
                            from: now_ms(),
                            to: None,
                        });
                    }
                    Command::Resume => {
                        snapshot.state = CaptureState::Recording;
                        if let Some(pause) = snapshot.pauses.last_mut() {
                            pause.to = Some(now_ms());
                        }
                    }
                    Command::RenewToken { ref token } => {
                        std::fs::write(job.folder.join("renewed"), token.reveal())?;
                        snapshot.token_wanted = false;
                    }
                    Command::Stop { .. } if has("hangs-on-stop") => continue,
                    Command::Leave if has("ignores-leave") => continue,
                    Command::Stop { reason } => seal(&mut snapshot, reason)?,
                    _ => {}
                }
                if !snapshot.pauses.is_empty() {
                    let pauses = serde_json::to_vec(&snapshot.pauses)?;
                    std::fs::write(log.join("pauses"), pauses)?;
                }
                publish(&snapshot);
                server.reply(&envelope.id, answer);
                if envelope.command == Command::Leave {
                    sleep(Duration::from_millis(20)).await;
                    return Ok(());
                }
            }
        }
    }
}

async fn talk_garbage(socket: &Path) -> Outcome {
    let listener = tokio::net::UnixListener::bind(socket)?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        for line in [
            &b"\0\xff\xfe{}\n"[..],
            b"{\"event\":\"hello\"}\n",
            b"[[[[",
            &[b'x'; 70_000],
        ] {
            let _ = stream.write_all(line).await;
        }
    }
}

async fn render(job: RenderJob) -> Outcome {
    let has = |word: &str| job.room_name.split('+').any(|found| found == word);
    let socket = job.socket.as_ref().ok_or("no socket")?;
    let (server, mut commands) = ControlServer::bind(socket, Role::Render, &job.recording_id)?;
    let mut journal = Journal::open(&job.folder.join("render.jsonl"))?;
    journal.append("started", &json!({}))?;
    let mut starts = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(job.folder.join("starts"))?;
    starts.write_all(b".")?;
    let start = starts.metadata()?.len();
    server.publish(Event::Render {
        snapshot: RenderSnapshot {
            state: RenderState::Following,
            ..Default::default()
        },
    });

    let mut is_final = job.log_is_final;
    let begun = Instant::now();
    loop {
        is_final |= job.folder.join("log/sealed").exists();
        if has("render-always-dies") || (has("render-dies-twice") && start <= 2) {
            return Err("died".into());
        }
        if is_final && (!has("render-slow") || begun.elapsed().as_secs() >= 3) {
            break;
        }
        match tokio::time::timeout(Duration::from_millis(30), commands.recv()).await {
            Err(_)
                if server
                    .alone_since()
                    .is_some_and(|since| since.elapsed().as_secs() > 20) =>
            {
                return Ok(());
            }
            Ok(Some(envelope)) => {
                is_final |= envelope.command == Command::Finish;
                server.reply(&envelope.id, Ok(()));
            }
            _ => {}
        }
    }
    std::fs::write(&job.output, FILM)?;
    let output = OutputFile {
        path: job.output.clone(),
        size_bytes: FILM.len() as u64,
        duration_ms: 1_500,
        sha256: Sha256::digest(FILM)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        width: 1280,
        height: 720,
        suffix: String::new(),
    };
    journal.append("finished", &json!({"output": output}))?;
    let snapshot = RenderSnapshot {
        state: RenderState::Finished,
        output: Some(output),
        ..Default::default()
    };
    server.publish(Event::Render { snapshot });
    sleep(Duration::from_millis(100)).await;
    Ok(())
}

/// Knows every room.
struct AllRooms;

#[async_trait::async_trait]
impl Rooms for AllRooms {
    async fn find(&self, name: &str) -> Result<Room, RoomError> {
        Ok(Room {
            name: name.into(),
            id: "RM_rehearsal".into(),
        })
    }

    fn source(&self, _: &Room, _: &str, _: Duration) -> Result<Source, RoomError> {
        Ok(Source::Livekit {
            url: "ws://127.0.0.1:1".into(),
            token: Secret::new("token"),
        })
    }
}

impl Channels for AllRooms {
    fn source(&self, channel: &str) -> Result<Source, RoomError> {
        Ok(Source::Agora {
            app_id: "0".repeat(32),
            channel: channel.into(),
            uid: 999_999,
            token: self.token(channel)?,
            browser: Default::default(),
        })
    }

    fn token(&self, _: &str) -> Result<Secret, RoomError> {
        Ok(Secret::new("token"))
    }

    fn start_timeout(&self) -> Duration {
        Duration::from_secs(20)
    }
}

fn publish(room: &str) -> WhipRequest {
    WhipRequest::Publish {
        room: room.into(),
        identity: "ann".into(),
        name: "Ann".into(),
        media: WhipMedia::Camera,
        offer: "v=0".into(),
    }
}

async fn server(folder: &Path) -> Outcome {
    let limits = CaptureLimits {
        max_duration_ms: 3_600_000,
        empty_room_timeout_ms: 1_000,
        source_lost_timeout_ms: 1_000,
        server_lost_timeout_ms: 1_000,
    };
    let output: tapedeck_pipelines::job::OutputSettings = serde_json::from_value(json!({
        "canvas": {"width": 1280, "height": 720, "frame_rate": 30},
        "video_bitrate": 1, "audio_bitrate": 1, "encoder": "x264", "x264_preset": "x", "key_frame_interval_ms": 1,
    }))?;
    let settings = RecorderSettings {
        data_dir: folder.to_path_buf(),
        executable: std::env::current_exe()?,
        output: output.clone(),
        rooms: Default::default(),
        limits,
        render_lag_ms: 1_500,
        gaps: tapedeck_pipelines::job::GapStyle::default(),
        store_dir: None,
        uploads: UploadSettings::default(),
        retention: RetentionSettings::default(),
        webhooks: Default::default(),
        address: "127.0.0.1:1".into(),
        min_free_bytes: 0,
        max_recordings: 10,
        max_cpu_percent: 0,
        start_timeout: Duration::from_secs(20),
        capture_restart_pause: Duration::from_millis(50),
        stop_timeout: Duration::from_secs(60),
        sync_interval: Duration::from_secs(1),
    };
    let store = Arc::new(DiskStore::open(&folder.join("recordings"))?);
    let servers = MediaServers {
        livekit: Some(Arc::new(AllRooms)),
        agora: Some(Arc::new(AllRooms)),
    };
    let recorder = Recorder::launch(settings, servers, store).await?;
    println!("ready");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let recorder = recorder.clone();
        let output = output.clone();
        actix::spawn(async move {
            let (command, room_name) = line.split_once(' ').unwrap_or_default();
            let source = match command {
                "record" => SourceKind::Whip,
                "listen" => SourceKind::Agora,
                _ => SourceKind::Livekit,
            };
            let request = StartRequest {
                room_name: room_name.into(),
                source,
                output,
                max_duration_ms: None,
                metadata: None,
                idempotency_key: None,
            };
            match command {
                "pause" => println!(
                    "{command} {:?}",
                    recorder
                        .set_paused(room_name, None, true)
                        .await
                        .map(|manifest| manifest.state)
                ),
                "publish" => println!("{command} {:?}", recorder.whip(publish(room_name)).await),
                "start" | "record" | "listen" => println!(
                    "{command} {:?}",
                    recorder.start(request).await.map(|manifest| manifest.id)
                ),
                _ => println!(
                    "{command} {:?}",
                    recorder
                        .stop(room_name, None)
                        .await
                        .map(|manifest| manifest.state)
                ),
            }
        });
    }
    Ok(())
}
