//! The control protocol between a server and a child, over real sockets.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use tapedeck_pipelines::control::{
    CaptureSnapshot, CaptureState, Command, CommandEnvelope, CommandError, ControlClient,
    ControlServer, EndReason, Event, MAX_LINE_BYTES, PROTOCOL_VERSION, ParticipantStatus,
    ProcessRole, Role,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);
const STOP: Command = Command::Stop {
    reason: EndReason::Stopped,
};

struct Child {
    server: ControlServer,
    commands: mpsc::Receiver<CommandEnvelope>,
    socket: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Child {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("child.sock");
        let (server, commands) = ControlServer::bind(&socket, Role::Capture, "EG_1").unwrap();
        Self {
            server,
            commands,
            socket,
            _folder: folder,
        }
    }

    async fn connect(&self) -> (ControlClient, mpsc::Receiver<Event>) {
        ControlClient::connect(&self.socket).await.unwrap()
    }

    /// A connection that speaks bytes.
    async fn connect_raw(&self) -> BufReader<UnixStream> {
        let mut stream = BufReader::new(UnixStream::connect(&self.socket).await.unwrap());
        let hello = read_line(&mut stream).await;
        assert!(hello.starts_with(r#"{"event":"hello""#), "{hello}");
        stream
    }
}

async fn read_line(stream: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    timeout(SOON, stream.read_line(&mut line))
        .await
        .unwrap()
        .unwrap();
    line
}

async fn receive<T>(receiver: &mut mpsc::Receiver<T>) -> Option<T> {
    timeout(SOON, receiver.recv())
        .await
        .expect("nothing arrived")
}

fn snapshot(frames: u64) -> Event {
    let state = CaptureState::Recording;
    Event::Capture {
        snapshot: CaptureSnapshot {
            state,
            frames,
            ..Default::default()
        },
    }
}

#[tokio::test]
async fn a_connection_begins_with_hello_and_the_newest_snapshot() {
    let child = Child::new();
    child.server.publish(snapshot(1));
    child.server.publish(snapshot(2));
    let (_client, mut events) = child.connect().await;
    let hello = Event::Hello {
        protocol: PROTOCOL_VERSION,
        role: ProcessRole::Capture,
        pid: std::process::id(),
        recording_id: "EG_1".into(),
    };
    assert_eq!(receive(&mut events).await, Some(hello));
    assert_eq!(receive(&mut events).await, Some(snapshot(2)));
    child.server.publish(snapshot(3));
    assert_eq!(receive(&mut events).await, Some(snapshot(3)));
}

#[tokio::test]
async fn a_command_is_carried_out_once_and_answered_as_often_as_it_is_asked() {
    let mut child = Child::new();
    let (client, _events) = child.connect().await;
    let child_works = async {
        let envelope = receive(&mut child.commands).await.unwrap();
        assert_eq!(envelope.command, STOP);
        child.server.reply(&envelope.id, Ok(()));
    };
    let (result, ()) = tokio::join!(client.command_as("stop-1", STOP, SOON), child_works);
    result.unwrap();

    // The server was restarted and does not know whether it had stopped.
    drop(client);
    let (client, _events) = child.connect().await;
    client.command_as("stop-1", STOP, SOON).await.unwrap();
    assert!(child.commands.try_recv().is_err());
}

#[tokio::test]
async fn every_command_of_every_connection_is_a_new_one() {
    let mut child = Child::new();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (client, _events) = child.connect().await;
        for _ in 0..2 {
            let child_works = async {
                let envelope = receive(&mut child.commands).await.unwrap();
                child.server.reply(&envelope.id, Err("not now".into()));
                ids.push(envelope.id);
            };
            let (result, ()) = tokio::join!(client.command(Command::Snapshot, SOON), child_works);
            assert!(matches!(result, Err(CommandError::Refused(why)) if why == "not now"));
        }
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn the_end_of_a_child_ends_events_and_commands() {
    let child = Child::new();
    let (client, mut events) = child.connect().await;
    receive(&mut events).await.unwrap();
    let ends = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(child);
    };
    let (result, ()) = tokio::join!(client.command(Command::Leave, SOON), ends);
    assert!(
        matches!(result, Err(CommandError::Disconnected)),
        "{result:?}"
    );
    assert_eq!(receive(&mut events).await, None);
    let result = client.command(Command::Leave, SOON).await;
    assert!(
        matches!(result, Err(CommandError::Disconnected)),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_child_that_does_not_answer_is_not_waited_for() {
    let child = Child::new();
    let (client, _events) = child.connect().await;
    let result = client
        .command(Command::Leave, Duration::from_millis(50))
        .await;
    assert!(matches!(result, Err(CommandError::Timeout)), "{result:?}");
}

#[tokio::test]
async fn the_last_words_of_a_child_arrive_before_it_closes() {
    let mut child = Child::new();
    let (client, mut events) = child.connect().await;
    let child_works = async {
        let envelope = receive(&mut child.commands).await.unwrap();
        child.server.publish(snapshot(7));
        child.server.reply(&envelope.id, Ok(()));
        child.server.close(SOON).await;
    };
    let (result, ()) = tokio::join!(client.command(Command::Leave, SOON), child_works);
    result.unwrap();
    let mut last = None;
    while let Some(event) = receive(&mut events).await {
        last = Some(event);
    }
    assert_eq!(last, Some(snapshot(7)));
    assert!(!child.socket.exists());
}

#[tokio::test]
async fn a_slow_reader_gets_the_newest_snapshot() {
    let child = Child::new();
    let (_client, mut events) = child.connect().await;
    for frames in 1..=5_000 {
        child.server.publish(snapshot(frames));
        if frames % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut seen = 0;
    while seen < 5_000 {
        if let Some(Event::Capture { snapshot }) = receive(&mut events).await {
            assert!(snapshot.frames > seen);
            seen = snapshot.frames;
        }
    }
}

#[tokio::test]
async fn replies_arrive_though_nobody_takes_the_events() {
    let mut child = Child::new();
    let (client, events) = child.connect().await;
    // First the receiver is full, then it is gone.
    for events in [Some(events), None] {
        for frames in 0..200 {
            child.server.publish(snapshot(frames));
            tokio::task::yield_now().await;
        }
        let child_works = async {
            let envelope = receive(&mut child.commands).await.unwrap();
            child.server.reply(&envelope.id, Ok(()));
        };
        let (result, ()) = tokio::join!(client.command(Command::Snapshot, SOON), child_works);
        result.unwrap();
        drop(events);
    }
}

#[tokio::test]
async fn peers_that_misbehave_harm_nobody_else() {
    let mut child = Child::new();
    let mut nonsense = child.connect_raw().await;
    nonsense
        .write_all(b"not json\n\n{}\n[1]\n{\"id\":5,\"command\":\"stop\"}\n\xff\xfe\n")
        .await
        .unwrap();
    let mut endless = child.connect_raw().await;
    // The child hangs up on it, possibly before everything is written.
    let _ = endless.write_all(&vec![b'x'; 2 * MAX_LINE_BYTES]).await;
    let mut rest = String::new();
    let closed = timeout(SOON, endless.read_line(&mut rest)).await.unwrap();
    assert!(!matches!(closed, Ok(1..)), "{rest}");
    let vanished = child.connect_raw().await;
    drop(vanished);
    let silent = child.connect_raw().await;
    for _ in 0..2_000 {
        child.server.publish(snapshot(1));
        tokio::task::yield_now().await;
    }

    let (client, _events) = child.connect().await;
    let child_works = async {
        let envelope = receive(&mut child.commands).await.unwrap();
        assert_eq!(envelope.command, STOP);
        child.server.reply(&envelope.id, Ok(()));
    };
    let (result, ()) = tokio::join!(client.command(STOP, SOON), child_works);
    result.unwrap();
    drop((silent, nonsense));
}

#[tokio::test]
async fn a_command_that_this_version_does_not_know_is_refused_by_name_of_its_id() {
    let mut child = Child::new();
    let mut stream = child.connect_raw().await;
    stream
        .write_all(b"{\"id\":\"a\",\"command\":\"fly\",\"to\":\"the moon\"}\n")
        .await
        .unwrap();
    let reply = read_line(&mut stream).await;
    assert!(
        reply.contains(r#""event":"reply","id":"a","error":"#),
        "{reply}"
    );
    stream
        .write_all(b"{\"id\":\"b\",\"command\":\"stop\"}\n")
        .await
        .unwrap();
    let reply = read_line(&mut stream).await;
    assert!(
        reply.contains(r#""id":"b","error":"malformed command"#),
        "{reply}"
    );
    assert!(child.commands.try_recv().is_err());
}

#[tokio::test]
async fn a_room_that_is_too_large_for_a_line_is_told_without_its_participants() {
    let child = Child::new();
    let participant = ParticipantStatus {
        name: "x".repeat(MAX_LINE_BYTES / 10),
        ..Default::default()
    };
    let mut snapshot = CaptureSnapshot {
        frames: 7,
        participants: vec![participant; 20],
        ..Default::default()
    };
    child.server.publish(Event::Capture {
        snapshot: snapshot.clone(),
    });
    let (_client, mut events) = child.connect().await;
    receive(&mut events).await;
    snapshot.participants.clear();
    assert_eq!(
        receive(&mut events).await,
        Some(Event::Capture { snapshot })
    );
}

#[tokio::test]
async fn nothing_that_one_peer_asks_makes_a_reply_too_long_for_another() {
    let child = Child::new();
    let (client, mut events) = child.connect().await;
    receive(&mut events).await;
    let mut greedy = child.connect_raw().await;
    let long = "x".repeat(MAX_LINE_BYTES - 100);
    let ask = format!("{{\"id\":\"{long}\",\"command\":\"fly\"}}\n");
    greedy.write_all(ask.as_bytes()).await.unwrap();
    let ask = format!("{{\"id\":\"a\",\"command\":\"stop\",\"reason\":[\"{long}\"]}}\n");
    greedy.write_all(ask.as_bytes()).await.unwrap();
    let ask = format!("{{\"id\":\"b\",\"command\":\"{long}\"}}\n");
    greedy.write_all(ask.as_bytes()).await.unwrap();
    for id in ["a", "b"] {
        let reply = read_line(&mut greedy).await;
        assert!(reply.contains(&format!(r#""id":"{id}""#)), "{reply}");
        assert!(reply.len() < 5_000);
    }
    child.server.publish(snapshot(1));
    assert_eq!(receive(&mut events).await, Some(snapshot(1)));
    drop(client);
}

#[tokio::test]
async fn being_alone_is_counted_from_the_last_connection() {
    let child = Child::new();
    assert!(child.server.alone_since().is_some());
    let (first, mut first_events) = child.connect().await;
    let (second, mut second_events) = child.connect().await;
    receive(&mut first_events).await;
    receive(&mut second_events).await;
    assert_eq!(child.server.alone_since(), None);
    drop(first);
    let before = std::time::Instant::now();
    drop(second);
    let since = timeout(SOON, async {
        loop {
            match child.server.alone_since() {
                Some(since) => break since,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    });
    assert!(since.await.unwrap() >= before);
}

#[tokio::test]
async fn the_socket_is_for_its_user_and_goes_with_the_child() {
    let child = Child::new();
    let mode = child.socket.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let socket = child.socket.clone();
    drop(child.server);
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_a_live_one_and_other_files_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("child.sock");
    let bind = |path: &Path| ControlServer::bind(path, Role::Render, "EG_1").map(drop);

    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    bind(&path).unwrap();

    let (live, _commands) = ControlServer::bind(&path, Role::Render, "EG_1").unwrap();
    assert_eq!(bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    drop(live);

    std::fs::write(&path, "precious").unwrap();
    assert_eq!(
        bind(&path).unwrap_err().kind(),
        io::ErrorKind::AlreadyExists
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_path_that_is_too_long_says_by_how_much() {
    let folder = tempfile::tempdir().unwrap();
    let name = "x".repeat(117 - folder.path().as_os_str().len());
    let path = folder.path().join(name);
    let error = ControlServer::bind(&path, Role::Capture, "EG_1")
        .map(drop)
        .unwrap_err();
    assert!(error.to_string().contains("11 bytes shorter"), "{error}");
    assert!(ControlClient::connect(&path).await.is_err());
}
