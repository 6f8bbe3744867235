use std::time::{Duration, Instant};

/// How long one request is given before it is repeated.
const PATIENCE: Duration = Duration::from_millis(500);

/// Joins the requests of several captures for key frames of one track: one that is under way
/// serves all. Pure.
#[derive(Debug, Default)]
pub struct KeyframeLimit {
    /// When the request was sent that is under way.
    asked: Option<Instant>,
}

impl KeyframeLimit {
    /// Whether to ask now.
    pub fn ask(&mut self, now: Instant) -> bool {
        if self.asked.is_some_and(|asked| now < asked + PATIENCE) {
            return false;
        }
        self.asked = Some(now);
        true
    }

    /// A key frame came.
    pub fn came(&mut self) {
        self.asked = None;
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
        assert!(!limit.ask(start + PATIENCE / 2));
        assert!(limit.ask(start + PATIENCE));
        assert!(!limit.ask(start + PATIENCE));
        limit.came();
        assert!(limit.ask(start + PATIENCE));
    }
}
