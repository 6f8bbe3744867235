//! Growing pauses between tries.

use std::time::Duration;

/// Pauses that double from `first` to `longest`.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
}

impl Backoff {
    /// The pause after the try of number `tries`, counted from 1. `jitter`, from 0 to 1, takes up
    /// to half of it away, so that what failed together is not tried again together.
    pub fn pause(self, tries: u32, jitter: f64) -> Duration {
        let doublings = tries.saturating_sub(1).min(20);
        let whole = self.first.saturating_mul(1 << doublings).min(self.longest);
        whole.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        first: Duration::from_millis(500),
        longest: Duration::from_secs(60),
    };

    #[test]
    fn doubles_up_to_the_longest() {
        let pauses: Vec<_> = (1..=4)
            .map(|tries| BACKOFF.pause(tries, 0.0).as_millis())
            .collect();
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000]);
        assert_eq!(BACKOFF.pause(u32::MAX, 0.0), Duration::from_secs(60));
    }

    #[test]
    fn jitter_takes_at_most_half() {
        assert_eq!(BACKOFF.pause(1, 1.0), Duration::from_millis(250));
        assert_eq!(BACKOFF.pause(1, 7.0), Duration::from_millis(250));
    }
}
