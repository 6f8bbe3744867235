//! A rooms process of its own, asked over its control socket.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program, Stdio};
use std::time::Duration;

use tapedeck_pipelines::control::{
    Command, ControlClient, Event, PROTOCOL_VERSION, RoomsSnapshot, WhipAnswer, WhipMedia,
    WhipRefusal, WhipRequest,
};
use tapedeck_pipelines::job::{RoomsJob, RoomsSettings};
use tapedeck_pipelines::sources::whip::WhipSource;
use tapedeck_pipelines::sources::{Joined, Known};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::publisher::Publisher;
use super::{CHILD, SOON};

/// Settings for a process that only this machine reaches.
pub fn settings() -> RoomsSettings {
    RoomsSettings {
        udp_ports: Some((23_000, 23_999)),
        tcp_ports: Some((23_000, 23_999)),
        addresses: vec!["127.0.0.1".parse().unwrap()],
        ..RoomsSettings::default()
    }
}

/// The process. It is killed when this is dropped.
pub struct Process {
    folder: tempfile::TempDir,
    child: Child,
}

impl Process {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn media_socket(&self) -> PathBuf {
        self.folder.path().join("media.sock")
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("rooms/rooms.log")).unwrap_or_default()
    }

    /// Records a room.
    pub async fn record(&self, room: &str) -> (WhipSource, Joined) {
        let socket = self.media_socket();
        let joining = WhipSource::join(&socket, room, Known::default(), SOON);
        timeout(SOON, joining).await.expect("in time").unwrap()
    }

    /// Waits for the end of the process; whether it ended in peace.
    pub async fn ended(&mut self) -> bool {
        let waiting = async {
            loop {
                match self.child.try_wait().unwrap() {
                    Some(status) => return status.success(),
                    None => sleep(Duration::from_millis(20)).await,
                }
            }
        };
        timeout(SOON, waiting).await.expect("it does not end")
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("what the process said:\n{}", self.log());
        }
    }
}

/// A process and a server's connection to it.
pub struct Rooms {
    pub process: Process,
    pub control: ControlClient,
    events: mpsc::Receiver<Event>,
}

/// A session as its client knows it.
#[derive(Clone, Debug)]
pub struct Session {
    pub room: String,
    pub name: String,
    pub entity_tag: String,
}

impl Rooms {
    pub async fn start(settings: RoomsSettings) -> Self {
        Self::start_with(settings, 600_000).await
    }

    pub async fn start_with(settings: RoomsSettings, server_lost_timeout_ms: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let job = RoomsJob {
            protocol: PROTOCOL_VERSION,
            folder: folder.path().join("rooms"),
            socket: folder.path().join("control.sock"),
            media_socket: folder.path().join("media.sock"),
            settings,
            server_lost_timeout_ms,
        };
        let mut child = Program::new(std::env::current_exe().unwrap())
            .args(["--exact", "rooms_child", "--nocapture"])
            .env(CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&serde_json::to_vec(&job).unwrap()).unwrap();
        drop(stdin);
        let (control, events) = connect(&job.socket).await;
        Self {
            process: Process { folder, child },
            control,
            events,
        }
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The server's connection ends.
    pub fn without_server(self) -> Process {
        self.process
    }

    pub async fn record(&self, room: &str) -> (WhipSource, Joined) {
        self.process.record(room).await
    }

    pub async fn ask(&self, request: WhipRequest) -> WhipAnswer {
        self.control.whip(request, SOON).await.unwrap()
    }

    pub async fn refused(&self, request: WhipRequest) -> (WhipRefusal, String) {
        match self.ask(request).await {
            WhipAnswer::Refused { reason, message } => (reason, message),
            other => panic!("{other:?}"),
        }
    }

    /// Posts an offer.
    pub async fn post(
        &self,
        room: &str,
        identity: &str,
        media: WhipMedia,
        offer: &str,
    ) -> Result<(Session, String), (WhipRefusal, String)> {
        let request = publish(room, identity, media, offer);
        match self.ask(request).await {
            WhipAnswer::Published {
                session,
                entity_tag,
                answer,
            } => {
                let session = Session {
                    room: room.to_owned(),
                    name: session,
                    entity_tag,
                };
                Ok((session, answer))
            }
            WhipAnswer::Refused { reason, message } => Err((reason, message)),
            other => panic!("{other:?}"),
        }
    }

    /// Publishes a camera and waits until its media flows.
    pub async fn publish(&self, room: &str, identity: &str) -> (Publisher, Session) {
        self.publish_by(Publisher::new().await, room, identity, WhipMedia::Camera)
            .await
    }

    pub async fn publish_by(
        &self,
        (mut publisher, offer): (Publisher, String),
        room: &str,
        identity: &str,
        media: WhipMedia,
    ) -> (Publisher, Session) {
        let posted = self.post(room, identity, media, &offer).await;
        let (session, answer) = posted.unwrap();
        publisher.accept(&answer).await;
        publisher.connected().await;
        (publisher, session)
    }

    pub async fn delete(&self, session: &Session) -> WhipAnswer {
        self.ask(WhipRequest::Delete {
            room: session.room.clone(),
            session: session.name.clone(),
        })
        .await
    }

    pub async fn patch(
        &self,
        session: &Session,
        if_match: Option<&str>,
        fragment: &str,
    ) -> WhipAnswer {
        self.ask(WhipRequest::Patch {
            room: session.room.clone(),
            session: session.name.clone(),
            if_match: if_match.map(str::to_owned),
            fragment: fragment.to_owned(),
        })
        .await
    }

    /// What it says of its rooms once that is so.
    pub async fn until(&mut self, is_so: impl Fn(&RoomsSnapshot) -> bool) -> RoomsSnapshot {
        let mut last = RoomsSnapshot::default();
        let waiting = async {
            loop {
                match self.events.recv().await {
                    Some(Event::Rooms { snapshot }) => last = snapshot,
                    Some(_) => continue,
                    None => panic!("the process ended"),
                }
                if is_so(&last) {
                    return;
                }
            }
        };
        if timeout(SOON, waiting).await.is_err() {
            panic!("it did not become so: {last:#?}\n{}", self.log());
        }
        last
    }

    /// What it says of its rooms now.
    pub async fn now(&mut self) -> RoomsSnapshot {
        while self.events.try_recv().is_ok() {}
        self.control.command(Command::Snapshot, SOON).await.unwrap();
        self.until(|_| true).await
    }
}

pub fn publish(room: &str, identity: &str, media: WhipMedia, offer: &str) -> WhipRequest {
    WhipRequest::Publish {
        room: room.to_owned(),
        identity: identity.to_owned(),
        name: identity.to_uppercase(),
        media,
        offer: offer.to_owned(),
    }
}

async fn connect(socket: &Path) -> (ControlClient, mpsc::Receiver<Event>) {
    let connecting = async {
        loop {
            match ControlClient::connect(socket).await {
                Ok(connected) => return connected,
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    timeout(SOON, connecting).await.expect("no control socket")
}
