//! A capture of a channel without a server: what it is told, and what becomes of its log.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command as Program, Stdio};
use std::time::{Duration, Instant};

use tapedeck_pipelines::control::{
    CaptureSnapshot, CaptureState, Command, ControlClient, EndReason, Event, PROTOCOL_VERSION,
};
use tapedeck_pipelines::job::{
    BrowserSettings, Canvas, CaptureJob, CaptureLimits, LogSettings, Secret, Source,
};
use tapedeck_pipelines::log::{Body, LogEvent, LogReader, Next};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::processes::{self, BrowserProcess, Victims};
use super::{APP_ID, Agora, RECORDER};
use crate::children::tail;
use crate::content::wav_samples;
use crate::tapedeck::program;

/// What has to happen takes no longer, even on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A capture process, with a browser host of its own test.
pub struct Recorder {
    job: CaptureJob,
    child: std::process::Child,
    control: Option<(ControlClient, mpsc::Receiver<Event>)>,
}

/// How a recording ended.
pub struct Ended {
    pub snapshot: CaptureSnapshot,
    /// From the first to the last moment of the log, as this machine's clock saw it.
    pub wall: Duration,
}

impl Recorder {
    /// Begins to record a channel.
    ///
    /// # Panics
    /// The program was not built.
    pub fn start(agora: &Agora, channel: &str) -> Self {
        Self::start_with(agora, channel, |_| {})
    }

    /// Likewise, with another job.
    pub fn start_with(agora: &Agora, channel: &str, change: impl Fn(&mut CaptureJob)) -> Self {
        let folder = agora.folder().join(channel);
        std::fs::create_dir_all(&folder).expect("a writable folder");
        let mut job = CaptureJob {
            protocol: PROTOCOL_VERSION,
            recording_id: "EG_abcdefghijkl".to_owned(),
            room_name: channel.to_owned(),
            socket: folder.join("c.sock"),
            folder,
            source: Source::Agora {
                app_id: APP_ID.to_owned(),
                channel: channel.to_owned(),
                uid: RECORDER,
                token: Secret::new("006first"),
                browser: BrowserSettings {
                    socket: agora.folder().join("b.sock"),
                    folder: agora.folder().join("browser"),
                    sdk: agora.sdk(),
                    allowed_hosts: vec!["127.0.0.1".to_owned()],
                    ..BrowserSettings::default()
                },
            },
            canvas: Canvas {
                width: 640,
                height: 360,
                frame_rate: 15,
            },
            video: false,
            limits: CaptureLimits {
                max_duration_ms: 3_600_000,
                empty_room_timeout_ms: 600_000,
                source_lost_timeout_ms: 60_000,
                server_lost_timeout_ms: 600_000,
            },
            log: LogSettings::default(),
        };
        change(&mut job);
        let child = start(&job);
        Self {
            job,
            child,
            control: None,
        }
    }

    /// Starts another process on the same recording, after [`Self::kill`].
    pub fn start_again(&mut self) {
        self.child = start(&self.job);
        self.control = None;
    }

    /// Ends the process at once.
    pub fn kill(&mut self) {
        // Both fail only for one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The recording's folder.
    pub fn folder(&self) -> &Path {
        &self.job.folder
    }

    /// The browser host's folder.
    pub fn browser_folder(&self) -> PathBuf {
        let Source::Agora { browser, .. } = &self.job.source else {
            unreachable!("it records a channel");
        };
        browser.folder.clone()
    }

    /// The processes of host and browser.
    pub fn browser_processes(&self) -> Vec<BrowserProcess> {
        processes::below(&self.browser_folder())
    }

    /// Kills some of the processes of host and browser; returns them.
    pub fn kill_browser(&self, victims: Victims) -> Vec<BrowserProcess> {
        self.signal_browser(victims, libc::SIGKILL)
    }

    /// Sends some of the processes of host and browser a signal; returns them.
    pub fn signal_browser(&self, victims: Victims, signal: i32) -> Vec<BrowserProcess> {
        let mut processes = self.browser_processes();
        processes.retain(|process| process.kind == victims);
        for process in &processes {
            process.signal(signal);
        }
        processes
    }

    /// How many profiles there are.
    ///
    /// # Panics
    /// The host has no folder.
    pub fn profiles(&self) -> usize {
        let entries = std::fs::read_dir(self.browser_folder()).expect("a folder");
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter(|name| name.starts_with("profile-")).count()
    }

    /// The first snapshot that is as wanted.
    ///
    /// # Panics
    /// None comes.
    pub async fn until(
        &mut self,
        what: &str,
        wanted: impl Fn(&CaptureSnapshot) -> bool,
    ) -> CaptureSnapshot {
        let mut last = None;
        let deadline = Instant::now() + SOON;
        while Instant::now() < deadline {
            let Some((_, events)) = &mut self.control else {
                match ControlClient::connect(&self.job.socket).await {
                    Ok(connected) => self.control = Some(connected),
                    Err(_) => sleep(Duration::from_millis(20)).await,
                }
                continue;
            };
            match timeout(Duration::from_secs(5), events.recv()).await {
                Ok(Some(Event::Capture { snapshot })) if wanted(&snapshot) => return snapshot,
                Ok(None) => panic!("{what}: capture is gone; {}", self.logs()),
                Ok(event) => last = event.or(last),
                Err(_) => {}
            }
        }
        panic!("{what}: it was last {last:?}; {}", self.logs())
    }

    /// Waits until it records.
    ///
    /// # Panics
    /// It does not.
    pub async fn recording(&mut self) -> CaptureSnapshot {
        let recording = |snapshot: &CaptureSnapshot| {
            snapshot.state == CaptureState::Recording && snapshot.frames > 0
        };
        self.until("recording", recording).await
    }

    /// Gives it a command.
    ///
    /// # Panics
    /// It refuses.
    pub async fn command(&mut self, command: Command) {
        self.until("connected", |_| true).await;
        let (control, _) = self.control.as_ref().expect("connected");
        control.command(command, SOON).await.expect("it obeys");
    }

    /// Seals the log and ends the process.
    ///
    /// # Panics
    /// It does not.
    pub async fn stop(mut self) -> (Ended, Log) {
        let reason = EndReason::Stopped;
        self.command(Command::Stop { reason }).await;
        self.leave().await
    }

    /// Waits until it has ended by itself, and lets it go.
    ///
    /// # Panics
    /// It does not.
    pub async fn leave(mut self) -> (Ended, Log) {
        let is_sealed = |snapshot: &CaptureSnapshot| snapshot.state == CaptureState::Sealed;
        let snapshot = self.until("sealed", is_sealed).await;
        self.command(Command::Leave).await;
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{}", self.logs());
        let times = [snapshot.started_at_ms, snapshot.ended_at_ms].map(Option::unwrap_or_default);
        let wall = Duration::from_millis((times[1] - times[0]).unsigned_abs());
        let folder = self.job.folder.clone();
        (Ended { snapshot, wall }, Log { folder })
    }

    /// Waits until it says that it cannot record.
    ///
    /// # Panics
    /// It does not.
    pub async fn failed(mut self) -> CaptureSnapshot {
        let is_failed = |snapshot: &CaptureSnapshot| snapshot.state == CaptureState::Failed;
        self.until("failed", is_failed).await
    }

    /// What capture and host said last.
    pub fn logs(&self) -> String {
        format!(
            "capture.log:\n{}\nbrowser.log:\n{}",
            tail(&self.job.folder.join("capture.log"), 25),
            tail(&self.browser_folder().join("browser.log"), 25)
        )
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start(job: &CaptureJob) -> std::process::Child {
    let mut command = Program::new(program::find());
    program::clean_environment(&mut command);
    command
        .arg("capture")
        .current_dir(&job.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("tapedeck runs");
    let mut stdin = child.stdin.take().expect("its input");
    let words = serde_json::to_vec(job).expect("a job in words");
    stdin.write_all(&words).expect("it takes its job");
    child
}

/// A recorded channel.
pub struct Log {
    folder: PathBuf,
}

impl Log {
    /// Renders it; returns the samples of the WAV, ±1.
    ///
    /// # Panics
    /// It cannot be rendered.
    pub fn samples(&self) -> Vec<f32> {
        let output = self.render("rendered.wav", &["--format", "wav"]);
        wav_samples(&std::fs::read(output).expect("a file"))
    }

    /// Renders it with the options into a file of this name.
    ///
    /// # Panics
    /// It cannot be rendered.
    pub fn render(&self, name: &str, options: &[&str]) -> PathBuf {
        let output = self.folder.join(name);
        let mut command = Program::new(program::find());
        program::clean_environment(&mut command);
        let rendered = command
            .arg("render")
            .arg(self.folder.join("log"))
            .arg("--output")
            .arg(&output)
            .args(options)
            .output()
            .expect("tapedeck runs");
        let complaints = String::from_utf8_lossy(&rendered.stderr);
        assert!(rendered.status.success(), "{complaints}");
        output
    }

    /// Exports its tracks into a folder; returns the names of their files.
    ///
    /// # Panics
    /// They cannot be exported.
    pub fn export(&self, folder: &Path) -> Vec<String> {
        let mut command = Program::new(program::find());
        program::clean_environment(&mut command);
        let exported = command
            .arg("export")
            .arg(self.folder.join("log"))
            .arg("--out")
            .arg(folder)
            .output()
            .expect("tapedeck runs");
        let complaints = String::from_utf8_lossy(&exported.stderr);
        assert!(exported.status.success(), "{complaints}");
        let entries = std::fs::read_dir(folder).expect("a folder");
        entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect()
    }

    /// The work folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The gaps that the log tells, seconds; those that touch are one.
    ///
    /// # Panics
    /// The log cannot be read.
    pub fn gaps(&self) -> Vec<(f64, f64, String)> {
        let mut reader = LogReader::open(&self.folder.join("log")).expect("a log");
        let mut gaps: Vec<(f64, f64, String)> = Vec::new();
        while let Next::Record(record) = reader.next().expect("a sound log") {
            if let Body::Event(LogEvent::Gap {
                from_ns,
                to_ns,
                reason,
            }) = record.body
            {
                let (from, to) = (from_ns as f64 / 1e9, to_ns as f64 / 1e9);
                match gaps.last_mut().filter(|before| from - before.1 < 0.001) {
                    Some(before) => before.1 = to,
                    None => gaps.push((from, to, reason)),
                }
            }
        }
        gaps
    }
}
