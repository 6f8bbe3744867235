//! What one client may take of the server: requests, tries with wrong keys, connections.

use std::any::Any;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use actix_web::middleware::Next;
use actix_web::rt::net::TcpStream;
use actix_web::{Error, web};
use rustix::net::sockopt::set_tcp_user_timeout;
use rustix::net::{Shutdown, shutdown};

use crate::config::Server;

use super::rates::Rates;
use super::refusal::Refusal;
use super::visitor::{Proxies, visitor_of};

/// How long a client may leave unread what it was sent, ms, before the kernel gives its connection up.
/// Proxies wait as long by default (nginx's `send_timeout`), so players are used to it.
const READS_WITHIN_MS: u32 = 60_000;

/// What is counted of each client; `None` for what is not limited.
pub struct Throttle {
    requests: Option<Rates>,
    /// Requests whose credentials were refused with 401, or shown to be wrong otherwise.
    failures: Option<Rates>,
    connections: Connections,
}

/// Left in a response that is no refusal and yet tells that the request's credentials are wrong.
pub struct WrongCredentials;

/// Open connections by address of the peer.
#[derive(Clone, Default)]
pub struct Connections {
    /// The most of one peer; 0 for any number.
    most: usize,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One open connection, counted as long as it lives.
pub struct Connection {
    peer: IpAddr,
    /// Of the same peer when it was opened, itself included.
    number: usize,
    of: Connections,
}

impl Throttle {
    pub fn new(server: &Server) -> Self {
        let rates = |amount, period| (amount > 0).then(|| Rates::new(amount, period));
        Self {
            requests: rates(server.requests_per_s, Duration::from_secs(1)),
            failures: rates(server.failed_logins_per_min, Duration::from_secs(60)),
            connections: Connections {
                most: server.connections_per_client,
                ..Connections::default()
            },
        }
    }

    /// Where connections are counted.
    pub fn connections(&self) -> Connections {
        self.connections.clone()
    }

    fn admit(&self, request: &ServiceRequest, now: Instant) -> Result<(), Refusal> {
        let visitor = visitor_of(request);
        let address = visitor.and_then(|visitor| visitor.address);
        if let Some(requests) = &self.requests {
            requests
                .take(address, now)
                .map_err(|wait| too_many(wait, "Too many requests from this address"))?;
        }
        if let Some(failures) = &self.failures
            && request.headers().contains_key(AUTHORIZATION)
        {
            failures.look(address, now).map_err(|wait| {
                too_many(wait, "Too many wrong keys or tokens from this address")
            })?;
        }
        // A proxy's connections are those of many.
        let connection = request.conn_data::<Connection>();
        if let Some(connection) = connection
            && connection.is_too_many()
            && !visitor.is_some_and(|visitor| visitor.by_proxy)
        {
            return Err(too_many(
                Duration::from_secs(1),
                "Too many connections from this address",
            ));
        }
        Ok(())
    }

    fn note(&self, address: Option<IpAddr>, now: Instant) {
        if let Some(failures) = &self.failures
            && failures.take(address, now).is_ok()
            && failures.look(address, now).is_err()
            && let Some(address) = address
        {
            log::warn!(
                "{address} has sent too many wrong keys or tokens: it is refused for a while"
            );
        }
    }
}

fn too_many(wait: Duration, message: &str) -> Refusal {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message)
        .hint("Retry-After tells when to try again")
        .header(RETRY_AFTER, HeaderValue::from(seconds.max(1)))
}

impl Connections {
    /// To be called when a connection is opened; it is counted in its data. One that is far too many
    /// is closed at once: who sends no request cannot be refused otherwise.
    pub fn opened(&self, connection: &dyn Any, data: &mut Extensions, proxies: &Proxies) {
        let Some(stream) = connection.downcast_ref::<TcpStream>() else {
            return;
        };
        let Ok(peer) = stream.peer_addr() else {
            return;
        };
        let peer = peer.ip().to_canonical();
        let counted = self.count(peer);
        if counted.is_far_too_many() && !proxies.trust(peer) {
            // Both fail only on connections that are gone.
            let _ = shutdown(stream, Shutdown::Both);
        }
        let _ = set_tcp_user_timeout(stream, READS_WITHIN_MS);
        data.insert(counted);
    }

    fn count(&self, peer: IpAddr) -> Connection {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let number = open.entry(peer).or_default();
        *number += 1;
        Connection {
            peer,
            number: *number,
            of: self.clone(),
        }
    }
}

impl Connection {
    fn is_too_many(&self) -> bool {
        self.of.most > 0 && self.number > self.of.most
    }

    /// Whether there are as many again that may be told that they are too many.
    fn is_far_too_many(&self) -> bool {
        self.of.most > 0 && self.number > 2 * self.of.most
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut open = self.of.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = open.get_mut(&self.peer) {
            *number -= 1;
            if *number == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

/// Middleware that answers with 429 what is too much for one client.
///
/// # Errors
/// Those of the handler.
pub async fn throttle<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(throttle) = request.app_data::<web::Data<Throttle>>().cloned() else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    if let Err(refusal) = throttle.admit(&request, Instant::now()) {
        let is_connection = request
            .conn_data::<Connection>()
            .is_some_and(Connection::is_too_many);
        let mut response = refusal.respond_at(request.path());
        if is_connection {
            response
                .head_mut()
                .set_connection_type(actix_web::http::ConnectionType::Close);
        }
        return Ok(request.into_response(response).map_into_right_body());
    }
    let address = visitor_of(&request).and_then(|visitor| visitor.address);
    let had_credentials = request.headers().contains_key(AUTHORIZATION);
    let response = next.call(request).await?;
    let tells = response.status() == StatusCode::UNAUTHORIZED
        || response
            .response()
            .extensions()
            .contains::<WrongCredentials>();
    if had_credentials && tells {
        throttle.note(address, Instant::now());
    }
    Ok(response.map_into_left_body())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_as_long_as_they_live() {
        let connections = Connections {
            most: 2,
            ..Connections::default()
        };
        let peer: IpAddr = "192.0.2.1".parse().unwrap();
        let first = connections.count(peer);
        let second = connections.count(peer);
        let third = connections.count(peer);
        assert!(!first.is_too_many() && !second.is_too_many() && third.is_too_many());
        let other = connections.count("192.0.2.2".parse().unwrap());
        assert!(!other.is_too_many());
        drop((first, second));
        assert!(!connections.count(peer).is_too_many());
        drop((third, other));
        assert!(connections.open.lock().unwrap().is_empty());
    }
}
