//! Whether anything comes from the other side. Pure.

use std::time::{Duration, Instant};

use str0m::IceConnectionState;

/// Both sides check the connection every two to three seconds, media or not. ICE itself takes
/// over twenty seconds to give a connection up.
const SILENCE: Duration = Duration::from_secs(7);

/// What ICE says of a connection and what is heard on it.
#[derive(Debug, Default)]
pub struct Reachability {
    ice: bool,
    silent: bool,
    last_received: Option<Instant>,
}

impl Reachability {
    /// Whether packets can be expected.
    pub fn is_reachable(&self) -> bool {
        self.ice && !self.silent
    }

    /// When the last packet of any kind arrived.
    pub fn last_received(&self) -> Option<Instant> {
        self.last_received
    }

    /// When [`Reachability::time_passed`] has to be called, if nothing arrives before.
    pub fn silent_at(&self) -> Option<Instant> {
        let last = self.last_received.filter(|_| self.is_reachable())?;
        Some(last + SILENCE)
    }

    /// A packet arrived.
    pub fn received(&mut self, now: Instant) {
        self.last_received = Some(now);
        self.silent = false;
    }

    /// Nothing arrived until now.
    pub fn time_passed(&mut self, now: Instant) {
        if self.silent_at().is_some_and(|silent_at| now >= silent_at) {
            self.silent = true;
        }
    }

    /// ICE judges anew.
    pub fn ice_changed(&mut self, state: IceConnectionState) {
        match state {
            IceConnectionState::Connected | IceConnectionState::Completed => self.ice = true,
            IceConnectionState::Disconnected => self.ice = false,
            // While it checks, the path before may still carry media.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_ends_it_and_a_packet_brings_it_back() {
        let start = Instant::now();
        let mut reachability = Reachability::default();
        reachability.received(start);
        assert!(!reachability.is_reachable());
        reachability.ice_changed(IceConnectionState::Connected);
        assert!(reachability.is_reachable());
        reachability.time_passed(start + SILENCE - Duration::from_millis(1));
        assert!(reachability.is_reachable());
        reachability.time_passed(start + SILENCE);
        assert!(!reachability.is_reachable());
        assert_eq!(reachability.silent_at(), None);
        assert_eq!(reachability.last_received(), Some(start));
        reachability.received(start + SILENCE * 2);
        assert!(reachability.is_reachable());
    }

    #[test]
    fn what_ice_gave_up_is_not_reachable_until_ice_says_so() {
        let mut reachability = Reachability::default();
        reachability.ice_changed(IceConnectionState::Connected);
        reachability.ice_changed(IceConnectionState::Checking);
        assert!(reachability.is_reachable());
        reachability.ice_changed(IceConnectionState::Disconnected);
        reachability.received(Instant::now());
        assert!(!reachability.is_reachable());
    }
}
