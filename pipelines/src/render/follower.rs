use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::RenderControl;
use super::leaps::Leaps;
use super::timeline::{Absences, Notice};
use crate::control::RenderSnapshot;
use crate::job::GapStyle;
use crate::log::{Body, Damage, LogError, LogEvent, LogReader, Next, Record, last_time_ns};
use crate::process::now_wall_ns;

/// How long to wait for a log that is not there yet before looking again.
const POLL: Duration = Duration::from_millis(30);
/// How long to wait at the live edge before looking again. Several pictures at a time are cheaper
/// than one by one: caches stay warm and threads wake seldom.
const EDGE_WAIT: Duration = Duration::from_millis(200);
/// A render further behind than this looks where the log ends, ns.
const BEHIND_NS: i64 = 5_000_000_000;
/// How often.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// Reads the log as far as it is asked to, waiting for capture where it must. What it hands over
/// is in file time.
pub struct Follower<'a> {
    folder: PathBuf,
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
    /// File time of the log's end, and when it was looked for.
    looked: Option<(u64, Instant)>,
    end_ns: Option<u64>,
}

/// Where a follower stands, in file time.
pub struct Reading {
    edge_ns: u64,
    newest_ns: u64,
    left_out_ns: u64,
}

impl Reading {
    /// Tells it of a render that has come to the snapshot's position.
    pub fn tell(&self, snapshot: &mut RenderSnapshot) {
        let position_ns = snapshot.position_ms * 1_000_000;
        snapshot.lag_ms = self.edge_ns.saturating_sub(position_ns) / 1_000_000;
        snapshot.read_ms = self.newest_ns / 1_000_000;
        snapshot.left_out_ms = self.left_out_ns / 1_000_000;
    }
}

impl<'a> Follower<'a> {
    /// Opens the log in `folder`; waits for it unless it is final, as long as there is a folder for
    /// it to be in.
    pub fn open(
        folder: &Path,
        control: &'a RenderControl,
        log_is_final: bool,
        gaps: GapStyle,
    ) -> Result<Self, LogError> {
        let reader = loop {
            let is_final = log_is_final || control.finish_requested();
            match LogReader::open(folder) {
                Err(LogError::Missing(_))
                    if !is_final && folder.parent().is_some_and(Path::is_dir) =>
                {
                    thread::sleep(POLL);
                }
                other => break other?,
            }
        };
        Ok(Self {
            folder: folder.into(),
            reader,
            control,
            log_is_final,
            held: None,
            leaps: Leaps::new(gaps),
            absences: Absences::default(),
            paused: false,
            newest_ns: 0,
            newest_wall_ns: now_wall_ns(),
            looked: None,
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
                // Nobody will write what nobody can find; a render that waits for it would stay.
                Next::Edge if !self.folder.is_dir() => {
                    return Err(LogError::Missing(self.folder.clone()));
                }
                Next::Edge => {
                    let reading = self.reading();
                    self.control
                        .update(false, |snapshot| reading.tell(snapshot));
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

    /// How far the log was read, and how far there is something to read.
    pub fn reading(&mut self) -> Reading {
        Reading {
            edge_ns: self.edge_ns(),
            newest_ns: self.newest_ns,
            left_out_ns: self.leaps.left_out_ns(),
        }
    }

    /// File time up to which there is something to be rendered, ns: the present while the log
    /// grows, else the log's end.
    fn edge_ns(&mut self) -> u64 {
        if self.end_ns.is_some() {
            return self.newest_ns;
        }
        let since = now_wall_ns().saturating_sub(self.newest_wall_ns);
        let is_final = self.log_is_final || self.control.finish_requested();
        if is_final || since > BEHIND_NS {
            return self.log_end_ns();
        }
        let since = if self.paused { 0 } else { since };
        self.newest_ns
            .saturating_add(u64::try_from(since).unwrap_or(0))
    }

    /// File time of the log's end as of late, ns.
    fn log_end_ns(&mut self) -> u64 {
        let known = self
            .looked
            .filter(|(_, at)| at.elapsed() < LOOK_INTERVAL)
            .map(|(end_ns, _)| end_ns);
        let end_ns = known.unwrap_or_else(|| {
            // What cannot be read will be told when it is its turn.
            let end_ns = last_time_ns(&self.folder).unwrap_or(0);
            let end_ns = self.leaps.file_ns(end_ns);
            self.looked = Some((end_ns, Instant::now()));
            end_ns
        });
        end_ns.max(self.newest_ns)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::LogSettings;
    use crate::log::LogWriter;
    use crate::render::testing::RoomLog;

    #[test]
    fn a_render_whose_folder_is_taken_away_does_not_wait_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        let log = work.join("log");
        let mut writer = LogWriter::create(&log, "EG_test", LogSettings::default()).unwrap();
        let records = RoomLog::new().records(2_000);
        for record in &records[..records.len() - 1] {
            writer.append(record).unwrap();
        }
        writer.flush().unwrap();
        let control = RenderControl::default();
        let mut follower = Follower::open(&log, &control, false, GapStyle::Notice).unwrap();
        thread::scope(|scope| {
            let read = scope.spawn(move || follower.read_until(u64::MAX, |_| {}));
            thread::sleep(EDGE_WAIT * 2);
            assert!(!read.is_finished(), "the log may go on");
            std::fs::remove_dir_all(&work).unwrap();
            let ended = read.join().unwrap();
            assert!(matches!(ended, Err(LogError::Missing(_))), "{ended:?}");
        });
        let never_begun = Follower::open(&log, &control, false, GapStyle::Notice);
        assert!(matches!(never_begun.err(), Some(LogError::Missing(_))));
    }

    #[test]
    fn a_render_that_is_behind_knows_how_far() {
        let folder = tempfile::tempdir().unwrap();
        RoomLog::new().write(folder.path(), 90_000);
        for log_is_final in [false, true] {
            let control = RenderControl::default();
            let log = folder.path().join("log");
            let mut follower =
                Follower::open(&log, &control, log_is_final, GapStyle::Notice).unwrap();
            follower.read_until(20_000_000_000, |_| {}).unwrap();
            assert_eq!(follower.edge_ns(), 90_000_000_000);
        }
    }

    #[test]
    fn what_is_cut_is_told_also_while_it_lasts() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = RoomLog::new();
        log.lose(5_000..25_000);
        log.event(60_000, LogEvent::ConnectionLost);
        log.write(folder.path(), 90_000);
        let control = RenderControl::default();
        let log = folder.path().join("log");
        let mut follower = Follower::open(&log, &control, true, GapStyle::Cut).unwrap();
        let mut told = |until_ns| {
            follower.read_until(until_ns, |_| {}).unwrap();
            let mut snapshot = RenderSnapshot::default();
            follower.reading().tell(&mut snapshot);
            snapshot.left_out_ms / 1_000
        };
        assert_eq!(told(3_000_000_000), 0);
        assert_eq!(told(30_000_000_000), 20);
        // The file stands still from 60 s on.
        assert_eq!(told(50_000_000_000), 50);
    }
}
