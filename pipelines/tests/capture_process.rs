//! A capture process of its own that records a room of a rooms process, which is played here.

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tapedeck_pipelines::control::{
    CaptureSnapshot, CaptureState, Command, ControlClient, EndReason, Event, PROTOCOL_VERSION,
};
use tapedeck_pipelines::job::{Canvas, CaptureJob, CaptureLimits, LogSettings, Source};
use tapedeck_pipelines::log::{
    Body, Codec, LogEvent, LogReader, Next, Record, TrackKind, TrackSource,
};
use tapedeck_pipelines::process::read_journal;
use tapedeck_pipelines::rooms::media::{
    CaptureId, MediaEvent, MediaFrame, MediaNotice, MediaServer, RoomParticipant, RoomState,
    RoomTrack,
};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Set in the child process of a test below.
const CHILD: &str = "TAPEDECK_TEST_CAPTURE";

const ROOM: &str = "studio";

/// What has to happen takes no longer, even on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// What was due so long ago may look like a stall of the process.
const OVERDUE: Duration = Duration::from_millis(2_600);

/// The child process of the tests below; without the variable it is no test.
#[test]
fn capture_child() -> ExitCode {
    match std::env::var_os(CHILD) {
        Some(_) => tapedeck_pipelines::capture::run(),
        None => ExitCode::SUCCESS,
    }
}

struct Capture {
    folder: PathBuf,
    child: Child,
    control: Arc<ControlClient>,
    events: mpsc::Receiver<Event>,
}

impl Capture {
    async fn start(folder: &Path, limits: CaptureLimits) -> Self {
        Self::start_at(folder, limits, "").await
    }

    /// With a wall clock that jumps as `wall_jumps` says: `after:by,…` in ms.
    async fn start_at(folder: &Path, limits: CaptureLimits, wall_jumps: &str) -> Self {
        let job = CaptureJob {
            protocol: PROTOCOL_VERSION,
            recording_id: "EG_abcdefghijkl".to_owned(),
            room_name: ROOM.to_owned(),
            folder: folder.to_path_buf(),
            socket: folder.join("control.sock"),
            source: Source::Whip {
                socket: folder.join("media.sock"),
                room: ROOM.to_owned(),
            },
            canvas: Canvas {
                width: 1280,
                height: 720,
                frame_rate: 30,
            },
            video: true,
            limits,
            log: LogSettings::default(),
        };
        let words = std::fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join("capture.log"))
            .unwrap();
        let mut child = Program::new(std::env::current_exe().unwrap())
            .args(["--exact", "capture_child", "--nocapture"])
            .env(CHILD, "1")
            .env("TAPEDECK_TEST_WALL_JUMPS", wall_jumps)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(words)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&serde_json::to_vec(&job).unwrap()).unwrap();
        drop(stdin);
        let connecting = async {
            loop {
                match ControlClient::connect(&job.socket).await {
                    Ok(connected) => return connected,
                    Err(_) => sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let (control, events) = timeout(SOON, connecting).await.expect("no control socket");
        Self {
            folder: folder.to_path_buf(),
            child,
            control: Arc::new(control),
            events,
        }
    }

    /// The first snapshot that is as wanted.
    async fn until(&mut self, wanted: impl Fn(&CaptureSnapshot) -> bool) -> CaptureSnapshot {
        let mut last = None;
        let waiting = async {
            loop {
                match self.events.recv().await.expect("capture is gone") {
                    Event::Capture { snapshot } if wanted(&snapshot) => return snapshot,
                    event => last = Some(event),
                }
            }
        };
        let found = timeout(SOON, waiting).await;
        found.unwrap_or_else(|_| panic!("it was last {last:?}"))
    }

    async fn command(&self, command: Command) {
        self.control.command(command, SOON).await.unwrap();
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        let process = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(process, signal).unwrap();
    }

    fn log(&self) -> Vec<Record> {
        let mut reader = LogReader::open(&self.folder.join("log")).unwrap();
        let mut records = Vec::new();
        while let Next::Record(record) = reader.next().unwrap() {
            records.push(record);
        }
        records
    }

    async fn exited(mut self) -> bool {
        for _ in 0..SOON.as_millis() / 20 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("capture does not exit");
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // Without effect on one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A rooms process.
struct Rooms {
    server: MediaServer,
    notices: mpsc::Receiver<MediaNotice>,
}

impl Rooms {
    fn start(folder: &Path) -> Self {
        let (server, notices) = MediaServer::bind(&folder.join("media.sock")).unwrap();
        Self { server, notices }
    }

    async fn admit(&mut self, state: RoomState) -> CaptureId {
        loop {
            let notice = timeout(SOON, self.notices.recv()).await.unwrap().unwrap();
            if let MediaNotice::Subscribed { capture, room } = notice {
                assert_eq!(room, ROOM);
                self.server.admit(capture, state);
                return capture;
            }
        }
    }

    /// Sends a frame, after a key frame was asked for if it is one.
    async fn video(&mut self, track: u32, rtp: u32, keyframe: bool) {
        if keyframe {
            let asked = async {
                while !matches!(
                    self.notices.recv().await,
                    Some(MediaNotice::KeyFrameWanted { track: wanted, .. }) if wanted == track
                ) {}
            };
            timeout(SOON, asked).await.expect("no key frame was wanted");
        }
        self.server.send_frame(
            ROOM,
            MediaFrame {
                track,
                codec: Codec::Vp8,
                clock_rate: 90_000,
                keyframe,
                contiguous: true,
                rtp,
                packets_lost: 0,
                payload: Bytes::from(rtp.to_le_bytes().to_vec()),
            },
        );
    }
}

/// A room in which one participant shows a camera, whose track has that number.
fn publishing(room_id: &str, number: u32) -> RoomState {
    let participant = format!("PA_{number}");
    RoomState {
        id: room_id.to_owned(),
        participants: vec![RoomParticipant {
            id: participant.clone(),
            identity: "alice".to_owned(),
            name: "Alice".to_owned(),
        }],
        tracks: vec![RoomTrack {
            track: number,
            id: format!("TR_{number}"),
            participant,
            kind: TrackKind::Video,
            source: TrackSource::Camera,
            codec: Some(Codec::Vp8),
            muted: false,
            width: 0,
            height: 0,
            layer_heights: Vec::new(),
        }],
    }
}

fn limits() -> CaptureLimits {
    CaptureLimits {
        max_duration_ms: 60_000,
        empty_room_timeout_ms: 60_000,
        source_lost_timeout_ms: 60_000,
        server_lost_timeout_ms: 60_000,
    }
}

/// The RTP times of the frames in a log, which are their payloads.
fn frames(log: &[Record]) -> Vec<u32> {
    log.iter()
        .filter_map(|record| match &record.body {
            Body::Frame(frame) => Some(u32::from_le_bytes(frame.payload[..].try_into().unwrap())),
            _ => None,
        })
        .collect()
}

fn events(log: &[Record]) -> Vec<&LogEvent> {
    log.iter()
        .filter_map(|record| match &record.body {
            Body::Event(event) => Some(event),
            _ => None,
        })
        .collect()
}

/// The gaps of a log; what is told piece by piece is one.
fn gaps(log: &[Record]) -> Vec<(u64, u64)> {
    let mut gaps: Vec<(u64, u64)> = Vec::new();
    for record in log {
        if let Body::Event(LogEvent::Gap { from_ns, to_ns, .. }) = &record.body {
            match gaps.last_mut() {
                Some((_, until_ns)) if until_ns == from_ns => *until_ns = *to_ns,
                _ => gaps.push((*from_ns, *to_ns)),
            }
        }
    }
    gaps
}

#[tokio::test]
async fn a_room_of_the_rooms_process_is_recorded_through_the_end_of_that_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut rooms = Rooms::start(folder.path());
    let mut capture = Capture::start(folder.path(), limits()).await;
    rooms.admit(publishing("RM_1", 1)).await;
    rooms.video(1, 1_000, false).await;
    rooms.video(1, 4_000, true).await;
    rooms.video(1, 7_000, false).await;
    let snapshot = capture.until(|snapshot| snapshot.frames == 2).await;
    assert_eq!(snapshot.state, CaptureState::Recording);
    assert_eq!(snapshot.room_id.as_deref(), Some("RM_1"));
    assert_eq!(snapshot.participants[0].name, "Alice");
    assert_eq!(snapshot.participants[0].tracks[0].id, "TR_1");

    drop(rooms);
    capture
        .until(|snapshot| snapshot.state == CaptureState::Reconnecting)
        .await;
    let mut rooms = Rooms::start(folder.path());
    rooms
        .admit(RoomState {
            id: "RM_2".to_owned(),
            ..RoomState::default()
        })
        .await;
    capture
        .until(|snapshot| snapshot.participants.is_empty())
        .await;
    // Until the publisher is back nothing can be recorded: that is in the gap.
    sleep(Duration::from_millis(1_500)).await;
    let mut again = publishing("RM_2", 2);
    let participant = again.participants.remove(0);
    rooms
        .server
        .tell(ROOM, &MediaEvent::ParticipantJoined(participant));
    rooms
        .server
        .tell(ROOM, &MediaEvent::TrackPublished(again.tracks.remove(0)));
    rooms.video(2, 500_000, true).await;
    rooms.video(2, 503_000, false).await;
    let snapshot = capture.until(|snapshot| snapshot.frames == 4).await;
    assert_eq!(snapshot.state, CaptureState::Recording);
    assert_eq!(snapshot.room_id.as_deref(), Some("RM_1"), "it began so");
    assert_eq!(snapshot.reconnects, 1);

    let reason = EndReason::Stopped;
    capture.command(Command::Stop { reason }).await;
    let sealed = capture
        .until(|snapshot| snapshot.state == CaptureState::Sealed)
        .await;
    assert_eq!(sealed.end_reason, Some(EndReason::Stopped));
    // It takes no more media from the room.
    let left =
        async { while !matches!(rooms.notices.recv().await, Some(MediaNotice::Left { .. })) {} };
    timeout(SOON, left).await.expect("it still takes media");
    let log = capture.log();
    assert_eq!(frames(&log), [4_000, 7_000, 500_000, 503_000]);
    let gaps = gaps(&log);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    let (from_ns, to_ns) = gaps[0];
    assert!(to_ns - from_ns >= 1_500_000_000, "{gaps:?}");
    capture.command(Command::Leave).await;
    assert!(capture.exited().await);
}

#[tokio::test]
async fn a_room_without_publishers_ends_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let mut rooms = Rooms::start(folder.path());
    let limits = CaptureLimits {
        empty_room_timeout_ms: 700,
        ..limits()
    };
    let mut capture = Capture::start(folder.path(), limits).await;
    rooms.admit(publishing("RM_1", 1)).await;
    rooms.video(1, 4_000, true).await;
    capture.until(|snapshot| snapshot.frames == 1).await;
    sleep(Duration::from_millis(1_500)).await;
    let still = capture.until(|_| true).await;
    assert_eq!(still.state, CaptureState::Recording, "somebody is there");
    let id = "PA_1".to_owned();
    rooms.server.tell(ROOM, &MediaEvent::ParticipantLeft { id });
    let sealed = capture
        .until(|snapshot| snapshot.state == CaptureState::Sealed)
        .await;
    assert_eq!(sealed.end_reason, Some(EndReason::RoomEmpty));
    assert!(gaps(&capture.log()).is_empty());
}

#[tokio::test]
async fn a_pause_is_left_out_of_recording_time_also_when_capture_dies_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut rooms = Rooms::start(folder.path());
    let mut capture = Capture::start(folder.path(), limits()).await;
    rooms.admit(publishing("RM_1", 1)).await;
    rooms.video(1, 4_000, true).await;
    capture.until(|snapshot| snapshot.frames == 1).await;
    capture.command(Command::Pause).await;
    let paused = capture
        .until(|snapshot| snapshot.state == CaptureState::Paused)
        .await;
    assert_eq!(paused.pauses.len(), 1);
    rooms.video(1, 40_000, false).await;
    // It does not matter how often.
    capture.command(Command::Pause).await;
    sleep(Duration::from_millis(500)).await;
    capture.signal(rustix::process::Signal::KILL);
    drop(capture);
    sleep(Duration::from_millis(500)).await;

    let mut capture = Capture::start(folder.path(), limits()).await;
    rooms.admit(publishing("RM_1", 1)).await;
    let still = capture
        .until(|snapshot| !snapshot.participants.is_empty())
        .await;
    assert_eq!(still.state, CaptureState::Paused);
    assert_eq!(still.pauses, paused.pauses);
    // The key frame that its new track needs is long overdue then.
    sleep(OVERDUE).await;
    capture.command(Command::Resume).await;
    capture.command(Command::Resume).await;
    rooms.video(1, 100_000, false).await;
    rooms.video(1, 103_000, true).await;
    rooms.video(1, 106_000, false).await;
    let resumed = capture.until(|snapshot| snapshot.frames == 2).await;
    assert_eq!(resumed.state, CaptureState::Recording);
    assert!(resumed.gaps.is_empty(), "{:?}", resumed.gaps);
    let [pause] = &resumed.pauses[..] else {
        panic!("{:?}", resumed.pauses)
    };
    let length_ms = pause.to.unwrap() - pause.from;
    assert!((1_000..20_000).contains(&length_ms), "{length_ms} ms");
    let reason = EndReason::Stopped;
    capture.command(Command::Stop { reason }).await;

    let log = capture.log();
    assert_eq!(frames(&log), [4_000, 103_000, 106_000]);
    assert!(gaps(&log).is_empty());
    let words = std::fs::read_to_string(folder.path().join("capture.log")).unwrap();
    assert!(words.contains("going on after a pause"), "{words}");
    assert!(!words.contains("could not run"), "{words}");
    let time_of = |wanted: fn(&LogEvent) -> bool| {
        log.iter()
            .find(|record| matches!(&record.body, Body::Event(event) if wanted(event)))
            .map(|record| record.time_ns)
            .unwrap()
    };
    let paused_at = time_of(|event| matches!(event, LogEvent::Paused));
    let resumed_at = time_of(|event| matches!(event, LogEvent::Resumed { .. }));
    assert!(resumed_at - paused_at < 100_000_000);
    // A new process, a new connection: the track has another number, and says so in the pause.
    let added = events(&log)
        .into_iter()
        .filter(|event| matches!(event, LogEvent::TrackAdded(_)));
    assert_eq!(added.count(), 2);
}

#[tokio::test]
async fn nobody_is_told_of_a_pause_or_its_end_before_the_log_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut rooms = Rooms::start(folder.path());
    let mut capture = Capture::start(folder.path(), limits()).await;
    rooms.admit(publishing("RM_1", 1)).await;
    capture
        .until(|snapshot| !snapshot.participants.is_empty())
        .await;
    let changes = [
        (Command::Pause, CaptureState::Paused),
        (Command::Resume, CaptureState::Recording),
    ];
    for (number, (command, state)) in changes.iter().cycle().take(60).enumerate() {
        let control = Arc::clone(&capture.control);
        let command = command.clone();
        let asked = tokio::spawn(async move { control.command(command, SOON).await });
        let told = capture.until(|snapshot| snapshot.state == *state).await;
        let log = capture.log();
        let written = events(&log)
            .into_iter()
            .filter(|event| matches!(event, LogEvent::Paused | LogEvent::Resumed { .. }));
        assert_eq!(written.count(), number + 1);
        assert_eq!(told.pauses.len(), number / 2 + 1);
        asked.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_slow_disk_is_waited_for_at_the_end_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // A full pipe in place of the journal holds up the thread that writes the log.
    let journal = folder.path().join("capture.jsonl");
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
    rustix::fs::mknodat(rustix::fs::CWD, &journal, kind, mode, 0).unwrap();
    let mut pipe = std::fs::File::options()
        .read(true)
        .write(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
        .open(&journal)
        .unwrap();
    for size in [4_096, 1] {
        while pipe.write(&vec![b'\n'; size]).is_ok() {}
    }
    let mut rooms = Rooms::start(folder.path());
    let mut capture = Capture::start(folder.path(), limits()).await;
    rooms.admit(publishing("RM_1", 1)).await;
    rooms.video(1, 4_000, true).await;
    rooms.video(1, 7_000, false).await;
    capture.until(|snapshot| snapshot.frames == 2).await;
    assert!(frames(&capture.log()).is_empty(), "the disk is not slow");

    let control = Arc::clone(&capture.control);
    let reason = EndReason::Stopped;
    let stopped =
        tokio::spawn(async move { control.command(Command::Stop { reason }, SOON).await });
    for _ in 0..4 {
        let snapshot = capture.until(|snapshot| snapshot.sealing).await;
        assert_eq!(snapshot.state, CaptureState::Recording);
    }
    capture.command(Command::Snapshot).await;
    assert!(!stopped.is_finished());

    while pipe.read(&mut [0; 4_096]).is_ok() {}
    let snapshot = capture
        .until(|snapshot| snapshot.state == CaptureState::Sealed)
        .await;
    assert!(!snapshot.sealing);
    assert_eq!(snapshot.end_reason, Some(reason));
    stopped.await.unwrap().unwrap();
    let log = capture.log();
    assert_eq!(frames(&log), [4_000, 7_000]);
    let end = events(&log).pop();
    assert!(
        matches!(end, Some(LogEvent::RecordingEnded { .. })),
        "{end:?}"
    );
}

#[tokio::test]
async fn terminated_it_leaves_a_log_that_the_next_process_goes_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let mut rooms = Rooms::start(folder.path());
    let mut capture = Capture::start(folder.path(), limits()).await;
    rooms.admit(publishing("RM_1", 1)).await;
    rooms.video(1, 4_000, true).await;
    capture.until(|snapshot| snapshot.frames == 1).await;
    let began = std::time::Instant::now();
    capture.signal(rustix::process::Signal::TERM);
    assert!(capture.exited().await);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    let journal = read_journal(&folder.path().join("capture.jsonl")).unwrap();
    assert_eq!(journal.last().unwrap().happening, "suspended");
    sleep(Duration::from_millis(1_500)).await;

    let mut capture = Capture::start(folder.path(), limits()).await;
    rooms.admit(publishing("RM_1", 1)).await;
    rooms.video(1, 104_000, true).await;
    let snapshot = capture.until(|snapshot| snapshot.frames == 1).await;
    let [gap] = &snapshot.gaps[..] else {
        panic!("{:?}", snapshot.gaps)
    };
    assert_eq!(gap.reason, "capture_restarted");
    assert!(
        (1_500..20_000).contains(&(gap.to_ms - gap.from_ms)),
        "{gap:?}"
    );
    assert!(snapshot.duration_ms >= gap.to_ms);
    let reason = EndReason::Stopped;
    capture.command(Command::Stop { reason }).await;
    let log = capture.log();
    assert_eq!(frames(&log), [4_000, 104_000]);
    let ended = events(&log)
        .into_iter()
        .filter(|event| matches!(event, LogEvent::RecordingEnded { .. }));
    assert_eq!(ended.count(), 1);
    assert_eq!(gaps(&log).len(), 1);
}

#[tokio::test]
async fn a_log_that_an_earlier_process_still_has_is_gone_on_with_when_it_lets_go() {
    let folder = tempfile::tempdir().unwrap();
    let mut rooms = Rooms::start(folder.path());
    let mut capture = Capture::start(folder.path(), limits()).await;
    rooms.admit(publishing("RM_1", 1)).await;
    rooms.video(1, 4_000, true).await;
    capture.until(|snapshot| snapshot.frames == 1).await;
    drop(capture);

    // As a process has it that was killed and waits for the disk.
    let held = std::fs::File::open(folder.path().join("log")).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let mut capture = Capture::start(folder.path(), limits()).await;
    tokio::spawn(async move {
        sleep(Duration::from_secs(2)).await;
        drop(held);
    });
    // It takes commands meanwhile.
    capture.command(Command::Snapshot).await;
    rooms.admit(publishing("RM_1", 1)).await;
    rooms.video(1, 184_000, true).await;
    capture.until(|snapshot| snapshot.frames == 1).await;
    let reason = EndReason::Stopped;
    capture.command(Command::Stop { reason }).await;
    assert_eq!(frames(&capture.log()), [4_000, 184_000]);
}

#[tokio::test]
async fn jumps_of_the_wall_clock_change_no_time_and_make_no_gap_longer() {
    const HOUR_MS: i64 = 3_600_000;
    let folder = tempfile::tempdir().unwrap();
    let mut rooms = Rooms::start(folder.path());
    let jumps = format!("700:{},1400:{}", 3 * HOUR_MS, -30 * HOUR_MS);
    let mut capture = Capture::start_at(folder.path(), limits(), &jumps).await;
    rooms.admit(publishing("RM_1", 1)).await;
    rooms.video(1, 0, true).await;
    let began = std::time::Instant::now();
    capture.until(|snapshot| snapshot.frames == 1).await;
    for frame in 1..=20 {
        sleep(Duration::from_millis(100)).await;
        rooms.video(1, frame * 9_000, false).await;
    }
    let snapshot = capture.until(|snapshot| snapshot.frames == 21).await;
    let passed_ms = began.elapsed().as_millis() as u64;
    assert!(
        (2_000..=passed_ms + 1_000).contains(&snapshot.duration_ms),
        "{} ms of {passed_ms} ms",
        snapshot.duration_ms
    );
    capture.signal(rustix::process::Signal::KILL);
    drop(capture);
    let wall: Vec<i64> = {
        let mut reader = LogReader::open(&folder.path().join("log")).unwrap();
        std::iter::from_fn(|| match reader.next().unwrap() {
            Next::Record(record) => Some(record.wall_ns / 1_000_000),
            Next::Edge => None,
        })
        .collect()
    };
    let jumped = wall.iter().max().unwrap() - wall.iter().min().unwrap();
    assert!(jumped > 20 * HOUR_MS, "it was not shown jumps");

    // The wall clock was set once more while nobody wrote.
    let jumps = format!("0:{}", 500 * HOUR_MS);
    let mut capture = Capture::start_at(folder.path(), limits(), &jumps).await;
    rooms.admit(publishing("RM_1", 1)).await;
    rooms.video(1, 400_000, true).await;
    let snapshot = capture.until(|snapshot| snapshot.frames == 1).await;
    assert_eq!(snapshot.gaps.len(), 1);
    let longest_ms = began.elapsed().as_millis() as u64 + 1_000;
    assert!(
        snapshot.gaps[0].to_ms < longest_ms,
        "{:?}, {longest_ms} ms have passed",
        snapshot.gaps
    );
    let reason = EndReason::Stopped;
    capture.command(Command::Stop { reason }).await;
    let log = capture.log();
    assert_eq!(frames(&log).len(), 22);
    assert!(log.is_sorted_by_key(|record| record.time_ns));
}

/// A process that is stopped for that long tells it, and media goes on.
async fn stopped_for(length: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let mut rooms = Rooms::start(folder.path());
    let mut capture = Capture::start(folder.path(), limits()).await;
    rooms.admit(publishing("RM_1", 1)).await;
    rooms.video(1, 0, true).await;
    capture.until(|snapshot| snapshot.frames == 1).await;
    capture.signal(rustix::process::Signal::STOP);
    sleep(length).await;
    capture.signal(rustix::process::Signal::CONT);
    // The connection may have been given up by then: the room takes it in again and sends on.
    let room = async {
        let mut rtp = 2_000_000;
        loop {
            rooms.server.send_frame(
                ROOM,
                MediaFrame {
                    track: 1,
                    codec: Codec::Vp8,
                    clock_rate: 90_000,
                    keyframe: true,
                    contiguous: true,
                    rtp,
                    packets_lost: 0,
                    payload: Bytes::from(rtp.to_le_bytes().to_vec()),
                },
            );
            rtp += 9_000;
            tokio::select! {
                notice = rooms.notices.recv() => {
                    if let Some(MediaNotice::Subscribed { capture, .. }) = notice {
                        rooms.server.admit(capture, publishing("RM_1", 1));
                    }
                }
                () = sleep(Duration::from_millis(100)) => {}
            }
        }
    };
    let goes_on = |snapshot: &CaptureSnapshot| {
        snapshot.frames > 5 && snapshot.state == CaptureState::Recording
    };
    let snapshot = tokio::select! {
        () = room => unreachable!("it sends for ever"),
        snapshot = capture.until(goes_on) => snapshot,
    };
    let stalled = snapshot.gaps.iter().find(|gap| gap.reason == "stalled");
    let gap = stalled.unwrap_or_else(|| panic!("{:?}", snapshot.gaps));
    let told = Duration::from_millis(gap.to_ms - gap.from_ms);
    assert!(
        told + Duration::from_millis(1_500) >= length && told < length + Duration::from_secs(10),
        "{told:?} of {length:?}"
    );
}

#[tokio::test]
async fn a_process_that_hung_tells_the_gap_and_goes_on() {
    stopped_for(Duration::from_millis(3_500)).await;
}

#[tokio::test]
#[ignore = "takes 20 s: make soak"]
async fn a_process_that_hung_for_long_tells_the_gap_and_goes_on() {
    stopped_for(Duration::from_secs(20)).await;
}
