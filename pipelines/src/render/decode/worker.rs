use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use gstreamer as gst;

use super::hands::FrameMark;
use super::{DecodeError, Decoder, Hands, Input};
use crate::log::TrackNumber;

/// Input of one track for its decoder.
#[derive(Clone)]
pub struct Task {
    pub track: TrackNumber,
    pub decoder: Arc<Decoder>,
    pub input: Vec<Input>,
}

/// What became of a task.
#[derive(Debug)]
pub struct Outcome {
    /// For each input that was decoded, what came out.
    pub output: Vec<Vec<gst::Sample>>,
    /// Why the input after those was not decoded, if there is one.
    pub error: Option<DecodeError>,
}

/// Runs decoders on a thread of their own, so that one that hangs can be left behind.
pub struct DecodeWorker {
    thread: Option<WorkerThread>,
    patience: Duration,
    hands: Arc<Hands>,
}

struct WorkerThread {
    tasks: Sender<(Arc<Vec<Task>>, usize)>,
    outcomes: Receiver<Outcome>,
}

impl DecodeWorker {
    /// A worker that gives up a task after `patience` of wall time, long enough that a busy
    /// machine is not taken for a decoder that hangs. What it works on is told by `hands`.
    pub fn new(patience: Duration, hands: Hands) -> Self {
        Self {
            thread: None,
            patience,
            hands: Arc::new(hands),
        }
    }

    /// Carries out all tasks; the outcomes are in their order.
    pub fn run(&mut self, tasks: Vec<Task>) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(tasks.len());
        if tasks.is_empty() {
            return outcomes;
        }
        let tasks = Arc::new(tasks);
        while outcomes.len() < tasks.len() {
            let thread = self
                .thread
                .get_or_insert_with(|| start(Arc::clone(&self.hands)));
            if thread
                .tasks
                .send((Arc::clone(&tasks), outcomes.len()))
                .is_err()
            {
                self.thread = None;
                outcomes.push(stuck());
                continue;
            }
            while outcomes.len() < tasks.len() {
                match thread.outcomes.recv_timeout(self.patience) {
                    Ok(outcome) => outcomes.push(outcome),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                        // The thread is left to itself: it ends when its decoder comes back.
                        self.thread = None;
                        outcomes.push(stuck());
                        break;
                    }
                }
            }
        }
        outcomes
    }
}

fn stuck() -> Outcome {
    Outcome {
        output: Vec::new(),
        error: Some(DecodeError::Stuck),
    }
}

fn start(hands: Arc<Hands>) -> WorkerThread {
    let (tasks, orders) = mpsc::channel::<(Arc<Vec<Task>>, usize)>();
    let (results, outcomes) = mpsc::channel();
    thread::spawn(move || {
        for (tasks, first) in orders {
            for task in &tasks[first..] {
                if results.send(carry_out(task, &hands)).is_err() {
                    return;
                }
            }
        }
    });
    WorkerThread { tasks, outcomes }
}

fn carry_out(task: &Task, hands: &Hands) -> Outcome {
    let mut output = Vec::with_capacity(task.input.len());
    for input in &task.input {
        if let Input::Frame(payload) = input {
            hands.take(FrameMark::of(task.track, payload));
        }
        let decoded = task.decoder.push(input);
        hands.release();
        match decoded {
            Ok(samples) => output.push(samples),
            Err(error) => {
                return Outcome {
                    output,
                    error: Some(error),
                };
            }
        }
    }
    Outcome {
        output,
        error: None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gstreamer::prelude::*;

    use super::*;

    fn task(description: &str) -> Task {
        gst::init().unwrap();
        let element = gst::parse::bin_from_description(description, true).unwrap();
        let decoder = Decoder::around(element.upcast(), "video/x-vp8", 33_000_000).unwrap();
        Task {
            track: 1,
            decoder: Arc::new(decoder),
            input: vec![Input::Frame(Bytes::from_static(b"frame")); 2],
        }
    }

    #[test]
    fn a_decoder_that_hangs_is_left_behind_and_delays_the_others_once() {
        let folder = tempfile::tempdir().unwrap();
        let hands = Hands::new(&folder.path().join("decoding"));
        let mut worker = DecodeWorker::new(Duration::from_millis(500), hands);
        let hanging = task("identity sleep-time=4000000");
        let outcomes = worker.run(vec![task("identity"), hanging, task("identity")]);
        assert_eq!(outcomes[0].output.len(), 2);
        assert_eq!(outcomes[1].error, Some(DecodeError::Stuck));
        assert!(outcomes[2].error.is_none());
        assert_eq!(outcomes[2].output.len(), 2);
        let again = worker.run(vec![task("identity")]);
        assert!(again[0].error.is_none());
    }
}
