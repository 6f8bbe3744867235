//! Servers in processes of their own, and those after them.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use tapedeck_actors::{MediaServers, Recorder};
use tapedeck_storage::DiskStore;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{FakeChannels, FakeRooms, rehearsal, settings};

/// A server in a process of its own.
pub struct Server {
    process: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Server {
    pub async fn start(data: &Path) -> Self {
        let mut process = Command::new(rehearsal())
            .args(["server".as_ref(), data.as_os_str()])
            .env("LIVEKIT_API_SECRET", "children must not see this")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdin = process.stdin.take().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut server = Self {
            process,
            stdin,
            stdout,
        };
        assert_eq!(server.line().await, "ready");
        server
    }

    pub async fn say(&mut self, line: &str) {
        self.stdin
            .write_all(format!("{line}\n").as_bytes())
            .await
            .unwrap();
    }

    pub async fn line(&mut self) -> String {
        self.stdout.next_line().await.unwrap().unwrap()
    }

    pub async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }
}

/// A server in this process, on what the servers before it left.
pub async fn next_server(data: &Path) -> (Recorder, Arc<DiskStore>) {
    let store = Arc::new(DiskStore::open(&data.join("recordings")).unwrap());
    let recorder = Recorder::launch(
        settings(data),
        MediaServers {
            livekit: Some(Arc::new(FakeRooms::default())),
            agora: Some(Arc::new(FakeChannels)),
        },
        store.clone(),
    )
    .await
    .unwrap();
    (recorder, store)
}
