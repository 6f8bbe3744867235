//! Tells systemd how far the server is (sd_notify(3)).

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Tells `state`, such as `READY=1`, to the service manager that started this process; does nothing
/// when none asked for it.
pub fn tell(state: &str) {
    let Some(address) = env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else {
        return;
    };
    if let Err(error) = send(&address, state) {
        log::warn!("cannot tell the service manager {state}: {error}");
    }
}

fn send(address: &OsStr, state: &str) -> io::Result<()> {
    // A name that begins with @ is one without a file.
    let address = match address.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(address)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_addresses_are_understood() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("tapedeck-test-{}", std::process::id());
        let without_file = SocketAddr::from_abstract_name(&name).unwrap();
        for (socket, address) in [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (
                UnixDatagram::bind_addr(&without_file).unwrap(),
                format!("@{name}").into(),
            ),
        ] {
            send(&address, "READY=1").unwrap();
            let mut buffer = [0; 32];
            let size = socket.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..size], b"READY=1");
        }
        assert!(send(OsStr::new("/nowhere/to/be/found"), "READY=1").is_err());
    }
}
