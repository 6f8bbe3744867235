use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;

use super::super::faults::{self, Outcome, Step};
use super::super::{Body, Frame, LogEvent, Next};
use super::*;
use crate::control::EndReason;

const ID: &str = "EG_abcdefghijkl";

/// A disk that takes its time makes the random test shorter.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(5);

const SETTINGS: LogSettings = LogSettings {
    sync_interval_ms: 1_000,
    segment_bytes: 2_000,
};

/// In memory where there is such a place: the many syncs are not to wait for a disk.
fn quick_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("folder")
}

/// Records of one log, all different.
fn record(number: u64) -> Record {
    let mut payload = vec![7; (number * 37 % 190) as usize];
    payload.extend_from_slice(&number.to_le_bytes());
    Record {
        time_ns: number * 1_000,
        wall_ns: 1_700_000_000_000_000_000,
        body: Body::Frame(Frame {
            track: 1,
            keyframe: true,
            contiguous: true,
            rtp: 90,
            payload: Bytes::from(payload),
        }),
    }
}

fn end_record(time_ns: u64) -> Record {
    Record {
        time_ns,
        wall_ns: 1_700_000_000_000_000_000,
        body: Body::Event(LogEvent::RecordingEnded {
            reason: EndReason::LogFailed,
        }),
    }
}

/// What a reader finds: the numbers of the records, and whether the last record is the end.
fn read(folder: &Path) -> (Vec<u64>, bool) {
    let mut reader = match LogReader::open(folder) {
        Ok(reader) => reader,
        Err(LogError::Missing(_)) => return (Vec::new(), false),
        Err(error) => panic!("{error}"),
    };
    let (mut numbers, mut ended) = (Vec::new(), false);
    while let Next::Record(found) = reader.next().expect("readable") {
        ended = matches!(found.body, Body::Event(LogEvent::RecordingEnded { .. }));
        if let Body::Frame(frame) = &found.body {
            let number = frame.payload.last_chunk().expect("a number");
            let number = u64::from_le_bytes(*number);
            assert_eq!(found, record(number), "not as it was written");
            numbers.push(number);
        }
    }
    (numbers, ended)
}

/// Writes as the log's thread does: syncs now and then, ends the log at the first error. Returns
/// how many records the disk is said to have, and whether the log could be ended.
fn write_until_it_fails(folder: &Path, count: u64) -> (u64, bool) {
    let Ok(mut writer) = LogWriter::create(folder, ID, SETTINGS) else {
        return (0, false);
    };
    let mut synced = 0;
    for number in 0..count {
        let done = writer.append(&record(number)).and_then(|()| {
            if number % 5 == 4 {
                writer.sync()?;
                synced = number + 1;
            } else if number % 2 == 0 {
                writer.flush()?;
            }
            Ok(())
        });
        if done.is_err() {
            let ended = writer.end_after_failure(&end_record(count * 1_000)).is_ok();
            return (synced, ended);
        }
    }
    (synced, false)
}

#[test]
fn whatever_step_fails_what_is_synced_is_there_and_the_log_tells_its_end() {
    let outcomes = [
        Outcome::Fails(libc::ENOSPC),
        Outcome::Fails(libc::EIO),
        Outcome::Fails(libc::EINTR),
        Outcome::Short(3),
    ];
    for outcome in outcomes {
        let mut broken = 0;
        loop {
            let folder = quick_folder();
            let path = folder.path().join("log");
            let steps = Rc::new(Cell::new(0));
            let hit = Rc::new(Cell::new(None));
            let (counted, seen) = (steps.clone(), hit.clone());
            faults::begin(move |step| {
                counted.set(counted.get() + 1);
                let interrupts = outcome == Outcome::Fails(libc::EINTR);
                // Only a write is begun again when a signal interrupts it.
                let possible = !interrupts || matches!(step, Step::Write(_));
                if counted.get() == broken + 1 && possible {
                    seen.set(Some(step));
                    outcome
                } else {
                    Outcome::Works
                }
            });
            let (synced, ended) = write_until_it_fails(&path, 60);
            faults::end();
            let (numbers, has_end) = read(&path);
            let prefix: Vec<u64> = (0..numbers.len() as u64).collect();
            assert_eq!(numbers, prefix, "{outcome:?} at {:?}", hit.get());
            assert!(
                numbers.len() as u64 >= synced,
                "{outcome:?} at step {broken}, {:?}: {synced} were synced, {} are there",
                hit.get(),
                numbers.len()
            );
            assert_eq!(ended, has_end, "{outcome:?} at {:?}", hit.get());
            if steps.get() <= broken {
                assert_eq!(synced, 60);
                break;
            }
            broken += 1;
        }
        assert!(broken > 30, "{broken} steps");
    }
}

#[test]
fn a_disk_that_stays_full_gets_the_end_record_all_the_same() {
    for works in 3..40 {
        let folder = quick_folder();
        let path = folder.path().join("log");
        // The space that the log may take, less what is set aside and not given back.
        let mut left = works;
        faults::begin(move |step| match step {
            Step::Reserve if left == 0 => Outcome::Fails(libc::ENOSPC),
            Step::Reserve => {
                left -= 1;
                Outcome::Works
            }
            _ => Outcome::Works,
        });
        let (synced, ended) = write_until_it_fails(&path, 2_000);
        faults::end();
        let (numbers, has_end) = read(&path);
        assert!(ended && has_end);
        assert!(numbers.len() as u64 >= synced);
    }
}

#[test]
fn after_a_failed_sync_nothing_more_is_said_to_be_on_the_disk() {
    let folder = quick_folder();
    let path = folder.path().join("log");
    let mut writer = LogWriter::create(&path, ID, SETTINGS).expect("log");
    writer.append(&record(0)).expect("append");
    let mut once = true;
    faults::begin(move |step| match step {
        Step::Sync if std::mem::take(&mut once) => Outcome::Fails(libc::EIO),
        _ => Outcome::Works,
    });
    assert!(writer.sync().is_err());
    assert!(writer.sync().is_err(), "the system may have dropped it");
    writer
        .end_after_failure(&end_record(9))
        .expect("a new segment takes the end");
    faults::end();
    drop(writer);
    assert_eq!(segment_numbers(&path).expect("folder"), [1, 2]);
    assert_eq!(read(&path), (vec![0], true));
}

/// Numbers that look random, the same for the same seed (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % limit.max(1)
    }
}

#[test]
fn a_power_cut_costs_only_what_was_not_synced() {
    let seed = crate::process::random_u64() | 1;
    println!("seed {seed}");
    let begun = std::time::Instant::now();
    for round in 0..300 {
        if begun.elapsed() > LONGEST {
            break;
        }
        let random = Rc::new(RefCell::new(Random(seed.wrapping_add(round * 7919) | 1)));
        let folder = quick_folder();
        let path = folder.path().join("log");
        faults::begin(|_| Outcome::Works);
        let (mut synced, mut written) = (0, 0);
        // Several processes one after the other; each ends with a power cut.
        for _ in 0..3 {
            let mut writer = match LogWriter::create(&path, ID, SETTINGS) {
                Ok(writer) => writer,
                Err(_) => {
                    let resumed = LogWriter::resume(&path, ID, SETTINGS);
                    resumed.expect("what is there can be gone on with").0
                }
            };
            let until = written + random.borrow_mut().below(60);
            while written < until {
                writer.append(&record(written)).expect("append");
                written += 1;
                match random.borrow_mut().below(6) {
                    0 => {
                        writer.sync().expect("sync");
                        synced = written;
                    }
                    1 | 2 => writer.flush().expect("flush"),
                    _ => {}
                }
            }
            drop(writer);
            faults::cut_power(
                &path,
                || random.borrow_mut().below(2) == 0,
                |rest| {
                    let mut random = random.borrow_mut();
                    rest.truncate(random.below(rest.len() as u64 + 1) as usize);
                    // Blocks that were never written are zeroes, or what they were before.
                    let from = random.below(rest.len() as u64 + 1) as usize;
                    match random.below(3) {
                        0 => rest[from..].fill(0),
                        1 => rest[from..].fill_with(|| random.below(256) as u8),
                        _ => {}
                    }
                },
            );
            let (numbers, _) = read(&path);
            assert!(numbers.is_sorted_by(|a, b| a < b));
            let lost: Vec<u64> = (0..synced).filter(|n| !numbers.contains(n)).collect();
            assert!(
                lost.is_empty(),
                "seed {seed} round {round}: {lost:?} of {synced}"
            );
            synced = numbers.len() as u64;
            // Those that were lost are written again, so that numbers go on without holes.
            written = numbers.last().map_or(0, |last| last + 1);
            assert_eq!(written, synced, "seed {seed} round {round}");
            if written == 0 {
                break;
            }
        }
        faults::end();
    }
}
