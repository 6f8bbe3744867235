//! All rooms and sessions, and what is done about what happens to them.

mod media;
mod publish;
mod status;
mod track;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};

use crate::control::{
    Command, CommandEnvelope, ControlServer, Event, WhipAnswer, WhipRefusal, WhipRequest,
};
use crate::job::RoomsSettings;

use super::media::{CaptureId, MediaServer, TrackNumber};
use super::ports::Ports;
use super::room::{Room, SessionNumber};
use super::session::{Ending, Order, Refusal, Told};
use media::Capture;
use publish::Publish;
use track::Track;

/// What sessions told and was not taken up yet; sessions wait when there is more.
const TOLD: usize = 1024;

/// How long good-byes may take.
const GOOD_BYE: Duration = Duration::from_millis(500);

/// The rooms process's state.
pub struct Host {
    settings: RoomsSettings,
    control: ControlServer,
    captures_end: MediaServer,
    /// Opened for the first publisher.
    ports: Option<Ports>,
    /// By name.
    rooms: HashMap<String, Room>,
    sessions: HashMap<SessionNumber, Session>,
    captures: HashMap<CaptureId, Capture>,
    tasks: JoinSet<()>,
    /// Whose task it is.
    tasks_of: HashMap<Id, SessionNumber>,
    /// For new sessions.
    tell: mpsc::Sender<(SessionNumber, Told)>,
    told: mpsc::Receiver<(SessionNumber, Told)>,
    last_session: SessionNumber,
    last_track: TrackNumber,
    /// Since when there has been nothing to do.
    idle_since: Instant,
}

/// A session as the host knows it. Its connection is closed when this is dropped.
struct Session {
    /// What clients call it.
    name: String,
    room: String,
    orders: mpsc::Sender<Order>,
    tracks: Vec<Track>,
}

impl Host {
    /// A host without rooms.
    pub fn new(settings: RoomsSettings, control: ControlServer, captures_end: MediaServer) -> Self {
        let (tell, told) = mpsc::channel(TOLD);
        Self {
            settings,
            control,
            captures_end,
            ports: None,
            rooms: HashMap::new(),
            sessions: HashMap::new(),
            captures: HashMap::new(),
            tasks: JoinSet::new(),
            tasks_of: HashMap::new(),
            tell,
            told,
            last_session: 0,
            last_track: 0,
            idle_since: Instant::now(),
        }
    }

    /// What a session tells next. Nothing is lost when the future is dropped.
    pub async fn told(&mut self) -> (SessionNumber, Told) {
        loop {
            tokio::select! {
                // This holds a sender: there is always another.
                Some(told) = self.told.recv() => return told,
                Some(ended) = self.tasks.join_next_with_id() => {
                    let id = match &ended {
                        Ok((id, ())) => *id,
                        Err(error) => error.id(),
                    };
                    if let Some(number) = self.tasks_of.remove(&id)
                        && ended.is_err()
                    {
                        // It could not say so itself.
                        return (number, Told::Ended(Ending::Failed));
                    }
                }
            }
        }
    }

    /// Carries out a command. True if the process is to end.
    pub fn on_command(&mut self, envelope: CommandEnvelope) -> bool {
        let CommandEnvelope { id, command } = envelope;
        match command {
            Command::Whip { request } => self.on_whip(id, request),
            Command::Snapshot => {
                self.publish();
                self.control.reply(&id, Ok(()));
            }
            Command::Leave => {
                self.control.reply(&id, Ok(()));
                return true;
            }
            Command::Stop { .. }
            | Command::Pause
            | Command::Resume
            | Command::RenewToken { .. }
            | Command::Finish
            | Command::Unknown => {
                let error = "the rooms process does not know this command; it knows whip, leave \
                             and snapshot";
                self.control.reply(&id, Err(error.to_owned()));
            }
        }
        false
    }

    fn on_whip(&mut self, command: String, request: WhipRequest) {
        let answer = match request {
            WhipRequest::Publish {
                room,
                identity,
                name,
                media,
                offer,
            } => {
                let publish = Publish {
                    room,
                    identity,
                    name,
                    media,
                    offer,
                };
                self.on_publish(publish)
            }
            WhipRequest::Patch {
                room,
                session,
                if_match,
                fragment,
            } => match self.patch(&command, &room, &session, if_match, fragment) {
                // The session answers.
                Ok(()) => return,
                Err(refusal) => Err(refusal),
            },
            WhipRequest::Delete { room, session } => self.find(&room, &session).map(|number| {
                log::info!("a publisher of room {room} left");
                self.end(number);
                WhipAnswer::Deleted
            }),
        };
        // Who is answered must find the room as it is now.
        self.publish();
        let answer = answer.unwrap_or_else(WhipAnswer::from);
        self.control.reply_whip(&command, answer);
    }

    fn patch(
        &mut self,
        command: &str,
        room: &str,
        session: &str,
        if_match: Option<String>,
        fragment: String,
    ) -> Result<(), Refusal> {
        let number = self.find(room, session)?;
        let order = Order::Patch {
            command: command.to_owned(),
            if_match,
            fragment,
        };
        let session = self.sessions.get(&number).ok_or_else(unknown_session)?;
        session.orders.try_send(order).map_err(|_| {
            Refusal::new(
                WhipRefusal::Internal,
                "the session has too much to do: try again",
            )
        })
    }

    fn find(&self, room: &str, name: &str) -> Result<SessionNumber, Refusal> {
        self.sessions
            .iter()
            .find(|(_, session)| session.name == name && session.room == room)
            .map(|(number, _)| *number)
            .ok_or_else(unknown_session)
    }

    /// Takes up what a session told.
    pub fn on_told(&mut self, number: SessionNumber, told: Told) {
        match told {
            // Its client waits for it, whatever became of the session.
            Told::Answer { command, answer } => self.control.reply_whip(&command, answer),
            Told::Connected => self.on_connected(number),
            Told::Frame(frame) => self.on_frame(number, frame),
            Told::SenderReport {
                mid,
                rid,
                rtp,
                ntp_ns,
            } => self.on_report(number, (mid, rid), rtp, ntp_ns),
            Told::Ended(ending) => self.on_ended(number, ending),
        }
    }

    fn on_connected(&mut self, number: SessionNumber) {
        let Some(name) = self
            .sessions
            .get(&number)
            .map(|session| session.room.clone())
        else {
            return;
        };
        let Some(room) = self.rooms.get_mut(&name) else {
            return;
        };
        let change = room.connected(number);
        for number in change.replaced {
            log::info!("a publisher of room {name} took the place of its earlier session");
            self.sessions.remove(&number);
        }
        for event in &change.events {
            self.captures_end.tell(&name, event);
        }
        self.publish();
    }

    fn on_ended(&mut self, number: SessionNumber, ending: Ending) {
        if let Some(session) = self.sessions.get(&number) {
            let why = match ending {
                Ending::Closed => "closed its connection",
                Ending::Lost => "was not heard any more",
                Ending::Failed => "is lost by an error of this process",
                Ending::NeverConnected => {
                    "never connected; check that its packets reach the ports of rooms.udp_ports, \
                     and rooms.public_addresses behind NAT"
                }
            };
            log::info!("a publisher of room {} {why}", session.room);
            self.end(number);
            self.publish();
        }
    }

    /// Ends a session, whose connection is closed.
    fn end(&mut self, number: SessionNumber) {
        let Some(session) = self.sessions.remove(&number) else {
            return;
        };
        if let Some(room) = self.rooms.get_mut(&session.room) {
            for event in room.ended(number) {
                self.captures_end.tell(&session.room, &event);
            }
        }
        for capture in self.captures.values_mut() {
            capture.forget(&session.tracks);
        }
        self.tidy(&session.room);
    }

    /// Lets a room go in which nobody publishes and which nobody records.
    fn tidy(&mut self, name: &str) {
        let is_deserted = self.rooms.get(name).is_some_and(Room::is_deserted);
        let is_recorded = self.captures.values().any(|capture| capture.room == name);
        if is_deserted && !is_recorded {
            self.rooms.remove(name);
            log::info!("room {name} is gone");
        }
        if self.rooms.is_empty() {
            self.idle_since = Instant::now();
        }
    }

    /// Says what there is, to every server that is connected.
    pub fn publish(&self) {
        let snapshot = self.snapshot();
        self.control.publish(Event::Rooms { snapshot });
    }

    /// Since when no server has been connected, if nothing is recorded.
    pub fn unattended_since(&self) -> Option<Instant> {
        let alone = self.control.alone_since()?;
        self.captures.is_empty().then_some(alone)
    }

    /// Since when nobody has published or recorded; none if somebody does.
    pub fn idle_since(&self) -> Option<Instant> {
        self.rooms.is_empty().then_some(self.idle_since)
    }

    /// Closes all connections. Commands that wait or come are refused with an error, so that who
    /// sent them asks another process.
    pub async fn close(mut self, mut commands: mpsc::Receiver<CommandEnvelope>) {
        commands.close();
        while let Ok(envelope) = commands.try_recv() {
            let ending = "the process is ending".to_owned();
            self.control.reply(&envelope.id, Err(ending));
        }
        drop(commands);
        drop(self.captures_end);
        self.sessions.clear();
        self.told.close();
        let good_byes = async { while self.tasks.join_next().await.is_some() {} };
        // Who does not hear it finds out by itself.
        let _ = tokio::time::timeout(GOOD_BYE, good_byes).await;
        self.control.close(GOOD_BYE).await;
    }
}

fn unknown_session() -> Refusal {
    Refusal::new(
        WhipRefusal::UnknownSession,
        "there is no such session, or it is over: publish again",
    )
}
