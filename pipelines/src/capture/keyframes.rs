use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::sources::TrackId;

/// The pause after the first request for a track, and the longest one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// How long a new track may take to begin with a key frame by itself: servers ask the publisher
/// when somebody subscribes.
const GRACE: Duration = Duration::from_millis(400);

/// Decides when to ask for key frames: soon when one is needed, again until it comes, never so
/// often that a publisher in trouble sends nothing else.
#[derive(Debug, Default)]
pub struct KeyframeRequests {
    wanted: HashMap<TrackId, Wanted>,
    last_sent: HashMap<TrackId, Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Wanted {
    next: Instant,
    sent: u32,
}

impl KeyframeRequests {
    /// A track begins and has to begin with a key frame.
    pub fn expect(&mut self, id: &TrackId, now: Instant) {
        self.insert(id, now + GRACE);
    }

    /// A track cannot be decoded on without a key frame.
    pub fn want(&mut self, id: &TrackId, now: Instant) {
        let earliest = self.last_sent.get(id).map(|sent| *sent + PAUSES.0);
        self.insert(id, earliest.map_or(now, |earliest| earliest.max(now)));
    }

    fn insert(&mut self, id: &TrackId, next: Instant) {
        if let Some(wanted) = self.wanted.get_mut(id) {
            wanted.next = wanted.next.min(next);
        } else {
            self.wanted.insert(id.clone(), Wanted { next, sent: 0 });
        }
    }

    /// A key frame came.
    pub fn arrived(&mut self, id: &TrackId) {
        self.wanted.remove(id);
    }

    /// The track sends nothing for now, or is no more.
    pub fn forget(&mut self, id: &TrackId) {
        self.wanted.remove(id);
        self.last_sent.remove(id);
    }

    /// Forgets all tracks.
    pub fn clear(&mut self) {
        self.wanted.clear();
        self.last_sent.clear();
    }

    /// When [`KeyframeRequests::due`] has something next.
    pub fn next_due(&self) -> Option<Instant> {
        self.wanted.values().map(|wanted| wanted.next).min()
    }

    /// The tracks to ask now.
    pub fn due(&mut self, now: Instant) -> Vec<TrackId> {
        let mut due = Vec::new();
        for (id, wanted) in &mut self.wanted {
            if wanted.next > now {
                continue;
            }
            let (first, longest) = PAUSES;
            let pause = first.saturating_mul(1 << wanted.sent.min(8)).min(longest);
            wanted.sent += 1;
            wanted.next = now + pause;
            due.push(id.clone());
        }
        for id in &due {
            self.last_sent.insert(id.clone(), now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> TrackId {
        TrackId::from("TR_1")
    }

    #[test]
    fn asks_at_once_when_a_picture_is_broken_and_again_until_a_key_frame_comes() {
        let mut requests = KeyframeRequests::default();
        let start = Instant::now();
        requests.want(&id(), start);
        assert_eq!(requests.due(start), [id()]);
        requests.want(&id(), start);
        assert!(requests.due(start + Duration::from_millis(499)).is_empty());
        assert_eq!(requests.due(start + Duration::from_millis(500)), [id()]);
        requests.arrived(&id());
        assert_eq!(requests.next_due(), None);
    }

    #[test]
    fn asks_less_often_the_longer_nothing_comes() {
        let mut requests = KeyframeRequests::default();
        let start = Instant::now();
        let mut now = start;
        requests.want(&id(), now);
        let mut sent = 0;
        while now < start + Duration::from_secs(60) {
            sent += requests.due(now).len();
            now += Duration::from_millis(10);
        }
        assert!((10..20).contains(&sent), "{sent} requests in a minute");
    }

    #[test]
    fn keyframes_that_come_and_break_again_do_not_make_it_ask_more_often() {
        let mut requests = KeyframeRequests::default();
        let start = Instant::now();
        let mut sent = 0;
        for step in 0..100 {
            let now = start + Duration::from_millis(step * 10);
            requests.want(&id(), now);
            sent += requests.due(now).len();
            requests.arrived(&id());
        }
        assert_eq!(sent, 2);
    }

    #[test]
    fn a_new_track_gets_time_to_begin_by_itself() {
        let mut requests = KeyframeRequests::default();
        let start = Instant::now();
        requests.expect(&id(), start);
        assert!(requests.due(start).is_empty());
        assert_eq!(requests.due(start + GRACE), [id()]);
        requests.forget(&id());
        assert!(requests.due(start + Duration::from_secs(60)).is_empty());
    }
}
