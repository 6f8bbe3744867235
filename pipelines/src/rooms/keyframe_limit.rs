use std::time::{Duration, Instant};

/// How long one request is given before it is repeated.
const PATIENCE: Duration = Duration::from_millis(500);

/// The least time between two requests, even if each was answered.
const LEAST: Duration = Duration::from_millis(100);

/// Joins the requests of several captures for key frames of one track. Pure.
#[derive(Debug, Default)]
pub struct KeyframeLimit {
    asked: Option<Instant>,
    came: bool,
}

impl KeyframeLimit {
    /// Whether to ask now. A request is left out when one is under way: its key frame serves all.
    pub fn ask(&mut self, now: Instant) -> bool {
        let pause = if self.came { LEAST } else { PATIENCE };
        if self.asked.is_some_and(|asked| now < asked + pause) {
            return false;
        }
        self.asked = Some(now);
        self.came = false;
        true
    }

    /// A key frame came.
    pub fn came(&mut self) {
        self.came = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_joined_until_the_key_frame_comes_or_time_is_up() {
        let mut limit = KeyframeLimit::default();
        let start = Instant::now();
        assert!(limit.ask(start));
        assert!(!limit.ask(start + LEAST));
        limit.came();
        assert!(limit.ask(start + LEAST));
        assert!(!limit.ask(start + PATIENCE));
        assert!(limit.ask(start + LEAST + PATIENCE));
    }

    #[test]
    fn a_flood_asks_no_more_than_ten_times_a_second() {
        let mut limit = KeyframeLimit::default();
        let start = Instant::now();
        let asked = (0..1_000)
            .filter(|ms| {
                limit.came();
                limit.ask(start + Duration::from_millis(*ms))
            })
            .count();
        assert_eq!(asked, 10);
    }
}
