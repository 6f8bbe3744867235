//! Sound against picture.

/// Sound this far from a flash belongs to another one, s.
const SAME_MOMENT_SECONDS: f64 = 0.4;

/// How beeps lie to flashes.
#[derive(Clone, Debug, PartialEq)]
pub struct Offsets {
    /// Beep less flash of each pair, ms: positive when sound is late.
    pub each_ms: Vec<f64>,
    /// Not a number without pairs.
    pub median_ms: f64,
    /// 95 % of the pairs are no further apart than this, ms; not a number without pairs.
    pub p95_ms: f64,
    /// Flashes without a beep.
    pub flashes_alone: usize,
    /// Beeps without a flash.
    pub beeps_alone: usize,
}

/// Pairs each flash with the nearest beep within 0.4 s. Times in s, in order.
pub fn offsets(flashes: &[f64], beeps: &[f64]) -> Offsets {
    let mut used = vec![false; beeps.len()];
    let mut each_ms = Vec::new();
    for flash in flashes {
        let nearest = beeps
            .iter()
            .enumerate()
            .filter(|(index, beep)| !used[*index] && (*beep - flash).abs() <= SAME_MOMENT_SECONDS)
            .min_by(|(_, one), (_, other)| (*one - flash).abs().total_cmp(&(*other - flash).abs()));
        if let Some((index, beep)) = nearest {
            used[index] = true;
            each_ms.push((beep - flash) * 1e3);
        }
    }
    let mut distances: Vec<f64> = each_ms.iter().map(|offset| offset.abs()).collect();
    let mut sorted = each_ms.clone();
    sorted.sort_by(f64::total_cmp);
    distances.sort_by(f64::total_cmp);
    Offsets {
        median_ms: median(&sorted),
        p95_ms: quantile(&distances, 0.95),
        flashes_alone: flashes.len() - each_ms.len(),
        beeps_alone: beeps.len() - each_ms.len(),
        each_ms,
    }
}

/// The times from `start` on.
pub fn after(start: f64, times: &[f64]) -> Vec<f64> {
    times
        .iter()
        .copied()
        .filter(|time| *time >= start)
        .collect()
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// The least value that is not below `part` of all.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_sound_is_positive_and_a_missing_beep_is_told() {
        let found = offsets(&[1.0, 2.0, 3.0, 4.0], &[1.04, 3.02, 4.06, 9.0]);
        assert_eq!((found.flashes_alone, found.beeps_alone), (1, 1));
        assert!((found.median_ms - 40.0).abs() < 1e-6);
        assert!((found.p95_ms - 60.0).abs() < 1e-6);
        let early = offsets(&[1.0], &[0.97]);
        assert!((early.median_ms + 30.0).abs() < 1e-6);
    }

    #[test]
    fn nothing_to_pair_has_no_median() {
        let none = offsets(&[1.0], &[]);
        assert!(none.median_ms.is_nan() && none.p95_ms.is_nan());
        assert_eq!(none.flashes_alone, 1);
    }
}
