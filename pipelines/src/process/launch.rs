//! How a child process is started.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Child;

use super::{BOOT_ID_VARIABLE, SANDBOX_OFF, SANDBOX_VARIABLE};

/// Variables that children inherit. Everything else stays here: the server's environment holds
/// keys and secrets.
const INHERITED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "ORC_CODE",
    SANDBOX_VARIABLE,
];
/// Beginnings of the names of further variables that children inherit.
const INHERITED_PREFIXES: &[&str] = &["LC_", "XDG_", "GST_", "FONTCONFIG_", "MALLOC_", "PANGO"];

/// Whether children are told not to confine themselves.
static UNCONFINED: AtomicBool = AtomicBool::new(false);

/// From now on children of this process keep the whole file system.
pub fn leave_children_unconfined() {
    UNCONFINED.store(true, Ordering::Relaxed);
}

/// A child to be started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The argument that tells it what to be.
    pub subcommand: &'static str,
    pub executable: PathBuf,
    /// Its working folder, by which it is found.
    pub folder: PathBuf,
    /// JSON for its standard input; holds secrets.
    pub job: Vec<u8>,
}

impl Launch {
    /// Puts a job into words.
    ///
    /// # Errors
    /// The job cannot be written as JSON.
    pub fn job(job: &impl Serialize) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(job)?)
    }

    /// Starts the process in a session of its own, so that it outlives this one.
    ///
    /// # Errors
    /// The executable cannot be started, or it does not take its job.
    pub async fn start(self) -> io::Result<Child> {
        let mut command = tokio::process::Command::from(self.command());
        // Waits for fork and for the disk, so not on the actors' thread.
        let mut child = tokio::task::spawn_blocking(move || command.spawn())
            .await
            .map_err(io::Error::other)??;
        if let Some(mut stdin) = child.stdin.take() {
            match stdin.write_all(&self.job).await {
                // It has ended already; how it did tells more.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                written => written?,
            }
        }
        Ok(child)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command
            .arg(self.subcommand)
            .current_dir(&self.folder)
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| is_inherited(name)))
            .stdin(Stdio::piped())
            // The child itself sends its output to a capped file in its folder.
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if UNCONFINED.load(Ordering::Relaxed) {
            command.env(SANDBOX_VARIABLE, SANDBOX_OFF);
        }
        // SAFETY: both are plain system calls, async-signal-safe (signal-safety(7)), and allocate
        // nothing. What is closed belongs to the program that is left behind.
        unsafe {
            command.pre_exec(|| {
                // What the server inherited itself is not marked. An older kernel lacks the call.
                libc::close_range(
                    3,
                    libc::c_uint::MAX,
                    libc::CLOSE_RANGE_CLOEXEC as libc::c_int,
                );
                Ok(rustix::process::setsid().map(drop)?)
            });
        }
        command
    }
}

fn is_inherited(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        [tapedeck_failpoints::VARIABLE, BOOT_ID_VARIABLE].contains(&Some(name))
            || INHERITED.contains(&name)
            || INHERITED_PREFIXES
                .iter()
                .any(|prefix| name.starts_with(prefix))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_secrets_are_not_inherited() {
        for name in [
            "LIVEKIT_API_KEY",
            "LIVEKIT_API_SECRET",
            "TAPEDECK_AUTH_OPERATOR_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "S3_SECRET_KEY",
            "FIREBASE_SERVICE_ACCOUNT",
            "HTTPS_PROXY",
        ] {
            assert!(!is_inherited(OsStr::new(name)), "{name}");
        }
        for name in [
            "PATH",
            "GST_PLUGIN_PATH",
            "LC_ALL",
            "XDG_CACHE_HOME",
            "RUST_LOG",
        ] {
            assert!(is_inherited(OsStr::new(name)), "{name}");
        }
    }
}
