//! The recording server under test: the real program with a data folder of its own.

mod api;
mod disturbance;
mod insistent;
mod leftovers;
pub(crate) mod program;

pub use api::{Recording, Reply};
pub use insistent::Insistent;
pub use leftovers::processes_of_recordings;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::children::{Process, tail};
use crate::livekit::{API_KEY, API_SECRET, Livekit};
use crate::{http, ports};

/// A running server. When dropped it ends, and so do the processes that it started and that
/// would outlive it; its folder is removed, unless the test failed and `TEST_KEEP_FAILED` is set.
pub struct Tapedeck {
    process: Option<Process>,
    http: reqwest::Client,
    environment: Vec<(String, String)>,
    /// Where it answers.
    pub port: u16,
    folder: TempDir,
    data: PathBuf,
}

impl Tapedeck {
    /// A server for the rooms of `livekit`.
    pub async fn start(livekit: &Livekit) -> Self {
        Self::start_with(&livekit.ws_url(), &[]).await
    }

    /// A server without LiveKit, for rooms of its own, which are on loopback.
    pub async fn start_alone(variables: &[(&str, &str)]) -> Self {
        Self::start_with_rooms("", variables).await
    }

    /// A server for the rooms at `livekit_url` and for rooms of its own, which are on loopback.
    pub async fn start_with_rooms(livekit_url: &str, variables: &[(&str, &str)]) -> Self {
        let mut all = vec![("TAPEDECK_ROOMS_ADDRESSES", "127.0.0.1")];
        all.extend(variables);
        Self::start_with(livekit_url, &all).await
    }

    /// A server for the rooms at `livekit_url`, with further environment variables.
    ///
    /// # Panics
    /// The program was not built, or does not become ready.
    pub async fn start_with(livekit_url: &str, variables: &[(&str, &str)]) -> Self {
        let mut server = Self::prepare(livekit_url, variables);
        server.run().await;
        server
    }

    /// A server for rooms of its own, whose data folder is `data`.
    pub async fn start_alone_in(data: &Path, variables: &[(&str, &str)]) -> Self {
        let mut all = vec![("TAPEDECK_ROOMS_ADDRESSES", "127.0.0.1")];
        all.extend(variables);
        let mut server = Self::prepare("", &all);
        server.data = data.to_owned();
        server.run().await;
        server
    }

    /// A server that does not run yet.
    fn prepare(livekit_url: &str, variables: &[(&str, &str)]) -> Self {
        let environment = vec![
            ("LIVEKIT_URL".to_owned(), livekit_url.to_owned()),
            ("LIVEKIT_API_KEY".to_owned(), API_KEY.to_owned()),
            ("LIVEKIT_API_SECRET".to_owned(), API_SECRET.to_owned()),
        ];
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut server = Self {
            process: None,
            http: http::client(),
            environment,
            port: ports::free_port(),
            data: folder.path().join("data"),
            folder,
        };
        for (name, value) in variables {
            server.set(name, value);
        }
        server
    }

    /// Changes a variable of the environment, for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts the program again on the same data and port, after [`Tapedeck::kill`] or
    /// [`Tapedeck::terminate`].
    pub async fn run(&mut self) {
        self.launch();
        self.wait_until_ready().await;
    }

    /// Starts the program again if it has ended, as an init does that looks all the time. Whether
    /// it becomes ready is not waited for.
    pub fn run_if_ended(&mut self) {
        if self
            .process
            .as_mut()
            .is_none_or(|process| process.ended().is_some())
        {
            self.launch();
        }
    }

    fn launch(&mut self) {
        let command = self.command(&["serve"]);
        let process =
            Process::start("tapedeck serve", command, &self.log_path()).expect("tapedeck runs");
        self.process = Some(process);
    }

    async fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = self.http.get(self.url("/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            let ended = self.process.as_mut().and_then(Process::ended);
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "tapedeck did not become ready (exit {ended:?}):\n{}",
                tail(&self.log_path(), 40)
            );
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// `kill -9` of the server; its recordings go on.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks the server to end and waits for it.
    ///
    /// # Panics
    /// It does not end.
    pub fn terminate(&mut self) {
        self.signal(libc::SIGTERM);
        self.wait_for_exit();
    }

    /// Sends the server a signal.
    pub fn signal(&self, signal: i32) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    /// Waits until the server has ended.
    ///
    /// # Panics
    /// It does not end.
    pub fn wait_for_exit(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.wait(Duration::from_secs(30));
        }
    }

    /// The program with the server's environment, to run another subcommand on its data.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command();
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("TAPEDECK_DATA_DIR", self.data())
            .env("SERVER_PORT", self.port.to_string())
            .env(leftovers::MARK, self.data())
            .envs(self.environment.iter().cloned());
        command
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// The work folder of a recording.
    pub fn work(&self, id: &str) -> PathBuf {
        self.data().join("work").join(id)
    }

    /// A finished recording on disk.
    pub fn file(&self, name: &str) -> PathBuf {
        self.data().join("recordings").join(name)
    }

    /// What the server said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("tapedeck.log")
    }

    /// How far a recording has come, s of file time.
    pub fn position(&self, recording: &Recording) -> f64 {
        (now_ms() - recording.started_at) / 1e3
    }

    /// Waits until a recording has come that far.
    pub async fn wait_until(&self, recording: &Recording, seconds: f64) {
        let left = seconds - self.position(recording);
        tokio::time::sleep(Duration::from_secs_f64(left.max(0.0))).await;
    }

    /// Links the capture logs of this moment into `logs/` beside the data folder, where they go on
    /// growing: the server removes them with their work folders.
    pub fn keep_logs(&self) {
        for work in std::fs::read_dir(self.data().join("work"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let kept = self.kept_log(&work.file_name().to_string_lossy());
            let _ = std::fs::create_dir_all(&kept);
            for segment in std::fs::read_dir(work.path().join("log"))
                .into_iter()
                .flatten()
                .flatten()
            {
                let _ = std::fs::hard_link(segment.path(), kept.join(segment.file_name()));
            }
        }
    }

    /// The capture log of a recording that was stopped by [`Tapedeck::stop_recording`].
    pub fn kept_log(&self, id: &str) -> PathBuf {
        self.folder.path().join("logs").join(id).join("log")
    }

    /// The running processes of a kind that belong to recordings: pid and recording id.
    pub fn processes(&self, role: &str) -> Vec<(i32, String)> {
        leftovers::processes_of_recordings(&self.data(), role)
    }

    /// The pids of a kind of process: `capture`, `render` or `rooms`.
    pub fn children(&self, role: &str) -> Vec<i32> {
        leftovers::processes(&self.data())
            .into_iter()
            .filter(|process| process.is(role))
            .map(|process| process.pid)
            .collect()
    }

    /// Ends the server and checks that nothing of it remains but the finished recordings: no
    /// process, no socket, no file in the making, no media in a work folder.
    ///
    /// # Panics
    /// Something remains after 15 s.
    pub async fn assert_nothing_left(mut self) {
        let data = self.data();
        // It would wait for further recordings for a while; its browser must not outlive it.
        self.signal_children("browser", libc::SIGKILL);
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            let processes = leftovers::captures_and_renders(&data);
            let files = leftovers::files(&data);
            if processes.is_empty() && files.is_empty() {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "left behind by recordings: {processes:?} {files:?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.terminate();
        let mut processes = leftovers::processes(&data);
        // It is there for the next server, and ends by itself.
        processes.retain(|process| !process.is("rooms"));
        assert!(processes.is_empty(), "left behind: {processes:?}");
    }
}

impl Drop for Tapedeck {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        self.process = None;
        leftovers::end_all(&self.data());
        if failed {
            print_children_logs(&self.data());
            if std::env::var_os("TEST_KEEP_FAILED").is_some() {
                self.folder.disable_cleanup(true);
                eprintln!("kept: {}", self.folder.path().display());
            }
        }
    }
}

/// The wall clock, Unix ms.
pub fn now_ms() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64() * 1e3
}

/// The program under test in a clean environment, without arguments.
pub fn command() -> Command {
    let mut command = Command::new(program::find());
    program::clean_environment(&mut command);
    command
}

/// What the server's processes said: the reason of most failures.
fn print_children_logs(data: &Path) {
    let work = std::fs::read_dir(data.join("work")).into_iter().flatten();
    let folders = work.flatten().map(|entry| entry.path());
    for folder in folders.chain([data.join("rooms"), data.join("browser")]) {
        for name in [
            "capture.log",
            "render.log",
            "manifest.json",
            "rooms.log",
            "browser.log",
        ] {
            let path = folder.join(name);
            if path.is_file() {
                eprintln!(
                    "--- last lines of {} ---\n{}",
                    path.display(),
                    tail(&path, 30)
                );
            }
        }
    }
}
