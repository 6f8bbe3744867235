//! How often each client may do something: a bucket per address that fills up steadily, kept as the
//! time at which it is full again (the generic cell rate algorithm of ATM).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Addresses that are remembered at once; more than these share one bucket, so that nobody fills the
/// memory by coming from many.
const MOST_ADDRESSES: usize = 65_536;
/// Time between two looks for full buckets, which need not be remembered.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// The buckets of all clients.
pub struct Rates {
    /// In which a bucket gets one more.
    interval: Duration,
    /// In which an empty bucket becomes full.
    whole: Duration,
    most: usize,
    buckets: Mutex<Buckets>,
}

#[derive(Default)]
struct Buckets {
    full_at: HashMap<Option<IpAddr>, Instant>,
    swept_at: Option<Instant>,
}

impl Rates {
    /// `amount` in each `period` on average, and at once.
    pub fn new(amount: u32, period: Duration) -> Self {
        Self {
            interval: period / amount.max(1),
            whole: period,
            most: MOST_ADDRESSES,
            buckets: Mutex::default(),
        }
    }

    /// Takes one out of the bucket of `address`.
    ///
    /// # Errors
    /// It is empty: how long until there is one again.
    pub fn take(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.lock();
        let key = buckets.key(network(address), self.most, now);
        let full_at = self.check(&buckets, key, now)? + self.interval;
        buckets.full_at.insert(key, full_at);
        Ok(())
    }

    /// Whether there is one in the bucket of `address`.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn look(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        self.check(&self.lock(), network(address), now).map(drop)
    }

    /// When the bucket is full if nothing is taken out.
    fn check(
        &self,
        buckets: &Buckets,
        key: Option<IpAddr>,
        now: Instant,
    ) -> Result<Instant, Duration> {
        let full_at = buckets.full_at.get(&key).map_or(now, |at| now.max(*at));
        let wait = (full_at + self.interval).saturating_duration_since(now + self.whole);
        match wait.is_zero() {
            true => Ok(full_at),
            false => Err(wait),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    /// Where the bucket of an address is: the common one if there is no room for another.
    fn key(&mut self, address: Option<IpAddr>, most: usize, now: Instant) -> Option<IpAddr> {
        if self.full_at.len() < most || self.full_at.contains_key(&address) {
            return address;
        }
        let is_due = |at: Instant| now.saturating_duration_since(at) >= SWEEP_INTERVAL;
        if self.swept_at.is_none_or(is_due) {
            self.swept_at = Some(now);
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        match self.full_at.len() < most {
            true => address,
            false => None,
        }
    }
}

/// What one client has: a single address of version 4, but a whole network of 64 bits of version 6.
fn network(address: Option<IpAddr>) -> Option<IpAddr> {
    Some(match address?.to_canonical() {
        IpAddr::V6(address) => {
            let kept = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(kept))
        }
        address => address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_bucket_is_emptied_at_once_and_filled_steadily() {
        let rates = Rates::new(10, Duration::from_secs(1));
        let start = Instant::now();
        let client = from("192.0.2.1");
        for _ in 0..10 {
            assert_eq!(rates.take(client, start), Ok(()));
        }
        let wait = rates.take(client, start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        assert_eq!(rates.look(client, start), Err(wait));
        // What is refused costs nothing.
        assert_eq!(rates.take(client, start + wait), Ok(()));
        assert!(rates.take(client, start + wait).is_err());
        assert_eq!(rates.take(from("192.0.2.2"), start), Ok(()));
        let later = start + Duration::from_secs(60);
        let taken = (0..20)
            .filter(|_| rates.take(client, later).is_ok())
            .count();
        assert_eq!(taken, 10);
    }

    #[test]
    fn one_network_of_version_6_is_one_client() {
        let rates = Rates::new(1, Duration::from_secs(1));
        let now = Instant::now();
        assert!(rates.take(from("2001:db8::1"), now).is_ok());
        assert!(rates.take(from("2001:db8::ffff:2"), now).is_err());
        assert!(rates.take(from("2001:db8:0:1::1"), now).is_ok());
        assert!(rates.take(from("192.0.2.1"), now).is_ok());
        assert!(rates.take(from("::ffff:192.0.2.1"), now).is_err());
    }

    #[test]
    fn clients_from_everywhere_do_not_fill_the_memory() {
        let mut rates = Rates::new(2, Duration::from_secs(1));
        rates.most = 3;
        let now = Instant::now();
        for last in 0..20 {
            let _ = rates.take(from(&format!("192.0.2.{last}")), now);
            assert!(rates.lock().full_at.len() <= 4);
        }
        assert!(rates.take(from("192.0.2.99"), now).is_err());
        assert!(rates.take(from("192.0.2.0"), now).is_ok());
        let later = now + Duration::from_secs(2);
        assert!(rates.take(from("192.0.2.99"), later).is_ok());
        assert_eq!(rates.lock().full_at.len(), 1);
    }
}
