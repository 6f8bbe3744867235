//! One look at everything that pages show live.

use actix_web::web::Data;
use serde::Serialize;
use serde_json::json;
use tapedeck_actors::ListFilter;

use super::super::Services;
use super::super::operators;

/// Recordings and uploads that are told; older ones are asked for.
const NEWEST: usize = 20;

/// What there is of each topic, as JSON on one line. What cannot be told is left as it was, and
/// `trouble` says why.
pub async fn look(services: &Data<Services>) -> Vec<(&'static str, String)> {
    let mut seen = Seen::default();
    let recordings = &services.recordings;
    match recordings.live().await {
        Ok(live) => {
            match recordings.capacity().await {
                Ok(capacity) => seen.add("status", &operators::status_of_all(capacity, &live)),
                Err(reason) => seen.trouble.push(reason),
            }
            seen.add("rooms", &operators::all_rooms(services, &live).await);
        }
        Err(reason) => seen.trouble.push(reason),
    }
    match recordings.list(ListFilter::default(), None, NEWEST).await {
        Ok(page) => seen.add("recordings", &operators::page_of(page)),
        Err(reason) => seen.trouble.push(reason),
    }
    seen.add("uploads", &recordings.uploads(None, NEWEST));
    match recordings.space().await {
        Ok(space) => seen.add("disk", &space),
        Err(error) => {
            let reason = format!("the disk cannot be asked for its room: {error}");
            seen.trouble.push(reason);
        }
    }
    let trouble = json!({ "messages": seen.trouble });
    seen.add("trouble", &trouble);
    seen.topics
}

/// What was seen so far, and why there is not more.
#[derive(Default)]
struct Seen {
    topics: Vec<(&'static str, String)>,
    trouble: Vec<String>,
}

impl Seen {
    fn add(&mut self, topic: &'static str, state: &impl Serialize) {
        // It has no line breaks unless it is made pretty.
        match serde_json::to_string(state) {
            Ok(json) => self.topics.push((topic, json)),
            Err(error) => self.trouble.push(format!("{topic}: {error}")),
        }
    }
}
