//! Messages and jobs that something was done to are refused or understood, and never end a process.
//! `PROPTEST_CASES` makes it look for longer.

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tapedeck_pipelines::control::{CommandEnvelope, Event};
use tapedeck_pipelines::job::{BrowserJob, CaptureJob, RenderJob, RoomsJob};
use tapedeck_pipelines::process::read_job_from;

/// How a message of a kind is read, and lines of that kind.
type Kind = (fn(&[u8]), &'static str);

const KINDS: [Kind; 6] = [
    (
        message::<CommandEnvelope>,
        include_str!("golden/commands-v1.jsonl"),
    ),
    (message::<Event>, include_str!("golden/events-v1.jsonl")),
    (
        job::<CaptureJob>,
        include_str!("golden/capture-jobs-v1.jsonl"),
    ),
    (
        job::<RenderJob>,
        include_str!("golden/render-jobs-v1.jsonl"),
    ),
    (job::<RoomsJob>, include_str!("golden/rooms-jobs-v1.jsonl")),
    (
        job::<BrowserJob>,
        include_str!("golden/browser-jobs-v1.jsonl"),
    ),
];

/// What is understood can be said again.
fn message<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<T>(bytes) {
        serde_json::to_vec(&message).unwrap();
    }
}

fn job<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    match read_job_from::<T>(bytes) {
        Ok(job) => drop(serde_json::to_vec(&job).unwrap()),
        // What is refused may hold a secret, so nothing of it is quoted.
        Err(error) => assert!(!error.to_string().contains("token"), "{error}"),
    }
}

proptest! {
    #[test]
    fn bytes_of_anybody_are_no_harm(
        kind in 0..KINDS.len(),
        line in any::<prop::sample::Index>(),
        damages in prop::collection::vec(
            (any::<prop::sample::Index>(), 0_usize..20, prop::collection::vec(any::<u8>(), 0..6)),
            1..4,
        ),
        number in prop::option::of("-?[0-9]{1,40}(\\.[0-9]{1,5})?(e[0-9]{1,5})?"),
    ) {
        let (check, lines) = KINDS[kind];
        let lines: Vec<&str> = lines.lines().collect();
        let mut bytes = line.get(&lines).as_bytes().to_vec();
        for (at, length, put) in damages {
            let from = at.index(bytes.len() + 1);
            let to = (from + length).min(bytes.len());
            bytes.splice(from..to, put);
        }
        check(&bytes);
        // Numbers that no counter holds.
        if let Some(number) = number {
            let line = line.get(&lines);
            let digits = |c: char| c.is_ascii_digit();
            if let Some(from) = line.find(digits) {
                let rest = line[from..].trim_start_matches(digits);
                check(format!("{}{number}{rest}", &line[..from]).as_bytes());
            }
        }
    }
}
