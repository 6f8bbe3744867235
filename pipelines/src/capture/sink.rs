use crate::log::{Body, LogEvent, Record};

use super::clock::Moment;

/// Where records go.
pub trait RecordSink {
    /// Takes a record; false when it had to be dropped. Only video frames are `expendable`.
    fn append(&mut self, record: Record, expendable: bool) -> bool;
}

/// Appends an event.
pub fn event(sink: &mut impl RecordSink, now: Moment, event: LogEvent) {
    put(sink, now, Body::Event(event));
}

/// Appends anything but media.
pub fn put(sink: &mut impl RecordSink, now: Moment, body: Body) {
    // Only media is ever dropped.
    sink.append(
        Record {
            time_ns: now.time_ns,
            wall_ns: now.wall_ns,
            body,
        },
        false,
    );
}
