//! Plays the rooms process.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use tapedeck_pipelines::control::{
    Command, CommandEnvelope, ControlServer, Event, ParticipantStatus, ProcessRole, RoomStatus,
    RoomsSnapshot, WhipAnswer, WhipRefusal, WhipRequest,
};
use tapedeck_pipelines::job::RoomsJob;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::{Instant, sleep, timeout};

/// Between two snapshots.
const TICK: Duration = Duration::from_millis(200);

/// Sessions by name: room and identity.
type Sessions = BTreeMap<String, (String, String)>;

pub async fn run(job: RoomsJob) -> Result<(), Box<dyn Error>> {
    let append = |name: &str, text: &str| {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .create(true)
            .append(true)
            .open(job.folder.join(name))?;
        file.write_all(text.as_bytes())
    };
    append("starts", ".")?;
    if job.settings.max_publishers == 0 {
        append(
            "rooms.log",
            "12:00 ERROR rooms [rooms] no port is free, as the test says\n",
        )?;
        return Err("cannot start".into());
    }
    if job.settings.max_publishers == 1 {
        return hang_up_once(&job.socket).await;
    }
    let _media = tokio::net::UnixListener::bind(&job.media_socket)?;
    let (server, mut commands) = ControlServer::bind(&job.socket, ProcessRole::Rooms, "")?;
    let mut sessions = Sessions::new();
    let mut drawn = 0;
    let publish = |sessions: &Sessions| {
        server.publish(Event::Rooms {
            snapshot: snapshot(sessions),
        });
    };
    publish(&sessions);
    let mut next = Instant::now() + TICK;
    loop {
        let Ok(received) = timeout(
            next.saturating_duration_since(Instant::now()),
            commands.recv(),
        )
        .await
        else {
            next = Instant::now() + TICK;
            publish(&sessions);
            let alone = server.alone_since();
            if alone.is_some_and(|since| since.elapsed().as_secs() > 20) {
                return Ok(());
            }
            continue;
        };
        let Some(envelope) = received else {
            return Ok(());
        };
        match envelope.command {
            Command::Whip { request } => {
                let script = match &request {
                    WhipRequest::Publish { room, .. } => room.clone(),
                    _ => String::new(),
                };
                let has = |word: &str| script.split('+').any(|found| found == word);
                if has("dies") {
                    return Err("died".into());
                }
                if has("ends-once") && std::fs::metadata(job.folder.join("starts"))?.len() == 1 {
                    return Ok(());
                }
                drawn += 1;
                let answer = answer(request, &mut sessions, drawn);
                publish(&sessions);
                server.reply_whip(&envelope.id, answer);
                if has("hangs") {
                    sleep(Duration::from_millis(50)).await;
                    std::thread::sleep(Duration::from_secs(600));
                }
            }
            Command::Leave => {
                server.reply(&envelope.id, Ok(()));
                server.close(Duration::from_millis(100)).await;
                return Ok(());
            }
            _ => {
                publish(&sessions);
                server.reply(&envelope.id, Ok(()));
            }
        }
    }
}

async fn hang_up_once(socket: &Path) -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::UnixListener::bind(socket)?;
    let mut first_id = None;
    loop {
        let (stream, _) = listener.accept().await?;
        let (reading, mut writing) = stream.into_split();
        let mut say = async |event: &Event| {
            let line = format!("{}\n", serde_json::to_string(event)?);
            writing
                .write_all(line.as_bytes())
                .await
                .map_err(Box::<dyn Error>::from)
        };
        say(&Event::Hello {
            protocol: 1,
            role: ProcessRole::Rooms,
            pid: std::process::id(),
            recording_id: String::new(),
        })
        .await?;
        say(&Event::Rooms {
            snapshot: RoomsSnapshot::default(),
        })
        .await?;
        let mut lines = BufReader::new(reading).lines();
        while let Some(line) = lines.next_line().await? {
            let envelope: CommandEnvelope = serde_json::from_str(&line)?;
            let whip = match envelope.command {
                Command::Leave => return Ok(()),
                Command::Whip { .. } if first_id.is_none() => {
                    first_id = Some(envelope.id);
                    break;
                }
                Command::Whip { .. } if first_id.as_ref() == Some(&envelope.id) => {
                    Some(WhipAnswer::Trickled)
                }
                _ => None,
            };
            let id = envelope.id;
            say(&Event::Reply {
                id,
                error: None,
                whip,
            })
            .await?;
        }
    }
}

fn answer(request: WhipRequest, sessions: &mut Sessions, drawn: u32) -> WhipAnswer {
    let unknown = WhipAnswer::Refused {
        reason: WhipRefusal::UnknownSession,
        message: "as the script says".into(),
    };
    match request {
        WhipRequest::Publish { room, identity, .. } => {
            let session = format!("{drawn:032x}");
            sessions.insert(session.clone(), (room, identity));
            WhipAnswer::Published {
                session,
                entity_tag: "\"1\"".into(),
                answer: format!("v=0 of {}", std::process::id()),
            }
        }
        WhipRequest::Patch { session, .. } if sessions.contains_key(&session) => {
            WhipAnswer::Trickled
        }
        WhipRequest::Delete { session, .. } if sessions.remove(&session).is_some() => {
            WhipAnswer::Deleted
        }
        _ => unknown,
    }
}

fn snapshot(sessions: &Sessions) -> RoomsSnapshot {
    let mut rooms: BTreeMap<&str, RoomStatus> = BTreeMap::new();
    for (session, (room, identity)) in sessions {
        let status = rooms.entry(room).or_insert_with(|| RoomStatus {
            name: room.clone(),
            id: "RM_of_ours".into(),
            ..RoomStatus::default()
        });
        status.participants.push(ParticipantStatus {
            id: session.clone(),
            identity: identity.clone(),
            ..ParticipantStatus::default()
        });
    }
    RoomsSnapshot {
        rooms: rooms.into_values().collect(),
        ..RoomsSnapshot::default()
    }
}
