//! When TCP is tried. Pure.

use std::time::{Duration, Instant};

use str0m::Candidate;

/// How long UDP may take. A path over it is found within a few round trips.
const UDP_PATIENCE: Duration = Duration::from_secs(2);

/// Candidates come one by one; those for UDP may be about to come.
const CANDIDATES_PATIENCE: Duration = Duration::from_millis(300);

/// Before the next try, when TCP got through no more than UDP.
const PAUSE: Duration = Duration::from_secs(4);

/// The most TCP candidates that are remembered. A server has one per address.
const MOST_CANDIDATES: usize = 8;

/// Decides when to connect to the TCP candidates of the other side (RFC 6544: those it listens
/// on): when no path was found over UDP, and again after the path was lost.
#[derive(Debug, Default)]
pub struct TcpFallback {
    candidates: Vec<Candidate>,
    udp_offered: bool,
    /// Since when a path is sought.
    seeking: Option<Instant>,
    /// When TCP was tried last, in this search.
    tried: Option<Instant>,
}

impl TcpFallback {
    /// The other side listens there.
    pub fn tcp_offered(&mut self, candidate: Candidate) {
        if self.candidates.len() < MOST_CANDIDATES && !self.candidates.contains(&candidate) {
            self.candidates.push(candidate);
        }
    }

    /// The other side can be reached by UDP.
    pub fn udp_offered(&mut self) {
        self.udp_offered = true;
    }

    /// No path is known. After an ICE restart (`anew`) neither are candidates.
    pub fn path_sought(&mut self, anew: bool, now: Instant) {
        if anew {
            self.candidates.clear();
            self.udp_offered = false;
            self.tried = None;
            self.seeking = Some(now);
        }
        self.seeking.get_or_insert(now);
    }

    /// A path carries packets.
    pub fn path_found(&mut self) {
        self.seeking = None;
        self.tried = None;
    }

    /// When to call [`TcpFallback::take`]; never, unless something changes, if there is nothing to
    /// try.
    pub fn due(&self) -> Option<Instant> {
        let since = self.seeking.filter(|_| !self.candidates.is_empty())?;
        Some(match self.tried {
            Some(tried) => tried + PAUSE,
            None if self.udp_offered => since + UDP_PATIENCE,
            None => since + CANDIDATES_PATIENCE,
        })
    }

    /// What to connect to now.
    pub fn take(&mut self, now: Instant) -> Vec<Candidate> {
        if self.due().is_none_or(|due| now < due) {
            return Vec::new();
        }
        self.tried = Some(now);
        self.candidates.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp() -> Candidate {
        Candidate::from_sdp_string(
            "candidate:1 1 tcp 1671430143 127.0.0.1 7881 typ host tcptype passive",
        )
        .expect("candidate")
    }

    #[test]
    fn udp_is_given_time_and_tcp_is_not_tried_once_it_got_through() {
        let start = Instant::now();
        let mut fallback = TcpFallback::default();
        fallback.path_sought(false, start);
        fallback.udp_offered();
        fallback.tcp_offered(tcp());
        assert_eq!(fallback.due(), Some(start + UDP_PATIENCE));
        assert!(fallback.take(start).is_empty());
        fallback.path_found();
        assert_eq!(fallback.due(), None);
        assert!(fallback.take(start + UDP_PATIENCE).is_empty());
    }

    #[test]
    fn without_udp_candidates_tcp_is_tried_soon_and_again() {
        let start = Instant::now();
        let mut fallback = TcpFallback::default();
        fallback.path_sought(false, start);
        fallback.tcp_offered(tcp());
        fallback.tcp_offered(tcp());
        let first = start + CANDIDATES_PATIENCE;
        assert_eq!(fallback.take(first), vec![tcp()]);
        assert!(fallback.take(first).is_empty());
        assert_eq!(fallback.due(), Some(first + PAUSE));
        assert_eq!(fallback.take(first + PAUSE).len(), 1);
    }

    #[test]
    fn after_an_ice_restart_only_new_candidates_count() {
        let start = Instant::now();
        let mut fallback = TcpFallback::default();
        fallback.tcp_offered(tcp());
        fallback.path_sought(true, start);
        assert_eq!(fallback.due(), None);
        fallback.udp_offered();
        fallback.tcp_offered(tcp());
        assert_eq!(fallback.due(), Some(start + UDP_PATIENCE));
    }
}
