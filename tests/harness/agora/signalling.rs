//! Who is in which channel, and what they tell one another.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::Joining;
use super::http::{self, Request};

/// The server; it ends when dropped.
pub struct Signalling {
    pub address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    task: JoinHandle<()>,
}

pub struct Shared {
    members: Vec<Member>,
    pub joining: Joining,
    pub asked: Vec<Value>,
    last_session: u64,
}

struct Member {
    session: u64,
    channel: String,
    uid: u32,
    is_host: bool,
    events: mpsc::UnboundedSender<String>,
}

impl Member {
    fn tell(&self, event: &Value) {
        // Who has left is not told.
        let _ = self.events.send(event.to_string());
    }
}

impl Signalling {
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Mutex::new(Shared {
            members: Vec::new(),
            joining: Joining::Welcome,
            asked: Vec::new(),
            last_session: 0,
        }));
        let serving = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, serving.clone()));
            }
        });
        Self {
            address,
            shared,
            task,
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }

    pub fn has(&self, channel: &str, uid: u32) -> bool {
        let shared = self.lock();
        let mut members = shared.members.iter();
        members.any(|member| member.channel == channel && member.uid == uid)
    }

    pub fn audience(&self, channel: &str) -> usize {
        let shared = self.lock();
        let audience = shared.of(channel).filter(|member| !member.is_host);
        audience.count()
    }

    pub fn tell_audience(&self, channel: &str, event: &Value) {
        self.lock().tell_audience(channel, event);
    }
}

impl Drop for Signalling {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn of(&self, channel: &str) -> impl Iterator<Item = &Member> {
        let members = self.members.iter();
        members.filter(move |member| member.channel == channel)
    }

    fn tell_audience(&self, channel: &str, event: &Value) {
        let audience = self.of(channel).filter(|member| !member.is_host);
        audience.for_each(|member| member.tell(event));
    }

    /// Takes somebody in; none who is not to be answered.
    fn join(&mut self, request: &Request) -> (u64, mpsc::UnboundedReceiver<String>) {
        let field = |name: &str| request.query.get(name).cloned().unwrap_or_default();
        let (events, told) = mpsc::unbounded_channel();
        self.last_session += 1;
        let member = Member {
            session: self.last_session,
            channel: field("channel"),
            uid: field("uid").parse().unwrap_or(0),
            is_host: field("role") == "host",
            events,
        };
        if !member.is_host {
            self.asked.push(json!({
                "channel": member.channel,
                "uid": member.uid,
                "token": field("token"),
            }));
            match self.joining {
                Joining::Welcome => {}
                Joining::Refused(code, message) => {
                    member.tell(&json!({ "type": "refused", "code": code, "message": message }));
                }
                Joining::Ignored => {}
            }
            if self.joining != Joining::Welcome {
                let session = member.session;
                // It is told no more, but stays connected.
                std::mem::forget(member.events);
                return (session, told);
            }
        }
        member.tell(&json!({ "type": "joined", "session": member.session }));
        let news = |host: &Member| {
            let (uid, session) = (host.uid, host.session);
            [
                json!({ "type": "user-joined", "uid": uid, "session": session }),
                json!({ "type": "published", "uid": uid }),
            ]
        };
        if member.is_host {
            for event in news(&member) {
                self.tell_audience(&member.channel, &event);
            }
        } else {
            let hosts = self.of(&member.channel).filter(|other| other.is_host);
            hosts.flat_map(news).for_each(|event| member.tell(&event));
        }
        let session = member.session;
        self.members.push(member);
        (session, told)
    }

    fn leave(&mut self, session: u64) {
        let mut members = self.members.iter();
        let Some(place) = members.position(|member| member.session == session) else {
            return;
        };
        let gone = self.members.remove(place);
        if gone.is_host {
            let event = json!({ "type": "user-left", "uid": gone.uid });
            self.tell_audience(&gone.channel, &event);
        }
    }

    fn pass_on(&self, body: &Value) {
        let to = body["to"].as_u64();
        let mut members = self.members.iter();
        if let Some(member) = members.find(|member| Some(member.session) == to) {
            member.tell(&body["message"]);
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(stream: TcpStream, shared: Arc<Mutex<Shared>>) {
    let mut stream = BufReader::new(stream);
    let Some(request) = http::read(&mut stream).await else {
        return;
    };
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    match request.path.as_str() {
        "/publisher" => {
            let code = [
                "<!doctype html><script>globalThis.STAND_IN = {};",
                include_str!("common.js"),
                include_str!("publisher.js"),
                "</script>",
            ];
            http::answer(&mut stream, "text/html", &code.join("\n")).await;
        }
        "/signal" => {
            lock(&shared).pass_on(&body);
            http::answer(&mut stream, "text/plain", "").await;
        }
        "/renew" => {
            lock(&shared)
                .asked
                .push(json!({ "renewed": body["token"] }));
            http::answer(&mut stream, "text/plain", "").await;
        }
        "/events" => {
            if let Some(socket) = http::upgrade(stream, &request).await {
                let (session, told) = lock(&shared).join(&request);
                send_events(socket, told).await;
                lock(&shared).leave(session);
            }
        }
        _ => {}
    }
}

/// Sends events until the page has gone.
async fn send_events(
    mut socket: WebSocketStream<TcpStream>,
    mut told: mpsc::UnboundedReceiver<String>,
) {
    loop {
        tokio::select! {
            Some(event) = told.recv() => {
                if socket.send(Message::text(event)).await.is_err() {
                    return;
                }
            }
            said = socket.next() => {
                if !matches!(said, Some(Ok(Message::Ping(_) | Message::Pong(_)))) {
                    return;
                }
            }
        }
    }
}
