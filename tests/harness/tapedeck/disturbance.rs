//! What tests do to the processes of a server, and how they see that it got over it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Recording, Tapedeck};

impl Tapedeck {
    /// Sends a signal to its processes of a kind (`capture`, `render`, `rooms` or `browser`); how many there
    /// were.
    pub fn signal_children(&self, role: &str, signal: i32) -> usize {
        let processes = self.children(role);
        for process in &processes {
            // SAFETY: a plain system call; the process was found by this test's own folder.
            unsafe {
                libc::kill(*process, signal);
            }
        }
        processes.len()
    }

    /// `kill -9` of the server and of all that it started, as when the machine goes down.
    pub fn kill_everything(&mut self) {
        self.kill();
        for role in ["capture", "render", "rooms", "browser"] {
            self.signal_children(role, libc::SIGKILL);
        }
    }

    /// Sets a variable for what is started from here on.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// What `/v1` tells of a recording.
    pub async fn recording(&self, id: &str) -> Value {
        self.get(&format!("/v1/recordings/{id}")).await.body
    }

    /// Waits until capture of a recording has been started again so often and is in `state`
    /// (`active` or `paused`); what `/v1` says then.
    pub async fn wait_for_restarts(&self, id: &str, restarts: u64, state: &str) -> Value {
        let question = || async {
            let recording = self.recording(id).await;
            let is_back =
                recording["restarts"]["capture"] == restarts && recording["state"] == state;
            is_back.then_some(recording)
        };
        crate::wait::until("capture is back", Duration::from_secs(30), question).await
    }

    /// A finished recording as `/recordings` tells it.
    ///
    /// # Panics
    /// It is not listed.
    pub async fn told(&self, id: &str) -> Value {
        let list = self.get("/recordings").await.body;
        let recordings = list["recordings"].as_array().expect("a list");
        let recording = recordings.iter().find(|recording| recording["id"] == id);
        recording
            .unwrap_or_else(|| panic!("{id} is not in {list}"))
            .clone()
    }

    /// Lets the recording of a room pause (`pause`) or go on (`resume`); what is answered of it.
    ///
    /// # Panics
    /// It is refused.
    pub async fn ask(&self, what: &str, recording: &Recording) -> Value {
        let room = json!({ "roomName": recording.room_name });
        let reply = self.post(&format!("/recordings/{what}"), room).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body["recording"].clone()
    }
}
