//! What pages show live: looked up once a second for all who watch, and told to each of them when
//! it has changed.

mod looks;
mod readers;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::web::{Bytes, Data};
use futures_util::Stream;
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Services;
use readers::{Reader, Readers};

pub use readers::TooMany;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a stream says nothing, so that proxies do not take it for dead.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// What a new stream begins with: how long a client waits before it connects again, ms.
const BEGINNING: &str = "retry: 2000\n\n";

/// A comment.
const ALIVE: &[u8] = b": alive\n\n";

/// Streams of events, and what they tell. Of each topic only the newest state is kept, so nothing
/// heaps up for those who read slowly: they miss what is outdated.
pub struct Events {
    state: watch::Sender<State>,
    readers: Mutex<Readers>,
    /// Whether somebody looks.
    looking: AtomicBool,
    /// Never counts anew, so that what is new is known by it.
    looks: AtomicU64,
}

/// What was seen last.
#[derive(Default)]
struct State {
    topics: Vec<Topic>,
    /// No stream goes on.
    closed: bool,
}

/// One kind of event.
struct Topic {
    name: &'static str,
    /// The look that found it changed.
    changed: u64,
    /// On one line.
    json: String,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            state: watch::Sender::default(),
            readers: Mutex::default(),
            looking: AtomicBool::new(false),
            looks: AtomicU64::new(0),
        }
    }
}

impl Events {
    /// Ends all streams, for good.
    pub fn close(&self) {
        self.state.send_modify(|state| state.closed = true);
    }

    fn is_watched(&self) -> bool {
        self.state.receiver_count() > 0 && !self.state.borrow().closed
    }

    fn enter(&self) -> Result<Reader, TooMany> {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.enter(Instant::now())
    }
}

/// A stream of server-sent events: everything at first, then what changes.
///
/// # Errors
/// There are too many already.
pub fn events(
    services: &Data<Services>,
) -> Result<impl Stream<Item = Result<Bytes, std::convert::Infallible>> + use<>, TooMany> {
    let telling = Telling {
        reader: services.events.enter()?,
        state: services.events.state.subscribe(),
        services: services.clone(),
        told: 0,
        begun: false,
    };
    Ok(stream::unfold(telling, |mut telling| async move {
        let text = telling.next().await?;
        telling.reader.given(Instant::now());
        Some((Ok(text), telling))
    }))
}

/// One stream.
struct Telling {
    services: Data<Services>,
    state: watch::Receiver<State>,
    reader: Reader,
    /// The newest look that was told.
    told: u64,
    begun: bool,
}

impl Telling {
    /// What is to be sent next; none when the stream is over.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.reader.takes(Instant::now()) {
            return None;
        }
        keep_looking(&self.services);
        if !std::mem::replace(&mut self.begun, true) {
            return Some(Bytes::from_static(BEGINNING.as_bytes()));
        }
        loop {
            if let Some(text) = self.news()? {
                return Some(text);
            }
            match timeout(ALIVE_EVERY, self.state.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                Err(_) => return Some(Bytes::from_static(ALIVE)),
            }
        }
    }

    /// What was not told yet; none when streams are over.
    fn news(&mut self) -> Option<Option<Bytes>> {
        let state = self.state.borrow_and_update();
        if state.closed {
            return None;
        }
        let news = state.topics.iter().filter(|it| it.changed > self.told);
        let text: String = news
            .map(|topic| format!("event: {}\ndata: {}\n\n", topic.name, topic.json))
            .collect();
        let newest = state.topics.iter().map(|topic| topic.changed).max();
        self.told = newest.unwrap_or_default().max(self.told);
        Some((!text.is_empty()).then(|| Bytes::from(text)))
    }
}

/// Looks once a second for as long as somebody watches, on the thread of whoever came first.
fn keep_looking(services: &Data<Services>) {
    if services.events.looking.swap(true, Ordering::SeqCst) {
        return;
    }
    let looking = Looking(services.clone());
    actix_web::rt::spawn(async move {
        while looking.0.events.is_watched() {
            looking.look().await;
            sleep(LOOK_EVERY).await;
        }
        let services = looking.0.clone();
        drop(looking);
        // Somebody may have come in between.
        if services.events.is_watched() {
            keep_looking(&services);
        }
    });
}

/// Somebody looks until it is dropped.
struct Looking(Data<Services>);

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.events.looking.store(false, Ordering::SeqCst);
    }
}

impl Looking {
    async fn look(&self) {
        let events = &self.0.events;
        let seen = looks::look(&self.0).await;
        let look = events.looks.fetch_add(1, Ordering::SeqCst) + 1;
        events.state.send_if_modified(|state| {
            let mut is_new = false;
            for (name, json) in seen {
                let known = state.topics.iter().position(|topic| topic.name == name);
                match known.map(|index| &mut state.topics[index]) {
                    Some(topic) if topic.json == json => continue,
                    Some(topic) => (topic.json, topic.changed) = (json, look),
                    None => state.topics.push(Topic {
                        name,
                        changed: look,
                        json,
                    }),
                }
                is_new = true;
            }
            is_new
        });
    }
}
