//! The job of the rooms process, and where it is to be found.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use tapedeck_pipelines::control::PROTOCOL_VERSION;
use tapedeck_pipelines::job::RoomsJob;

use crate::RecorderSettings;
use crate::folder::DataFolder;
use crate::process::Launch;

/// The argument by which the process is told what to be.
pub const SUBCOMMAND: &str = "rooms";

/// Where the process is, and how it is started.
#[derive(Clone, Debug)]
pub struct RoomsPlace {
    pub executable: PathBuf,
    pub job: RoomsJob,
}

impl RoomsPlace {
    pub fn new(settings: &RecorderSettings, folder: &DataFolder) -> Self {
        let job = RoomsJob {
            protocol: PROTOCOL_VERSION,
            folder: folder.rooms(),
            socket: folder.rooms_socket(),
            media_socket: folder.rooms_media_socket(),
            settings: settings.rooms.clone(),
            server_lost_timeout_ms: settings.limits.server_lost_timeout_ms,
        };
        Self {
            executable: settings.executable.clone(),
            job,
        }
    }

    /// What the process says of itself, see [`RoomsJob::folder`].
    pub fn log(&self) -> PathBuf {
        self.job.folder.join("rooms.log")
    }

    /// Prepares the start of the process; the disk may be waited for.
    ///
    /// # Errors
    /// Its folder cannot be made, or the job cannot be written as JSON.
    pub fn prepare(&self) -> io::Result<Launch> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.job.folder)?;
        Ok(Launch {
            subcommand: SUBCOMMAND,
            executable: self.executable.clone(),
            folder: self.job.folder.clone(),
            job: Launch::job(&self.job)?,
        })
    }

    /// Removes the sockets of a process that has ended: one that was killed leaves them behind.
    pub async fn remove_sockets(&self) {
        for socket in [&self.job.socket, &self.job.media_socket] {
            match tokio::fs::remove_file(socket).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    log::warn!("cannot remove {}: {error}", socket.display());
                }
                _ => {}
            }
        }
    }
}
