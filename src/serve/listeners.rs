//! The sockets that the server listens on.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::config::Server;

use super::port_holder;

/// The server cannot listen where it should.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("server.host {host} cannot be resolved: {source}")]
    Resolve { host: String, source: io::Error },
    #[error("server.host {0} has no address")]
    NoAddress(String),
    #[error(
        "{address} is in use by {holder}: end it, or take another port with {variable}={another}"
    )]
    InUse {
        address: SocketAddr,
        holder: String,
        variable: &'static str,
        another: u16,
    },
    #[error("port {} may only be used by root: take one from 1024 on with {variable}", address.port())]
    Privileged {
        address: SocketAddr,
        variable: &'static str,
    },
    #[error("cannot listen on {address}: {source}; check server.host (TAPEDECK_SERVER_HOST)")]
    Other {
        address: SocketAddr,
        source: io::Error,
    },
}

/// How long an address that is in use is tried.
const FREED_WITHIN: Duration = Duration::from_secs(1);
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// The variable of the port of all interfaces.
pub const MAIN_PORT: &str = "SERVER_PORT";
/// The variable of the further port of an app of Agora.
pub const AGORA_PORT: &str = "TAPEDECK_AGORA_PORT";

/// The addresses that the configured host stands for, with this port.
///
/// # Errors
/// It stands for none.
pub fn resolve(server: &Server, port: u16) -> Result<Vec<SocketAddr>, ListenError> {
    let host = server
        .host
        .trim()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let mut addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|source| ListenError::Resolve {
            host: host.to_owned(),
            source,
        })?
        .collect();
    addresses.sort();
    addresses.dedup();
    if addresses.is_empty() {
        Err(ListenError::NoAddress(host.to_owned()))
    } else {
        Ok(addresses)
    }
}

/// Listens on all of `addresses`; `variable` sets their port.
///
/// # Errors
/// One of them cannot be listened on.
pub fn bind(
    addresses: &[SocketAddr],
    variable: &'static str,
) -> Result<Vec<TcpListener>, ListenError> {
    addresses
        .iter()
        .map(|address| listen(*address).map_err(|error| refusal(*address, variable, error)))
        .collect()
}

/// Listens, after a while if the address is in use: a server that was killed as it started a process
/// leaves its sockets to that for a moment, until the program in it is replaced.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let deadline = Instant::now() + FREED_WITHIN;
    loop {
        match TcpListener::bind(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                sleep(TRY_AGAIN);
            }
            done => return done,
        }
    }
}

fn refusal(address: SocketAddr, variable: &'static str, source: io::Error) -> ListenError {
    match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse {
            address,
            holder: port_holder::find(address.port()).map_or_else(
                || "a process of another user".to_owned(),
                |holder| holder.to_string(),
            ),
            variable,
            another: address.port().checked_add(1).unwrap_or(6080),
        },
        io::ErrorKind::PermissionDenied if address.port() < 1_024 => {
            ListenError::Privileged { address, variable }
        }
        _ => ListenError::Other { address, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_names_its_holder() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = bind(&[taken.local_addr().unwrap()], MAIN_PORT)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("(process {})", std::process::id())),
            "{error}"
        );
        assert!(error.contains("SERVER_PORT="), "{error}");
    }

    #[test]
    fn a_port_that_is_let_go_soon_is_taken() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let holder = std::thread::spawn(move || {
            sleep(Duration::from_millis(200));
            drop(taken);
        });
        assert_eq!(bind(&[address], MAIN_PORT).unwrap().len(), 1);
        holder.join().unwrap();
    }

    #[test]
    fn an_address_in_brackets_is_understood() {
        let server = Server {
            host: "[::1]".into(),
            port: 6080,
            ..Server::default()
        };
        assert_eq!(
            resolve(&server, server.port).unwrap(),
            ["[::1]:6080".parse().unwrap()]
        );
    }
}
