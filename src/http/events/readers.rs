//! How many watch, and whether they read.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Streams at once: pages that are open somewhere.
const MOST: usize = 32;

/// How long one who reads may take for what it was given. Then its place is free, and its stream
/// ends; it may come again.
const PATIENCE: Duration = Duration::from_secs(20);

/// There is no place for another stream.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MOST} pages watch already: close one of them, or try again later")]
pub struct TooMany;

/// Since when something waits to be read.
type Waiting = Mutex<Option<Instant>>;

/// Those who have a place.
#[derive(Default)]
pub struct Readers(Vec<Weak<Waiting>>);

impl Readers {
    /// # Errors
    /// All places are taken by others who read.
    pub fn enter(&mut self, now: Instant) -> Result<Reader, TooMany> {
        self.0
            .retain(|known| known.upgrade().is_some_and(|known| reads(&known, now)));
        if self.0.len() >= MOST {
            return Err(TooMany);
        }
        let waiting = Arc::default();
        self.0.push(Arc::downgrade(&waiting));
        Ok(Reader(waiting))
    }
}

/// A place among those who watch, until it is dropped.
pub struct Reader(Arc<Waiting>);

impl Reader {
    /// It was given something.
    pub fn given(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// It asks for more. Returns whether it took what it was given in time.
    pub fn takes(&self, now: Instant) -> bool {
        let in_time = reads(&self.0, now);
        if in_time {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        in_time
    }
}

fn reads(waiting: &Waiting, now: Instant) -> bool {
    let since = *waiting.lock().unwrap_or_else(PoisonError::into_inner);
    since.is_none_or(|since| now.saturating_duration_since(since) <= PATIENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_does_not_read_loses_the_place() {
        let mut readers = Readers::default();
        let now = Instant::now();
        let all: Vec<Reader> = (0..MOST).map(|_| readers.enter(now).unwrap()).collect();
        assert_eq!(readers.enter(now).err(), Some(TooMany));
        all[0].given(now);
        all[1].given(now);
        let soon = now + PATIENCE / 2;
        assert!(all[0].takes(soon));
        assert_eq!(readers.enter(soon).err(), Some(TooMany));
        let late = soon + PATIENCE;
        assert!(all[0].takes(late), "it waits for news, which is no fault");
        assert!(!all[1].takes(late));
        let _other = readers.enter(late).unwrap();
        assert_eq!(readers.enter(late).err(), Some(TooMany));
        drop(all);
        assert!(readers.enter(late).is_ok());
    }
}
