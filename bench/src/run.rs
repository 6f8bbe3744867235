//! One case from the first publisher to the finished file.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use harness::content::{ContentError, Recording};
use harness::livekit::Livekit;
use harness::media::MediaError;
use harness::publisher::Publisher;
use harness::tapedeck::{Tapedeck, now_ms};
use serde::Serialize;
use serde_json::{Value, json};

use crate::case::Case;
use crate::likeness::{Likeness, likeness};
use crate::usage::{ThreadUsage, Usage};

const ROOM: &str = "bench";
/// Time after the start that is not measured: keyframes are asked for, caches are filled.
const SETTLING: Duration = Duration::from_secs(4);
/// Time between two looks at the memory.
const LOOK: Duration = Duration::from_millis(500);

/// Why a case could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("the server has no {0} process for the recording; see its log")]
    NoProcess(&'static str),
    #[error("the {role} process went away: {source}")]
    Gone {
        role: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("no frame was captured")]
    NoFrame,
    #[error("the published pictures do not decode")]
    NothingPublished,
    #[error("the recording was not started: {0}")]
    NotStarted(Value),
    #[error("cannot write temporary files: {0}")]
    Files(#[source] io::Error),
    #[error("cannot run ffmpeg: {0}; `apt-get install ffmpeg` brings it")]
    Ffmpeg(#[source] io::Error),
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error(transparent)]
    Media(#[from] MediaError),
}

/// What a process cost.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessCost {
    /// CPU seconds per recorded second.
    pub cpu: f64,
    /// The greatest proportional set size seen, bytes.
    pub pss_bytes: u64,
    pub threads: u32,
    /// What each thread used in the measured time, by name.
    pub by_thread: BTreeMap<String, ThreadUsage>,
}

/// What a case cost.
#[derive(Clone, Debug, Serialize)]
pub struct CaseResult {
    pub case: Case,
    pub capture: ProcessCost,
    pub render: ProcessCost,
    /// From sending the request to its answer, ms.
    pub answer_ms: f64,
    /// From sending the request to the first captured frame, ms.
    pub first_frame_ms: f64,
    /// From sending the request to stop to the delivered file, ms.
    pub stop_ms: f64,
    /// Length of the file, s.
    pub duration: f64,
    /// Frames per second in the file.
    pub frame_rate: f64,
    /// Bits of picture per second in the file.
    pub video_bitrate: f64,
    /// None of a recording without picture.
    pub ssim: Option<Likeness>,
}

/// Measures a case over `seconds`.
///
/// # Errors
/// Something of it did not happen.
///
/// # Panics
/// The servers or the publishers cannot be started; the message says why.
pub async fn measure(case: Case, seconds: u64) -> Result<CaseResult, BenchError> {
    let livekit = Livekit::start().await;
    let tapedeck = Tapedeck::start(&livekit).await;
    let mut publishers = Vec::new();
    for options in case.options() {
        publishers.push(Publisher::join(&livekit, ROOM, options).await);
    }

    let asked = now_ms();
    let body = json!({ "roomName": ROOM, "framerate": case.rate, "format": case.format });
    let reply = tapedeck.post("/recordings/start", body).await;
    let answer_ms = now_ms() - asked;
    if reply.status != 200 {
        return Err(BenchError::NotStarted(reply.body));
    }
    let recording = reply.recording();
    tokio::time::sleep(SETTLING).await;
    let first_frame_ms = first_frame(&tapedeck, &recording.id).await? - asked;
    let mut capture = Meter::start(&tapedeck, "capture")?;
    let mut render = Meter::start(&tapedeck, "render")?;
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        tokio::time::sleep(LOOK).await;
        capture.look()?;
        render.look()?;
    }
    let (capture, render) = (capture.cost(), render.cost());

    let asked = now_ms();
    let stopped = tapedeck.stop_recording(ROOM).await;
    let stop_ms = now_ms() - asked;
    drop(publishers);
    let file = Recording::open(&tapedeck.file(&stopped.name))?;
    let video = file.video();
    Ok(CaseResult {
        case,
        capture,
        render,
        answer_ms,
        first_frame_ms,
        stop_ms,
        duration: file.duration(),
        frame_rate: video.map_or(0.0, |video| video.frame_times.len() as f64 / video.duration),
        video_bitrate: video.map_or(0.0, |video| video.bitrate),
        ssim: video.map(|_| likeness(&file, &case)).transpose()?,
    })
}

/// When the first frame was captured, Unix ms.
async fn first_frame(tapedeck: &Tapedeck, id: &str) -> Result<f64, BenchError> {
    let status = tapedeck.get(&format!("/status/{id}")).await;
    status.body["capture"]["firstFrameAtMs"]
        .as_f64()
        .ok_or(BenchError::NoFrame)
}

/// Follows a process from a moment on.
struct Meter {
    role: &'static str,
    pid: i32,
    begun: Instant,
    first: Usage,
    last: Usage,
    measured: Duration,
    pss_bytes: u64,
}

impl Meter {
    fn start(tapedeck: &Tapedeck, role: &'static str) -> Result<Self, BenchError> {
        let pid = tapedeck
            .children(role)
            .into_iter()
            .next()
            .ok_or(BenchError::NoProcess(role))?;
        let first = Usage::of(pid).map_err(|source| BenchError::Gone { role, source })?;
        Ok(Self {
            role,
            pid,
            begun: Instant::now(),
            last: first.clone(),
            measured: Duration::ZERO,
            pss_bytes: first.pss_bytes,
            first,
        })
    }

    fn look(&mut self) -> Result<(), BenchError> {
        let role = self.role;
        self.last = Usage::of(self.pid).map_err(|source| BenchError::Gone { role, source })?;
        self.measured = self.begun.elapsed();
        self.pss_bytes = self.pss_bytes.max(self.last.pss_bytes);
        Ok(())
    }

    fn cost(self) -> ProcessCost {
        let seconds = self.measured.as_secs_f64().max(f64::MIN_POSITIVE);
        let threads = self.last.thread_count();
        let mut by_thread = self.last.threads;
        for (name, thread) in &mut by_thread {
            let before = self
                .first
                .threads
                .get(name)
                .map_or(0.0, |first| first.cpu_seconds);
            thread.cpu_seconds = (thread.cpu_seconds - before).max(0.0);
        }
        ProcessCost {
            cpu: (self.last.cpu_seconds - self.first.cpu_seconds) / seconds,
            pss_bytes: self.pss_bytes,
            threads,
            by_thread,
        }
    }
}
