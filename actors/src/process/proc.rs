//! Processes as the kernel shows them in `/proc`.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// A process that cannot be mistaken for a later one with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessId {
    pub pid: u32,
    /// Ticks from the machine's start to the process's.
    start_ticks: u64,
}

impl ProcessId {
    /// The process that has `pid` now.
    pub fn of(pid: u32) -> Option<Self> {
        let status = Status::read(pid)?;
        Some(Self {
            pid,
            start_ticks: status.start_ticks,
        })
    }

    /// Whether it has not ended. A process that nobody has reaped has ended.
    pub fn is_alive(self) -> bool {
        Status::read(self.pid)
            .is_some_and(|status| status.start_ticks == self.start_ticks && !status.has_ended())
    }

    /// Ends it at once.
    pub fn kill(self) {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| self.is_alive())
            && let Err(error) = kill_process(pid, Signal::KILL)
        {
            log::warn!("cannot kill process {}: {error}", self.pid);
        }
    }
}

/// Finds the child with this subcommand that works in `folder`: children are started there.
pub fn find(folder: &Path, subcommand: &str) -> Option<ProcessId> {
    let folder = folder.canonicalize().ok()?;
    fs::read_dir("/proc").ok()?.find_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let works_there = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder);
        if !works_there {
            return None;
        }
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let is_it = arguments.split(|byte| *byte == 0).nth(1) == Some(subcommand.as_bytes());
        ProcessId::of(pid).filter(|process| is_it && process.is_alive())
    })
}

/// What `/proc/<pid>/stat` tells (proc(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    state: char,
    /// Time in user and kernel mode, ticks.
    pub cpu_ticks: u64,
    pub threads: u32,
    start_ticks: u64,
    /// Resident set, pages.
    pub resident_pages: u64,
}

impl Status {
    pub fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Parses a line of `stat`. The name in it may hold blanks and parentheses.
    pub fn parse(line: &str) -> Option<Self> {
        // Numbered from 3, the field after the name, as proc(5) does.
        let fields: Vec<&str> = line.rsplit_once(") ")?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        let number = |at: usize| field(at)?.parse::<u64>().ok();
        Some(Self {
            state: field(3)?.chars().next()?,
            cpu_ticks: number(14)?.saturating_add(number(15)?),
            threads: u32::try_from(number(20)?).ok()?,
            start_ticks: number(22)?,
            resident_pages: number(24)?,
        })
    }

    fn has_ended(self) -> bool {
        match self.state {
            // Of its first thread alone, as long as there are others: one that waits for the disk
            // outlives SIGKILL, with all the files and locks of the process.
            'Z' => self.threads <= 1,
            state => state == 'X',
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read as _};
    use std::process::{Command, Stdio};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use super::*;

    /// Set in the child process of a test below.
    const CHILD: &str = "TAPEDECK_TEST_LEADER_EXITS";

    #[test]
    fn parses_names_with_blanks_and_parentheses() {
        let line = "4711 (a ) b) S 1 4711 4711 0 -1 4194560 1200 0 3 0 250 50 0 0 20 0 7 0 98765 22106112 1536 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
        let expected = Status {
            state: 'S',
            cpu_ticks: 300,
            threads: 7,
            start_ticks: 98_765,
            resident_pages: 1_536,
        };
        assert_eq!(Status::parse(line), Some(expected));
    }

    #[test]
    fn tells_nothing_of_damaged_lines() {
        for line in [
            "",
            "1",
            "1 (x)",
            "1 (x) S 1 2",
            "1 (x) S a b c d e f g h i j k l m n o p q r s t u v",
        ] {
            assert_eq!(Status::parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn sees_itself() {
        let own = ProcessId::of(std::process::id()).unwrap();
        assert!(own.is_alive());
        assert!(
            !ProcessId {
                start_ticks: own.start_ticks + 1,
                ..own
            }
            .is_alive()
        );
    }

    extern "C" fn exit_thread(_signal: libc::c_int) {
        // SAFETY: ends the thread that runs it, of which nothing is used afterwards.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    }

    /// The child process of the test below, which ends its first thread; without the variable it
    /// is no test.
    #[test]
    fn child_without_its_first_thread() {
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        let leader = rustix::process::getpid().as_raw_nonzero().get();
        let handler = exit_thread as extern "C" fn(libc::c_int);
        // SAFETY: the handler makes a system call and nothing else.
        unsafe {
            libc::signal(libc::SIGUSR1, handler as libc::sighandler_t);
            libc::syscall(libc::SYS_tgkill, leader, leader, libc::SIGUSR1);
        }
        io::stdin().read_to_end(&mut Vec::new()).unwrap();
        std::process::exit(0);
    }

    #[test]
    fn a_process_lives_as_long_as_any_of_its_threads() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("process::proc::tests::child_without_its_first_thread")
            .env(CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let process = ProcessId::of(child.id()).unwrap();
        let patience = Instant::now() + Duration::from_secs(20);
        while Status::read(child.id()).unwrap().state != 'Z' {
            assert!(Instant::now() < patience, "its first thread does not end");
            sleep(Duration::from_millis(10));
        }
        assert!(process.is_alive());
        drop(child.stdin.take());
        while process.is_alive() {
            assert!(Instant::now() < patience, "nobody sees that it has ended");
            sleep(Duration::from_millis(10));
        }
        assert!(child.wait().unwrap().success());
    }
}
