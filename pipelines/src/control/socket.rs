//! The socket file and who may speak through it.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// The longest path that a Unix socket can be bound to, bytes: `sun_path` of `unix(7)` without
/// its final zero.
pub const MAX_SOCKET_PATH_BYTES: usize = 107;

/// Checks that a socket can be bound to `path`.
///
/// # Errors
/// It is too long; the message says what to do.
pub fn check_socket_path(path: &Path) -> io::Result<()> {
    let length = path.as_os_str().as_bytes().len();
    if length <= MAX_SOCKET_PATH_BYTES {
        return Ok(());
    }
    let message = format!(
        "the socket path {} has {length} bytes, the system allows {MAX_SOCKET_PATH_BYTES}: choose \
         a data folder whose path is at least {} bytes shorter",
        path.display(),
        length - MAX_SOCKET_PATH_BYTES
    );
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// A bound socket's file, removed when dropped unless it was replaced.
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl SocketFile {
    /// Listens on `path` with mode 0600, replacing a file that nobody listens on.
    pub fn bind(path: &Path) -> io::Result<(Self, OwnedFd)> {
        check_socket_path(path)?;
        remove_stale(path)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // The file takes over the socket's mode, so that it is never open to others.
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)
            .map_err(|error| io::Error::new(error.kind(), bind_error(path, error)))?;
        rustix::net::listen(&socket, 16)?;
        let metadata = fs::symlink_metadata(path)?;
        let identity = (metadata.dev(), metadata.ino());
        Ok((
            Self {
                path: path.to_path_buf(),
                identity,
            },
            socket,
        ))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if is_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether the process at the other end is of the same user.
pub(crate) fn is_same_user(socket: impl AsFd) -> bool {
    rustix::net::sockopt::socket_peercred(socket)
        .is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}

fn remove_stale(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        let message = format!("{} exists and is not a socket: remove it", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => {
            let message = format!("another process listens on {}", path.display());
            Err(io::Error::new(io::ErrorKind::AddrInUse, message))
        }
    }
}

fn bind_error(path: &Path, error: rustix::io::Errno) -> String {
    format!("cannot listen on {}: {error}", path.display())
}
