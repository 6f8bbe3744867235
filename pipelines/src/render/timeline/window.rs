use std::collections::VecDeque;

/// The least value of the last stretch of time.
#[derive(Clone, Debug)]
pub struct WindowedMinimum {
    length_ns: i64,
    /// Times ascend, values ascend: the front is the least.
    candidates: VecDeque<(i64, i64)>,
}

impl WindowedMinimum {
    /// A window of `length_ns` nanoseconds.
    pub fn new(length_ns: i64) -> Self {
        Self {
            length_ns,
            candidates: VecDeque::new(),
        }
    }

    /// Adds the value of a moment; moments must not go backwards.
    pub fn push(&mut self, time_ns: i64, value: i64) {
        while self
            .candidates
            .back()
            .is_some_and(|&(_, other)| other >= value)
        {
            self.candidates.pop_back();
        }
        self.candidates.push_back((time_ns, value));
        while self
            .candidates
            .front()
            .is_some_and(|&(time, _)| time < time_ns - self.length_ns)
        {
            self.candidates.pop_front();
        }
    }

    /// The least value in the window that ends with the last push.
    pub fn least(&self) -> Option<i64> {
        self.candidates.front().map(|&(_, value)| value)
    }

    /// Forgets all that came before `time_ns`.
    pub fn forget_before(&mut self, time_ns: i64) {
        while self
            .candidates
            .front()
            .is_some_and(|&(time, _)| time < time_ns)
        {
            self.candidates.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_value_leaves_with_its_window() {
        let mut window = WindowedMinimum::new(10);
        assert_eq!(window.least(), None);
        for (time, value) in [(0, 5), (4, 3), (8, 7), (12, 9)] {
            window.push(time, value);
        }
        assert_eq!(window.least(), Some(3));
        window.push(15, 8);
        assert_eq!(window.least(), Some(7));
        window.forget_before(13);
        assert_eq!(window.least(), Some(8));
    }
}
