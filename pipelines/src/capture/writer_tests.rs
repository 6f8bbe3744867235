use bytes::Bytes;

use super::*;
use crate::log::{Frame, LogReader, Next};
use crate::process::{now_wall_ns, read_journal};

const ID: &str = "EG_abcdefghijkl";

fn place(folder: &std::path::Path) -> LogPlace {
    LogPlace {
        folder: folder.join("log"),
        journal: folder.join("capture.jsonl"),
        recording_id: ID.to_owned(),
        settings: LogSettings::default(),
    }
}

fn start(folder: &std::path::Path) -> (LogThread, RecordingClock) {
    let clock = RecordingClock::new(Instant::now(), 0);
    let log = LogThread::create(place(folder), now_wall_ns(), clock.clone()).expect("log");
    (log, clock)
}

fn frame(time_ns: u64, bytes: usize) -> Record {
    Record {
        time_ns,
        wall_ns: 0,
        body: Body::Frame(Frame {
            track: 1,
            keyframe: true,
            contiguous: true,
            rtp: 0,
            payload: Bytes::from(vec![7; bytes]),
        }),
    }
}

fn read(folder: &std::path::Path) -> Vec<Record> {
    let mut reader = LogReader::open(&folder.join("log")).expect("log");
    let mut records = Vec::new();
    while let Next::Record(record) = reader.next().expect("readable") {
        records.push(record);
    }
    records
}

#[tokio::test]
async fn what_was_handed_over_before_sealing_is_in_the_log_and_nothing_after() {
    let folder = tempfile::tempdir().expect("folder");
    let (mut log, clock) = start(folder.path());
    assert!(log.append(frame(1, 100), true));
    log.append(
        Record {
            time_ns: clock.now().time_ns,
            wall_ns: 0,
            body: Body::Event(LogEvent::RecordingEnded {
                reason: EndReason::Stopped,
            }),
        },
        false,
    );
    log.seal().await.expect("sealed");
    log.append(frame(clock.now().time_ns, 100), true);
    log.journal("sealed", serde_json::json!({"reason": "stopped"}));
    drop(log);
    let records = read(folder.path());
    assert!(matches!(&records[0].body, Body::Frame(frame) if frame.payload.len() == 100));
    assert!(matches!(
        records.last().map(|record| &record.body),
        Some(Body::Event(LogEvent::RecordingEnded { .. }))
    ));
    let journal = read_journal(&folder.path().join("capture.jsonl")).expect("journal");
    assert_eq!(journal[0].happening, "sealed");
}

#[tokio::test]
async fn a_reader_sees_media_and_silence_while_the_log_grows() {
    let folder = tempfile::tempdir().expect("folder");
    let (mut log, _) = start(folder.path());
    log.append(frame(1, 10), true);
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let records = read(folder.path());
        let ticks = records
            .iter()
            .filter(|record| record.body == Body::Tick)
            .count();
        if ticks >= 3 && matches!(records[0].body, Body::Frame(_)) {
            break;
        }
        assert!(Instant::now() < deadline, "{} records", records.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn goes_on_where_an_earlier_process_stopped() {
    let folder = tempfile::tempdir().expect("folder");
    let (mut log, _) = start(folder.path());
    log.append(frame(5_000_000_000, 10), true);
    log.seal().await.expect("sealed");
    drop(log);
    let (mut log, clock, resumed) = LogThread::resume(place(folder.path()), |resumed| {
        RecordingClock::new(Instant::now(), resumed.time_ns)
    })
    .expect("resumed");
    assert_eq!(resumed.time_ns, 5_000_000_000);
    log.append(frame(clock.now().time_ns, 20), true);
    log.seal().await.expect("sealed");
    let sizes: Vec<usize> = read(folder.path())
        .iter()
        .map(media_bytes)
        .filter(|bytes| *bytes > 0)
        .collect();
    assert_eq!(sizes, [10, 20]);
}

/// What a thread that does not write yet would see.
fn waiting_for_the_disk() -> LogThread {
    LogThread {
        shared: Arc::new(Shared::default()),
        thread: None,
    }
}

#[tokio::test]
async fn a_frame_that_no_log_can_hold_costs_only_itself() {
    let folder = tempfile::tempdir().expect("folder");
    let (mut log, _) = start(folder.path());
    log.append(frame(1, crate::log::MAX_PAYLOAD_BYTES + 1), true);
    log.append(frame(2, 10), true);
    log.seal().await.expect("sealed");
    assert_eq!(log.failure(), None);
    drop(log);
    let sizes: Vec<usize> = read(folder.path()).iter().map(media_bytes).collect();
    assert!(sizes.contains(&10), "{sizes:?}");
}

#[test]
fn what_waits_is_written_with_its_own_time_and_not_that_of_a_tick() {
    let folder = tempfile::tempdir().expect("folder");
    let settings = LogSettings::default();
    let log = folder.path().join("log");
    let shared = Arc::new(Shared::default());
    let second = Duration::from_secs(1);
    let mut worker = Worker {
        shared: shared.clone(),
        writer: LogWriter::create_at(&log, ID, settings, 0).expect("log"),
        journal: None,
        clock: RecordingClock::new(Instant::now(), 5_000_000_000),
        sync_interval: second,
        last_sync: Instant::now(),
        last_record_ns: 0,
        unsynced: false,
        finished: false,
    };
    // The disk was slow for three seconds and this came meanwhile.
    shared
        .queue()
        .push_back(Item::Record(frame(2_000_000_000, 10)));
    worker.keep_up().expect("written");
    let waiting = shared.queue().pop_front().expect("a record");
    worker.handle(waiting);
    worker.keep_up().expect("written");
    let records = read(folder.path());
    assert_eq!(records[0].time_ns, 2_000_000_000);
    assert_eq!(records[1].body, Body::Tick);
}

#[test]
fn a_slow_disk_costs_video_first_and_events_never() {
    let mut log = waiting_for_the_disk();
    let chunk = 1 << 20;
    let (first, last) = QUEUE_LIMITS;
    let mut taken = 0;
    while log.append(frame(0, chunk), true) {
        taken += chunk;
    }
    assert!(taken <= first && taken + chunk > first);
    while log.append(frame(0, chunk), false) {
        taken += chunk;
    }
    assert!(taken <= last && taken + chunk > last);
    let event = Record {
        time_ns: 0,
        wall_ns: 0,
        body: Body::Event(LogEvent::TrackRemoved { track: 1 }),
    };
    assert!(log.append(event, false));
}

#[test]
fn a_full_disk_is_named_with_the_way_out() {
    let error = LogError::Io {
        action: "write",
        path: PathBuf::from("/data/log/000001.tdl"),
        source: io::Error::from_raw_os_error(libc::ENOSPC),
    };
    let failure = log_failure(&error);
    assert_eq!(failure.kind, FailureKind::Log);
    assert!(
        failure.message.contains("free some space"),
        "{}",
        failure.message
    );
}
