//! A reader of logs that something was done to: it never panics, always ends, and what it returns
//! was written, in this order. `TAPEDECK_FUZZ_SECONDS` makes it look for longer, and
//! `TAPEDECK_FUZZ_SEED` begins where an earlier run failed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tapedeck_pipelines::job::LogSettings;
use tapedeck_pipelines::log::{Body, Frame, LogError, LogReader, LogWriter, Next, Record, inspect};
use tapedeck_pipelines::process::random_u64;

const ID: &str = "EG_abcdefghijkl";

/// Longer than any damaged log of this size may take to be read.
const LONGEST_READ: Duration = Duration::from_secs(20);

/// Numbers that look random, the same for the same seed (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// 0 to `limit`, inclusive.
    fn up_to(&mut self, limit: usize) -> usize {
        (self.next() >> 16) as usize % (limit + 1)
    }

    fn stretch(&mut self, length: usize) -> std::ops::Range<usize> {
        let (a, b) = (self.up_to(length), self.up_to(length));
        // Most damages are small.
        let (from, to) = (a.min(b), a.max(b));
        from..to.min(from + 1 + self.up_to(2_000)).min(length)
    }
}

fn record(number: u64, random: &mut Random) -> Record {
    let mut payload: Vec<u8> = (0..random.up_to(300))
        .map(|_| random.next() as u8)
        .collect();
    payload.extend_from_slice(&number.to_le_bytes());
    Record {
        time_ns: number * 1_000_000,
        wall_ns: 1_700_000_000_000_000_000,
        body: Body::Frame(Frame {
            track: 1,
            keyframe: true,
            contiguous: true,
            rtp: 90,
            payload: payload.into(),
        }),
    }
}

fn write(folder: &Path, records: u64, random: &mut Random) -> Vec<Record> {
    let settings = LogSettings {
        sync_interval_ms: 1_000,
        segment_bytes: 2_000 + random.up_to(20_000) as u64,
    };
    let mut writer = LogWriter::create(folder, ID, settings).unwrap();
    let records: Vec<Record> = (0..records).map(|number| record(number, random)).collect();
    for record in &records {
        writer.append(record).unwrap();
    }
    writer.flush().unwrap();
    records
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Does something to the files; tells what.
fn damage(folder: &Path, other: &Path, random: &mut Random) -> &'static str {
    let paths = segments(folder);
    let path = &paths[random.up_to(paths.len() - 1)];
    let another = &paths[random.up_to(paths.len() - 1)];
    let mut bytes = fs::read(path).unwrap();
    let stretch = random.stretch(bytes.len());
    let what = match random.up_to(10) {
        0 => {
            bytes.truncate(stretch.start);
            "truncated"
        }
        1 => {
            for _ in 0..=random.up_to(20) {
                let at = random.up_to(bytes.len().saturating_sub(1));
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.up_to(7);
                }
            }
            "bits flipped"
        }
        2 => {
            bytes[stretch].fill(0);
            "zeroes"
        }
        3 => {
            bytes[stretch].fill_with(|| random.next() as u8);
            "garbage"
        }
        4 => {
            bytes.drain(stretch);
            "bytes missing"
        }
        5 => {
            let copied = bytes[stretch].to_vec();
            let at = random.up_to(bytes.len());
            bytes.splice(at..at, copied);
            "bytes twice"
        }
        6 => {
            bytes.rotate_left(stretch.len());
            "bytes moved"
        }
        7 => {
            fs::copy(path, folder.join(format!("{:06}.tdl", paths.len() + 1))).unwrap();
            "a segment twice"
        }
        8 => {
            let theirs = fs::read(another).unwrap();
            fs::write(another, &bytes).unwrap();
            bytes = theirs;
            "segments exchanged"
        }
        9 => {
            fs::remove_file(path).unwrap();
            return "a segment missing";
        }
        _ => {
            fs::copy(&segments(other)[0], path).unwrap();
            return "a segment of another log";
        }
    };
    fs::write(path, bytes).unwrap();
    what
}

/// Everything that can be read.
fn read(folder: &Path) -> Option<Vec<Record>> {
    let begun = Instant::now();
    let mut reader = match LogReader::open(folder) {
        Ok(reader) => reader,
        Err(LogError::Missing(_) | LogError::Format { .. }) => return None,
        Err(error) => panic!("{error}"),
    };
    let mut records = Vec::new();
    loop {
        assert!(begun.elapsed() < LONGEST_READ, "it takes too long");
        match reader.next() {
            Ok(Next::Record(record)) => records.push(record),
            Ok(Next::Edge) => return Some(records),
            Err(LogError::Format { .. }) => return Some(records),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Whether `found` are some of `written`, in order.
fn were_written(found: &[Record], written: &[Record]) -> bool {
    let mut written = written.iter();
    found
        .iter()
        .all(|found| written.any(|record| record == found))
}

fn look(seed: u64) {
    let random = &mut Random(seed | 1);
    let folder = tempfile::tempdir().unwrap();
    let (log, other) = (folder.path().join("log"), folder.path().join("other"));
    let count = 1 + random.up_to(150) as u64;
    let mut written = write(&log, count, random);
    write(&other, 5, random);
    let mut done = Vec::new();
    for _ in 0..=random.up_to(4) {
        if segments(&log).is_empty() {
            break;
        }
        done.push(damage(&log, &other, random));
    }
    let foreign = done.contains(&"a segment of another log");
    let found = read(&log).unwrap_or_default();
    // One that took the place of the first segment may pass for the log.
    let ours = were_written(&found, &written);
    assert!(ours || foreign, "seed {seed}: {done:?}");
    let _ = inspect(&log);
    if !ours || segments(&log).is_empty() {
        return;
    }

    // It can be gone on with, and nothing that could be read is lost by that.
    let Ok((mut writer, resumed)) = LogWriter::resume(&log, ID, LogSettings::default()) else {
        return;
    };
    let last_ns = found.last().map_or(0, |record| record.time_ns);
    assert_eq!(resumed.time_ns, last_ns, "seed {seed}: {done:?}");
    let later = record(1_000_000, random);
    writer.append(&later).unwrap();
    writer.sync().unwrap();
    drop(writer);
    written.push(later.clone());
    let again = read(&log).unwrap();
    assert_eq!(again.last(), Some(&later), "seed {seed}: {done:?}");
    assert_eq!(again[..again.len() - 1], found, "seed {seed}: {done:?}");
}

#[test]
fn a_damaged_log_is_never_read_wrong() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = number("TAPEDECK_FUZZ_SEED").unwrap_or_else(random_u64);
    let long = Duration::from_secs(number("TAPEDECK_FUZZ_SECONDS").unwrap_or(4));
    println!("from seed {seed}");
    let begun = Instant::now();
    let mut rounds = 0;
    while begun.elapsed() < long {
        look(seed.wrapping_add(rounds));
        rounds += 1;
    }
    println!("{rounds} damaged logs");
    assert!(rounds > 10, "only {rounds} logs");
}
