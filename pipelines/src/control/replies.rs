//! Which commands were seen, and what was answered. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

/// How many commands are remembered.
const REMEMBERED: usize = 64;

/// The last commands by id.
#[derive(Default)]
pub(super) struct Replies {
    /// Oldest first; no line while the answer is outstanding.
    seen: VecDeque<(String, Option<Arc<str>>)>,
}

/// What to do with a command that arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It is new: carry it out.
    New,
    /// It is being carried out: its answer will come.
    Pending,
    /// It was answered with this line.
    Answered(Arc<str>),
}

impl Replies {
    /// Notes a command.
    pub fn arrived(&mut self, id: &str) -> Arrival {
        match self.seen.iter().find(|(seen, _)| seen == id) {
            Some((_, Some(line))) => Arrival::Answered(line.clone()),
            Some((_, None)) => Arrival::Pending,
            None => {
                self.remember(id, None);
                Arrival::New
            }
        }
    }

    /// Notes the answer of a command.
    pub fn answered(&mut self, id: &str, line: Arc<str>) {
        match self.seen.iter_mut().find(|(seen, _)| seen == id) {
            Some((_, answer)) => *answer = Some(line),
            None => self.remember(id, Some(line)),
        }
    }

    fn remember(&mut self, id: &str, line: Option<Arc<str>>) {
        if self.seen.len() >= REMEMBERED {
            // Rather an answer than a command that is being carried out.
            let oldest = self
                .seen
                .iter()
                .position(|(_, line)| line.is_some())
                .unwrap_or(0);
            self.seen.remove(oldest);
        }
        self.seen.push_back((id.to_owned(), line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_command_is_not_carried_out_again() {
        let mut replies = Replies::default();
        assert_eq!(replies.arrived("a"), Arrival::New);
        assert_eq!(replies.arrived("a"), Arrival::Pending);
        replies.answered("a", "done".into());
        assert_eq!(replies.arrived("a"), Arrival::Answered("done".into()));
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_what_is_outstanding() {
        let mut replies = Replies::default();
        replies.arrived("outstanding");
        for number in 0..10 * REMEMBERED {
            let id = number.to_string();
            assert_eq!(replies.arrived(&id), Arrival::New);
            replies.answered(&id, "done".into());
        }
        assert_eq!(replies.seen.len(), REMEMBERED);
        assert_eq!(replies.arrived("outstanding"), Arrival::Pending);
        assert_eq!(replies.arrived("0"), Arrival::New);
    }
}
