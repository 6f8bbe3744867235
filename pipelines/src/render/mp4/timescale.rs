//! Ticks of one clock in ticks of another.

/// Above this the movie's clock is not made finer: durations of days still fit.
const FINEST: u64 = 10_000_000;

/// A clock in which every track's ticks are whole; if that were too fine, the finest track's.
pub(super) fn movie_timescale(tracks: impl Iterator<Item = u32> + Clone) -> u32 {
    let common = tracks.clone().try_fold(1_u64, |common, timescale| {
        let timescale = u64::from(timescale);
        let multiple = common / greatest_divisor(common, timescale) * timescale;
        (multiple <= FINEST).then_some(multiple)
    });
    match common {
        Some(common) => common as u32,
        None => tracks.max().unwrap_or(1),
    }
}

/// `ticks` of `from` per second in ticks of `to` per second, to the nearest.
pub(super) fn rescale(ticks: u64, from: u32, to: u32) -> u64 {
    let from = u128::from(from.max(1));
    let exact = (u128::from(ticks) * u128::from(to) + from / 2) / from;
    exact.min(u128::from(u64::MAX)) as u64
}

fn greatest_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        greatest_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_movie_clock_holds_every_tracks_ticks() {
        assert_eq!(movie_timescale([3_000, 48_000].into_iter()), 48_000);
        assert_eq!(movie_timescale([90_000, 48_000].into_iter()), 720_000);
        assert_eq!(movie_timescale([9_999_991, 48_000].into_iter()), 9_999_991);
        assert_eq!(movie_timescale(std::iter::empty()), 1);
    }

    #[test]
    fn times_are_rescaled_to_the_nearest_tick() {
        assert_eq!(rescale(1_000, 3_000, 48_000), 16_000);
        assert_eq!(rescale(2, 3, 1), 1);
        assert_eq!(rescale(u64::MAX, 1, u32::MAX), u64::MAX);
    }
}
