//! The processes of a browser host and its browser.

use std::fs;
use std::path::Path;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victims {
    /// `tapedeck browser`.
    Host,
    /// The browser's first process.
    Browser,
    /// Those that run its tabs.
    Renderers,
    /// Those that wait for its crash.
    CrashHandlers,
}

/// One process.
#[derive(Clone, Debug)]
pub struct BrowserProcess {
    pub id: u32,
    pub kind: Victims,
    /// When it was started, ticks since the machine was: another one may get its number.
    started: u64,
}

impl BrowserProcess {
    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        stat(self.id).is_some_and(|stat| stat.started == self.started && stat.state != "Z")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        if self.is_alive() {
            // SAFETY: it is the very process that was found.
            unsafe {
                libc::kill(self.id as i32, signal);
            }
        }
    }
}

/// All of the host that works in `folder`. Helpers of the browser count as neither.
pub fn below(folder: &Path) -> Vec<BrowserProcess> {
    let ids = fs::read_dir("/proc").expect("processes").flatten();
    ids.filter_map(|entry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let words = fs::read(format!("/proc/{id}/cmdline")).ok()?;
        let words = String::from_utf8_lossy(&words).into_owned();
        let works_in = fs::read_link(format!("/proc/{id}/cwd")).ok()?;
        let kind = if works_in == folder && words.contains("\0browser\0") {
            Victims::Host
        } else if !works_in.starts_with(folder) && !words.contains(folder.to_str()?) {
            return None;
        } else if words.contains("--type=renderer") {
            Victims::Renderers
        } else if words.contains("crashpad_handler\0") {
            Victims::CrashHandlers
        } else if !words.contains("--type=") {
            Victims::Browser
        } else {
            return None;
        };
        let started = stat(id)?.started;
        Some(BrowserProcess { id, kind, started })
    })
    .collect()
}

struct Stat {
    state: String,
    started: u64,
}

fn stat(id: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The program's name may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    Some(Stat {
        state: (*fields.first()?).to_owned(),
        started: fields.get(19)?.parse().ok()?,
    })
}
