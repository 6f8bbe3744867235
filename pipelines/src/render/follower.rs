use std::path::Path;
use std::thread;
use std::time::Duration;

use super::RenderControl;
use super::leaps::Leaps;
use super::timeline::{Absences, Notice};
use crate::job::GapStyle;
use crate::log::{Body, Damage, LogError, LogEvent, LogReader, Next, Record};
use crate::process::now_wall_ns;

/// How long to wait for a log that is not there yet before looking again.
const POLL: Duration = Duration::from_millis(30);
/// How long to wait at the live edge before looking again. Several pictures at a time are cheaper
/// than one by one: caches stay warm and threads wake seldom.
const EDGE_WAIT: Duration = Duration::from_millis(200);

/// Reads the log as far as it is asked to, waiting for capture where it must. What it hands over
/// is in file time.
pub struct Follower<'a> {
    reader: LogReader,
    control: &'a RenderControl,
    log_is_final: bool,
    /// The first record beyond what was asked for.
    held: Option<Record>,
    leaps: Leaps,
    absences: Absences,
    /// Recording time stands still.
    paused: bool,
    newest_ns: u64,
    newest_wall_ns: i64,
    end_ns: Option<u64>,
}

impl<'a> Follower<'a> {
    /// Opens the log in `folder`; waits for it unless it is final.
    pub fn open(
        folder: &Path,
        control: &'a RenderControl,
        log_is_final: bool,
        gaps: GapStyle,
    ) -> Result<Self, LogError> {
        let reader = loop {
            let is_final = log_is_final || control.finish_requested();
            match LogReader::open(folder) {
                Err(LogError::Missing(_)) if !is_final => thread::sleep(POLL),
                other => break other?,
            }
        };
        Ok(Self {
            reader,
            control,
            log_is_final,
            held: None,
            leaps: Leaps::new(gaps),
            absences: Absences::default(),
            paused: false,
            newest_ns: 0,
            newest_wall_ns: now_wall_ns(),
            end_ns: None,
        })
    }

    /// Hands over all records up to `limit_ns` of file time. What is handed over depends on
    /// the log alone, never on how fast it grows.
    pub fn read_until(
        &mut self,
        limit_ns: u64,
        mut take: impl FnMut(Record),
    ) -> Result<(), LogError> {
        if let Some(record) = self.held.take_if(|record| record.time_ns <= limit_ns) {
            take(record);
        }
        while self.held.is_none() && self.end_ns.is_none() {
            // Asked before reading: what was written until then is seen.
            let is_final = self.log_is_final || self.control.finish_requested();
            match self.reader.next()? {
                Next::Record(mut record) => {
                    for event in self.leaps.place(&mut record).into_iter().flatten() {
                        take(event);
                    }
                    self.absences.read(&record);
                    self.newest_ns = self.newest_ns.max(record.time_ns);
                    self.newest_wall_ns = record.wall_ns;
                    match record.body {
                        Body::Event(LogEvent::Paused) => self.paused = true,
                        Body::Event(LogEvent::Resumed { .. }) => self.paused = false,
                        _ => {}
                    }
                    if let Body::Event(LogEvent::RecordingEnded { .. }) = record.body {
                        self.end_ns = Some(record.time_ns);
                    } else if record.time_ns <= limit_ns {
                        take(record);
                    } else {
                        self.held = Some(record);
                    }
                }
                Next::Edge if is_final => self.end_ns = Some(self.newest_ns),
                Next::Edge => {
                    let edge_ns = self.edge_ns();
                    self.control.update(false, |snapshot| {
                        let position_ns = snapshot.position_ms * 1_000_000;
                        snapshot.lag_ms = edge_ns.saturating_sub(position_ns) / 1_000_000;
                    });
                    thread::sleep(EDGE_WAIT);
                }
            }
        }
        Ok(())
    }

    /// What the file shows at a moment for want of anything captured; moments must not go backwards.
    pub fn notice(&mut self, now_ns: u64) -> Option<Notice> {
        self.absences.notice(now_ns)
    }

    /// Where the file ends, once the log's end has been read, ns.
    pub fn end_ns(&self) -> Option<u64> {
        self.end_ns.filter(|_| self.held.is_none())
    }

    /// File time of the newest record read, ns.
    pub fn newest_ns(&self) -> u64 {
        self.newest_ns
    }

    /// File time of the live edge, ns: of the present while the log grows, else of the newest
    /// record read.
    pub fn edge_ns(&self) -> u64 {
        let ended = self.log_is_final || self.end_ns.is_some() || self.control.finish_requested();
        if ended || self.paused {
            return self.newest_ns;
        }
        let since = now_wall_ns().saturating_sub(self.newest_wall_ns);
        self.newest_ns
            .saturating_add(u64::try_from(since).unwrap_or(0))
    }

    /// Which log it is: the recording, and when its time began, Unix ns.
    pub fn log(&self) -> (&str, i64) {
        (self.reader.recording_id(), self.reader.started_wall_ns())
    }

    /// What could not be read.
    pub fn damage(&self) -> &[Damage] {
        self.reader.damage()
    }
}
