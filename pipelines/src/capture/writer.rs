//! The log's own thread: whatever the disk does, the network is not kept waiting.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tapedeck_failpoints::reached;
use tokio::sync::{Notify, oneshot};

use crate::control::{EndReason, Failure, FailureKind};
use crate::job::LogSettings;
use crate::log::{Body, LogError, LogEvent, LogWriter, Record, Resumed};
use crate::process::Journal;

use super::clock::RecordingClock;
use super::sink::RecordSink;

/// How often what was captured is handed to the operating system.
const FLUSH_INTERVAL: Duration = Duration::from_millis(40);

/// A silence this long is told by a tick, nanoseconds of recording time.
const TICK_AFTER_NS: u64 = 100_000_000;

/// Media waiting for a slow disk, bytes: from the first limit on video is dropped, from the second
/// everything.
const QUEUE_LIMITS: (usize, usize) = (64 << 20, 72 << 20);

/// Stack of the thread, bytes.
const STACK_BYTES: usize = 256 << 10;

/// How to begin.
#[derive(Debug)]
pub struct LogPlace {
    /// The folder of the segments.
    pub folder: PathBuf,
    /// The file of the journal.
    pub journal: PathBuf,
    pub recording_id: String,
    pub settings: LogSettings,
}

/// Hands records to the thread that writes them.
pub struct LogThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<VecDeque<Item>>,
    /// Media bytes in the queue.
    waiting: AtomicUsize,
    log_bytes: AtomicU64,
    closing: AtomicBool,
    failure: Mutex<Option<Failure>>,
    failed: Notify,
}

enum Item {
    Record(Record),
    Journal(&'static str, serde_json::Value),
    Sync(oneshot::Sender<()>),
    Seal(oneshot::Sender<()>),
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Item>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogThread {
    /// Begins a log whose recording time `clock` tells, `started_wall_ns` being the wall time of
    /// recording time 0.
    ///
    /// # Errors
    /// The log cannot be created.
    pub fn create(
        place: LogPlace,
        started_wall_ns: i64,
        clock: RecordingClock,
    ) -> Result<Self, LogError> {
        let writer = LogWriter::create_at(
            &place.folder,
            &place.recording_id,
            place.settings,
            started_wall_ns,
        )?;
        Self::start(writer, place, clock)
    }

    /// Goes on in a log. `clock` is made from where the log stands.
    ///
    /// # Errors
    /// The log cannot be read or written.
    pub fn resume(
        place: LogPlace,
        clock: impl FnOnce(&Resumed) -> RecordingClock,
    ) -> Result<(Self, RecordingClock, Resumed), LogError> {
        let (writer, resumed) =
            LogWriter::resume(&place.folder, &place.recording_id, place.settings)?;
        let clock = clock(&resumed);
        let log = Self::start(writer, place, clock.clone())?;
        Ok((log, clock, resumed))
    }

    fn start(writer: LogWriter, place: LogPlace, clock: RecordingClock) -> Result<Self, LogError> {
        let shared = Arc::new(Shared::default());
        let journal = Journal::open(&place.journal)
            .inspect_err(|error| log::warn!("cannot open the journal: {error}"))
            .ok();
        let worker = Worker {
            shared: Arc::clone(&shared),
            writer,
            journal,
            clock,
            sync_interval: Duration::from_millis(place.settings.sync_interval_ms.max(1)),
            last_sync: Instant::now(),
            last_record_ns: 0,
            unsynced: false,
            finished: false,
        };
        let thread = std::thread::Builder::new()
            .name("log".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || worker.run())
            .map_err(|source| LogError::Io {
                action: "start the thread that writes",
                path: place.folder,
                source,
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Writes a line of the journal.
    pub fn journal(&self, happening: &'static str, details: serde_json::Value) {
        self.shared
            .queue()
            .push_back(Item::Journal(happening, details));
        self.wake();
    }

    /// Has everything that was handed over so far brought to the disk at once. What is returned
    /// tells when that is done; it is closed when it could not be done.
    pub fn sync(&self) -> oneshot::Receiver<()> {
        let (done, synced) = oneshot::channel();
        self.shared.queue().push_back(Item::Sync(done));
        self.wake();
        synced
    }

    /// Records that come later are dropped. What is returned tells when everything that was handed
    /// over so far is on the disk, or has failed to get there.
    pub fn seal(&self) -> oneshot::Receiver<()> {
        let (done, sealed) = oneshot::channel();
        self.shared.queue().push_back(Item::Seal(done));
        self.wake();
        sealed
    }

    /// Size of the log, bytes.
    pub fn log_bytes(&self) -> u64 {
        self.shared.log_bytes.load(Ordering::Relaxed)
    }

    /// Waits until writing has failed; never returns otherwise.
    pub async fn failed(&self) -> Failure {
        loop {
            let notified = self.shared.failed.notified();
            if let Some(failure) = self.failure() {
                return failure;
            }
            notified.await;
        }
    }

    /// Why writing has failed, if it has.
    pub fn failure(&self) -> Option<Failure> {
        self.shared
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl RecordSink for LogThread {
    fn append(&mut self, record: Record, expendable: bool) -> bool {
        let bytes = media_bytes(&record);
        let (first, last) = QUEUE_LIMITS;
        let limit = if expendable { first } else { last };
        if bytes > 0 && self.shared.waiting.load(Ordering::Relaxed) + bytes > limit {
            return false;
        }
        self.shared.waiting.fetch_add(bytes, Ordering::Relaxed);
        self.shared.queue().push_back(Item::Record(record));
        true
    }
}

impl Drop for LogThread {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Release);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn media_bytes(record: &Record) -> usize {
    match &record.body {
        Body::Frame(frame) => frame.payload.len(),
        _ => 0,
    }
}

struct Worker {
    shared: Arc<Shared>,
    writer: LogWriter,
    journal: Option<Journal>,
    clock: RecordingClock,
    sync_interval: Duration,
    last_sync: Instant,
    last_record_ns: u64,
    /// Something was written since the last sync.
    unsynced: bool,
    /// Sealed or failed: nothing is appended any more.
    finished: bool,
}

impl Worker {
    fn run(mut self) {
        let mut batch = VecDeque::new();
        loop {
            let closing = self.shared.closing.load(Ordering::Acquire);
            std::mem::swap(&mut batch, &mut *self.shared.queue());
            let idle = batch.is_empty();
            for item in batch.drain(..) {
                self.handle(item);
            }
            if !self.finished
                && let Err(error) = self.keep_up()
            {
                self.fail(&error);
            }
            self.shared
                .log_bytes
                .store(self.writer.bytes(), Ordering::Relaxed);
            if closing && idle {
                return;
            }
            std::thread::park_timeout(FLUSH_INTERVAL);
        }
    }

    fn handle(&mut self, item: Item) {
        match item {
            Item::Record(record) => {
                self.shared
                    .waiting
                    .fetch_sub(media_bytes(&record), Ordering::Relaxed);
                if self.finished {
                    return;
                }
                if let Err(error) = self.append(&record) {
                    self.fail(&error);
                }
            }
            Item::Journal(happening, details) => {
                if let Some(journal) = &mut self.journal
                    && let Err(error) = journal.append(happening, &details)
                {
                    log::warn!("cannot write \"{happening}\" to the journal: {error}");
                }
            }
            Item::Sync(done) => {
                if self.finished {
                    return;
                }
                match self.sync() {
                    // Nobody waits any more when the process is on its way out.
                    Ok(()) => drop(done.send(())),
                    Err(error) => self.fail(&error),
                }
            }
            Item::Seal(done) => {
                if !self.finished
                    && let Err(error) = self.writer.sync()
                {
                    self.fail(&error);
                }
                reached("log.sealed");
                self.finished = true;
                // Nobody waits any more when the process is on its way out.
                let _ = done.send(());
            }
        }
    }

    fn append(&mut self, record: &Record) -> Result<(), LogError> {
        match self.writer.append(record) {
            Ok(()) => {}
            // It alone cannot be kept: what publishers send must not end a recording.
            Err(error @ (LogError::TooLarge(_) | LogError::Event(_))) => {
                log::warn!("left out of the log: {error}");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        self.unsynced = true;
        self.last_record_ns = self.last_record_ns.max(record.time_ns);
        Ok(())
    }

    /// Tells of silence, flushes and syncs.
    fn keep_up(&mut self) -> Result<(), LogError> {
        let now = self.clock.now();
        let silent = now.time_ns.saturating_sub(self.last_record_ns) >= TICK_AFTER_NS;
        // What came while the disk was slow is older than a tick of now and goes first: its times
        // would be lost, because time in the log does not go back.
        if silent && self.shared.queue().is_empty() {
            self.append(&Record {
                time_ns: now.time_ns,
                wall_ns: now.wall_ns,
                body: Body::Tick,
            })?;
        }
        if self.unsynced && self.last_sync.elapsed() >= self.sync_interval {
            return self.sync();
        }
        self.writer.flush()
    }

    fn sync(&mut self) -> Result<(), LogError> {
        self.last_sync = Instant::now();
        self.unsynced = false;
        self.writer.sync()
    }

    /// Keeps what is there and tells why there will be no more.
    fn fail(&mut self, error: &LogError) {
        log::error!("{error}");
        self.finished = true;
        let now = self.clock.now();
        let ended = Record {
            time_ns: now.time_ns,
            wall_ns: now.wall_ns,
            body: Body::Event(LogEvent::RecordingEnded {
                reason: EndReason::LogFailed,
            }),
        };
        if let Err(error) = self.writer.end_after_failure(&ended) {
            log::warn!("the log has no end record: {error}");
        }
        *self
            .shared
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(log_failure(error));
        self.shared.failed.notify_waiters();
    }
}

/// A failure of the log in words for an operator.
pub fn log_failure(error: &LogError) -> Failure {
    let way_out = match error {
        LogError::Io { source, .. } if is_full(source) => {
            "; free some space on the data folder's disk"
        }
        LogError::Io { .. } => "; check the data folder's disk",
        _ => "",
    };
    Failure {
        kind: FailureKind::Log,
        message: format!("{error}{way_out}"),
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
